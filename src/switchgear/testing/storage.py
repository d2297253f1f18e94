"""The conformance suite for stores: what every adapter must do, as test methods that pytest collects.

An adapter's own tests subclass `StoreConformance` and say how to open a store::

    class TestMyStore(StoreConformance):
        async def open(self, seal):
            return await open_my_store("my://…", seal=seal)

Each method opens a store, checks one rule on its own event loop, and closes it. The suite needs no plugin, never
sleeps, and knows nothing of what a body or a row means.
"""

from __future__ import annotations

import asyncio

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import (
    GENESIS,
    Append,
    Committed,
    Conflicted,
    Counter,
    Event,
    Expect,
    Head,
    Row,
    Store,
)
from switchgear.storage.checks import BYTES_MAX, EVENTS_MAX
from switchgear.testing.storage_counters import CounterConformance
from switchgear.testing.storage_removal import RemovalConformance
from switchgear.testing.storage_scenes import (
    append,
    assert_chained,
    assert_invalid,
    count,
    fill,
    keys,
    kind,
    scenario,
    suite_seal,
    write,
)


class StoreConformance(CounterConformance, RemovalConformance):
    """Every rule of `Store`. Set `durable` to False for an adapter that keeps nothing after closing."""

    durable = True

    # --- the chain ---

    @scenario
    async def test_entries_are_chained_from_the_genesis(self, store: Store) -> None:
        """Sequence and hash are a fold over log order, from 1 and the genesis, without gaps."""
        for number in range(3):
            await store.append(append(number, events=2))
        entries = await store.entries("acme")
        assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
        assert_chained(entries)
        assert await store.head("acme") == Head("acme", 6, entries[-1].hash)

    @scenario
    async def test_each_tenant_has_a_chain_of_its_own(self, store: Store) -> None:
        """Appends of other tenants leave no gap in a chain, and do not show in it."""
        await asyncio.gather(*(store.append(append(number, tenant=f"t{number % 3}")) for number in range(30)))
        for tenant in ("t0", "t1", "t2"):
            entries = await store.entries(tenant)
            assert [entry.seq for entry in entries] == list(range(1, 11))
            assert {entry.tenant for entry in entries} == {tenant}
            assert_chained(entries)
        assert await store.tenants() == ["t0", "t1", "t2"]
        assert await store.tenants(limit=2) == ["t0", "t1"]

    @scenario
    async def test_an_empty_chain_ends_in_the_genesis(self, store: Store) -> None:
        """A tenant that never wrote has sequence 0, no entries, and is not listed."""
        assert await store.head("nobody") == Head("nobody", 0, GENESIS)
        assert await store.entries("nobody") == []
        assert await store.tenants() == []

    @scenario
    async def test_entries_come_back_as_they_were_appended(self, store: Store) -> None:
        """Bodies and payloads are bytes to a store; no payload and an empty one are different things."""
        events = (
            Event("ü/1", '{"ü":1}'.encode(), None),
            Event("s", b"{}", b""),
            Event("s", b"{}", bytes(range(256))),
        )
        await store.append(Append("a-1", "acme", events))
        entries = await store.entries("acme")
        assert [Event(entry.stream, entry.body, entry.payload) for entry in entries] == list(events)
        assert {entry.append_id for entry in entries} == {"a-1"}
        assert entries[0].position < entries[1].position < entries[2].position

    @scenario
    async def test_entries_are_read_in_pages(self, store: Store) -> None:
        """A page begins above `after_seq` and has at most `limit` entries."""
        await store.append(append(1, events=5))
        assert [entry.seq for entry in await store.entries("acme", after_seq=1, limit=2)] == [2, 3]
        assert await store.entries("acme", after_seq=5) == []

    @scenario
    async def test_long_reads_are_whole(self, store: Store) -> None:
        """An adapter may fetch in pieces; the reader sees every entry and row once, in order."""
        writes = tuple(write(f"k{number:03}", 0, facet="odd" if number % 2 else "even") for number in range(150))
        await store.append(append(1, events=150, writes=writes))
        ascending = [one.key for one in writes]
        assert [entry.seq for entry in await store.entries("acme", after_seq=1)] == list(range(2, 151))
        assert [entry.seq for entry in await store.stream("acme", "s", limit=140)] == list(range(1, 141))
        assert await keys(store.page("space", "acme", limit=149)) == ascending[:0:-1]
        assert await keys(store.page("space", "acme", facet="odd", limit=100)) == ascending[::-2]
        assert await keys(store.scan("space", ["even", "odd"])) == ascending

    @scenario
    async def test_what_is_too_large_is_refused(self, store: Store) -> None:
        """A body, payload or value above 4 MiB is PAYLOAD_TOO_LARGE; at 4 MiB it is kept."""
        event = Event("s", b"{}", bytes(BYTES_MAX))
        await store.append(Append("a-1", "acme", (event,)))
        assert (await store.entries("acme"))[0].payload == event.payload
        for events, writes in (
            ((Event("s", b"{}", bytes(BYTES_MAX + 1)),), ()),
            ((), (write("k", 0, bytes(BYTES_MAX + 1)),)),
        ):
            await assert_invalid(store.append(Append("a-2", "acme", events, writes)))

    @scenario
    async def test_a_stream_is_one_thing_of_one_tenant(self, store: Store) -> None:
        """Entries of one stream come in order, without other streams and other tenants."""
        for number in range(4):
            await store.append(append(number, tenant=f"t{number % 2}", stream="same"))
            await store.append(append(number + 10, tenant="t0", stream="other"))
        found = await store.stream("t0", "same")
        assert [(entry.tenant, entry.stream, entry.append_id) for entry in found] == [
            ("t0", "same", "a-0"),
            ("t0", "same", "a-2"),
        ]
        assert len(await store.stream("t0", "same", limit=1)) == 1

    @scenario
    async def test_an_append_is_found_by_its_id(self, store: Store) -> None:
        """`appended` answers what `append` answered, whichever of its streams is asked; None for what is not there."""
        await store.append(append(0))
        events = (Event("first", b"{}"), Event("second", b"{}"))
        committed = await store.append(Append("a-1", "acme", events))
        await store.append(append(2))
        assert committed == Committed(3)
        assert await store.appended("acme", "first", "a-1") == committed
        assert await store.appended("acme", "second", "a-1") == committed
        assert await store.appended("acme", "first", "a-2") is None
        assert await store.appended("other", "first", "a-1") is None

    # --- conditions ---

    @scenario
    async def test_a_conflict_writes_nothing_and_says_what_it_found(self, store: Store) -> None:
        """An append commits as a whole or not at all."""
        await store.append(append(0, writes=(write("k", 0), write("other", 0))))
        conflict = await store.append(append(1, writes=(write("new", 0), write("k", 0, b"lost"))))
        assert conflict == Conflicted("space", "acme", "k", 0, 1)
        assert await store.get("space", "acme", "new") is None
        assert await store.get("space", "acme", "k") == Row("space", "acme", "k", 1, "", b"v")
        assert (await store.head("acme")).seq == 1

    @scenario
    async def test_versions_count_up_by_one(self, store: Store) -> None:
        """A row is at ``expected + 1`` after each write, and a skipped version conflicts."""
        for version in range(3):
            assert isinstance(await store.append(append(version, writes=(write("k", version),))), Committed)
        assert await store.append(append(9, writes=(write("k", 4),))) == Conflicted("space", "acme", "k", 4, 3)

    @scenario
    async def test_conditions_may_name_rows_of_other_tenants(self, store: Store) -> None:
        """A row of the platform decides over an append of a tenant, also by its absence."""
        switch = Expect("switches", "@platform", "global", 0)
        assert isinstance(await store.append(append(0, expects=(switch,))), Committed)
        await store.append(append(1, tenant="@platform", writes=(write("global", 0, space="switches"),)))
        conflict = await store.append(append(2, expects=(switch,)))
        assert conflict == Conflicted("switches", "@platform", "global", 0, 1)

    @scenario
    async def test_of_rivals_for_one_row_one_wins(self, store: Store) -> None:
        """Of many appends that expect the same version, exactly one commits."""
        fates = await asyncio.gather(*(store.append(append(n, writes=(write("k", 0),))) for n in range(50)))
        assert sorted(map(kind, fates)) == ["Committed"] + ["Conflicted"] * 49
        assert (await store.head("acme")).seq == 1

    @scenario
    async def test_a_conflict_never_disturbs_its_neighbours(self, store: Store) -> None:
        """Appends that travel in one group are decided one by one."""
        await store.append(append(0, writes=(write("taken", 0, facet="f"),)))
        rivals = (append(n, writes=(write("taken" if n % 3 else f"k{n}", 0, facet="f"),)) for n in range(1, 61))
        fates = await asyncio.gather(*map(store.append, rivals))
        assert [kind(fate) for fate in fates] == ["Conflicted" if n % 3 else "Committed" for n in range(1, 61)]
        assert await store.count("space", ["f"]) == 1 + [kind(fate) for fate in fates].count("Committed")
        assert_chained(await store.entries("acme"))

    @scenario
    async def test_an_append_sees_its_predecessors(self, store: Store) -> None:
        """Appends handed in one after the other are decided in that order, in one group or not."""
        fates = await asyncio.gather(*(store.append(append(n, writes=(write("k", n),))) for n in range(40)))
        assert [kind(fate) for fate in fates] == ["Committed"] * 40
        assert [fate.seq_last for fate in fates if isinstance(fate, Committed)] == list(range(1, 41))

    # --- rows ---

    @scenario
    async def test_what_was_acknowledged_is_read(self, store: Store) -> None:
        """A read that begins after an acknowledgement sees the append."""
        for version in range(20):
            await store.append(append(version, writes=(write("k", version, b"%d" % version),)))
            row = await store.get("space", "acme", "k")
            assert row == Row("space", "acme", "k", version + 1, "", b"%d" % version)

    @scenario
    async def test_a_row_is_found_only_under_its_space_and_tenant(self, store: Store) -> None:
        """The same key names other rows in another space and for another tenant."""
        await store.append(append(0, writes=(write("k", 0, b"\x00\xff"),)))
        assert await store.get("space", "acme", "k") == Row("space", "acme", "k", 1, "", b"\x00\xff")
        assert await store.get("other", "acme", "k") is None
        assert await store.get("space", "other", "k") is None

    @scenario
    async def test_pages_go_down_from_the_newest_key(self, store: Store) -> None:
        """Rows of one tenant by descending key, below `before`, of one facet."""
        await fill(store)
        assert await keys(store.page("space", "t0", limit=3)) == ["k9", "k8", "k7"]
        assert await keys(store.page("space", "t0", before="k2")) == ["k1", "k0"]
        assert await keys(store.page("space", "t0", facet="odd", before="k7", limit=2)) == ["k5", "k3"]
        assert await keys(store.page("space", "t0", facet="none")) == []

    @scenario
    async def test_a_scan_goes_up_over_all_tenants(self, store: Store) -> None:
        """Rows in some facets by tenant and key, above `after`; a facet named twice counts once."""
        await fill(store)
        first = await store.scan("space", ["odd", "odd", "ready"], limit=6)
        assert [(row.tenant, row.key) for row in first] == [
            *(("t0", f"k{number}") for number in (1, 3, 5, 7, 9)),
            ("t1", "k1"),
        ]
        rest = await store.scan("space", ["odd"], after=("t1", "k1"))
        assert [(row.tenant, row.key) for row in rest] == [("t1", f"k{number}") for number in (3, 5, 7, 9)]
        assert await store.scan("space", []) == []
        assert await store.count("space", ["odd", "even"]) == len(await store.scan("space", ["odd", "even"]))
        assert await store.count("other", ["odd"]) == 0

    @scenario
    async def test_a_row_moves_with_its_facet(self, store: Store) -> None:
        """A row is found under the facet of its last write only."""
        await store.append(append(0, writes=(write("k", 0, facet="ready"),)))
        await store.append(append(1, writes=(write("k", 1, facet="done"),)))
        assert await store.count("space", ["ready"]) == 0
        assert await keys(store.page("space", "acme", facet="done")) == ["k"]

    @scenario
    async def test_a_row_without_a_facet_is_in_no_list(self, store: Store) -> None:
        """It is found by its name, whether it never had a facet or has none any more."""
        await store.append(append(0, writes=(write("bare", 0), write("once", 0, facet="ready"))))
        await store.append(append(1, writes=(write("once", 1), write("listed", 0, facet="ready"))))
        assert await store.get("space", "acme", "bare") == Row("space", "acme", "bare", 1, "", b"v")
        assert await keys(store.page("space", "acme")) == ["listed"]
        assert await keys(store.page("space", "acme", facet="")) == []
        assert await keys(store.scan("space", ["", "ready"])) == ["listed"]
        assert await store.count("space", ["", "ready"]) == 1

    # --- bounds and ends ---

    @scenario
    async def test_what_no_store_can_hold_is_refused(self, store: Store) -> None:
        """NUL, lone surrogates, one row twice, and limits without bound are the caller's mistakes, on every adapter."""
        for name in ("nul\0", "surrogate\ud800"):
            await assert_invalid(store.append(append(1, stream=name)))
            await assert_invalid(store.append(append(1, writes=(write(name, 0),))))
            await assert_invalid(store.append(append(1, expects=(Expect("space", "acme", name, 0),))))
            await assert_invalid(store.append(append(1, counts=(count(1, None, name),))))
            await assert_invalid(store.counters("space", "acme", prefix=name))
        await assert_invalid(store.append(append(1, writes=(write("k", 0), write("k", 1)))))
        await assert_invalid(store.append(append(1, events=EVENTS_MAX + 1)))
        await assert_invalid(store.entries("acme", limit=0))
        await assert_invalid(store.tenants(limit=0))
        await assert_invalid(store.page("space", "acme", limit=1_000_000))
        await assert_invalid(store.counters("space", "acme", limit=0))
        assert await store.tenants() == []

    @scenario
    async def test_a_cancelled_caller_leaves_a_whole_append(self, store: Store) -> None:
        """Cancelling detaches the caller: the append is committed as a whole or not at all, and the store goes on."""
        task = asyncio.ensure_future(store.append(append(0, events=3, writes=(write("k", 0),))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert isinstance(await store.append(append(1)), Committed)
        row = await store.get("space", "acme", "k")
        assert (row is not None, len(await store.entries("acme"))) in ((True, 4), (False, 1))

    @scenario
    async def test_counts_tell_what_happened(self, store: Store) -> None:
        """Statistics count appends, refusals, groups and entries since opening; checking writes nothing."""
        await store.append(append(0, events=2, writes=(write("k", 0),)))
        await store.append(append(1, writes=(write("k", 0),)))
        await store.append(append(2, counts=(count(1, 0),)))
        await store.check()
        counted = store.statistics()
        assert (counted.committed, counted.conflicted, counted.exceeded, counted.groups) == (1, 1, 1, 1)
        assert (counted.entries, counted.group_max) == (2, 1)

    @scenario
    async def test_a_closed_store_says_so(self, store: Store) -> None:
        """After closing, appends, reads and checks raise LEDGER_UNAVAILABLE; closing again is fine."""
        await store.close()
        await store.close()
        for late in (
            store.append(append(0)),
            store.head("acme"),
            store.get("space", "acme", "k"),
            store.counters("space", "acme"),
            store.check(),
        ):
            try:
                await late
            except StoreError as error:
                assert error.code is Code.LEDGER_UNAVAILABLE  # noqa: PT017 - the suite does not need pytest
            else:
                raise AssertionError("a closed store answered")

    @scenario
    async def test_what_was_acknowledged_survives_closing(self, store: Store) -> None:
        """A durable store has chains and rows as they were, and goes on from there."""
        if not self.durable:
            return
        await store.append(append(0, events=2, writes=(write("k", 0),), counts=(count(2),)))
        before = await store.entries("acme")
        await store.close()
        again = await self.open(suite_seal)
        try:
            assert await again.entries("acme") == before
            assert await again.get("space", "acme", "k") == Row("space", "acme", "k", 1, "", b"v")
            assert await again.append(append(1, writes=(write("k", 1),), counts=(count(1, 3),))) == Committed(3)
            assert await again.counters("space", "acme") == [Counter("space", "acme", "used", 3)]
            assert_chained(await again.entries("acme"))
        finally:
            await again.close()
