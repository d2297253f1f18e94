"""Kill switches in an engine: what waits is held and goes on, and nothing slips past a trip."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Overloaded, Rejected
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import KillSwitchKeeper
from switchgear.gates.kill_switches.switches import KEY, SPACE, Mode, release, trip
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Conflicted, Store
from tests.unit.execution.rig import GLOBEX, Rig, hang, running

PLATFORM = Scope(PLATFORM_TENANT, "kill_switches", "person:ada")


@dataclass
class Stopping:
    """An engine whose switches can be tripped."""

    rig: Rig
    gate: KillSwitchGate
    keeper: KillSwitchKeeper

    async def trip(self, target: str = "global", mode: Mode = Mode.FREEZE, scope: Scope = PLATFORM) -> None:
        """Trip a switch."""
        await self.keeper.change(scope, lambda on, at: trip(on, target, mode, reason="r", by="person:ada", at=at))

    async def release(self, target: str = "global", scope: Scope = PLATFORM) -> None:
        """Release it."""
        await self.keeper.change(
            scope, lambda on, _: release(on, target, reason="r", by="person:bob", single_operator=False)
        )

    async def state(self, intent: Intent) -> State:
        """Return the state of an intent now."""
        return (await self.rig.engine.intent(intent.tenant, intent.id)).state


@asynccontextmanager
async def stopping(*, start: bool = True) -> AsyncIterator[Stopping]:
    """Run an engine with kill switches, and a tool."""
    clock = VirtualClock()
    gate = KillSwitchGate(clock)
    async with running(gates=(gate,), dispatch_gates=(gate,), clock=clock, start=start) as rig:
        ids = IdSource(clock, random.Random(7))
        keeper = KillSwitchKeeper(gate, cast("Store", rig.store), clock=clock, ids=ids, encoder=EventEncoder())
        await keeper.load()
        rig.engine.keep_fresh(SPACE, keeper.refresh)
        rig.tool()
        yield Stopping(rig, gate, keeper)


async def test_what_is_frozen_is_held_and_goes_on_after_the_release() -> None:
    """A freeze keeps what was accepted in its place, with its code; a release lets it go by itself."""
    async with stopping(start=False) as one:
        intent = await one.rig.submit()
        await one.trip("connector:crm")
        one.rig.engine.start()
        await one.rig.clock.elapse(5.0)
        held = await one.rig.engine.intent(intent.tenant, intent.id)
        assert (held.state, held.waiting_for, one.rig.script.calls) == (State.HELD, "KILL_SWITCH_ACTIVE", [])
        await one.release("connector:crm")
        assert (await one.rig.settled(intent)).state is State.SUCCEEDED
        assert (await one.rig.kinds(intent))[1:4] == ["held", "released", "dispatched"]


async def test_stop_new_refuses_what_is_new_and_lets_go_on_what_was_accepted() -> None:
    """The mode for a drain: what is in goes out."""
    async with stopping(start=False) as one:
        intent = await one.rig.submit()
        await one.trip(mode=Mode.STOP_NEW)
        with pytest.raises(Rejected) as refusal:
            await one.rig.submit(key="k2")
        assert refusal.value.code is Code.KILL_SWITCH_ACTIVE
        one.rig.engine.start()
        assert (await one.rig.settled(intent)).state is State.SUCCEEDED


async def test_a_repeat_of_a_key_is_answered_while_everything_is_stopped() -> None:
    """Asking for an outcome that is on record starts nothing."""
    async with stopping() as one:
        first = await one.rig.settled(await one.rig.submit())
        await one.trip()
        assert (await one.rig.submit()).id == first.id


async def test_a_retry_is_stopped_too() -> None:
    """Every attempt passes the gates, not only the first."""
    async with stopping() as one:
        one.rig.script.answers = [ConnectionError("reset")]
        intent = await one.rig.submit()
        await one.rig.clock.elapse(0.0)
        await one.trip("tool:crm.update")
        await one.rig.clock.elapse(30.0)
        assert await one.state(intent) is State.HELD
        assert len(one.rig.script.calls) == 1


async def test_a_tenants_freeze_leaves_the_others_alone() -> None:
    """Law 9: what one tenant stops, even its connector, goes on for another."""
    async with stopping(start=False) as one:
        ours, theirs = await one.rig.submit(), await one.rig.submit(scope=GLOBEX)
        await one.trip("connector:crm", scope=Scope("acme", "kill_switches", "person:ada"))
        one.rig.engine.start()
        await one.rig.settled(theirs)
        assert (await one.state(ours), await one.state(theirs)) == (State.HELD, State.SUCCEEDED)


async def test_a_trip_while_a_dispatch_is_decided_stops_it() -> None:
    """The gate had let it pass; the append that would write `dispatched` fails, and it is decided again."""
    async with stopping(start=False) as one:
        intent = await one.rig.submit()
        stale = await _tripped_elsewhere(one)
        one.rig.engine.start()
        await one.rig.clock.elapse(3.0)
        assert stale
        assert await one.state(intent) is State.HELD
        assert one.rig.script.calls == []


@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.READ_ONLY])
async def test_a_trip_while_a_submission_is_decided_refuses_it(effect: Effect) -> None:
    """The same at the door, with a key and without one; nothing is accepted, and no place is taken."""
    async with stopping() as one:
        one.rig.tool("crm.other", effect=effect)
        assert await _tripped_elsewhere(one)
        with pytest.raises(Rejected) as refusal:
            await one.rig.submit("crm.other", key="k1" if effect is Effect.KEYED else None)
        assert refusal.value.code is Code.KILL_SWITCH_ACTIVE
        assert not one.rig.engine.recorder.live
        assert one.gate.version_of(PLATFORM_TENANT) == 1


async def test_law_10_a_gate_that_is_never_right_is_asked_so_often_and_no_more() -> None:
    """When reading again does not help, the submission is deferred with a code, and its place is free again."""
    async with stopping() as one:
        await _tripped_elsewhere(one)
        one.rig.engine.keep_fresh(SPACE, _no_refresh)
        with pytest.raises(Overloaded) as refusal:
            await one.rig.submit()
        assert refusal.value.decision == "defer"


async def test_nothing_is_released_that_would_only_be_held_again() -> None:
    """While a freeze is on, the sweeper sees that an intent would not pass."""
    async with stopping() as one:
        intent = await one.rig.submit()
        assert one.rig.engine.kernel.obstacle(intent) is None
        await one.trip()
        assert one.rig.engine.kernel.obstacle(intent) is not None


async def test_what_runs_beside_the_engine_is_missed_when_it_ends() -> None:
    """An engine whose keeper of switches has ended by a defect says so."""
    async with running(start=False) as rig:
        rig.engine.run_beside(_broken)
        rig.engine.start()
        await rig.clock.elapse(0.0)
        assert rig.engine.defect == "ValueError: broken"


async def test_in_flight_work_is_not_torn_off() -> None:
    """A freeze stops what has not left; what has left keeps its outcome."""
    async with stopping() as one:
        one.rig.script.answers = [hang]
        intent = await one.rig.submit()
        await one.rig.clock.elapse(0.0)
        await one.trip()
        await one.rig.clock.elapse(1.0)
        assert await one.state(intent) is State.DISPATCHED


async def _tripped_elsewhere(one: Stopping) -> bool:
    """Trip by another keeper on the same store, so that the engine's gate has not heard of it."""
    gate = KillSwitchGate(one.rig.clock)
    ids = IdSource(one.rig.clock, random.Random(8))
    keeper = KillSwitchKeeper(gate, cast("Store", one.rig.store), clock=one.rig.clock, ids=ids, encoder=EventEncoder())
    await keeper.load()
    await Stopping(one.rig, gate, keeper).trip()
    return one.gate.version_of(PLATFORM_TENANT) < gate.version_of(PLATFORM_TENANT)


async def _no_refresh(conflict: Conflicted) -> None:
    assert (conflict.space, conflict.key) == (SPACE, KEY)


async def _broken() -> None:
    raise ValueError("broken")
