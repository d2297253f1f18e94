"""Timeouts and deadlines: who cut the call off, and what it means."""

import asyncio
import contextvars
import threading
import time

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    DeadlineExceeded,
    Guard,
    QueueFull,
    Rejected,
    Retry,
    RetryExhausted,
    Timeout,
    deadline,
)
from switchgear.core.deadline import current_deadline
from switchgear.testing import VirtualClock
from tests.turns import turns


async def hang() -> None:
    """Never end by itself."""
    await asyncio.Event().wait()


async def test_an_expired_attempt_is_a_failure_and_slow() -> None:
    """Our own expiry becomes DeadlineExceeded with sent=True; the breaker learns a failure."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(5.0), breaker=Breaker(failures=1), clock=clock)
    task = asyncio.create_task(guard.call(hang))
    await clock.elapse(4.9)
    assert not task.done()
    await clock.elapse(0.1)
    with pytest.raises(DeadlineExceeded, match="longer than 5 s") as caught:
        await task
    assert caught.value.sent
    statistics = guard.statistics()
    assert (statistics.failures, statistics.slow, statistics.timeouts, guard.state) == (1, 1, 1, "open")


async def test_a_timeout_is_slow_in_the_window() -> None:
    """A window of slow calls counts an expired attempt, whatever `slow_after` is."""
    clock = VirtualClock()
    breaker = Breaker(failure_rate=1.0, slow_rate=0.5, slow_after=60.0, minimum_calls=2)
    guard = Guard("api", timeout=Timeout(5.0), breaker=breaker, clock=clock)
    await guard.call(asyncio.sleep, 0)
    task = asyncio.create_task(guard.call(hang))
    await clock.elapse(5.0)
    with pytest.raises(DeadlineExceeded):
        await task
    assert guard.state == "open"


@pytest.mark.parametrize("how", ["scope", "using", "guard"])
async def test_a_shorter_deadline_of_the_caller_is_ignored(how: str) -> None:
    """One impatient caller must not open the breaker for all."""
    clock = VirtualClock()
    guard = Guard(
        "api", timeout=Timeout(5.0), breaker=Breaker(failures=1), clock=clock, deadline=1.0 if how == "guard" else None
    )

    async def call() -> None:
        if how == "scope":
            with deadline(1.0, clock=clock):
                await guard.call(hang)
        else:
            await (guard.using(deadline=1.0) if how == "using" else guard).call(hang)

    task = asyncio.create_task(call())
    await clock.elapse(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert caught.value.sent
    assert (guard.statistics().ignored, guard.state) == (1, "closed")


async def test_the_callers_cancellation_passes_also_when_it_races_with_the_timeout() -> None:
    """When both ask for the end of a call in the same turn, the caller's cancellation wins."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(5.0), breaker=Breaker(failures=1), clock=clock)
    task = asyncio.create_task(guard.call(hang))
    await turns()
    clock.advance(5.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guard.statistics().ignored == 1


async def test_a_timeout_leaves_no_cancellation_behind() -> None:
    """After our expiry the task counts no cancellation, so that scopes around it work on."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(1.0), clock=clock)

    async def caller() -> int:
        with pytest.raises(DeadlineExceeded):
            await guard.call(hang)
        await turns()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    task = asyncio.create_task(caller())
    await clock.elapse(1.0)
    assert await task == 0


async def test_a_call_that_swallows_our_cancellation_keeps_its_result() -> None:
    """A result is a result; the bookkeeping of the cancellation is undone all the same."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(1.0), clock=clock)

    async def stubborn() -> str:
        try:
            await hang()
        except asyncio.CancelledError:
            return "saved"
        return "never"

    async def caller() -> tuple[str, int]:
        result = await guard.call(stubborn)
        task = asyncio.current_task()
        assert task is not None
        return result, task.cancelling()

    task = asyncio.create_task(caller())
    await clock.elapse(1.0)
    assert await task == ("saved", 0)


async def test_nested_timeouts_end_the_inner_or_the_outer_call() -> None:
    """The tighter of two nested guards expires; the outer one sees an ordinary failure."""
    clock = VirtualClock()
    inner = Guard("inner", timeout=Timeout(1.0), clock=clock)
    outer = Guard("outer", timeout=Timeout(2.0), clock=clock)
    task = asyncio.ensure_future(outer(inner(hang))())
    await clock.elapse(1.0)
    with pytest.raises(DeadlineExceeded, match="longer than 1 s"):
        await task
    assert (inner.statistics().timeouts, outer.statistics().timeouts) == (1, 0)


async def test_nothing_starts_after_the_deadline() -> None:
    """An expired deadline refuses before anything is sent, and says so."""
    clock = VirtualClock()
    guard = Guard("api", bulkhead=Bulkhead(1), clock=clock)
    with deadline(0.0, clock=clock), pytest.raises(DeadlineExceeded) as caught:
        await guard.call(hang)
    assert not caught.value.sent
    assert guard.statistics().calls == 0


def test_no_back_off_outlasts_the_deadline() -> None:
    """A wait that would end after the deadline is not begun; something was sent, and the cause is kept."""
    clock = VirtualClock()
    guard = Guard("api", retry=Retry(on=OSError, backoff="constant", base=3.0, attempts=9), deadline=10.0, clock=clock)
    calls = []

    def call() -> None:
        calls.append(clock.monotonic())
        raise ConnectionError("down")

    started = clock.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        guard.call(call)
    assert caught.value.sent
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert [at - started for at in calls] == [0.0, 3.0, 6.0, 9.0]
    assert clock.monotonic() - started == 9.0


async def test_waiting_in_the_queue_ends_with_the_deadline() -> None:
    """Queueing counts against the deadline, and nothing was sent."""
    clock = VirtualClock()
    guard = Guard("api", bulkhead=Bulkhead(1, queue=1, max_wait=30.0), clock=clock)
    held = guard.permit_nowait()
    task = asyncio.create_task(guard.using(deadline=2.0).call(hang))
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert not caught.value.sent
    assert guard.statistics().waiting == 0
    held.succeed()


def test_the_deadline_is_visible_to_the_call() -> None:
    """Connectors read the tightest deadline, also in a worker thread."""
    clock = VirtualClock()
    guard = Guard("api", deadline=5.0, clock=clock)

    def remaining() -> float:
        scope = current_deadline()
        assert scope is not None
        return scope.remaining()

    assert guard.call(remaining) == 5.0
    assert guard.using(deadline=2.0).call(remaining) == 2.0
    assert guard.using(deadline=8.0).call(remaining) == 5.0
    assert current_deadline() is None


def test_a_blocking_call_that_takes_too_long_on_a_simulated_clock() -> None:
    """A call that returns after its time is too late, though it has ended."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(1.0), breaker=Breaker(failures=1), clock=clock)
    with pytest.raises(DeadlineExceeded):
        guard.call(clock.sleep, 2.0)
    statistics = guard.statistics()
    assert (statistics.failures, statistics.abandoned_total, statistics.in_flight) == (1, 0, 0)


def test_an_abandoned_blocking_call_keeps_its_place_until_it_ends() -> None:
    """A thread cannot be stopped: the caller goes on, the call keeps its place, and is counted."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(1.0), bulkhead=Bulkhead(1), breaker=Breaker(failures=5), clock=clock)
    release, ended = threading.Event(), threading.Event()

    def stuck() -> None:
        release.wait(20)
        ended.set()

    with pytest.raises(DeadlineExceeded) as caught:
        guard.call(stuck)
    assert caught.value.sent
    statistics = guard.statistics()
    assert (statistics.abandoned, statistics.in_flight, statistics.calls, statistics.failures) == (1, 1, 1, 1)
    with pytest.raises(QueueFull):
        guard.call(int)
    release.set()
    assert ended.wait(60)
    until = time.monotonic() + 60
    while guard.statistics().abandoned and time.monotonic() < until:
        threading.Event().wait(0.001)
    assert guard.call(int) == 0
    statistics = guard.statistics()
    assert (statistics.abandoned, statistics.abandoned_total, statistics.in_flight) == (0, 1, 0)


def test_without_a_bound_no_thread_is_involved() -> None:
    """A blocking call without timeout and deadline runs in the thread of its caller."""
    guard = Guard("api", retry=Retry(on=OSError), breaker=Breaker(), bulkhead=Bulkhead(2))
    assert guard.call(threading.get_ident) == threading.get_ident()


def test_a_bounded_blocking_call_sees_the_callers_context() -> None:
    """Context variables are copied into the worker thread."""
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("acme")
    guard = Guard("api", timeout=Timeout(5.0))
    assert guard.call(name.get) == "acme"
    assert guard.call(threading.get_ident) != threading.get_ident()


async def test_the_loop_keeps_one_timer_for_many_calls() -> None:
    """A thousand bounded calls share one timer of the loop, and none is left armed."""
    guard = Guard("api", timeout=Timeout(60.0))
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)  # type: ignore[attr-defined]  # noqa: SLF001 - the only way to count timers
    for _ in range(1_000):
        await guard.call(asyncio.sleep, 0)
    assert len(loop._scheduled) - before <= 2  # type: ignore[attr-defined]  # noqa: SLF001 - as above


