"""An attempt is made in the task of its carrier: once that is cancelled a fresh task goes on, and nothing is lost.

What is known of the attempt then is in `test_attempts`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.effects import Effect
from switchgear.execution.contract import Call, Result, Succeeded
from switchgear.execution.transitions import State
from switchgear.guard import Guard
from switchgear.policies.bulkhead import Bulkhead
from switchgear.storage.abilities import Append, Appended
from switchgear.testing.simulation import run_simulated
from tests.turns import begin_tasks_at_once, turns
from tests.unit.execution.rig import Rig, hang, running

ONCE = ["accepted", "dispatched", "succeeded"]


def own_task() -> asyncio.Task[object]:
    """Return the running task, as a tool sees it."""
    task = asyncio.current_task()
    assert task is not None
    return task


class Deaf:
    """A tool that ignores its cancellation until it is told to `end`, and then answers."""

    def __init__(self) -> None:
        """Begin deaf."""
        self.end = asyncio.Event()

    async def __call__(self, _call: Call) -> Result:
        """Answer, at last."""
        while not self.end.is_set():
            with suppress(asyncio.CancelledError):
                await self.end.wait()
        return Succeeded("late")


def hold_outcomes(rig: Rig, *, before: bool) -> asyncio.Event:
    """Have the store hold every append after the first: `before` it is written, or its answer.

    As with every store, whoever stops waiting for an append does not stop it.
    """
    go, handed_in, real = asyncio.Event(), [], rig.store.append

    async def held(what: Append) -> Appended:
        if before:
            await go.wait()
        outcome = await real(what)
        await go.wait()
        return outcome

    async def append(what: Append) -> Appended:
        handed_in.append(what.id)
        return await (real(what) if len(handed_in) == 1 else asyncio.shield(asyncio.ensure_future(held(what))))

    rig.store.append = append  # type: ignore[method-assign, assignment] # a store that is slow
    return go


async def test_a_tool_that_cancels_its_task_and_answers_is_recorded_once() -> None:
    """The answer is known, so it is the outcome; slot, place and permit are free again."""
    async with running(
        guards={"crm": Guard("crm", bulkhead=Bulkhead(1), clock=(clock := VirtualClock()))}, clock=clock
    ) as rig:
        rig.tool(effect=Effect.OPAQUE)

        async def cancels(_call: Call) -> Result:
            own_task().cancel()
            return Succeeded("done")

        rig.script.answers = [cancels, cancels]
        for key in ("k1", "k2"):
            intent = await rig.submit(key=key)
            await rig.clock.elapse(0.1)
            assert await rig.kinds(intent) == ONCE
        assert rig.engine.kernel.in_flight == 0


@pytest.mark.parametrize("before", [True, False])
async def test_a_cancellation_that_a_tool_leaves_behind_loses_no_outcome(*, before: bool) -> None:
    """It strikes while the kernel waits for the ledger, before the outcome is on record or after: it is there once."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        tasks: list[asyncio.Task[object]] = []

        async def leaves(_call: Call) -> Result:
            tasks.append(own_task())
            return Succeeded("done")

        rig.script.answers = [leaves]
        go = hold_outcomes(rig, before=before)
        intent = await rig.submit()
        await rig.clock.elapse(0.1)
        (carrier,) = tasks
        for _ in range(3):
            carrier.cancel()
            await turns(3)
        assert carrier.done()
        assert rig.engine.kernel.carries(intent.id)
        go.set()
        await rig.clock.elapse(0.1)
        assert await rig.kinds(intent) == ONCE
        assert (await rig.engine.intent("acme", intent.id)).value == "done"
        assert rig.engine.kernel.in_flight == 0
        await rig.clock.elapse(60.0)
        assert await rig.kinds(intent) == ONCE


