"""Counts the budgets of a tenant again, from its events, and compares: the counters must be what the ledger says.

Appends go on meanwhile. So a counter is right when it was so at some moment between the heads before and after it was
read. A tenant some of whose entries were archived cannot be counted again here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from switchgear.core.errors import StoreError
from switchgear.execution.reservation import BudgetFold
from switchgear.gates.budget_names import HELD, USED
from switchgear.ledger.archiving import newest_segment
from switchgear.ledger.events import read
from switchgear.storage.abilities import Entry, Store

_PAGE = 500
_PROBLEMS_MAX = 100

_Place = tuple[str, str]


async def budget_problems(store: Store, tenant: str) -> tuple[str, ...]:
    """Return, one each, which budget counters of `tenant` differ from its events; at most 100. Empty when none does."""
    if await newest_segment(store, tenant) is not None:
        return ()
    first = (await store.head(tenant)).seq
    stored = {(space, key): value for space in (USED, HELD) async for key, value in _counters(store, space, tenant)}
    last = (await store.head(tenant)).seq
    try:
        attained = await _attained(store, tenant, first, last)
    except StoreError as error:
        return (f"budget counters cannot be counted again: {error.message}",)
    differing = [
        f"budget counters differ: {space} of {key} is {stored.get((space, key), 0)}, and its events make "
        f"{max(attained.get((space, key), {0}))}"
        for space, key in sorted(stored.keys() | attained.keys())
        if stored.get((space, key), 0) not in attained.get((space, key), {0})
    ]
    return tuple(differing[:_PROBLEMS_MAX])


async def _attained(store: Store, tenant: str, first: int, last: int) -> dict[_Place, set[int]]:
    """Return every value that each counter had from entry `first` on, up to entry `last`."""
    fold = BudgetFold()
    attained: dict[_Place, set[int]] = {}
    async for entry in _entries(store, tenant, last):
        if entry.seq == first + 1:
            attained = {place: {value} for place, value in fold.counters.items()}
        for place in fold.apply(read(entry)):
            attained.setdefault(place, {0}).add(fold.counters[place])
    return {place: {value} for place, value in fold.counters.items()} if first >= last else attained


async def _counters(store: Store, space: str, tenant: str) -> AsyncIterator[tuple[str, int]]:
    after: str | None = None
    while found := await store.counters(space, tenant, after=after, limit=_PAGE):
        for counter in found:
            yield counter.key, counter.value
        after = found[-1].key


async def _entries(store: Store, tenant: str, last: int) -> AsyncIterator[Entry]:
    after = 0
    while found := await store.entries(tenant, after_seq=after, limit=_PAGE):
        for entry in found:
            if entry.seq > last:
                return
            yield entry
        after = found[-1].seq
