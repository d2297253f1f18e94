"""Fallback in a guard, and the outcome of a call as a value: labelled, for reads only, never for cancellation."""

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Fallback,
    Guard,
    Retry,
    Timeout,
)
from switchgear.core.errors import InDoubt, OptionError
from switchgear.guard import Event
from switchgear.testing import VirtualClock
from tests.turns import turns


def blocking_failure() -> str:
    """Fail as a dependency does."""
    raise ConnectionError("down")


async def async_failure() -> str:
    """Fail as a dependency does, in a task."""
    raise ConnectionError("down")


FAILURES = pytest.mark.parametrize("function", [blocking_failure, async_failure])


async def result_of(made: Any) -> Any:  # noqa: ANN401 - whatever the call gives
    """Return what a call gave, awaited if it has to be."""
    return await made if inspect.isawaitable(made) else made


def reading(**policies: Any) -> Guard:
    """Return a guard for reads that answers "cached" when a call fails."""
    given: dict[str, Any] = {"fallback": Fallback(value="cached"), "effect": "read_only", **policies}
    return Guard("api", clock=VirtualClock(), **given)


@FAILURES
async def test_an_answer_of_the_fallback_is_labelled(function: Callable[[], Any]) -> None:
    """The outcome names the source and the error that the answer stands in for; an event and a counter tell of it."""
    guard = reading()
    heard: list[Event] = []
    guard.subscribe(heard.append)
    outcome = await result_of(guard.outcome(function))
    assert (outcome.value, outcome.source, outcome.succeeded) == ("cached", "fallback", True)
    assert isinstance(outcome.error, ConnectionError)
    assert await result_of(guard.call(function)) == "cached"
    statistics = guard.statistics()
    assert (statistics.fallbacks, statistics.failures, statistics.successes) == (2, 2, 0)
    assert [event.kind for event in heard] == ["fell_back", "fell_back"]


async def test_an_answer_of_the_call_is_labelled_as_its_own() -> None:
    """A call that succeeds has no error and is no fallback."""
    guard = reading()
    assert guard.outcome(int).source == "call"
    assert (await guard.outcome(asyncio.sleep, 0, "own")).unwrap() == "own"
    assert guard.statistics().fallbacks == 0


@FAILURES
@pytest.mark.parametrize("effect", ["keyed", "natural", "reconcilable", "opaque"])
async def test_a_write_never_falls_back(function: Callable[[], Any], effect: str) -> None:
    """Nobody is told of a success that never happened: what writes, fails."""
    guard = reading().using(effect=effect)
    with pytest.raises(ConnectionError):
        await result_of(guard.call(function))
    outcome = await result_of(guard.outcome(function))
    assert (outcome.source, outcome.succeeded, outcome.value) == ("call", False, None)


@pytest.mark.parametrize("effect", [None, "keyed", "natural", "reconcilable", "opaque"])
def test_a_fallback_needs_calls_declared_as_reads(effect: str | None) -> None:
    """A guard with a fallback is refused at birth for calls that were not declared to change nothing."""
    with pytest.raises(OptionError, match="read_only"):
        Guard("api", fallback=Fallback(value=[]), effect=effect)


@FAILURES
async def test_it_stands_outside_every_other_policy(function: Callable[[], Any]) -> None:
    """Refusals and exhausted retries are answered for as well, after they have happened."""
    guard = reading(breaker=Breaker(failures=2), retry=Retry(attempts=2, on=OSError, base=0.0))
    calls = [await result_of(guard.outcome(function)) for _ in range(2)]
    assert [type(outcome.error).__name__ for outcome in calls[1:]] == ["CircuitOpen"]
    assert [outcome.value for outcome in calls] == ["cached", "cached"]
    assert guard.state == "open"


