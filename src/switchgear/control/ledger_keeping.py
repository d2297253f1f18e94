"""Use cases that keep a tenant's ledger: sign it, archive its beginning, erase payloads. Reading it is in `ledger`.

Which streams are closed, and what an intent looks like without its data, is known here, since it takes execution.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from switchgear.control.permissions import Permissions
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied
from switchgear.core.ids import IdSource
from switchgear.core.scope import Principal, Scope
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, encoded, intent_of
from switchgear.execution.refold import folded
from switchgear.execution.sagas.book import SAGAS, folded_saga, saga_of
from switchgear.execution.sagas.book import encoded as encoded_saga
from switchgear.execution.sagas.transitions import OPEN as OPEN_SAGAS
from switchgear.execution.time_boxes.box import LASTING, SPACE, STREAM_PREFIX
from switchgear.execution.transitions import FINAL
from switchgear.gates.kill_switches.switches import KEY as SWITCHES_KEY
from switchgear.gates.kill_switches.switches import SPACE as SWITCHES
from switchgear.gates.kill_switches.switches import STREAM as KILL_SWITCHES
from switchgear.ledger.archiving import Archivist, Segment
from switchgear.ledger.checkpoints import Checkpointer, Stored, newest_checkpoint
from switchgear.ledger.erasure import Eraser
from switchgear.ledger.events import EventEncoder, Recorded
from switchgear.ledger.export import export_lines
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import Entry, Row, Store, Write

INTENT_PREFIX = "int_"
SAGA_PREFIX = "sga_"

CLOSED_STREAMS = ("admission", "breaker:", "budget:", "budgets", "dependency:", "in_flight", "ledger", "tool:")
"""Beginnings of the names of streams that nothing is folded from, so that they may be archived at any time.

What they tell stands in rows of their own where it still matters: accepted contracts, alarms, the mark of a restore.
"""

ACCOUNT = "platform"
"""The account of what is recorded about the ledger itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """A signed checkpoint. `note` is the text to keep elsewhere; `seq` is the entry up to which it speaks."""

    note: str
    seq: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivableView:
    """What may be archived: entries `first_seq` to `last_seq`. `last_seq` is 0 when there is nothing.

    `hash` is the hash of the last of them, in hex. `archived_through` is where an earlier archive ended.
    `blocked_by` is the stream of the next entry where that is still open and keeps it here, empty when none does; it is
    the id of an action or a saga, ``time_box.`` and the id of a time-box, or ``kill_switches`` while one is on.
    """

    first_seq: int
    last_seq: int
    hash: str
    archived_through: int
    blocked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentView:
    """A segment that was archived: its entries are no longer in the store."""

    first_seq: int
    last_seq: int
    hash: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """What was erased of an intent, or of a saga: the payloads of the entries `seqs`."""

    intent: str
    seqs: list[int]


