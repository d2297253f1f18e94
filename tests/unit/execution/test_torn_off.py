"""A carrier that is torn off, by a defect or from without: what it carried goes on, and is never left as dispatched.

How an attempt ends that is torn off is in `test_attempts`, who waits for it in `test_detached`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from switchgear.core.effects import Effect
from switchgear.core.errors import StoreError
from switchgear.execution.contract import Call, Result, Succeeded
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest
from switchgear.storage.abilities import Append, Appended
from tests.turns import turns
from tests.unit.execution.rig import Rig, hang, running


class Broken(Exception):
    """A defect."""


def breaks_once(at: Callable[[Intent], bool]) -> Callable[[Intent], None]:
    """Return a listener with a defect: it raises the first time that `at` is so."""
    broken: list[Intent] = []

    def listener(intent: Intent) -> None:
        if at(intent) and not broken:
            broken.append(intent)
            raise Broken

    return listener


class BrokenGate:
    """A gate with a defect, as often as told."""

    def __init__(self, times: int, error: BaseException) -> None:
        """Raise `error` so many times."""
        self.times = times
        self.error = error

    def check(self, _request: GateRequest) -> Conditions:
        """Raise, or let pass."""
        if self.times:
            self.times -= 1
            raise self.error
        return NO_CONDITIONS


async def state_of(rig: Rig, intent: Intent) -> State:
    """Return the state of an intent as it is now."""
    return (await rig.engine.intent(intent.tenant, intent.id)).state


@pytest.mark.parametrize(("effect", "end"), [(Effect.OPAQUE, State.IN_DOUBT), (Effect.KEYED, State.SUCCEEDED)])
async def test_law_4_an_attempt_whose_carrier_is_torn_off_is_in_doubt_and_its_class_decides(
    effect: Effect, end: State
) -> None:
    """Whoever cancels the carrier, a tool even: what may have happened is named, at once."""
    async with running() as rig:
        rig.tool(effect=effect)

        async def cancels_its_carrier(_call: Call) -> Result:
            for task in list(rig.engine.kernel._carrying.values()):  # noqa: SLF001 - as `asyncio.all_tasks` shows it
                task.cancel()
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        rig.script.answers = [cancels_its_carrier]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        assert "in_doubt" in await rig.kinds(intent)
        await rig.clock.elapse(30.0)
        assert await state_of(rig, intent) is end
        assert rig.engine.kernel.in_flight == 0


async def test_a_defect_after_the_outcome_is_on_record_changes_no_outcome() -> None:
    """What is recorded is recorded; the intent is looked at once more, and there is nothing left to do."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.engine.recorder.subscribe(breaks_once(lambda intent: intent.state is State.SUCCEEDED))
        intent = await rig.submit()
        await rig.clock.elapse(30.0)
        assert await rig.kinds(intent) == ["accepted", "dispatched", "succeeded"]
        assert rig.engine.kernel.idle.is_set()


async def test_a_defect_after_the_acceptance_is_on_record_leaves_nothing_dispatched() -> None:
    """The caller was told of a defect, and never learned of the intent: it goes on all the same, and leaves once."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.engine.recorder.subscribe(breaks_once(lambda _: True))
        with pytest.raises(Broken):
            await rig.submit()
        await rig.clock.elapse(30.0)
        assert await state_of(rig, await rig.submit()) is State.SUCCEEDED
        assert len(rig.script.calls) == 1
        assert rig.engine.kernel.idle.is_set()


async def test_a_gate_with_a_defect_is_asked_again_later() -> None:
    """An intent that is ready is not forgotten until the next start, and the loop of the kernel goes on."""
    async with running(dispatch_gates=(BrokenGate(2, Broken()),)) as rig:
        rig.tool()
        with pytest.raises(Broken):
            await rig.submit()
        rig.engine.queue.pause("crm", rig.clock.monotonic() + 1.0, "PAUSED")
        intent = await rig.submit(key="k2")
        await rig.clock.elapse(5.0)
        assert await state_of(rig, intent) is State.READY
        await rig.clock.elapse(30.0)
        assert await state_of(rig, intent) is State.SUCCEEDED


async def test_a_gate_that_is_cancelled_leaves_no_caller_waiting() -> None:
    """A client that a gate asks may be closed, and cancels who waits for it. It is refused as not known."""
    async with running(gates=(BrokenGate(1, asyncio.CancelledError()),)) as rig:
        rig.tool()
        with pytest.raises(StoreError):
            await asyncio.wait_for(rig.submit(), 5.0)
        assert (await rig.submit()).state is State.DISPATCHED


async def test_an_attempt_that_ignores_the_stop_is_in_doubt_and_not_left_as_dispatched() -> None:
    """The stop waits for it within a bound, and then there is still time to record what it knows."""
    end = asyncio.Event()

    async def deaf(_call: Call) -> Result:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return Succeeded("late")

    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        rig.script.answers = [deaf]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        stopping = asyncio.ensure_future(rig.engine.stop(0.0))
        await rig.clock.elapse(4.0)
        assert stopping.done()
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt"]
        end.set()
        await turns()


async def test_what_is_acknowledged_at_the_very_end_of_a_stop_is_not_carried_beyond_it() -> None:
    """Once the engine has stopped nothing of it runs any more, and everybody was told."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        first_is_torn_off, number = asyncio.Event(), 0
        real = rig.store.append

        async def append(what: Append) -> Appended:
            nonlocal number
            number += 1
            if number == 2:  # the acceptance of the second
                outcome = await real(what)
                await first_is_torn_off.wait()
                return outcome
            if number == 3:  # the outcome of the first
                try:
                    await asyncio.Event().wait()
                finally:
                    first_is_torn_off.set()
            return await real(what)

        rig.store.append = append  # type: ignore[method-assign, assignment] # a store that is slow
        rig.script.answers = [hang]
        await rig.submit()
        second = asyncio.ensure_future(rig.submit(key="k2"))
        await rig.clock.elapse(0.1)
        stopping = asyncio.ensure_future(rig.engine.stop(0.0))
        await rig.clock.elapse(60.0)
        assert stopping.done()
        assert rig.engine.kernel.in_flight == 0
        await turns(5)
        assert second.done()
        assert second.exception() is None or isinstance(second.exception(), StoreError)
        assert len(rig.script.calls) == 1
        rig.store.append = real  # type: ignore[method-assign] # and quick again
