"""Folds the ledger again and compares: the chain must verify, and every stored intent must be what its events say.

Memory stays bounded: the chain is read in pages, and each intent is folded from its own stream. One that cannot be
folded is named with what is wrong, and never stops the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from switchgear.core.errors import StoreError
from switchgear.execution.budget_check import budget_problems
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, accepted, evolve
from switchgear.execution.recorder import INTENTS, encoded
from switchgear.execution.transitions import Kind
from switchgear.ledger.archiving import newest_segment
from switchgear.ledger.erasure import ERASED, shown
from switchgear.ledger.events import Recorded, read
from switchgear.ledger.folding import StateHash, stream_entries
from switchgear.ledger.verify import Verification, verify_chain
from switchgear.storage.abilities import Entry, Row, Store

_PAGE = 500
_LOOKS_MAX = 10
_PROBLEMS_MAX = 100
BROKEN = (StoreError, IllegalTransitionError, AssertionError, LookupError, TypeError, ValueError)
"""What folding raises for events that are damaged, of a newer release, or in an order that cannot be."""


class FoldReport(msgspec.Struct, frozen=True):
    """What folding every intent of a tenant came to.

    `intents` were looked at; `different` of them are not what their events say, the newest being `first_different`
    (None: all match), and `problems` says of the first 100 why. `archived` are those whose beginning left the store
    with a segment: nobody can fold them here. `state_hash` is the hash of those that match.
    """

    intents: int
    first_different: str | None
    state_hash: str
    different: int = 0
    archived: int = 0
    problems: tuple[str, ...] = ()


async def folded(entries: AsyncIterator[Entry]) -> Intent | None:
    """Return the intent that its entries, in order, describe; None when they are none, or do not begin with its birth.

    Where payloads were erased, marks stand in their place. Raises `StoreError` (LEDGER_CORRUPT) for entries that cannot
    be read, `IllegalTransitionError` for an order that the table does not allow.
    """
    intent: Intent | None = None
    versions, last_append = 0, ""
    async for entry in entries:
        recorded = shown(read(entry))
        if intent is None and recorded.type != Kind.ACCEPTED:
            return None
        if recorded.type != ERASED:
            intent = _after(intent, recorded)
        versions += entry.append_id != last_append
        last_append = entry.append_id
    return None if intent is None else msgspec.structs.replace(intent, version=versions)


def _after(intent: Intent | None, recorded: Recorded) -> Intent:
    facts, payload = dict(recorded.facts), _plain(recorded.payload)
    if intent is None:
        return accepted(facts, payload or {}, recorded.at)
    return evolve(intent, Change(Kind(recorded.type), facts, payload), recorded.at)


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
        found = _Found(archive=await newest_segment(self._store, tenant) is not None)
        before = None
        while rows := await self._store.page(INTENTS, tenant, before=before, limit=_PAGE):
            for row in rows:
                await self._compare(row, found)
            before = rows[-1].key
        return found.report()

    async def budgets(self, tenant: str) -> tuple[str, ...]:
        """Return which budget counters of the tenant are not what its events make; empty when all are."""
        return await budget_problems(self._store, tenant)

    async def _compare(self, row: Row, found: _Found) -> None:
        """Compare a row with the fold of its events; a row that is written meanwhile is read again."""
        problem = ""
        for _ in range(_LOOKS_MAX):
            try:
                intent = await folded(stream_entries(self._store, row.tenant, row.key))
            except BROKEN as error:
                problem = f"cannot be folded: {error}"
            else:
                if found.settles(row, intent):
                    return
                problem = "is not what its events say"
            again = await self._store.get(row.space, row.tenant, row.key)
            if again is None or again.version == row.version:
                break
            row = again
        found.differs(row, problem)


class _Found:
    """Gathers what was found, row by row."""

    def __init__(self, *, archive: bool) -> None:
        """`archive` says that entries of this tenant were archived, so that streams may lack their beginning."""
        self._archive = archive
        self._state = StateHash()
        self._matching = self._archived = 0
        self._first_different: str | None = None
        self._different = 0
        self._problems: list[str] = []

    def settles(self, row: Row, intent: Intent | None) -> bool:
        """Enter a row that is what its events say, or whose beginning is archived. Return whether it is."""
        if intent is None:
            self._archived += self._archive
            return self._archive
        if encoded(intent) != row.value:
            return False
        self._state.add(row.key, row.value)
        self._matching += 1
        return True

    def differs(self, row: Row, problem: str) -> None:
        """Enter a row that is not."""
        self._different += 1
        self._first_different = self._first_different or row.key
        if len(self._problems) < _PROBLEMS_MAX:
            self._problems.append(f"intent {row.key} {problem}")

    def report(self) -> FoldReport:
        """Return everything that was found."""
        return FoldReport(
            intents=self._matching + self._archived + self._different,
            first_different=self._first_different,
            state_hash=self._state.hexdigest(),
            different=self._different,
            archived=self._archived,
            problems=tuple(self._problems),
        )
