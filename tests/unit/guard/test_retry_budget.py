"""The retry budget in a guard: shared by all calls of a member, named when it is empty, drawn on by every repeat."""

import inspect
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from switchgear import Code, Guard, RateLimit, Retry, RetryBudget, RetryExhausted
from switchgear.testing import VirtualClock

ONE = RetryBudget(ratio=0.0, floor=0.1, window=10.0)


def down() -> object:
    """Fail as a dependency does."""
    raise ConnectionError("down")


async def async_down() -> None:
    """Fail as a dependency does, in a task."""
    raise ConnectionError("down")


def stream_down() -> Any:  # noqa: ANN401 - gives nothing
    """Fail at the first step."""
    yield down()


async def fail_once(guard: Guard, function: Callable[[], Any]) -> Exception:
    """Make a call that fails, and return its error."""
    with pytest.raises(Exception, match="down") as caught:
        await made(guard, function)
    return caught.value


async def made(guard: Guard, function: Callable[[], Any]) -> None:
    """Make a call to its end, or the first step of an iteration."""
    call = guard.call(function)
    if inspect.isawaitable(call):
        await call
    elif inspect.isgenerator(call):
        next(call)


def retrying(budget: RetryBudget | None, clock: VirtualClock | None = None, **options: Any) -> Guard:
    """Return a guard that retries at once, within `budget`."""
    retry = Retry(on=OSError, base=0.0, budget=budget, **options)
    return Guard("api", retry=retry, clock=clock or VirtualClock())


FUNCTIONS = pytest.mark.parametrize("function", [down, async_down, stream_down])


@FUNCTIONS
async def test_an_empty_budget_ends_the_call_with_its_own_code(function: Callable[[], Any]) -> None:
    """The error says that the budget was empty, how many attempts were made, and what they failed with."""
    guard = retrying(ONE, attempts=5)
    error = await fail_once(guard, function)
    assert isinstance(error, RetryExhausted)
    assert (error.code, error.attempts, error.history) == (
        Code.RETRY_BUDGET_EMPTY,
        2,
        ("ConnectionError: down",) * 2,
    )
    assert isinstance(error.__cause__, ConnectionError)
    assert guard.statistics().retries == 1


@FUNCTIONS
async def test_with_an_empty_budget_a_call_still_has_its_first_attempt(function: Callable[[], Any]) -> None:
    """The budget bounds repeats, never calls; also one attempt is told of as `RetryExhausted` then."""
    guard = retrying(ONE)
    await fail_once(guard, function)
    error = await fail_once(guard, function)
    assert isinstance(error, RetryExhausted)
    assert (error.code, error.attempts, len(error.history)) == (Code.RETRY_BUDGET_EMPTY, 1, 1)


async def test_attempts_that_are_used_up_keep_their_own_code() -> None:
    """The two gates have two codes."""
    error = await fail_once(retrying(None, attempts=2), down)
    assert isinstance(error, RetryExhausted)
    assert (error.code, error.attempts) == (Code.RETRY_EXHAUSTED, 2)


async def test_a_free_repeat_is_always_allowed() -> None:
    """Cost 0 draws on nothing, so an empty budget does not stop it."""
    budget = RetryBudget(ratio=0.0, floor=0.1, window=10.0, costs={ConnectionError: 0.0})
    guard = retrying(budget, attempts=4)
    for _ in range(3):
        error = await fail_once(guard, down)
        assert getattr(error, "code", None) is Code.RETRY_EXHAUSTED
    assert guard.statistics().retries == 9


async def test_an_infinite_cost_is_never_allowed() -> None:
    """Cost infinity forbids the repeat, however full the budget is."""
    budget = RetryBudget(ratio=1.0, floor=100.0, costs={ConnectionError: inf})
    guard = retrying(budget)
    error = await fail_once(guard, async_down)
    assert isinstance(error, RetryExhausted)
    assert (error.code, error.attempts) == (Code.RETRY_BUDGET_EMPTY, 1)


async def test_each_key_has_a_budget_of_its_own() -> None:
    """One key that repeats a lot takes nothing from another."""
    guard = retrying(ONE, attempts=2)
    codes = [getattr(await fail_once(guard.key(key), down), "code", None) for key in ("a", "a", "b")]
    assert codes == [Code.RETRY_EXHAUSTED, Code.RETRY_BUDGET_EMPTY, Code.RETRY_EXHAUSTED]


async def test_successes_earn_repeats() -> None:
    """A fifth of the calls is earned as repeats, and repeats earn nothing themselves."""
    guard = retrying(RetryBudget(ratio=0.2, floor=0.0), attempts=2, clock=VirtualClock())
    clock = guard._member.plan.clock  # noqa: SLF001 - the clock that the helper made
    assert isinstance(clock, VirtualClock)
    clock.advance(1.0)
    for _ in range(9):
        guard.call(int)
    codes = [getattr(await fail_once(guard, down), "code", None) for _ in range(3)]
    assert codes == [Code.RETRY_EXHAUSTED, Code.RETRY_EXHAUSTED, Code.RETRY_BUDGET_EMPTY]


async def test_the_budget_comes_back_with_time() -> None:
    """What was withdrawn is forgotten after the window; a jump of the wall clock changes nothing."""
    clock = VirtualClock()
    guard = retrying(ONE, clock, attempts=2)
    codes = []
    for wall, seconds in ((0.0, 0.0), (3600.0, 5.0), (-3600.0, 5.2)):
        clock.jump_wall(wall)
        clock.advance(seconds)
        codes.append(getattr(await fail_once(guard, down), "code", None))
    assert codes == [Code.RETRY_EXHAUSTED, Code.RETRY_BUDGET_EMPTY, Code.RETRY_EXHAUSTED]


async def test_an_error_that_is_not_retried_takes_nothing() -> None:
    """Only a repeat that would be made is paid for: not one for which attempts, time or `on` leave no room."""
    guard = retrying(ONE, attempts=1)
    for _ in range(3):
        assert isinstance(await fail_once(guard, down), ConnectionError)
    late = Guard(
        "api", retry=Retry(on=OSError, base=9.0, cap=9.0, backoff="constant", budget=ONE), clock=VirtualClock()
    )
    for _ in range(3):
        error = await fail_once(late.using(deadline=1.0), down)
        assert getattr(error, "code", None) is Code.DEADLINE_EXCEEDED


async def test_a_refusal_that_was_waited_out_is_no_repeat() -> None:
    """Waiting for a token takes nothing from what calls have earned: nothing had left, so nothing was repeated."""
    clock = VirtualClock()
    retry = Retry(on=OSError, attempts=3, base=0.0, budget=RetryBudget(ratio=0.5, floor=0.0, window=100.0))
    guard = Guard("api", retry=retry, rate_limit=RateLimit(1), deadline=60.0, clock=clock)
    for _ in range(6):
        guard.call(int)
    assert (guard.statistics().calls, guard.statistics().retries) == (6, 0)
    error = await fail_once(guard, down)
    assert getattr(error, "code", None) is Code.RETRY_EXHAUSTED
