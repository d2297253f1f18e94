"""One attempt: it always comes back with a result, whoever cancels it, and when."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.execution.attempt import CANCEL_GRACE, Attempts, Ended
from switchgear.execution.contract import Call, Result, Succeeded, Uncertain
from tests.turns import turns
from tests.unit.execution.rig import Script, hang


def _call(clock: VirtualClock, seconds: float = 5.0) -> Call:
    deadline = Deadline(clock.monotonic() + seconds, clock)
    return Call("int_1", "crm.update", "acme", "main", "service:a", {}, "int_1", 1, deadline, "")


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stop_cuts_off_an_attempt_that_has_begun_or_not(*, begun: bool) -> None:
    """Whoever carries it is never left waiting, and what may have left is uncertain."""
    clock, script = VirtualClock(), Script([hang])
    attempts = Attempts(clock)
    running = asyncio.ensure_future(attempts.run(script, _call(clock)))
    await turns()
    if begun:
        await turns()
        assert script.calls
    attempts.cut_off()
    ended = await asyncio.wait_for(running, 5.0)
    assert ended == Ended(Uncertain(Code.SHUTTING_DOWN, ended.result.message, ended.result.verdict))  # type: ignore[union-attr] # uncertain


async def test_an_attempt_that_cancels_itself_is_uncertain_at_once() -> None:
    """A tool that raises a cancellation of its own does not make its carrier wait for the deadline."""
    clock = VirtualClock()

    async def cancels(_call: Call) -> Result:
        raise asyncio.CancelledError

    ended = await asyncio.wait_for(Attempts(clock).run(Script([cancels]), _call(clock)), 5.0)
    assert isinstance(ended.result, Uncertain)
    assert (ended.result.code, ended.timed_out) == (Code.DEPENDENCY_FAILED, False)
    assert clock.monotonic() == VirtualClock().monotonic()


async def test_whoever_carries_an_attempt_takes_it_along() -> None:
    """A carrier that is torn off leaves no attempt behind that goes on alone."""
    clock, script = VirtualClock(), Script([hang])
    carrier = asyncio.ensure_future(Attempts(clock).run(script, _call(clock)))
    await turns(2)
    before = len(asyncio.all_tasks())
    carrier.cancel()
    await asyncio.gather(carrier, return_exceptions=True)
    await turns()
    assert len(asyncio.all_tasks()) == before - 2


async def test_a_stop_waits_no_longer_than_the_grace_for_what_ignores_it() -> None:
    """So there is time to record the doubt; else it would be on record as dispatched until the next start."""
    clock, end = VirtualClock(), asyncio.Event()

    async def deaf(_call: Call) -> Result:
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()
        return Succeeded("late")

    attempts = Attempts(clock)
    running = asyncio.ensure_future(attempts.run(Script([deaf]), _call(clock, 500.0)))
    await turns()
    attempts.cut_off()
    await clock.elapse(CANCEL_GRACE)
    assert running.done()
    assert isinstance(running.result().result, Uncertain)
    end.set()
    await turns()
