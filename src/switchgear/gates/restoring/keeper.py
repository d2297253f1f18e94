"""Reads the mark of a restored store at start, loudly, and records that an operator has let it go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.moments import moment_text
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.restoring.book import (
    BACKED_UP,
    BACKUPS,
    FROZEN_FACET,
    KEY,
    RESTORED,
    SPACE,
    STREAM,
    THAWED,
    THAWED_FACET,
    UNREADABLE,
    Mark,
    RestoreBook,
    decoded_mark,
    encoded_mark,
)
from switchgear.ledger.appending import append_record, append_surely
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Committed, Head, Manifest, Row, Store, Write

_log = logging.getLogger("switchgear.restore")

_FACETS = {True: FROZEN_FACET, False: THAWED_FACET}
HEADS_MAX = 1_000
"""Most ends of chains that the event of a restore names."""
ENGINE = "switchgear"
"""Who acts when a backup is brought back: that is done to a file, without a principal."""


class RestoreKeeper:
    """Keeps a book true to the store. One per engine."""

    def __init__(self, book: RestoreBook, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Read and write in `store`."""
        self.book = book
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._version = 0

    async def load(self) -> None:
        """Read the mark. One that cannot be understood freezes the store. Raises `StoreError` when it is not read."""
        row = await self._store.get(SPACE, PLATFORM_TENANT, KEY)
        self._version = 0 if row is None else row.version
        self.book.mark = None if row is None else _read(row)
        self.book.read = True

    def tell(self) -> None:
        """Say loudly in the log that the store is frozen, when it is."""
        if self.book.frozen and self.book.mark is not None:
            backup_at = moment_text(self.book.mark.backup_at)
            _log.critical(
                "this store came from a backup of %s and is frozen: no write is executed until an operator says from "
                "when on the past may have been executed (switchgear ledger thaw)",
                backup_at,
                extra={"code": str(Code.RESTORE_PENDING), "backup_at": backup_at},
            )

    async def mark(self, mark: Mark, heads: Sequence[Head]) -> None:
        """Mark this store as restored: event and row. Raises `StoreError` when that is not known to be recorded.

        The event names the ends of the first 1,000 chains; the manifest of the backup names them all.
        """
        ends = [{"tenant": head.tenant, "seq": head.seq, "hash": head.hash.hex()} for head in heads[:HEADS_MAX]]
        facts = {"backup_at": mark.backup_at, "sha256": mark.sha256, "heads": ends, "chains": len(heads)}
        await self._written(mark, RESTORED, facts, None, actor=ENGINE)

    async def thawed(self, *, since: float, reason: str, in_doubt: int, actor: str) -> None:
        """Record that the store goes on, and let writes pass.

        `since` is seconds since the epoch, `in_doubt` how many actions went into doubt. Raises `StoreError` when that
        is not known to be recorded: the store stays frozen then, and it is done again.
        """
        assert self.book.mark is not None, "only what is marked is thawed"
        facts = {"since": since, "by": actor, "in_doubt": in_doubt}
        after = msgspec.structs.replace(self.book.mark, thawed_at=self._clock.time())
        await self._written(after, THAWED, facts, {"reason": reason}, actor=actor)
        _log.warning("the restored store goes on: %d actions are in doubt", in_doubt)

    async def backed_up(self, name: str, manifest: Manifest, *, actor: str) -> None:
        """Record that a backup was made. Raises `StoreError` when that is not known to be recorded."""
        facts = {"name": name, "created_at": manifest.created_at, "bytes": manifest.bytes, "sha256": manifest.sha256}
        scope = Scope(PLATFORM_TENANT, "platform", actor)
        event = self._encoder.encode(BACKED_UP, stream=BACKUPS, scope=scope, at=self._clock.time(), facts=facts)
        problem = f"the backup {name} stands, but the ledger did not acknowledge that it was made"
        await append_record(self._store, Append(self._ids.next("apd"), PLATFORM_TENANT, (event,)), problem)

    async def _written(
        self, mark: Mark, kind: str, facts: Mapping[str, object], payload: Mapping[str, object] | None, *, actor: str
    ) -> None:
        scope = Scope(PLATFORM_TENANT, "platform", actor)
        event = self._encoder.encode(
            kind, stream=STREAM, scope=scope, at=self._clock.time(), facts=facts, payload=payload
        )
        write = Write(SPACE, KEY, self._version, encoded_mark(mark), _FACETS[mark.thawed_at is None])
        append = Append(self._ids.next("apd"), PLATFORM_TENANT, (event,), (write,))
        if not isinstance(await append_surely(self._store, append), Committed):
            await self._read_again()
            raise Conflict("the mark of the restored store has changed; look again", policy="restore", retry_after=1.0)
        self._version += 1
        self.book.mark, self.book.read = mark, True

    async def _read_again(self) -> None:
        try:
            await self.load()
        except StoreError as error:
            _log.error("the mark of the restored store cannot be read: %s", error)


def _read(row: Row) -> Mark:
    try:
        return decoded_mark(row.value)
    except StoreError as error:
        _log.error("%s; the store is taken for one that was just restored", error)
        return UNREADABLE
