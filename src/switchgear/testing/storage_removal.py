"""The part of the conformance suite for stores that is about erasing payloads and cutting chains off at the front."""

from __future__ import annotations

from msgspec import structs

from switchgear.storage.abilities import Append, Committed, Conflicted, Erase, Event, Seal, Store
from switchgear.testing.storage_scenes import append, assert_invalid, scenario, suite_seal, write


class RemovalConformance:
    """Every rule of what may be removed."""

    async def open(self, seal: Seal) -> Store:
        """Open the store under test: empty at first, the same one again within one test."""
        raise NotImplementedError("say how to open the store under test")

    @scenario
    async def test_erased_payloads_are_gone_and_all_else_stays(self, store: Store) -> None:
        """Those of one stream of one tenant up to a sequence; entries, hashes and other payloads stay."""
        for number, (tenant, stream) in enumerate([("acme", "s"), ("acme", "t"), ("acme", "s"), ("other", "s")]):
            await store.append(Append(f"a-{number}", tenant, (Event(stream, b"{}", b"secret"),)))
        before = await store.entries("acme")
        record = Event("s", b'{"erased":1}', b"new")
        assert await store.append(Append("b", "acme", (record,), erases=(Erase("s", 3),))) == Committed(4)
        after = await store.entries("acme")
        assert [entry.payload for entry in after] == [None, b"secret", None, b"new"]
        assert [structs.replace(entry, payload=b"secret") for entry in after[:3]] == list(before)
        assert [entry.payload for entry in await store.stream("acme", "s")] == [None, None, b"new"]
        assert [entry.payload for entry in await store.entries("other")] == [b"secret"]

    @scenario
    async def test_an_erasure_goes_with_its_append(self, store: Store) -> None:
        """A conflict leaves the payloads where they are; what is erased twice is erased."""
        await store.append(Append("a", "acme", (Event("s", b"{}", b"secret"),), (write("k", 0),)))
        late = structs.replace(append(1, writes=(write("k", 0),)), erases=(Erase("s", 1),))
        assert isinstance(await store.append(late), Conflicted)
        assert [entry.payload for entry in await store.entries("acme")] == [b"secret"]
        for version in (1, 2):
            again = structs.replace(append(1 + version, writes=(write("k", version),)), erases=(Erase("s", 9),))
            assert isinstance(await store.append(again), Committed)
        assert [entry.payload for entry in await store.entries("acme")] == [None, None, None]

    @scenario
    async def test_a_cut_chain_goes_on_where_it_was(self, store: Store) -> None:
        """Entries up to a sequence are gone from every read; sequence and hash count on, and the tenant is listed."""
        for number in range(5):
            await store.append(append(number, stream=f"s{number % 2}"))
        await store.append(append(9, tenant="other"))
        before, head = await store.entries("acme"), await store.head("acme")
        assert await store.append(Append("cut", "acme", (), cut=3)) == Committed(5)
        assert await store.entries("acme") == list(before[3:])
        assert await store.entries("acme", after_seq=4) == list(before[4:])
        assert [entry.seq for entry in await store.stream("acme", "s0")] == [5]
        assert (await store.head("acme"), await store.tenants()) == (head, ["acme", "other"])
        assert [entry.seq for entry in await store.entries("other")] == [1]
        assert await store.append(append(6)) == Committed(6)
        last = (await store.entries("acme"))[-1]
        assert (last.seq, last.prev, last.hash) == (6, head.hash, suite_seal(head.hash, 6, last.body))

    @scenario
    async def test_a_cut_may_be_repeated_and_follow_its_record(self, store: Store) -> None:
        """What is gone already is no mistake; an append may cut all that stands before its own events."""
        await store.append(append(1, events=3))
        for number in (2, 3):
            await store.append(Append(f"b-{number}", "acme", (Event("s", b"{}"),), cut=2))
        assert [entry.seq for entry in await store.entries("acme")] == [3, 4, 5]
        await store.append(Append("c", "acme", (Event("s", b"{}"),), cut=5))
        assert [entry.seq for entry in await store.entries("acme")] == [6]

    @scenario
    async def test_the_newest_entry_of_a_chain_stays(self, store: Store) -> None:
        """Without it nobody would know how the chain goes on; neighbours in a group are not disturbed."""
        await store.append(append(1, events=2))
        await assert_invalid(store.append(Append("a", "acme", (), cut=2)))
        await assert_invalid(store.append(Append("b", "acme", (Event("s", b"{}"),), cut=3)))
        await assert_invalid(store.append(Append("c", "nobody", (), cut=1)))
        await assert_invalid(store.append(Append("d", "acme", (), cut=-1)))
        await assert_invalid(store.append(Append("e", "acme", (), erases=(Erase("s\0", 1),))))
        assert [entry.seq for entry in await store.entries("acme")] == [1, 2]
