"""Archival: old entries leave the store as a segment, a file of the export's format, and the chain stays whole.

The segment comes first: it is exported, verified and kept by whoever asked. Then an event `ledger.archived` says which
entries are in it and what its digest is, and only then do they go, in bounded steps. A chain may begin later than at
entry 1 only behind such an event, so cutting it anywhere else is found. Segments and export verify together.

Which streams may go is asked of the caller: nothing that can still change loses its history.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Invalid, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.ledger.appending import append_surely
from switchgear.ledger.events import EventEncoder, Recorded
from switchgear.ledger.folding import PAGE_ENTRIES
from switchgear.ledger.values import read_value
from switchgear.storage.abilities import Append, Committed, Conflicted, Store, Write

ARCHIVED = "ledger.archived"
"""The type of the event that records that a segment left the store."""

STREAM = "ledger"
SPACE = "ledger.archive"
NEWEST = "newest"

CUT_AT_ONCE = 2000
"""Most entries that one append removes, so that other writers wait some milliseconds at most."""

_STREAMS_REMEMBERED_MAX = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")

Closed = Callable[[str, str], Awaitable[bool]]
"""(tenant, stream) -> whether nothing of that stream can change any more."""


class Segment(msgspec.Struct, frozen=True):
    """The entries that left together: from `first_seq` to `last_seq`, between the hashes `prev` and `hash` (hex).

    `sha256` is the digest of the segment's file, in hex.
    """

    first_seq: int
    last_seq: int
    prev: str
    hash: str
    sha256: str


_decode = msgspec.json.Decoder(Segment).decode
_encode = msgspec.json.Encoder().encode


def archived_through(recorded: Recorded) -> int:
    """Return up to which entry the chain was archived, as this event says; 0 for an event of another kind."""
    last_seq = recorded.facts.get("last_seq") if recorded.type == ARCHIVED else None
    return last_seq if type(last_seq) is int else 0


async def newest_segment(store: Store, tenant: str) -> Segment | None:
    """Return the newest segment of the tenant's chain, or None. Raises `StoreError` (LEDGER_CORRUPT)."""
    return (await _row(store, tenant))[0]


class Archivist:
    """Lets archived entries go. One per engine."""

    def __init__(self, store: Store, closed: Closed, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Work on `store`; `closed` tells which streams may go."""
        self._store = store
        self._closed = closed
        self._clock = clock
        self._ids = ids
        self._encoder = encoder

    async def resume(self, tenant: str) -> int:
        """End a removal that was interrupted. Return up to which entry the chain was archived; 0 when it never was."""
        newest = await newest_segment(self._store, tenant)
        if newest is None:
            return 0
        await self._cut(tenant, newest)
        return newest.last_seq

    async def last_archivable(self, tenant: str, before: int) -> int:
        """Return the last sequence below `before` such that every stream up to it is closed; 0 when there is none."""
        seen: set[str] = set()
        last = 0
        while page := await self._store.entries(tenant, after_seq=last, limit=PAGE_ENTRIES):
            for entry in page:
                if entry.seq >= before or not await self._may_go(tenant, entry.stream, seen):
                    return last
                last = entry.seq
        return last

    async def archive(self, scope: Scope, *, last_seq: int, hash: str, sha256: str) -> Segment:
        """Record that the entries up to `last_seq` are in a segment, in the name of `scope`, and let them go.

        `hash` is the hash of the last of them and `sha256` the digest of the file, both in hex: proof that the caller
        has it. Repeating it is no mistake. Raises `Invalid` for what is no digest, `Conflict` when the hash is another
        one or a stream among them is still open, `StoreError` when it could not be recorded.
        """
        newest, version = await _row(self._store, scope.tenant)
        segment = newest if newest is not None and newest.last_seq == last_seq else None
        if segment is None:
            segment = await self._checked(scope.tenant, last_seq, hash, sha256)
            await self._record(scope, segment, version)
        await self._cut(scope.tenant, segment)
        return segment

    async def _may_go(self, tenant: str, stream: str, seen: set[str]) -> bool:
        if stream in seen:
            return True
        if not await self._closed(tenant, stream):
            return False
        if len(seen) >= _STREAMS_REMEMBERED_MAX:
            seen.clear()
        seen.add(stream)
        return True

    async def _checked(self, tenant: str, last_seq: int, hash_: str, sha256: str) -> Segment:
        if not _DIGEST.match(sha256):
            raise Invalid("the digest of a segment is 64 hex digits")
        first = await self._store.entries(tenant, limit=1)
        last = await self._store.entries(tenant, after_seq=last_seq - 1, limit=1) if last_seq > 0 else ()
        if not first or not last or last[0].seq != last_seq or last[0].hash.hex() != hash_:
            raise Conflict(f"entry {last_seq} is not here with that hash: export the segment again", policy="archive")
        if await self.last_archivable(tenant, last_seq + 1) != last_seq:
            raise Conflict(f"not every stream up to entry {last_seq} is closed", policy="archive")
        return Segment(first[0].seq, last_seq, first[0].prev.hex(), hash_, sha256)

    async def _record(self, scope: Scope, segment: Segment, version: int) -> None:
        event = self._encoder.encode(
            ARCHIVED, stream=STREAM, scope=scope, at=self._clock.time(), facts=msgspec.structs.asdict(segment)
        )
        write = Write(SPACE, NEWEST, version, _encode(segment))
        append = Append(self._ids.next("apd"), scope.tenant, (event,), (write,))
        if isinstance(await append_surely(self._store, append), Conflicted):
            raise Conflict("somebody else archives this chain at this moment", policy="archive")

    async def _cut(self, tenant: str, segment: Segment) -> None:
        """Remove the entries step by step. A step whose acknowledgement is lost may be repeated: it removes nothing."""
        first = await self._store.entries(tenant, limit=1)
        position = first[0].seq - 1 if first else segment.last_seq
        while position < segment.last_seq:
            position = min(position + CUT_AT_ONCE, segment.last_seq)
            outcome = await self._store.append(Append(self._ids.next("apd"), tenant, (), cut=position))
            if not isinstance(outcome, Committed):
                raise StoreError(
                    f"the removal did not end ({outcome}); archive again", code=Code.TIMEOUT_JOURNAL_APPEND
                )


async def _row(store: Store, tenant: str) -> tuple[Segment | None, int]:
    row = await store.get(SPACE, tenant, NEWEST)
    if row is None:
        return None, 0
    return read_value(_decode, row.value, "the newest segment of tenant {!r}", tenant), row.version