async def test_a_timer_that_a_tool_leaves_behind_strikes_nobody() -> None:
    """Also while the ledger is away, and its carrier rests before it tries again."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)

        async def leaves(_call: Call) -> Result:
            rig.clock.call_at(rig.clock.monotonic() + 0.5, own_task().cancel)
            rig.store.plan = ["down", "down"]
            return Succeeded("done")

        rig.script.answers = [leaves]
        intent = await rig.submit()
        await rig.clock.elapse(10.0)
        assert await rig.kinds(intent) == ONCE


async def test_what_ignores_its_deadline_is_on_record_at_once_and_holds_nothing() -> None:
    """Its outcome, its slot and its place wait for nobody, and what it brings later is dropped."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        deaf = Deaf()
        rig.script.answers = [deaf]
        intent = await rig.submit()
        await rig.clock.elapse(5.9)
        assert rig.engine.kernel.carries(intent.id)
        await rig.clock.elapse(0.2)
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt"]
        assert rig.engine.kernel.in_flight == 0
        assert rig.engine.kernel.idle.is_set()
        assert rig.guards["crm"].statistics().in_flight == 0
        deaf.end.set()
        await rig.clock.elapse(60.0)
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt"]


async def test_what_ignores_its_deadline_is_repeated_while_it_goes_on() -> None:
    """Where that is safe: and the late answer of the first attempt is no answer of the second."""
    async with running() as rig:
        rig.tool(timeout=5.0)
        deaf = Deaf()
        rig.script.answers = [deaf, hang]
        intent = await rig.submit()
        await rig.clock.elapse(8.0)
        assert len(rig.script.calls) == 2
        deaf.end.set()
        await turns(5)
        assert (await rig.engine.intent("acme", intent.id)).state is State.DISPATCHED
        assert (await rig.settled(intent)).attempt == 3


async def test_a_stop_waits_no_longer_for_what_is_abandoned() -> None:
    """Its outcome is on record, so there is nothing left to wait for in a grace that is longer."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        deaf = Deaf()
        rig.script.answers = [deaf]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        stopping = asyncio.ensure_future(rig.engine.stop(100.0))
        await rig.clock.elapse(6.0)
        assert stopping.done()
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt"]
        deaf.end.set()
        await turns(5)


async def test_a_stop_that_is_cut_short_ends_its_carriers() -> None:
    """Whoever gives up waiting for the stop ends everything; no fresh task goes on behind it."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        rig.script.answers = [hang]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        stopping = asyncio.ensure_future(rig.engine.kernel.stop(100.0))
        await rig.clock.elapse(1.0)
        stopping.cancel()
        await turns(3)
        _cancel_carriers(rig)
        await turns(3)
        assert rig.engine.kernel.in_flight == 0
        assert await rig.kinds(intent) == ["accepted", "dispatched"]


@pytest.mark.parametrize("waits", ["in an attempt", "at the ledger"])
def test_a_loop_that_ends_takes_its_carriers_along(waits: str) -> None:
    """`asyncio.run` cancels all tasks once: none goes on behind it, wherever it waits, and nothing hangs."""
    seen: list[asyncio.Task[object]] = []

    async def left_running() -> None:
        context = running()
        rig = await context.__aenter__()
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        if waits == "in an attempt":
            rig.script.answers = [hang]
        else:
            hold_outcomes(rig, before=True)
        await rig.submit()
        await turns(10)
        assert rig.engine.kernel.in_flight == 1
        seen.extend(rig.engine.kernel._carrying.values())  # noqa: SLF001 - as `asyncio.all_tasks` shows them
        contexts.append(context)

    contexts: list[object] = []
    run_simulated(left_running())
    assert [task.cancelled() for task in seen] == [True]


@pytest.mark.parametrize("eager", [False, True])
async def test_a_fresh_task_takes_over_where_tasks_begin_at_once(*, eager: bool) -> None:
    """It may even have ended before the one that it takes over from does: that touches nothing."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        rig.script.answers = [hang, Succeeded("done")]
        if eager:
            begin_tasks_at_once()
        first = await rig.submit()
        await rig.clock.elapse(6.0)
        assert await rig.kinds(first) == ["accepted", "dispatched", "in_doubt"]
        assert rig.engine.kernel.in_flight == 0
        second = await rig.submit(key="k2")
        await rig.clock.elapse(1.0)
        assert await rig.kinds(second) == ONCE
        assert rig.engine.kernel.in_flight == 0


def _cancel_carriers(rig: Rig) -> None:
    carriers: dict[str, asyncio.Task[None]] = rig.engine.kernel._carrying  # noqa: SLF001 - as `asyncio.all_tasks` shows
    for task in list(carriers.values()):
        task.cancel()
