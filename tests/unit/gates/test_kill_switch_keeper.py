"""What keeps a kill switch true: the row, its events, lost acknowledgements, damage, others on the same store."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import msgspec
import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Rejected, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import Decide, KillSwitchKeeper
from switchgear.gates.kill_switches.switches import KEY, NO_SWITCHES, SPACE, STREAM, Mode, encoded, release, trip
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Committed, Conflicted, Event, Write
from switchgear.testing import Fate, FaultyStore

PLATFORM = Scope(PLATFORM_TENANT, "kill_switches", "person:ada")
ACME = Scope("acme", "kill_switches", "person:ada")


@dataclass
class Kept:
    """A gate, its keeper, the store and the clock."""

    gate: KillSwitchGate
    keeper: KillSwitchKeeper
    store: FaultyStore
    clock: VirtualClock

    async def append(self, *writes: Write, tenant: str = PLATFORM_TENANT, events: tuple[Event, ...] = ()) -> None:
        """Write behind the keeper's back."""
        assert isinstance(await self.store.append(Append(self.ids.next("apd"), tenant, events, writes)), Committed)

    @property
    def ids(self) -> IdSource:
        """Fresh names."""
        return IdSource(self.clock, random.Random(self.clock.monotonic()))


def kept(store: FaultyStore | None = None, clock: VirtualClock | None = None, stale_after: float | None = None) -> Kept:
    """Return a keeper that has read nothing yet, on a fresh store or on that of another one."""
    clock = clock or VirtualClock()
    store = store or FaultyStore(seal, clock=clock)
    gate = KillSwitchGate(clock, stale_after=stale_after)
    rng = random.Random(id(gate))
    ids, encoder = IdSource(clock, rng), EventEncoder(rng.randbytes)
    keeper = KillSwitchKeeper(gate, store, clock=clock, ids=ids, encoder=encoder, stale_after=stale_after)
    return Kept(gate, keeper, store, clock)


def tripping(target: str = "global", mode: Mode = Mode.FREEZE) -> Decide:
    """Return the decision to trip a switch."""
    return lambda on, at: trip(on, target, mode, reason="r", by="person:ada", at=at)


def releasing(target: str = "global") -> Decide:
    """Return the decision to release one."""
    return lambda on, _: release(on, target, reason="r", by="person:bob", single_operator=False)


async def test_a_change_is_an_event_and_a_row_in_one_append() -> None:
    """The ledger tells who, what, why and when, in the chain of the scope; the gate knows at once."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(ACME, tripping("tool:x"))
    (entry,) = await one.store.stream("acme", STREAM)
    event = read(entry)
    assert (event.type, event.actor, event.payload) == ("kill_switch.tripped", "person:ada", {"reason": "r"})
    assert event.facts == {"target": "tool:x", "mode": "freeze", "before": 0}
    row = await one.store.get(SPACE, "acme", KEY)
    assert row is not None
    assert (row.version, one.gate.version_of("acme"), one.gate.version_of(PLATFORM_TENANT)) == (1, 1, 0)


async def test_what_is_so_already_is_no_event() -> None:
    """A repeat of a trip writes nothing."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(ACME, tripping())
    await one.keeper.change(ACME, tripping())
    assert len(await one.store.stream("acme", STREAM)) == 1


async def test_a_restart_keeps_what_is_on() -> None:
    """Another gate on the same store knows the switches of every scope once it has read them."""
    first = kept()
    await first.keeper.load()
    await first.keeper.change(PLATFORM, tripping("connector:crm"))
    await first.keeper.change(ACME, tripping("tool:x"))
    await first.keeper.change(ACME, releasing("tool:x"))
    second = kept(first.store, first.clock)
    await second.keeper.load()
    assert {name: known.version for name, known in second.gate.scopes.items()} == {PLATFORM_TENANT: 1, "acme": 2}
    assert second.gate.switches_of(PLATFORM_TENANT) == first.gate.switches_of(PLATFORM_TENANT)
    assert second.gate.switches_of("acme") == NO_SWITCHES
    assert not second.gate.closed


