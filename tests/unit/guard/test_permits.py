"""Permits: the body as the call, and the two-step form that never waits."""

import asyncio

import pytest

from switchgear import Breaker, Bulkhead, CircuitOpen, DeadlineExceeded, Guard, RateLimit, Rejected, Timeout
from switchgear.core.deadline import current_deadline
from switchgear.testing import VirtualClock
from tests.turns import turns


def guarded(clock: VirtualClock | None = None) -> Guard:
    """Return a guard with a breaker, a bulkhead of one and a rate limit of ten."""
    return Guard(
        "api",
        breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0),
        bulkhead=Bulkhead(1),
        rate_limit=RateLimit(10),
        clock=clock or VirtualClock(),
    )


def test_the_body_is_the_call() -> None:
    """The place is held during the body, and its end is the outcome."""
    guard = guarded()
    with guard.permit():
        assert guard.statistics().in_flight == 1
        with pytest.raises(Rejected):
            guard.permit_nowait()
    with pytest.raises(ConnectionError), guard.permit():
        raise ConnectionError
    statistics = guard.statistics()
    assert (statistics.successes, statistics.failures, statistics.in_flight, guard.state) == (1, 1, 0, "open")


async def test_the_body_of_a_task_is_bounded() -> None:
    """The attempt timeout ends the body as DeadlineExceeded; what the body says itself wins over success."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), breaker=Breaker(failures=1), clock=clock)

    async def body() -> None:
        async with guard.permit():
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded):
        await task
    assert (guard.statistics().timeouts, guard.state) == (1, "open")


async def test_a_cancelled_body_is_ignored() -> None:
    """The caller's cancellation passes through a permit unchanged."""
    guard = guarded()

    async def body() -> None:
        async with guard.permit():
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (guard.statistics().ignored, guard.state) == (1, "closed")


@pytest.mark.parametrize(
    ("say", "counted"), [("succeed", "successes"), ("fail", "failures"), ("ignore", "ignored"), ("refund", None)]
)
def test_what_is_said_in_the_body_counts_at_its_end(say: str, counted: str | None) -> None:
    """An outcome said in the body is settled when the body ends, once, and frees the place only then."""
    guard = guarded()
    with guard.permit() as permit:
        getattr(permit, say)()
        permit.fail()
        assert permit.settled
        assert guard.statistics().in_flight == 1
    statistics = guard.statistics()
    ended = {name: getattr(statistics, name) for name in ("successes", "failures", "ignored")}
    assert ended == {name: int(name == counted) for name in ended}
    assert statistics.in_flight == 0


def test_a_blocking_body_that_takes_too_long_counts_as_failed() -> None:
    """It cannot be stopped and its result stands, but the breaker learns that it was too slow."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(1.0), breaker=Breaker(failures=1), clock=clock)
    with guard.permit():
        clock.sleep(2.0)
    assert (guard.statistics().timeouts, guard.state) == (1, "open")


def test_the_deadline_of_the_guard_holds_in_the_body() -> None:
    """The body sees the deadline, and the scope ends with it, also when admission refuses."""
    guard = Guard("api", deadline=3.0, breaker=Breaker(failures=1), clock=VirtualClock())
    with guard.permit() as permit:
        scope = current_deadline()
        assert scope is not None
        assert scope.remaining() == 3.0
        permit.fail()
    assert current_deadline() is None
    with pytest.raises(CircuitOpen), guard.permit():
        pytest.fail("the body must not run")
    assert current_deadline() is None


async def test_a_permit_waits_its_turn() -> None:
    """Entering waits in the queue and for the rate limit as a call does."""
    clock = VirtualClock()
    guard = Guard("api", bulkhead=Bulkhead(1, queue=1), rate_limit=RateLimit(1, wait=5.0), clock=clock)
    held = guard.permit_nowait()
    entered = asyncio.Event()

    async def body() -> None:
        async with guard.permit():
            entered.set()

    task = asyncio.create_task(body())
    await clock.elapse(0.5)
    held.succeed()
    await clock.elapse(0.25)
    assert not entered.is_set()
    await clock.elapse(0.25)
    await task


def test_a_scope_is_used_once() -> None:
    """Entering a second time, or leaving before entering, is a mistake that is told."""
    scope = guarded().permit()
    with pytest.raises(RuntimeError, match="before it was entered"):
        scope.__exit__(None, None, None)
    with scope:
        pass
    with pytest.raises(RuntimeError, match="once"), scope:
        pass


def test_a_permit_settles_at_most_once() -> None:
    """Whatever is said after the first outcome changes nothing."""
    guard = guarded()
    permit = guard.permit_nowait()
    permit.succeed()
    permit.fail()
    permit.refund()
    permit.ignore()
    statistics = guard.statistics()
    assert (statistics.successes, statistics.failures, statistics.in_flight) == (1, 0, 0)


def test_a_refunded_permit_was_never_there() -> None:
    """Nothing left: place and cost come back, and there is no verdict, also for a probe."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0),
        rate_limit=RateLimit(1, per=60.0, burst=2),
        clock=clock,
    )
    guard.permit_nowait().fail()
    clock.advance(1.0)
    for _ in range(5):
        guard.permit_nowait().refund()
    assert (guard.state, guard.statistics().calls) == ("half_open", 1)
    guard.permit_nowait().succeed()
    assert guard.state == "closed"


def test_a_permit_judges_errors_and_slowness() -> None:
    """`fail(error)` goes by `on` and `ignore`; `slow` counts as slow whatever the duration."""
    clock = VirtualClock()
    breaker = Breaker(failure_rate=1.0, slow_rate=1.0, slow_after=5.0, minimum_calls=1, on=OSError)
    guard = Guard("api", breaker=breaker, clock=clock)
    guard.permit_nowait().fail(ValueError())
    assert (guard.statistics().successes, guard.state) == (1, "closed")
    slow = Guard("api", breaker=breaker, clock=clock)
    slow.permit_nowait().fail(ValueError(), slow=True)
    assert (slow.statistics().slow, slow.state) == (1, "open")


def test_the_duration_runs_from_permit_to_settlement() -> None:
    """A call is slow by the time between the permit and its outcome."""
    clock = VirtualClock()
    breaker = Breaker(slow_rate=0.5, slow_after=5.0, minimum_calls=1)
    guard = Guard("api", breaker=breaker, clock=clock)
    permit = guard.permit_nowait()
    clock.advance(6.0)
    permit.succeed()
    assert guard.state == "open"


def test_a_permit_that_never_waits() -> None:
    """`permit_nowait` refuses at once, even where a call would queue, and takes a cost."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=5), rate_limit=RateLimit(5, wait=10.0), clock=VirtualClock())
    guard.permit_nowait(cost=5).succeed()
    with pytest.raises(Rejected, match="RATE_LIMITED"):
        guard.permit_nowait()
    assert guard.timeout_seconds is None
    assert Guard("api", timeout=Timeout(3)).timeout_seconds == 3.0
