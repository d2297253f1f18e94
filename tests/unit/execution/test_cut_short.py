"""A stop that is itself cut short, as by a second signal: nothing of the engine goes on, and nothing is lost.

What an orderly stop does is in `test_engine` and `test_torn_off`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import StoreError
from switchgear.execution.contract import Call, Result, Succeeded
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Append, Appended
from tests.turns import begin_tasks_at_once, turns
from tests.unit.execution.rig import Rig, engine_on, hang, running

GRACE = 30.0


class Ledger:
    """Counts what is handed in to the store of a rig, and is away from the moment on that it is told so."""

    def __init__(self, rig: Rig) -> None:
        """Stand before the store."""
        self.handed_in = 0
        self.away = False
        self._rig = rig
        self._append = rig.store.append
        rig.store.append = self.append  # type: ignore[method-assign] # a store that may be away

    async def append(self, append: Append) -> Appended:
        """Append, or say that nothing was written."""
        self.handed_in += 1
        if self.away:
            raise StoreError("the store is closed")
        return await self._append(append)

    def restore(self) -> None:
        """Be there again for good."""
        self._rig.store.append = self._append  # type: ignore[method-assign] # as it was


async def cut_short(rig: Rig) -> None:
    """Begin to stop the engine, and cut that short."""
    stopping = asyncio.ensure_future(rig.engine.stop(GRACE))
    await rig.clock.elapse(0.5)
    assert not stopping.done(), "there is something to wait for"
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    await turns(20)


async def found_by_the_next(rig: Rig, intent: Intent) -> State:
    """Return the state in which the next engine on the store finds an intent. Nothing is carried out."""
    following = engine_on(rig.store, rig.clock, guards={}, seed=2)
    await following.recover()
    return (await following.intent(intent.tenant, intent.id)).state


def running_now() -> set[asyncio.Task[object]]:
    """Return every task there is but the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def under_way(rig: Rig, _ledger: Ledger) -> None:
    """Wait for an answer."""
    rig.script.answers = [hang]
    await rig.submit()
    await rig.clock.elapse(1.0)


async def unrecorded(rig: Rig, ledger: Ledger) -> None:
    """Have an answer that the ledger does not take."""

    async def answer(_call: Call) -> Result:
        ledger.away = True
        return Succeeded("done")

    rig.script.answers = [answer]
    await rig.submit()
    await rig.clock.elapse(3.5)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("begin", [under_way, unrecorded])
async def test_nothing_goes_on_once_a_stop_was_cut_short(
    begin: Callable[[Rig, Ledger], Awaitable[None]], *, eager: bool
) -> None:
    """What is under way ends at once, with the loops; the next start finds it in doubt, and it left once."""
    if eager:
        begin_tasks_at_once()
    async with running(start=False) as rig:
        ledger, before = Ledger(rig), running_now()
        rig.engine.start()
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        await begin(rig, ledger)
        (intent,) = rig.engine.recorder.live.values()
        await cut_short(rig)
        assert running_now() == before
        handed_in = ledger.handed_in
        await rig.clock.elapse(600.0)
        assert ledger.handed_in == handed_in
        ledger.restore()
        assert await found_by_the_next(rig, intent) is State.IN_DOUBT
        assert len(rig.script.calls) == 1


async def test_who_waits_for_an_acceptance_is_told_when_the_stop_is_cut_short() -> None:
    """Whether it was accepted is not known: the code says so, and the same key finds out."""
    async with running(start=False) as rig:
        before = running_now()
        rig.engine.start()
        rig.tool()
        real, never = rig.store.append, asyncio.Event()

        async def append(append: Append) -> Appended:
            outcome = await real(append)
            await never.wait()
            return outcome

        rig.store.append = append  # type: ignore[method-assign] # a store that is slow
        submitting = asyncio.ensure_future(rig.submit())
        await turns(20)
        await cut_short(rig)
        with pytest.raises(StoreError) as raised:
            await asyncio.wait_for(submitting, 5.0)
        assert raised.value.code is Code.TIMEOUT_JOURNAL_APPEND
        assert running_now() == before
        assert rig.script.calls == []
        rig.store.append = real  # type: ignore[method-assign] # and quick again


async def test_an_attempt_that_ignores_the_end_of_a_cut_stop_leaves_nothing_behind_that_retries() -> None:
    """It is abandoned when its time is up, and nobody goes on with it here: the next start finds it in doubt."""
    end = asyncio.Event()

    async def deaf(_call: Call) -> Result:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return Succeeded("late")

    async with running(start=False) as rig:
        ledger, before = Ledger(rig), running_now()
        rig.engine.start()
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        rig.script.answers = [deaf]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        await cut_short(rig)
        ledger.away, handed_in = True, ledger.handed_in
        await rig.clock.elapse(60.0)
        assert len(running_now() - before) == 1, "the attempt itself"
        assert ledger.handed_in == handed_in
        end.set()
        await turns(20)
        assert running_now() == before
        ledger.restore()
        assert await found_by_the_next(rig, intent) is State.IN_DOUBT


async def test_a_stop_that_follows_one_that_was_cut_short_waits_for_nothing() -> None:
    """Whoever cut the first one short does not want to wait for the second."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=500.0)
        rig.script.answers = [hang]
        await rig.submit()
        await cut_short(rig)
        stopping = asyncio.ensure_future(rig.engine.stop(GRACE))
        await turns(20)
        assert stopping.done()
