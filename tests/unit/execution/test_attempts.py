"""One attempt: it always comes to a result, whoever cancels it, and when; its carrier goes on only if nobody did.

How the kernel goes on from there is in `test_taking_over`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio
import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.deadline import CURRENT, Deadline
from switchgear.core.outcome import Verdict
from switchgear.execution.attempt import CANCEL_GRACE, Attempts, Ended, TakenOver
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.watched import WATCHED, is_watched
from tests.turns import turns
from tests.unit.execution.rig import Script, hang, none_takes_over

SPAN: ContextVar[str] = ContextVar("span", default="none")


@dataclass
class Taken:
    """What a fresh task was told to go on with, and in whose span."""

    ended: list[Ended] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)
    deadlines: list[Deadline | None] = field(default_factory=list)

    def over(self, ended: Ended) -> None:
        """Be told."""
        self.ended.append(ended)
        self.spans.append(SPAN.get())
        self.deadlines.append(CURRENT.get())

    @property
    def result(self) -> Result:
        """The result of the only one."""
        (ended,) = self.ended
        return ended.result


def _call(clock: VirtualClock, seconds: float = 5.0) -> Call:
    deadline = Deadline(clock.monotonic() + seconds, clock)
    return Call("int_1", "crm.update", "acme", "main", "service:a", {}, "int_1", 1, deadline, "")


async def _made(tool: Callable[[Call], Awaitable[Result]], seconds: float = 5.0) -> Ended:
    """Make an attempt that nobody has to take over, and return how it ended."""
    clock = VirtualClock()
    return await asyncio.wait_for(Attempts(clock).run(Script([tool]), _call(clock, seconds), none_takes_over), 5.0)


async def test_a_stop_cuts_off_what_has_begun() -> None:
    """What may have left is uncertain, and a fresh task goes on with that."""
    clock, script, taken = VirtualClock(), Script([hang]), Taken()
    attempts = Attempts(clock)
    running = asyncio.ensure_future(attempts.run(script, _call(clock), taken.over))
    await turns()
    assert script.calls
    attempts.cut_off()
    with pytest.raises(TakenOver):
        await asyncio.wait_for(running, 5.0)
    assert taken.ended == [Ended(Uncertain(Code.SHUTTING_DOWN, taken.result.message, taken.result.verdict))]  # type: ignore[union-attr] # uncertain


async def test_an_attempt_begins_in_the_step_in_which_it_is_asked_for() -> None:
    """No turn of the loop lies between the last look of the kernel and the call: nothing can come in between."""
    clock, script = VirtualClock(), Script()
    work = Attempts(clock).run(script, _call(clock), none_takes_over)
    before = len(asyncio.all_tasks())
    running = asyncio.ensure_future(work)
    await turns()
    assert running.result() == Ended(Succeeded("done"))
    assert len(asyncio.all_tasks()) == before


async def test_the_deadline_cancels_the_attempt_and_a_fresh_task_goes_on() -> None:
    """It is on time, by the watch of the one who makes it, and the clock has but one timer for it."""
    clock, taken = VirtualClock(), Taken()
    attempts = Attempts(clock)
    running = asyncio.ensure_future(attempts.run(Script([hang]), _call(clock), taken.over))
    await clock.elapse(4.999)
    assert not running.done()
    await clock.elapse(0.001)
    assert isinstance(running.exception(), TakenOver)
    assert taken.ended == [Ended(Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time"), timed_out=True)]
    assert (attempts.counts.timed_out, attempts.counts.abandoned) == (1, 0)


async def test_what_an_attempt_answers_to_its_cancellation_is_its_result() -> None:
    """The connector knows better, within the grace: also what it did not know at its deadline."""
    clock, taken = VirtualClock(), Taken()
    refusal = Refused(Code.QUEUE_FULL, "too many", retryable=True, verdict=Verdict.IGNORED)

    async def answers_late(_call: Call) -> Result:
        try:
            return await hang(_call)
        except asyncio.CancelledError:
            await clock.sleep_async(CANCEL_GRACE / 2)
            return refusal

    running = asyncio.ensure_future(Attempts(clock).run(Script([answers_late]), _call(clock), taken.over))
    await clock.elapse(5.0 + CANCEL_GRACE)
    assert isinstance(running.exception(), TakenOver)
    assert taken.ended == [Ended(refusal)]


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(), Exception()],
)
async def test_whatever_an_attempt_raises_is_uncertain_at_once(error: BaseException) -> None:
    """A tool that raises a cancellation, or the end of the process, ends neither its carrier nor the process."""

    async def raises(_call: Call) -> Result:
        raise error

    ended = await _made(raises)
    assert isinstance(ended.result, Uncertain)
    assert (ended.result.code, ended.timed_out) == (Code.DEPENDENCY_FAILED, False)


async def test_a_tool_that_cancels_its_own_task_is_not_waited_for() -> None:
    """The cancellation strikes at its next wait: the attempt is uncertain, and a fresh task says so."""
    clock, taken = VirtualClock(), Taken()

    async def cancels(call: Call) -> Result:
        _own_task().cancel()
        return await hang(call)

    with pytest.raises(TakenOver):
        await Attempts(clock).run(Script([cancels]), _call(clock), taken.over)
    assert taken.ended == [Ended(Uncertain(Code.DEPENDENCY_FAILED, "the attempt was cancelled from within"))]


async def test_a_tool_that_cancels_its_own_task_and_answers_is_taken_at_its_word() -> None:
    """What it has answered is known. The cancellation, which nothing takes back, goes down with the old task."""
    clock, taken = VirtualClock(), Taken()

    async def cancels(_call: Call) -> Result:
        _own_task().cancel()
        return Succeeded("done")

    carrier = asyncio.ensure_future(Attempts(clock).run(Script([cancels]), _call(clock), taken.over))
    await asyncio.wait([carrier])
    assert taken.ended == [Ended(Succeeded("done"))]


async def _in_a_timeout(_call: Call) -> Result:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.0):
            await hang(_call)
    return Succeeded("done")


async def _in_a_group(_call: Call) -> Result:
    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(_raise())
            await hang(_call)
    return Succeeded("done")


async def _in_a_scope(_call: Call) -> Result:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await hang(_call)
    return Succeeded("done")


async def _behind_a_shield(_call: Call) -> Result:
    inner = asyncio.ensure_future(asyncio.sleep(0))
    await asyncio.shield(inner)
    return Succeeded("done")


async def _in_a_task_that_is_cancelled(_call: Call) -> Result:
    inner = asyncio.ensure_future(hang(_call))
    await turns()
    inner.cancel()
    with suppress(asyncio.CancelledError):
        await inner
    return Succeeded("done")


async def _raise() -> None:
    raise ValueError


@pytest.mark.parametrize(
    "tool", [_in_a_timeout, _in_a_group, _in_a_scope, _behind_a_shield, _in_a_task_that_is_cancelled]
)
async def test_cancellations_that_end_within_an_attempt_are_its_own(tool: Callable[[Call], Awaitable[Result]]) -> None:
    """Timeouts, groups and scopes cancel the task they are in, and take it back: the carrier goes on by itself."""
    clock = VirtualClock()

    async def carrier() -> Ended:
        ended = await Attempts(clock).run(Script([tool]), _call(clock), none_takes_over)
        await turns(3)  # no cancellation is left that would strike here
        return ended

    assert await asyncio.ensure_future(carrier()) == Ended(Succeeded("done"))


async def test_whoever_carries_an_attempt_takes_it_along() -> None:
    """A carrier that is torn off leaves no attempt behind that goes on alone, and nobody takes over."""
    clock, script, taken = VirtualClock(), Script([hang]), Taken()
    attempts = Attempts(clock, torn_off=lambda: True)
    carrier = asyncio.ensure_future(attempts.run(script, _call(clock), taken.over))
    await turns()
    before = len(asyncio.all_tasks())
    carrier.cancel()
    await asyncio.gather(carrier, return_exceptions=True)
    assert carrier.cancelled()
    assert len(asyncio.all_tasks()) == before - 1
    assert taken.ended == []


@pytest.mark.parametrize("cut_off", [True, False])
async def test_what_ignores_its_cancellation_is_abandoned_after_the_grace(*, cut_off: bool) -> None:
    """So there is time to record the doubt at a stop. What it brings later is dropped: nobody goes on twice."""
    clock, end, taken = VirtualClock(), asyncio.Event(), Taken()

    async def deaf(_call: Call) -> Result:
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()
        return Succeeded("late")

    attempts = Attempts(clock)
    running = asyncio.ensure_future(attempts.run(Script([deaf]), _call(clock), taken.over))
    await turns()
    if cut_off:
        attempts.cut_off()
    await clock.elapse(5.0 * (not cut_off) + CANCEL_GRACE)
    assert not running.done()
    assert isinstance(taken.result, Uncertain)
    assert taken.ended[0].timed_out is not cut_off
    assert attempts.counts.abandoned == (not cut_off)
    attempts.cut_off()
    end.set()
    await clock.elapse(60.0)
    assert isinstance(running.exception(), TakenOver)
    assert len(taken.ended) == 1


async def test_what_an_attempt_sets_in_its_context_is_seen_by_nobody_else() -> None:
    """A span that a tool leaves open is no parent of what the kernel does next. In the attempt it holds, throughout."""
    clock, seen = VirtualClock(), []

    async def sets(call: Call) -> Result:
        seen.append((SPAN.get(), CURRENT.get() is call.deadline, is_watched(call.deadline)))
        SPAN.set("tool")
        await turns()
        with suppress(asyncio.CancelledError):
            await asyncio.ensure_future(_cancelled())
        seen.append((SPAN.get(), CURRENT.get() is call.deadline, is_watched(call.deadline)))
        seen.append((await asyncio.ensure_future(_span()), True, True))
        return Succeeded("done")

    async def carrier() -> tuple[str, object, object]:
        SPAN.set("kernel")
        await Attempts(clock).run(Script([sets]), _call(clock), none_takes_over)
        return SPAN.get(), CURRENT.get(), WATCHED.get()

    assert await asyncio.ensure_future(carrier()) == ("kernel", None, None)
    assert seen == [("kernel", True, True), ("tool", True, True), ("tool", True, True)]


@pytest.mark.parametrize("deaf", [True, False])
async def test_whoever_takes_over_has_the_context_of_the_carrier(*, deaf: bool) -> None:
    """It is neither the tool's, nor that of whoever set the timer in which the grace ends."""
    clock, end, taken = VirtualClock(), asyncio.Event(), Taken()

    async def sets(call: Call) -> Result:
        SPAN.set("tool")
        with suppress(*([asyncio.CancelledError] if deaf else [])):
            await hang(call)
        await end.wait()
        return Succeeded("late")

    async def carrier(span: str) -> None:
        SPAN.set(span)
        with suppress(TakenOver):
            await attempts.run(Script([sets]), _call(clock), taken.over)

    attempts = Attempts(clock)
    carriers = [asyncio.ensure_future(carrier(span)) for span in ("first", "second")]
    await clock.elapse(5.0 + CANCEL_GRACE)
    assert (taken.spans, taken.deadlines) == (["first", "second"], [None, None])
    end.set()
    await asyncio.gather(*carriers)


async def test_an_attempt_that_is_never_finished_is_closed_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that ends beneath it closes what waits: the tool's own end runs, in its context, and nothing goes on."""
    clock, ends = VirtualClock(), []

    async def tidies(call: Call) -> Result:
        SPAN.set("tool")
        try:
            return await hang(call)
        finally:
            ends.append(SPAN.get())

    work = Attempts(clock).run(Script([tidies]), _call(clock), none_takes_over)
    carrier = asyncio.ensure_future(work)
    await turns()
    work.close()
    assert ends == ["tool"]
    carrier.cancel()
    with suppress(asyncio.CancelledError, RuntimeError):
        await carrier
    gc.collect()
    assert not caplog.records


async def _cancelled() -> None:
    raise asyncio.CancelledError


async def _span() -> str:
    return SPAN.get()


def _own_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task
