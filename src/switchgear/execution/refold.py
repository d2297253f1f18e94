"""Folds the ledger again and compares: the chain must verify, and every stored intent must be what its events say.

Memory stays bounded: the chain is read in pages, and each intent is folded from its own stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from switchgear.core.errors import StoreError
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, Kind, accepted, evolve
from switchgear.execution.recorder import INTENTS, encoded, intent_of
from switchgear.ledger.events import read
from switchgear.ledger.verify import Verification, verify_chain
from switchgear.storage.abilities import Entry, Row, Store

_PAGE = 500


class FoldReport(msgspec.Struct, frozen=True):
    """How many intents were folded, and the id of the first whose row differs (None: all match)."""

    intents: int
    first_different: str | None


def folded(entries: Sequence[Entry]) -> Intent:
    """Return the intent that its entries, in order, describe.

    Raises `StoreError` (LEDGER_CORRUPT) for entries that cannot be read, `IllegalTransitionError` for an order that
    the table does not allow.
    """
    first = read(entries[0])
    intent = accepted(first.facts, first.payload or {}, first.at)
    appends = {first.append_id}
    for entry in entries[1:]:
        recorded = read(entry)
        appends.add(entry.append_id)
        intent = evolve(
            intent, Change(Kind(recorded.type), dict(recorded.facts), _plain(recorded.payload)), recorded.at
        )
    return msgspec.structs.replace(intent, version=len(appends))


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
        """Fold every intent of the tenant from its events and compare it with its row."""
        count, before = 0, None
        while True:
            rows = await self._store.page(INTENTS, tenant, before=before, limit=_PAGE)
            for row in rows:
                count += 1
                if not await self._matches(row):
                    return FoldReport(count, row.key)
            if len(rows) < _PAGE:
                return FoldReport(count, None)
            before = rows[-1].key

    async def _matches(self, row: Row) -> bool:
        entries = await self._store.stream(row.tenant, row.key)
        try:
            return bool(entries) and encoded(folded(entries)) == encoded(intent_of(row))
        except (StoreError, IllegalTransitionError, ValueError):
            return False
