"""Erasure of payloads: the user's data of one stream goes, the chain stays valid, and the record says who and why.

What remains is what the machine knows (facts), the salted digest, and an event `payload.erased` in the same stream.
Rows built from the payloads hold the same data, so whoever erases writes those rows anew in the same append: the caller
knows them. Copies that left before (exports, archived segments, backups) are not reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.errors import Conflict, Invalid
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.ledger.appending import append_surely
from switchgear.ledger.events import EventEncoder, Recorded, decoded
from switchgear.ledger.folding import stream_entries
from switchgear.ledger.reasons import check_reason
from switchgear.storage.abilities import Append, Conflicted, Erase, Journal, Write

ERASED = "payload.erased"
"""The type of the event that records an erasure. It changes no state."""

MARK = "[erased]"
"""What stands where erased data stood."""

ERASED_AT_ONCE_MAX = 1000

_SHOWN: Mapping[str, Mapping[str, Any]] = {
    "intent.accepted": {"arguments": {MARK: True}},
    "intent.succeeded": {"value": MARK},
}
_SHOWN_ELSE: Mapping[str, Any] = {"message": MARK}


def shown(recorded: Recorded) -> Recorded:
    """Return an event whose erased payload is replaced by marks, so that folding it goes on; others as they are."""
    if not recorded.erased:
        return recorded
    return replace(recorded, payload=dict(_SHOWN.get(recorded.type, _SHOWN_ELSE)))


def is_erased(arguments: Mapping[str, Any]) -> bool:
    """Return whether these are the marks that stand where arguments were: nothing may be sent with them."""
    return MARK in arguments


class Eraser:
    """Erases the payloads of one stream at a time. One per engine."""

    def __init__(self, journal: Journal, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Erase in `journal`."""
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._encoder = encoder

    async def erasable(self, tenant: str, stream: str) -> tuple[Recorded, ...]:
        """Return the events of the stream that have a payload. Raises `Invalid` when there are more than 1,000.

        Raises `StoreError` (LEDGER_CORRUPT) at an entry that cannot be read: what is damaged is kept as it is.
        """
        entries = stream_entries(self._journal, tenant, stream)
        found = [event async for event in (decoded(entry) async for entry in entries) if event.payload is not None]
        if len(found) > ERASED_AT_ONCE_MAX:
            raise Invalid(f"stream {stream} has {len(found)} payloads, and {ERASED_AT_ONCE_MAX} go at once")
        return tuple(found)

    async def erase(
        self, scope: Scope, stream: str, events: Sequence[Recorded], *, reason: str, writes: tuple[Write, ...]
    ) -> None:
        """Erase the payloads of `events`, which `erasable` gave, for ever, and record it in the name of `scope`.

        `writes` are the rows without the data; at least one, since its version says that nothing came in between.
        `reason` (1 to 500 characters) stays in the chain for ever, so it names no person. Raises `Invalid` for another
        reason or nothing to erase, `Conflict` when the stream has changed meanwhile, `StoreError` when nothing was
        written.
        """
        check_reason(reason.strip())
        if not events:
            raise Invalid(f"stream {stream} has no payload to erase")
        seqs = [event.seq for event in events]
        record = self._encoder.encode(
            ERASED,
            stream=stream,
            scope=scope,
            at=self._clock.time(),
            facts={"seqs": seqs, "reason": reason.strip(), "by": scope.actor},
        )
        append = Append(self._ids.next("apd"), scope.tenant, (record,), writes, erases=(Erase(stream, max(seqs)),))
        if isinstance(await append_surely(self._journal, append), Conflicted):
            raise Conflict(f"{stream} has changed meanwhile; read it again", policy="erasure")