class LedgerKeeping:
    """What can be done to the ledger of the caller's tenant. Nothing of it changes what happened."""

    permissions: ClassVar[Permissions] = Permissions(
        tenant=("ledger:read", "ledger:sign", "ledger:archive", "ledger:erase")
    )

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        ids: IdSource,
        encoder: EventEncoder,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        """Keep the chains of `store`. Without a `checkpointer` nothing can be signed here."""
        self._store = store
        self._checkpointer = checkpointer
        self._eraser = Eraser(store, clock=clock, ids=ids, encoder=encoder)
        self._archivist = Archivist(store, self._closed, clock=clock, ids=ids, encoder=encoder)

    # --- checkpoints ---

    async def checkpoint(self, principal: Principal) -> CheckpointView:
        """Return the newest checkpoint of the tenant's chain.

        Raises `Denied` (NOT_FOUND) when there is none: its state is `no_key` or `unsigned`, by whether this server can
        make one.
        """
        principal.require("ledger:read")
        newest = await newest_checkpoint(self._store, principal.tenant)
        if newest is None:
            raise _unsigned() if self._checkpointer else _without_a_key()
        return _checkpoint_view(newest)

    async def sign(self, principal: Principal) -> CheckpointView:
        """Sign the tenant's chain as it is now, and return the checkpoint.

        Raises `Denied` (NOT_FOUND) when this server has no key, `Invalid` when the chain is empty.
        """
        principal.require("ledger:sign")
        if self._checkpointer is None:
            raise _without_a_key()
        return _checkpoint_view(await self._checkpointer.sign(principal.tenant, actor=principal.actor))

    # --- archive ---

    async def archivable(self, principal: Principal, *, before: int) -> ArchivableView:
        """Return which entries below `before` may leave: those up to the first of a stream that is still open.

        Ends a removal that was interrupted, first.
        """
        principal.require("ledger:archive")
        through = await self._archivist.resume(principal.tenant)
        last_seq = await self._archivist.last_archivable(principal.tenant, before)
        ends = await self._store.entries(principal.tenant, after_seq=last_seq - 1, limit=1) if last_seq else ()
        first = await self._store.entries(principal.tenant, limit=1) if last_seq else ()
        left = await self._store.entries(principal.tenant, after_seq=last_seq, limit=1)
        return ArchivableView(
            first_seq=first[0].seq if first else 0,
            last_seq=last_seq,
            hash=ends[0].hash.hex() if ends else "",
            archived_through=through,
            blocked_by=left[0].stream if left and left[0].seq < before else "",
        )

    async def segment(self, principal: Principal, *, last_seq: int) -> AsyncIterator[bytes]:
        """Return the entries up to `last_seq` as JSON Lines: the file to keep before `archive` lets them go."""
        principal.require("ledger:archive")
        return _encoded(export_lines(self._store, principal.tenant, last_seq=last_seq))

    async def archive(self, principal: Principal, *, last_seq: int, hash: str, sha256: str) -> SegmentView:
        """Let the entries up to `last_seq` go, whose segment the caller has: its last hash and its file's digest.

        The chain is signed anew where this server has a key. Raises `Invalid` for what is no digest, `Conflict`
        for another hash, or when a stream among them is open.
        """
        principal.require("ledger:archive")
        scope = Scope(principal.tenant, ACCOUNT, principal.actor)
        segment = await self._archivist.archive(scope, last_seq=last_seq, hash=hash, sha256=sha256)
        if self._checkpointer is not None:
            await self._checkpointer.sign(principal.tenant, actor=principal.actor)
        return _segment_view(segment)

    async def _closed(self, tenant: str, stream: str) -> bool:
        if stream.startswith(STREAM_PREFIX):
            return not await self._boxed(tenant, stream.removeprefix(STREAM_PREFIX))
        if stream.startswith(SAGA_PREFIX):
            return not await self._in_open_saga(tenant, stream)
        if stream == KILL_SWITCHES:
            return not await self._some_switch_is_on(tenant)
        if not stream.startswith(INTENT_PREFIX):
            return stream.startswith(CLOSED_STREAMS)
        row = await self._store.get(INTENTS, tenant, stream)
        return row is not None and row.facet in FINAL

    async def _boxed(self, tenant: str, box_id: str) -> bool:
        """Return whether there is a time-box of this id that has not ended."""
        row = await self._store.get(SPACE, tenant, box_id)
        return row is not None and row.facet in LASTING

    async def _some_switch_is_on(self, tenant: str) -> bool:
        """Return whether a kill switch is on, whose events are still needed: its row is checked against them.

        While none is on they may go: each says how many were on before it, so a fold begins at the next one.
        """
        row = await self._store.get(SWITCHES, tenant, SWITCHES_KEY)
        return row is not None and row.facet != "off"

    async def _in_open_saga(self, tenant: str, saga_id: str | None) -> bool:
        """Return whether there is a saga of this id that is not at its end."""
        row = None if saga_id is None else await self._store.get(SAGAS, tenant, saga_id)
        return row is not None and row.facet in OPEN_SAGAS

    # --- erasure ---

    async def erase(self, principal: Principal, intent_id: str, *, reason: str) -> ErasureView:
        """Erase arguments, value and messages of an intent that is final, for ever; what happened stays on record.

        So it does with a saga, by its id: its steps and what undid them are intents of their own.

        `reason` (1 to 500 characters) stays in the chain, so it names no person. Raises `Denied` (NOT_FOUND),
        `Conflict` while the intent is open or when it was written meanwhile, `Invalid` when there is nothing to erase.
        """
        principal.require("ledger:erase")
        if intent_id.startswith(SAGA_PREFIX):
            return await self._erase_saga(principal, intent_id, reason)
        row = await self._store.get(INTENTS, principal.tenant, intent_id)
        if row is None:
            raise _missing(f"there is no intent {intent_id[:50]!r}")
        intent = intent_of(row)
        if intent.state not in FINAL:
            raise Conflict(f"an intent that is {intent.state} still needs its data", state=str(intent.state))
        if intent.time_box is not None and await self._boxed(principal.tenant, intent.downstream_key):
            raise Conflict("its time-box still needs its data for the revert", state=str(intent.state))
        if await self._in_open_saga(principal.tenant, intent.parent):
            raise Conflict("its saga still needs its data, to go on or to undo it", state=str(intent.state))
        events = await self._eraser.erasable(principal.tenant, intent_id)
        bare = await self._without_data(row, events)
        scope = Scope(principal.tenant, intent.account, principal.actor)
        write = Write(INTENTS, row.key, row.version, encoded(bare), bare.state)
        await self._eraser.erase(scope, intent_id, events, reason=reason, writes=(write,))
        return ErasureView(intent=intent_id, seqs=[event.seq for event in events])

    async def _erase_saga(self, principal: Principal, saga_id: str, reason: str) -> ErasureView:
        row = await self._store.get(SAGAS, principal.tenant, saga_id)
        if row is None:
            raise _missing(f"there is no saga {saga_id[:50]!r}")
        saga = saga_of(row)
        if not saga.final:
            raise Conflict(f"a saga that is {saga.state} still needs its data", state=str(saga.state))
        events = await self._eraser.erasable(principal.tenant, saga_id)
        bare = await folded_saga(self._erased(row, {event.seq for event in events}))
        if bare is None:
            raise Conflict("the beginning of this saga is archived; what is archived cannot be erased here")
        value = encoded_saga(msgspec.structs.replace(bare, version=row.version + 1))
        write = Write(SAGAS, row.key, row.version, value, row.facet)
        scope = Scope(principal.tenant, saga.account, principal.actor)
        await self._eraser.erase(scope, saga_id, events, reason=reason, writes=(write,))
        return ErasureView(intent=saga_id, seqs=[event.seq for event in events])

    async def _without_data(self, row: Row, events: Sequence[Recorded]) -> Intent:
        """Return the intent that its stream describes once the payloads of `events` are gone."""
        bare = await folded(self._erased(row, {event.seq for event in events}))
        if bare is None:
            raise Conflict("the beginning of this intent is archived; what is archived cannot be erased here")
        return msgspec.structs.replace(bare, version=row.version + 1)

    async def _erased(self, row: Row, seqs: set[int]) -> AsyncIterator[Entry]:
        async for entry in stream_entries(self._store, row.tenant, row.key):
            yield msgspec.structs.replace(entry, payload=None) if entry.seq in seqs else entry


def _checkpoint_view(stored: Stored) -> CheckpointView:
    return CheckpointView(note=stored.note, seq=stored.seq, at=stored.at)


def _segment_view(segment: Segment) -> SegmentView:
    return SegmentView(first_seq=segment.first_seq, last_seq=segment.last_seq, hash=segment.hash, sha256=segment.sha256)


def _without_a_key() -> Denied:
    what = (
        "this server has no key to sign with: make one with `switchgear ledger key FILE --name NAME`, write FILE as "
        "`key` into [ledger] of its configuration, and start it again"
    )
    return _missing(what, "no_key")


def _unsigned() -> Denied:
    what = "this chain was not signed yet; the server has a key, and signs chains that have grown while it runs"
    return _missing(what, "unsigned")


def _missing(what: str, state: str = "") -> Denied:
    return Denied(what, code=Code.NOT_FOUND, policy="ledger", state=state)


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield f"{line}\n".encode()
