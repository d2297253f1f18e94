"""Retrying through the guard: attempts, history, hints, refusals, nesting. The same for threads and tasks."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import (
    Breaker,
    CircuitOpen,
    DeadlineExceeded,
    Guard,
    RateLimit,
    RateLimited,
    Retry,
    RetryExhausted,
    Timeout,
)
from switchgear.core.errors import mark_unsent
from switchgear.testing import VirtualClock
from tests.turns import turns

Call = Callable[[Guard, Callable[[], int]], int]


def blocking(guard: Guard, function: Callable[[], int]) -> int:
    """Make the call from this thread."""
    return guard.call(function)


def asynchronous(guard: Guard, function: Callable[[], int]) -> int:
    """Make the same call from a task, on a clock that is advanced."""

    async def later() -> int:
        return function()

    async def run() -> int:
        clock = guard._member.plan.clock  # noqa: SLF001 - the clock that the test gave it
        assert isinstance(clock, VirtualClock)
        task = asyncio.create_task(guard.call(later))
        await turns()
        while not task.done():
            await clock.elapse(0.25, turns=3)
        return await task

    return asyncio.run(run())


both = pytest.mark.parametrize("make", [blocking, asynchronous])


class Flaky:
    """Fails as told, one error a call, then gives its number of calls."""

    def __init__(self, *errors: Exception) -> None:
        """Fail with `errors`, in order."""
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        """Count, and fail while there are errors left."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def constant(attempts: int = 3, **options: Any) -> Retry:
    """Return a retry of OSError with waits of one second."""
    return Retry(**{"on": OSError, "attempts": attempts, "backoff": "constant", "base": 1.0, **options})


@both
def test_a_later_attempt_may_succeed(make: Call) -> None:
    """Errors that `on` means are retried until a call succeeds."""
    clock = VirtualClock()
    guard = Guard("api", retry=constant(), clock=clock)
    assert make(guard, Flaky(ConnectionError(), OSError())) == 3
    statistics = guard.statistics()
    assert (statistics.retries, statistics.failures, statistics.successes) == (2, 2, 1)
    assert clock.monotonic() - 1_000.0 == pytest.approx(2.0, abs=0.5)


@both
def test_the_last_error_is_raised_with_the_history(make: Call) -> None:
    """RetryExhausted comes from the last error, with one line for each attempt."""
    last = ConnectionError("three")
    guard = Guard("api", retry=constant(), clock=VirtualClock())
    with pytest.raises(RetryExhausted) as caught:
        make(guard, Flaky(OSError("one"), OSError("two"), last, OSError("never")))
    assert caught.value.__cause__ is last
    assert caught.value.attempts == 3
    assert caught.value.history == ("OSError: one", "OSError: two", "ConnectionError: three")
    assert str(caught.value) == "RETRY_EXHAUSTED [api]: 3 attempts failed; the last failed with ConnectionError: three"


@both
@pytest.mark.parametrize(
    ("retry", "errors"),
    [
        (constant(attempts=1), [OSError("only")]),
        (constant(), [KeyError("x")]),
        (constant(), [OSError(), KeyError("x")]),
    ],
)
def test_what_is_not_retried_passes_unchanged(make: Call, retry: Retry, errors: list[Exception]) -> None:
    """With one attempt, or an error not meant, the original error passes, also after a retry."""
    guard = Guard("api", retry=retry, clock=VirtualClock())
    with pytest.raises(type(errors[-1])) as caught:
        make(guard, Flaky(*errors, *[ValueError("never")] * 3))
    assert caught.value is errors[-1]


def hinting(seconds: float) -> OSError:
    """Return an error of a server that asks to wait."""
    error = OSError("busy")
    error.retry_after = seconds  # type: ignore[attr-defined]  # as client libraries do
    return error


@both
def test_a_hint_of_the_server_is_obeyed(make: Call) -> None:
    """The longer of hint and back-off is waited."""
    clock = VirtualClock()
    make(Guard("api", retry=constant(), clock=clock), Flaky(hinting(7.0), hinting(0.1)))
    assert clock.monotonic() - 1_000.0 == pytest.approx(8.0, abs=0.5)


@both
@pytest.mark.parametrize("hint", [-1.0, 61.0])
def test_a_hint_not_to_come_back_or_too_late_ends_the_retry(make: Call, hint: float) -> None:
    """Negative means do not retry; longer than `hint_max` fails now instead of waiting less than asked."""
    flaky = Flaky(hinting(hint))
    with pytest.raises(OSError, match="busy"):
        make(Guard("api", retry=constant(), clock=VirtualClock()), flaky)
    assert flaky.calls == 1


@both
def test_a_hint_beyond_the_deadline_fails_now(make: Call) -> None:
    """Nothing starts that cannot finish inside what remains, hints included."""
    flaky = Flaky(hinting(30.0))
    with pytest.raises(DeadlineExceeded) as caught:
        make(Guard("api", retry=constant(), deadline=20.0, clock=VirtualClock()), flaky)
    assert caught.value.sent
    assert flaky.calls == 1


@both
def test_nested_guards_retry_in_one_layer(make: Call) -> None:
    """An exhausted inner retry is not retried outside, even when `on` means every exception."""
    clock = VirtualClock()
    inner = Guard("inner", retry=constant(attempts=2), clock=clock)
    outer = Guard("outer", retry=constant(on=Exception), clock=clock)
    flaky = Flaky(*[OSError()] * 9)
    with pytest.raises(RetryExhausted):
        make(outer, lambda: inner.call(flaky))
    assert flaky.calls == 2


