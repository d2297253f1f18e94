"""The part of the conformance suite for stores that is about counters. `storage` brings it together with the rest."""

from __future__ import annotations

import asyncio

from switchgear.storage.abilities import Committed, Conflicted, Count, Counter, Exceeded, Seal, Store
from switchgear.storage.checks import COUNTER_MAX
from switchgear.testing.storage_scenes import append, assert_invalid, count, counter_keys, kind, scenario, write


class CounterConformance:
    """Every rule of counters."""

    async def open(self, seal: Seal) -> Store:
        """Open the store under test: empty at first, the same one again within one test."""
        raise NotImplementedError("say how to open the store under test")

    @scenario
    async def test_a_counter_never_passes_its_limit(self, store: Store) -> None:
        """Of many appends that draw on one limit, exactly those commit that fit, and the others leave no trace."""
        fates = await asyncio.gather(*(store.append(append(n, counts=(count(3, 10),))) for n in range(50)))
        assert [kind(fate) for fate in fates] == ["Committed"] * 3 + ["Exceeded"] * 47
        assert fates[-1] == Exceeded("space", "acme", "used", 3, 10, 9)
        assert await store.counters("space", "acme") == [Counter("space", "acme", "used", 9)]
        assert [entry.append_id for entry in await store.entries("acme")] == ["a-0", "a-1", "a-2"]

    @scenario
    async def test_what_was_counted_can_be_given_back(self, store: Store) -> None:
        """An amount of 0 or less is never over a limit, whatever the counter says; without a limit nothing is."""
        for number, amount, limit in ((0, 9, None), (1, -2, 0), (2, 0, 1), (3, -10, 5)):
            assert isinstance(await store.append(append(number, counts=(count(amount, limit),))), Committed)
        assert [one.value for one in await store.counters("space", "acme")] == [-3]

    @scenario
    async def test_counters_rows_and_events_commit_together(self, store: Store) -> None:
        """A full counter refuses rows and events, a conflict refuses counts; the conflict is said first."""
        both = (write("k", 0),)
        exceeded = await store.append(append(0, writes=both, counts=(count(1, 9, "free"), count(6, 5))))
        assert exceeded == Exceeded("space", "acme", "used", 6, 5, 0)
        assert await store.get("space", "acme", "k") is None
        assert await store.counters("space", "acme") == []
        assert await store.append(append(1, writes=both, counts=(count(5, 5),))) == Committed(1)
        assert await store.append(append(1, writes=both, counts=(count(5, 5),))) == Conflicted(
            "space", "acme", "k", 0, 1
        )
        assert [one.value for one in await store.counters("space", "acme")] == [5]

    @scenario
    async def test_counters_are_listed_by_key_prefix_and_place(self, store: Store) -> None:
        """By ascending key, of one tenant and space, those that begin with a prefix, above a key, up to a limit."""
        keys = ("a", "a/1", "a/1/x", "a/2", "a퟿", "a􏿿", "a􏿿!", "b", "􏿿")
        await store.append(append(0, counts=tuple(count(index, None, key) for index, key in enumerate(keys))))
        await store.append(append(1, tenant="other", counts=(count(1, None, "a/1"),)))
        await store.append(append(2, counts=(Count("elsewhere", "a/1", 1),)))
        assert await counter_keys(store) == list(keys)
        assert await counter_keys(store, prefix="a/") == ["a/1", "a/1/x", "a/2"]
        assert await counter_keys(store, prefix="a/1") == ["a/1", "a/1/x"]
        assert await counter_keys(store, prefix="a퟿") == ["a퟿"]
        assert await counter_keys(store, prefix="a􏿿") == ["a􏿿", "a􏿿!"]
        assert await counter_keys(store, prefix="􏿿") == ["􏿿"]
        assert await counter_keys(store, prefix="a/", after="a/1", limit=1) == ["a/1/x"]
        assert await counter_keys(store, prefix="a/", after="0") == ["a/1", "a/1/x", "a/2"]
        assert await counter_keys(store, prefix="a/", after="a/2") == []

    @scenario
    async def test_long_lists_of_counters_are_whole(self, store: Store) -> None:
        """An adapter may fetch in pieces; the reader sees every counter once, in order."""
        for start in range(0, 2_100, 700):
            counts = tuple(count(number, None, f"k{number:04}") for number in range(start, start + 700))
            await store.append(append(start, counts=counts))
        found = await store.counters("space", "acme", limit=2_050)
        assert [(one.key, one.value) for one in found] == [(f"k{number:04}", number) for number in range(2_050)]

    @scenario
    async def test_a_counter_has_63_bits(self, store: Store) -> None:
        """The largest and the least value are kept; beyond, the append is refused and leaves no trace."""
        for number, amount in enumerate((COUNTER_MAX, -COUNTER_MAX)):
            key = f"k{number}"
            await store.append(append(number, counts=(count(amount, COUNTER_MAX, key),)))
            await assert_invalid(store.append(append(9, counts=(count(1 if amount > 0 else -1, None, key),))))
            assert [one.value for one in await store.counters("space", "acme", prefix=key)] == [amount]
        assert [entry.append_id for entry in await store.entries("acme")] == ["a-0", "a-1"]
        for wrong in ((count(COUNTER_MAX + 1),), (count(1, -COUNTER_MAX - 1),), (count(1), count(1))):
            await assert_invalid(store.append(append(9, counts=wrong)))
