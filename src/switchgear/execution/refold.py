"""Folds the ledger again and compares: the chain must verify, and every stored intent must be what its events say.

Memory stays bounded: the chain is read in pages, and each intent is folded from its own stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from switchgear.core.errors import StoreError
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, Kind, accepted, evolve
from switchgear.execution.recorder import INTENTS, encoded
from switchgear.ledger.events import read
from switchgear.ledger.folding import StateHash, stream_entries
from switchgear.ledger.verify import Verification, verify_chain
from switchgear.storage.abilities import Entry, Row, Store

_PAGE = 500
_LOOKS_MAX = 10


class FoldReport(msgspec.Struct, frozen=True):
    """How many intents were folded, the first whose row differs (None: all match), and the hash of what was folded."""

    intents: int
    first_different: str | None
    state_hash: str


async def folded(entries: AsyncIterator[Entry]) -> Intent | None:
    """Return the intent that its entries, in order, describe; None when there are none.

    Raises `StoreError` (LEDGER_CORRUPT) for entries that cannot be read, `IllegalTransitionError` for an order that
    the table does not allow.
    """
    intent: Intent | None = None
    versions, last_append = 0, ""
    async for entry in entries:
        recorded = read(entry)
        facts, payload = dict(recorded.facts), _plain(recorded.payload)
        if intent is None:
            intent = accepted(facts, payload or {}, recorded.at)
        else:
            intent = evolve(intent, Change(Kind(recorded.type), facts, payload), recorded.at)
        versions += entry.append_id != last_append
        last_append = entry.append_id
    return None if intent is None else msgspec.structs.replace(intent, version=versions)


def _plain(payload: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if payload is None else dict(payload)


class Refold:
    """Checks one tenant's ledger against itself and against the rows built from it."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store

    async def chain(self, tenant: str) -> Verification:
        """Verify the tenant's chain."""
        return await verify_chain(self._store, tenant)

    async def intents(self, tenant: str) -> FoldReport:
        """Fold every intent of the tenant from its events and compare it with its row (law 11)."""
        count, before, state = 0, None, StateHash()
        while rows := await self._store.page(INTENTS, tenant, before=before, limit=_PAGE):
            for row in rows:
                count += 1
                if not await self._matches(row, state):
                    return FoldReport(count, row.key, state.hexdigest())
            before = rows[-1].key
        return FoldReport(count, None, state.hexdigest())

    async def _matches(self, row: Row, state: StateHash) -> bool:
        """Compare a row with the fold of its events; a row that is written meanwhile is read again."""
        for _ in range(_LOOKS_MAX):
            try:
                intent = await folded(stream_entries(self._store, row.tenant, row.key))
            except (StoreError, IllegalTransitionError, ValueError):
                return False
            if intent is not None and encoded(intent) == row.value:
                state.add(row.key, row.value)
                return True
            again = await self._store.get(row.space, row.tenant, row.key)
            if again is None or again.version == row.version:
                return False
            row = again
        return False