async def test_real_expiry_is_never_early() -> None:
    """On the system's clock an attempt ends at its timeout or up to a few milliseconds later."""
    guard = Guard("api", timeout=Timeout(0.03))
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await guard.call(hang)
    assert time.monotonic() - started >= 0.03


async def test_timeouts_are_retried_when_declared_safe() -> None:
    """An expired attempt is a TimeoutError, so `on=TimeoutError` retries it."""
    clock = VirtualClock()
    retry = Retry(on=TimeoutError, attempts=2, backoff="constant", base=1.0)
    guard = Guard("api", timeout=Timeout(2.0), retry=retry, clock=clock)
    task = asyncio.create_task(guard.call(hang))
    await clock.elapse(10.0)
    with pytest.raises(RetryExhausted) as caught:
        await task
    assert caught.value.attempts == 2
    assert isinstance(caught.value.__cause__, DeadlineExceeded)


async def test_the_deadline_of_the_call_is_named_also_on_the_last_attempt() -> None:
    """When the whole call's deadline cuts the last attempt, that is the answer, not a used-up retry."""
    clock = VirtualClock()
    retry = Retry(on=TimeoutError, attempts=2, backoff="constant", base=1.0)
    guard = Guard("api", timeout=Timeout(2.0), retry=retry, deadline=4.0, clock=clock)
    task = asyncio.create_task(guard.call(hang))
    await clock.elapse(10.0)
    with pytest.raises(DeadlineExceeded, match="ran out during an attempt"):
        await task
    assert (guard.statistics().failures, guard.statistics().ignored) == (1, 1)


class Interrupting(VirtualClock):
    """A clock on which somebody presses Ctrl-C while a thread waits."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Interrupt the wait."""
        if event.is_set():
            return True
        raise KeyboardInterrupt


def test_ctrl_c_ends_the_wait_and_leaves_the_call_its_place() -> None:
    """An interruption passes unchanged, says nothing about the dependency, and the call is counted as left behind."""
    guard = Guard("api", timeout=Timeout(1.0), breaker=Breaker(failures=1), clock=Interrupting())
    release = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        guard.call(release.wait, 20)
    statistics = guard.statistics()
    assert (statistics.abandoned, statistics.ignored, statistics.state) == (1, 1, "closed")
    release.set()


def test_rejected_is_raised_when_the_worker_threads_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are bounded; at the maximum a call is refused with a code and costs nothing."""
    monkeypatch.setattr("switchgear.guard.workers.WORKERS_MAX", -1)
    monkeypatch.setattr("switchgear.guard.workers._WORKERS._idle", [])
    guard = Guard("api", timeout=Timeout(1.0))
    with pytest.raises(Rejected, match="SHED_OVERLOAD"):
        guard.call(int)
    assert guard.statistics().calls == 0