async def test_a_deadline_is_answered_for() -> None:
    """When time is over the answer comes at once, and the place is free."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        fallback=Fallback(value="cached"),
        effect="read_only",
        deadline=1.0,
        timeout=Timeout(5.0),
        bulkhead=Bulkhead(1),
        clock=clock,
    )
    task = asyncio.ensure_future(guard.outcome(clock.sleep_async, 9.0))
    await clock.elapse(1.0)
    assert (await task).unwrap() == "cached"
    guard.permit_nowait().succeed()


async def test_cancellation_is_never_answered_for() -> None:
    """A caller who has gone gets no answer: cancellation passes, and the fallback is not asked."""
    asked: list[Exception] = []
    guard = reading(fallback=Fallback(function=asked.append))
    for make in (guard.call, guard.outcome):
        task = asyncio.ensure_future(make(asyncio.sleep, 3600))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (asked, guard.statistics().ignored) == ([], 2)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_is_never_answered_for(interruption: type[BaseException]) -> None:
    """Ctrl-C passes through `call` and `outcome` alike."""
    guard = reading()

    def interrupted() -> None:
        raise interruption

    for make in (guard.call, guard.outcome):
        with pytest.raises(interruption):
            make(interrupted)


def test_doubt_stays_visible() -> None:
    """`InDoubt` passes the fallback, unless it is named."""

    def doubtful() -> None:
        raise InDoubt("unknown")

    with pytest.raises(InDoubt):
        reading().call(doubtful)


@FAILURES
async def test_a_function_is_given_the_error(function: Callable[[], Any]) -> None:
    """The answer may depend on what went wrong."""
    guard = reading(fallback=Fallback(function=lambda error: f"instead of {error}"))
    assert await result_of(guard.call(function)) == "instead of down"


async def test_an_async_function_answers_async_calls() -> None:
    """An async call awaits the answer; a value that happens to be awaitable is given as it is."""

    async def cached(_error: Exception) -> str:
        await turns()
        return "awaited"

    assert await reading(fallback=Fallback(function=cached)).call(async_failure) == "awaited"
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    assert (await reading(fallback=Fallback(value=future)).outcome(async_failure)).value is future
    assert reading(fallback=Fallback(value=future)).outcome(blocking_failure).value is future


def test_an_async_function_cannot_answer_a_blocking_call() -> None:
    """It is a `TypeError` that carries the call's own error, and the coroutine is closed, not forgotten."""

    async def cached(_error: Exception) -> str:
        return "never"

    guard = reading(fallback=Fallback(function=cached))
    with pytest.raises(TypeError, match="asynchronous") as caught:
        guard.call(blocking_failure)
    assert isinstance(caught.value.__context__, ConnectionError)
    gc.collect()
    assert guard.statistics().fallbacks == 0


def _fails_as_well(error: Exception) -> str:
    raise LookupError("no cache") from error


async def _fails_later(_error: Exception) -> str:
    raise LookupError("no cache")


@pytest.mark.parametrize(
    ("function", "fallback"),
    [(blocking_failure, _fails_as_well), (async_failure, _fails_as_well), (async_failure, _fails_later)],
)
async def test_a_fallback_that_raises_keeps_the_first_error(
    function: Callable[[], Any], fallback: Callable[[Exception], str | Awaitable[str]]
) -> None:
    """Its error is the call's, with the dependency's own error behind it; `outcome` gives it as a value."""
    guard = reading(fallback=Fallback(function=fallback))
    with pytest.raises(LookupError) as caught:
        await result_of(guard.call(function))
    assert isinstance(caught.value.__context__, ConnectionError)
    outcome = await result_of(guard.outcome(function))
    assert (outcome.succeeded, outcome.source, type(outcome.error)) == (False, "call", LookupError)
    assert guard.statistics().fallbacks == 0


async def test_a_slow_fallback_can_be_cancelled() -> None:
    """Cancelled while the fallback works: the cancellation passes, and nothing counts as answered."""

    async def slow(_error: Exception) -> None:
        await asyncio.Event().wait()

    guard = reading(fallback=Fallback(function=slow))
    task = asyncio.ensure_future(guard.call(async_failure))
    await turns(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (guard.statistics().fallbacks, guard.statistics().in_flight) == (0, 0)


def test_only_errors_that_are_meant() -> None:
    """`on` and `ignore` choose; what is not meant is raised as the very error it is."""
    guard = reading(fallback=Fallback(value="cached", on=OSError, ignore=ConnectionError))
    with pytest.raises(ConnectionError):
        guard.call(blocking_failure)
    with pytest.raises(ValueError, match="abc"):
        guard.call(int, "abc")


def test_generators_have_no_single_outcome() -> None:
    """A guarded generator raises as it is, and `outcome` does not take it."""
    guard = reading()

    def stream() -> Any:  # noqa: ANN401 - gives nothing
        yield blocking_failure()

    with pytest.raises(TypeError, match="generator"):
        guard.outcome(stream)
    with pytest.raises(ConnectionError):
        next(guard.call(stream))


def test_refusals_that_pass_a_fallback_die_with_their_last_reference() -> None:
    """An error that is not answered for is kept alive by nothing, so a flood of refusals needs no collector."""
    guard = reading(fallback=Fallback(value=1, on=ValueError), breaker=Breaker(mode="forced_open"))
    gc.collect()
    before = _refusals_alive()
    gc.disable()
    try:
        for _ in range(50):
            with pytest.raises(CircuitOpen):
                guard.call(int)
        assert _refusals_alive() <= before
    finally:
        gc.enable()


def _refusals_alive() -> int:
    return sum(type(kept) is CircuitOpen for kept in gc.get_objects())