@pytest.mark.parametrize("scope", [PLATFORM, ACME], ids=lambda scope: scope.tenant)
async def test_law_6_a_row_that_cannot_be_read_closes_its_scope(scope: Scope) -> None:
    """Damage is never taken for "nothing is on"; the scopes beside it go on."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(scope, tripping())
    await one.append(Write(SPACE, KEY, 1, b"[oops", "on"), tenant=scope.tenant)
    again = kept(one.store, one.clock)
    await again.keeper.load()
    assert set(again.gate.closed) == {scope.tenant}


async def test_a_damaged_row_is_made_anew_from_its_events() -> None:
    """The ledger is the truth: the next change of a person goes by it, and what was on is still on."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(ACME, tripping("tool:x"))
    await one.append(Write(SPACE, KEY, 1, b"[oops", "on"), tenant="acme")
    again = kept(one.store, one.clock)
    await again.keeper.load()
    after = await again.keeper.change(ACME, tripping("tool:y"))
    assert sorted(after.on) == ["tool:x", "tool:y"]
    assert not again.gate.closed
    third = kept(one.store, one.clock)
    await third.keeper.load()
    assert third.gate.switches_of("acme") == after


async def test_law_11_a_row_that_is_not_what_its_events_say_is_closed() -> None:
    """Somebody who takes a switch off in the row alone opens nothing."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(PLATFORM, tripping())
    await one.append(Write(SPACE, KEY, 1, encoded(NO_SWITCHES), "off"))
    again = kept(one.store, one.clock)
    await again.keeper.load()
    assert PLATFORM_TENANT in again.gate.closed
    await again.keeper.change(PLATFORM, tripping("tool:x"))
    assert sorted(again.gate.switches_of(PLATFORM_TENANT).on) == ["global", "tool:x"]


async def test_neither_row_nor_events_means_no_change() -> None:
    """Where nothing tells what is on, nobody can set it either: the answer says so."""
    one = kept()
    await one.append(Write(SPACE, KEY, 0, b"[oops", "on"), events=(Event(STREAM, b"{}"),))
    await one.keeper.load()
    with pytest.raises(Rejected) as refusal:
        await one.keeper.change(PLATFORM, tripping())
    assert refusal.value.code is Code.KILL_SWITCH_UNREADABLE


async def test_events_that_cannot_be_read_do_not_close_a_row_that_can() -> None:
    """The row alone decides then; an old damaged entry must not stop everything."""
    one = kept()
    await one.append(Write(SPACE, KEY, 0, encoded(NO_SWITCHES), "off"), events=(Event(STREAM, b"{}"),))
    await one.keeper.load()
    assert not one.gate.closed


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNACKNOWLEDGED])
async def test_a_lost_acknowledgement_is_settled(fate: Fate) -> None:
    """Whether the first try was written or not, the trip is on record once and acknowledged."""
    one = kept()
    await one.keeper.load()
    one.store.plan = [fate]
    await one.keeper.change(ACME, tripping())
    assert len(await one.store.stream("acme", STREAM)) == 1
    assert one.gate.version_of("acme") == 1


async def test_a_trip_that_may_be_on_record_closes_until_it_is_known() -> None:
    """Nobody was told that it is on, and nobody is let through as if it were off."""
    one = kept()
    await one.keeper.load()
    one.store.plan = [Fate.LOST] * 3
    with pytest.raises(StoreError):
        await one.keeper.change(ACME, tripping())
    assert set(one.gate.closed) == {"acme"}
    loop = asyncio.ensure_future(one.keeper.run())
    await one.clock.elapse(1.0)
    loop.cancel()
    assert not one.gate.closed


@pytest.mark.parametrize("stale_after", [None, 2.0])
async def test_what_cannot_be_read_at_the_start_is_read_again(
    stale_after: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine begins closed, tells in its log, and opens by itself once the store answers."""
    one = kept(stale_after=stale_after)
    monkeypatch.setattr(one.store, "scan", _failing)
    await one.keeper.load()
    assert PLATFORM_TENANT in one.gate.closed
    monkeypatch.undo()
    loop = asyncio.ensure_future(one.keeper.run())
    await one.clock.elapse(1.0)
    loop.cancel()
    assert not one.gate.closed