@both
def test_a_refusal_is_not_retried_without_a_deadline(make: Call) -> None:
    """Nobody said how long it may take, so the refusal is the answer."""
    guard = Guard("api", retry=constant(), rate_limit=RateLimit(1), clock=VirtualClock())
    make(guard, Flaky())
    with pytest.raises(RateLimited):
        make(guard, Flaky())


@both
def test_a_refusal_is_waited_out_when_it_fits(make: Call) -> None:
    """With a deadline in force a refusal's retry_after is waited, and uses up one attempt."""
    clock = VirtualClock()
    guard = Guard("api", retry=constant(attempts=2), rate_limit=RateLimit(1, per=2.0), deadline=10.0, clock=clock)
    make(guard, Flaky())
    assert make(guard, Flaky()) == 1
    assert clock.monotonic() - 1_000.0 == pytest.approx(2.0, abs=0.5)
    assert guard.statistics().refused


@both
def test_a_refusal_after_an_attempt_that_left_is_no_refusal(make: Call) -> None:
    """`Rejected` promises that nothing left; once something has, the call ends as RetryExhausted of its last error."""
    guard = Guard("api", retry=constant(attempts=5), breaker=Breaker(failures=2), clock=VirtualClock())
    flaky = Flaky(*[OSError("down")] * 9)
    with pytest.raises(RetryExhausted) as caught:
        make(guard, flaky)
    assert (flaky.calls, caught.value.attempts, caught.value.history) == (2, 2, ("OSError: down",) * 2)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.message == "stopped after 2 of 5 attempts by CIRCUIT_OPEN; the last failed with OSError: down"
    with pytest.raises(CircuitOpen):
        make(guard, flaky)


@both
def test_a_refusal_that_was_waited_out_is_no_failed_attempt(make: Call) -> None:
    """The history has one text for each attempt that failed; refusals are counted apart, and used an attempt each."""
    guard = Guard("api", retry=constant(), rate_limit=RateLimit(1, per=2.0), deadline=30.0, clock=VirtualClock())
    with pytest.raises(RetryExhausted) as caught:
        make(guard, Flaky(*[OSError("down")] * 9))
    assert (caught.value.attempts, caught.value.history) == (2, ("OSError: down",) * 2)
    assert caught.value.message.startswith("2 of 3 attempts failed, 1 refused by RATE_LIMITED_CONNECTOR; the last")


@both
def test_once_an_attempt_has_left_no_later_error_says_otherwise(make: Call) -> None:
    """An inner deadline that stopped the second attempt in time does not hide that the first has left."""
    flaky = Flaky(OSError("down"), DeadlineExceeded(sent=False))
    with pytest.raises(DeadlineExceeded) as caught:
        make(Guard("api", retry=constant(), clock=VirtualClock()), flaky)
    assert (flaky.calls, caught.value.sent) == (2, True)


def test_the_jitter_is_drawn_from_the_injected_source() -> None:
    """The same seed gives the same waits; full jitter stays between nothing and the exponential."""

    def waits(seed: int) -> float:
        clock = VirtualClock()
        guard = Guard("api", retry=Retry(on=OSError, attempts=9, base=1.0), clock=clock, random=random.Random(seed))
        with pytest.raises(RetryExhausted):
            guard.call(Flaky(*[OSError()] * 9))
        return clock.monotonic() - 1_000.0

    assert waits(1) == waits(1) != waits(2)
    assert 0 < waits(1) < 1 + 2 + 4 + 8 + 10 * 4


def test_each_attempt_has_its_own_timeout() -> None:
    """The timeout bounds an attempt, not the call."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), retry=constant(attempts=3), clock=clock)

    def slow() -> None:
        clock.sleep(1.5)
        raise ConnectionError

    with pytest.raises(RetryExhausted) as caught:
        guard.call(slow)
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_cancellation_during_the_wait_ends_the_call() -> None:
    """A caller who leaves during the back-off is not kept."""
    guard = Guard("api", retry=constant(), clock=VirtualClock())

    async def fail() -> None:
        raise OSError

    task = asyncio.create_task(guard.call(fail))
    await turns(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guard.statistics().in_flight == 0


def test_what_never_left_is_refunded_and_may_be_made_again_whatever_its_effect() -> None:
    """A refused connection fails the dependency, but costs nothing and repeats nothing."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        retry=Retry(attempts=3, on=OSError, base=0.0),
        breaker=Breaker(failures=9),
        rate_limit=RateLimit(1, per=1_000.0, burst=3),
        effect="opaque",
        clock=clock,
    )

    def refused() -> None:
        error = ConnectionRefusedError("nobody listens")
        mark_unsent(error)
        raise error

    with pytest.raises(RetryExhausted) as exhausted:
        guard.call(refused)
    assert exhausted.value.attempts == 3
    assert guard.statistics().failures == 3
    assert [guard.call(int) for _ in range(3)] == [0, 0, 0]


def test_what_may_have_left_is_made_once_when_its_effect_forbids_more() -> None:
    """After an attempt that may have left, an opaque call is not made again, whatever came before."""
    guard = Guard("api", retry=Retry(attempts=5, on=OSError, base=0.0), effect="opaque", clock=VirtualClock())
    unsent = ConnectionRefusedError("nobody listens")
    mark_unsent(unsent)
    flaky = Flaky(unsent, ConnectionResetError("half-way"))
    with pytest.raises(ConnectionResetError):
        guard.call(flaky)
