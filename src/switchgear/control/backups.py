"""Use cases about backups of the whole store: make one, list them, and let a restored store go on.

They are the platform's: a backup holds every tenant. Bringing one back is done to files, without a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from switchgear.control.permissions import Permissions
from switchgear.core.clock import Clock
from switchgear.core.errors import Conflict, Denied, Invalid, StoreError
from switchgear.core.moments import moment_text
from switchgear.core.scope import Principal
from switchgear.execution.bounded import within
from switchgear.execution.engine import Engine
from switchgear.execution.resolving import AGENT
from switchgear.execution.thawing import Thawed
from switchgear.gates.restoring.keeper import RestoreKeeper
from switchgear.ledger.reasons import check_reason
from switchgear.storage.abilities import Manifest, Store
from switchgear.storage.manifest import read_manifest

BACKUP_SECONDS_MAX = 1_800.0
"""The longest that one backup may take; what takes longer is ended, and nothing is left of it."""
LISTED_MAX = 1_000
_PRIVATE_FOLDER = 0o700
_NOTHING = Thawed(in_doubt=0, sagas=0, time_boxes=0, unreadable=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEnd:
    """Where the chain of a tenant ends in a backup. `hash` is hex."""

    tenant: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupView:
    """A backup: its file in the folder of backups, and what its manifest says. `created_at` is epoch seconds."""

    file: str
    created_at: float
    bytes: int
    sha256: str
    heads: list[ChainEnd]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupLine:
    """A backup in a list. What is None cannot be read; `problem` says why."""

    file: str
    created_at: float | None
    bytes: int | None
    sha256: str | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupList:
    """The backups in the folder, newest first. `under_way` names the one that is being made.

    `frozen` says that this store itself came from a backup, of `restored_from` (epoch seconds), and is not thawed.
    """

    folder: str
    items: Sequence[BackupLine]
    under_way: str | None
    frozen: bool
    restored_from: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawedView:
    """What a thaw came to: actions that are in doubt now, sagas and time-boxes that wait for a person.

    Actions that went into doubt by it and may be repeated, go on already. `unreadable` records are left as they are;
    the log names them.
    """

    since: float
    in_doubt: int
    sagas: int
    time_boxes: int
    unreadable: int


class Backups:
    """What can be done about backups of the store."""

    permissions: ClassVar[Permissions] = Permissions(platform=("platform:backup", "platform:restore"))

    def __init__(
        self, engine: Engine, store: Store, keeper: RestoreKeeper, *, folder: Path | None, clock: Clock
    ) -> None:
        """Copy `store` into `folder`; None where no folder is known. `keeper` knows whether it was restored."""
        self._engine = engine
        self._store = store
        self._keeper = keeper
        self._folder = folder
        self._clock = clock
        self._under_way: str | None = None
        self._thawing = asyncio.Lock()

    async def make(self, principal: Principal) -> BackupView:
        """Copy the store while it runs, and return what the manifest says.

        Raises `Conflict` while another one is under way, `Invalid` for a store that cannot be copied, `StoreError`
        when it fails or takes longer than 30 minutes; nothing is left of it then.
        """
        principal.require("platform:backup")
        if self._under_way is not None:
            message = f"the backup {self._under_way} is under way; one at a time"
            raise Conflict(message, policy="backup", state="under_way", retry_after=5.0)
        now = self._clock.time()
        name = f"gear-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S.%fZ}.db"
        self._under_way = name
        try:
            manifest = await self._copied(self._made_folder() / name, now)
        finally:
            self._under_way = None
        await self._keeper.backed_up(name, manifest, actor=principal.actor)
        return _view(name, manifest)

    async def list(self, principal: Principal) -> BackupList:
        """Return the newest 1,000 backups in the folder, and whether this store is frozen after a restore."""
        principal.require("platform:backup")
        mark = self._keeper.book.mark
        frozen = self._keeper.book.frozen
        return BackupList(
            folder="" if self._folder is None else str(self._folder),
            items=[] if self._folder is None else await asyncio.to_thread(_lines, self._folder),
            under_way=self._under_way,
            frozen=frozen,
            restored_from=mark.backup_at if frozen and mark is not None else None,
        )

    async def thaw(self, principal: Principal, *, since: float, reason: str) -> ThawedView:
        """Let a restored store go on. What may have been executed from `since` (epoch seconds) on is in doubt.

        Done again after a crash or an error, it goes on with what is left. Raises `Denied` for an agent, `Invalid` for
        a time that is not over or a reason that is none, `Conflict` when the store is not frozen, `StoreError` when
        the ledger cannot be written.
        """
        principal.require("platform:restore")
        if principal.actor.startswith(AGENT):
            raise Denied("an agent cannot say what may have been executed; a person can", policy="restore")
        if not self._engine.resting:
            raise Conflict("this store is not frozen", policy="restore", state="thawed")
        check_reason(reason)
        _check_since(since, self._clock.time())
        async with self._thawing:
            found = await self._thawed(since, reason, principal.actor)
        return ThawedView(
            since=since,
            in_doubt=found.in_doubt,
            sagas=found.sagas,
            time_boxes=found.time_boxes,
            unreadable=found.unreadable,
        )

    async def _thawed(self, since: float, reason: str, actor: str) -> Thawed:
        if not self._engine.resting:
            raise Conflict("somebody else has thawed this store meanwhile", policy="restore", state="thawed")
        found = _NOTHING
        if self._keeper.book.frozen:  # else an earlier thaw was recorded, and ended before the engine went on
            found = await self._engine.thaw(since, actor=actor)
            await self._keeper.thawed(since=since, reason=reason, in_doubt=found.in_doubt, actor=actor)
        recovered = await self._engine.wake()
        return replace(found, in_doubt=recovered.in_doubt)

    async def _copied(self, path: Path, now: float) -> Manifest:
        made: list[Manifest] = []

        async def copy() -> None:
            made.append(await self._store.backup(path, created_at=now))

        if not await within(self._clock, BACKUP_SECONDS_MAX, copy()):
            raise StoreError(f"the backup took longer than {BACKUP_SECONDS_MAX:.0f} s, and nothing is left of it")
        return made[0]

    def _made_folder(self) -> Path:
        if self._folder is None:
            raise Invalid("no folder for backups is known; name one with [store] backups", policy="backup")
        try:
            self._folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {self._folder} cannot be made: {error.strerror}") from error
        return self._folder


def _check_since(since: float, now: float) -> None:
    if not since >= 0:
        raise Invalid("since must be seconds since the epoch, at least 0", policy="restore")
    if since > now:
        raise Invalid(
            f"since is {moment_text(since)}, which is still to come; give when the backup was made, or earlier",
            policy="restore",
        )


def _view(name: str, manifest: Manifest) -> BackupView:
    heads = [ChainEnd(tenant=head.tenant, seq=head.seq, hash=head.hash.hex()) for head in manifest.heads]
    return BackupView(
        file=name, created_at=manifest.created_at, bytes=manifest.bytes, sha256=manifest.sha256, heads=heads
    )


def _lines(folder: Path) -> list[BackupLine]:
    """Return the backups in a folder. A file without a manifest is none, or not finished."""
    found = (_line(path) for path in sorted(folder.glob("gear-*.db"), reverse=True)[:LISTED_MAX])
    return [line for line in found if line is not None]


def _line(path: Path) -> BackupLine | None:
    try:
        manifest = read_manifest(path)
    except Invalid:
        return None
    except StoreError as error:
        return BackupLine(file=path.name, created_at=None, bytes=None, sha256=None, problem=str(error.code))
    return BackupLine(
        file=path.name,
        created_at=manifest.created_at,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        problem=None,
    )