async def _failing(*_: object, **__: object) -> list[None]:
    raise StoreError("the disk is gone", code=Code.LEDGER_UNAVAILABLE)


async def test_two_engines_on_one_store_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With others on the store it is read again well within the bound, and closed when that fails for too long."""
    ours = kept(stale_after=2.0)
    theirs = kept(ours.store, ours.clock, stale_after=2.0)
    for one in (ours, theirs):
        await one.keeper.load()
    await theirs.keeper.change(ACME, tripping())
    loop = asyncio.ensure_future(ours.keeper.run())
    await ours.clock.elapse(0.5)
    assert ours.gate.version_of("acme") == 1
    monkeypatch.setattr(ours.store, "scan", _failing)
    stale = []
    for seconds in (1.5, 1.0):
        await ours.clock.elapse(seconds)
        stale.append(ours.gate.stale)
    assert stale == [False, True]
    loop.cancel()


async def test_changes_of_two_engines_are_both_kept() -> None:
    """A conflict is read and decided again, so that neither switch is lost."""
    ours = kept()
    theirs = kept(ours.store, ours.clock)
    for one in (ours, theirs):
        await one.keeper.load()
    await asyncio.gather(ours.keeper.change(ACME, tripping("tool:x")), theirs.keeper.change(ACME, tripping("tool:y")))
    late = kept(ours.store, ours.clock)
    await late.keeper.load()
    assert sorted(late.gate.switches_of("acme").on) == ["tool:x", "tool:y"]


async def test_a_conflict_that_is_known_by_now_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many appends that fail at one trip cost one read at most."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(ACME, tripping())
    monkeypatch.setattr(one.store, "get", _failing)
    await one.keeper.refresh(Conflicted(SPACE, "acme", KEY, 0, 1))
    assert not one.gate.closed
    await one.keeper.refresh(Conflicted(SPACE, "acme", KEY, 1, 2))
    assert set(one.gate.closed) == {"acme"}


async def test_a_read_that_is_older_than_the_conflict_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers with what was, and not with what is, must not make an engine try for ever."""
    one = kept()
    await one.keeper.load()
    monkeypatch.setattr(one.store, "get", kept().store.get)  # a store that is behind
    await one.keeper.refresh(Conflicted(SPACE, "acme", KEY, 0, 1))
    assert "older than version 1" in one.gate.closed["acme"]


async def test_a_row_that_went_back_closes_until_a_person_has_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was taken away behind our back is found by the next append, and opens nothing."""
    one = kept()
    await one.keeper.load()
    await one.keeper.change(ACME, tripping())
    monkeypatch.setattr(one.store, "get", kept().store.get)  # a store that has lost the row
    await one.keeper.refresh(Conflicted(SPACE, "acme", KEY, 1, 0))
    assert "went back" in one.gate.closed["acme"]


async def test_a_refused_change_writes_nothing() -> None:
    """What the rules refuse leaves no trace, and opens nothing."""
    one = kept()
    await one.keeper.load()
    with pytest.raises(Denied):
        await one.keeper.change(ACME, releasing())
    assert await one.store.entries("acme") == []


def test_the_row_is_plain_json() -> None:
    """Other tools can read it."""
    step = trip(NO_SWITCHES, "global", Mode.FREEZE, reason="r", by="person:ada", at=1.0)
    assert step is not None
    expected = [{"target": "global", "mode": "freeze", "reason": "r", "by": ["person:ada"], "at": 1.0}]
    assert msgspec.json.decode(encoded(step.after)) == expected
