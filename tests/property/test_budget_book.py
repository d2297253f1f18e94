"""The book of budgets beside a store, in every order in which appends land, reads are made, and answers are heard.

Appends land in one order; each is heard of some time later, or never, by a carrier that was cancelled. A read is made
somewhere between its question and its answer. Once all is heard the book is where the store is: nothing was added
twice, and nothing left out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.ids import IdSource
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.gates.budget import Budget, Budgets
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.budget_names import USED, Period
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Committed, Count, Counter, Event, Head, Store
from switchgear.storage.opening import open_store
from tests.effort import examples
from tests.turns import turns

KEYS = ("one/total", "two/total")
BUDGETS = Budgets([Budget(name=key.partition("/")[0], limit=1_000, period=Period.TOTAL) for key in KEYS])


class Lagging:
    """A store that is read some turns of the loop after the question, and some before the answer."""

    def __init__(self, store: Store, rng: random.Random) -> None:
        """Draw from `rng` how many."""
        self._store = store
        self._rng = rng

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        """Everything else is the store's own."""
        return getattr(self._store, name)

    async def lag(self) -> None:
        """Take a while."""
        await turns(self._rng.choice((0, 0, 1, 2, 9)))

    async def head(self, tenant: str) -> Head:
        """Read the end of the chain."""
        await self.lag()
        head = await self._store.head(tenant)
        await self.lag()
        return head

    async def counters(self, *names: str, **options: Any) -> Sequence[Counter]:
        """Read counters."""
        await self.lag()
        found = await self._store.counters(*names, **options)
        await self.lag()
        return found


class Scene:
    """One tenant, whose units are counted while they are read."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.book = BudgetBook()
        self.hearing: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Count and read for a while, then let all be heard."""
        plain = await open_store("memory://", seal=seal, clock=self.clock)
        self.store = Lagging(plain, self.rng)
        ids = IdSource(self.clock, self.rng)
        self.keeper = BudgetKeeper(
            BUDGETS, self.book, store=cast("Store", self.store), clock=self.clock, ids=ids, encoder=EventEncoder()
        )
        await self.count(0)
        await self.keeper.load()
        for number in range(1, self.rng.randrange(2, 12)):
            await self.rng.choice((self.count, self.count, self.read))(number)
            await self.store.lag()
        await asyncio.gather(*self.hearing)
        await self.keeper.tend()
        stands = {counter.key: counter.value for counter in await plain.counters(USED, "acme")}
        assert {key: self.book.used("acme", key) for key in stands} == stands
        assert not self.book.take_unheard(), "what stands still is read at once"
        await plain.close()

    async def count(self, number: int) -> None:
        """Charge, or give back, and hear of it some time."""
        amount = self.rng.choice((3, 2, -1))
        counts = tuple(Count(USED, key, amount) for key in KEYS[: self.rng.randrange(1, 3)])
        events = tuple(Event("int_1", b"{}") for _ in range(self.rng.randrange(1, 4)))
        outcome = await self.store.append(Append(f"apd_{number}", "acme", events, counts=counts))
        assert isinstance(outcome, Committed)
        if number:  # the first one is of an engine before this one
            self.hearing.append(asyncio.ensure_future(self.hear(counts, outcome.seq_last)))

    async def hear(self, counts: Sequence[Count], seq: int) -> None:
        """Hear of what was counted, or only that something may have been, as by a carrier that was cancelled."""
        await turns(self.rng.choice((0, 5, 30, 90)))
        if self.rng.random() < 0.2:
            self.keeper.lost("acme")
        else:
            self.keeper.counted("acme", counts, seq)

    async def read(self, _number: int) -> None:
        """Read the counters again, while everything else goes on."""
        self.keeper.lost("acme")
        self.hearing.append(asyncio.ensure_future(self.keeper.tend()))


@settings(max_examples=examples(150), deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_the_book_ends_where_the_store_is(seed: int) -> None:
    """What an append counted is in what was read, or is added when it is heard of; never both, never neither."""
    asyncio.run(Scene(seed).run())
