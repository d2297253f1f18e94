"""A call that does not fit its function is counted nowhere: it is the caller's mistake, and nothing left."""

import asyncio
import functools
import inspect
import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Fallback,
    Fault,
    Faults,
    Guard,
    Hedge,
    RateLimit,
    RateLimited,
    Retry,
    RetryBudget,
    Shedding,
    Timeout,
)
from switchgear.guard import Statistics
from switchgear.guard.fitting import is_misfit
from switchgear.policies.signatures import signature_of
from switchgear.testing import VirtualClock
from tests.unit.guard.ways import WAYS, Way, work


def nothing() -> Guard:
    """Return a guard without any policy."""
    return Guard("api", clock=VirtualClock())


def straight() -> Guard:
    """Return a guard whose calls take the quick drivers."""
    return Guard(
        "api",
        breaker=Breaker(failures=1),
        rate_limit=RateLimit(6, burst=6),
        bulkhead=Bulkhead(1),
        clock=VirtualClock(),
    )


def general() -> Guard:
    """Return a guard whose calls take the general drivers, with workers and another attempt after any error."""
    return Guard(
        "api",
        timeout=Timeout(5.0),
        retry=Retry(attempts=3, on=Exception, budget=RetryBudget()),
        deadline=20.0,
        breaker=Breaker(failure_rate=0.1, minimum_calls=1),
        rate_limit=RateLimit(6, burst=6),
        shedding=Shedding(maximum=4),
        clock=VirtualClock(),
    )


def layered() -> Guard:
    """Return a guard with every layer round its drivers, and in them."""
    guard = Guard(
        "api",
        hedge=Hedge(after=60.0, on=Exception),
        fallback=Fallback(value="instead", on=Exception),
        faults=Faults(Fault("latency", rate=1.0, seconds=0.001), seed=1),
        breaker=Breaker(failures=1),
        rate_limit=RateLimit(6, burst=6),
        effect="read_only",
    )
    guard.inject_faults()
    return guard


GUARDS = (nothing, straight, general, layered)


def told(guard: Guard) -> Statistics:
    """Return what the guard and its keys have counted, whatever their number."""
    return replace(guard.totals(), keys=0)


@pytest.mark.parametrize("make", GUARDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_call_that_does_not_fit_is_counted_nowhere(make: Callable[[], Guard], way: Way) -> None:
    """Whatever the way and the policies: no attempt, no verdict, no place or token taken; the error is Python's own."""
    guard = make()
    before = told(guard)
    call = way(guard)
    for _ in range(8):  # more than the limit has room for
        with pytest.raises(TypeError, match=r"missing (1|a) required (positional )?argument: 'fails'"):
            call()
        with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
            call(False, unknown=1)  # noqa: FBT003 - as calls do
    assert told(guard) == before


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_call_that_fits_is_counted_after_those_that_did_not(way: Way) -> None:
    """They leave everything as it was, so what comes next is let in, fails, and opens the breaker."""
    guard = straight()
    call = way(guard)
    for fails in (False, True):
        with pytest.raises(TypeError, match="argument"):
            call()
        if fails:
            with pytest.raises(OSError, match="reset"):
                call(fails)
        else:
            call(fails)
    told = guard.totals()
    assert (told.successes, told.failures, told.circuit_breaker_opened) == (1, 1, 1)
    assert told.in_flight == 0


def test_the_probe_of_a_call_that_does_not_fit_is_returned() -> None:
    """It says nothing about whether the dependency is back, and the next call may find that out."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=clock)
    with pytest.raises(OSError, match="reset"):
        guard.call(work, fails=True)
    with pytest.raises(CircuitOpen):
        guard.call(work)  # type: ignore[call-arg] # refused before anybody looks at what it takes
    clock.advance(10.0)
    with pytest.raises(TypeError):
        guard.call(work)  # type: ignore[call-arg] # that is the mistake
    states = [guard.state]
    guard.call(work, fails=False)
    assert [*states, guard.state] == ["half_open", "closed"]


def test_what_a_call_costs_comes_back_when_it_does_not_fit() -> None:
    """The whole cost, also one above 1."""
    guard = Guard("api", rate_limit=RateLimit(5, burst=5), clock=VirtualClock())
    dear = guard.using(cost=5.0)
    with pytest.raises(TypeError):
        dear.call(work)  # type: ignore[call-arg] # that is the mistake
    dear.call(work, fails=False)
    with pytest.raises(RateLimited):
        dear.call(work, fails=False)


def test_nobody_sends_a_call_again_that_does_not_fit() -> None:
    """Neither a retry nor a copy, though both would for any error."""
    guard = Guard("api", retry=Retry(attempts=3, on=Exception), clock=VirtualClock())
    with pytest.raises(TypeError, match="missing"):
        guard.call(work)  # type: ignore[call-arg] # that is the mistake
    hedged = Guard("api", hedge=Hedge(after=60.0, attempts=3, on=Exception), effect="read_only")
    with pytest.raises(TypeError, match="missing"):
        hedged.call(work)  # type: ignore[call-arg] # that is the mistake
    assert (guard.statistics().retries, hedged.statistics().hedges) == (0, 0)


def test_the_error_of_a_call_that_does_not_fit_is_an_outcome() -> None:
    """As every error is where outcomes are values, and no fallback stands in for it."""
    guard = Guard("api", fallback=Fallback(value=0, on=Exception), effect="read_only")
    wrong = guard.outcome(work)  # type: ignore[call-arg] # that is the mistake
    assert (type(wrong.error), wrong.source) == (TypeError, "call")
    assert guard.statistics().fallbacks == 0


def raise_inside(fails: bool) -> object:  # noqa: FBT001 - as the work does
    """Raise a `TypeError` of its own."""
    return fails + "1"  # type: ignore[operator] # that is the point


def call_wrongly_inside(fails: bool) -> object:  # noqa: FBT001 - as the work does
    """Call something else in a way that does not fit."""
    return work(fails, fails)  # type: ignore[call-arg] # that is the point


def call_guarded_wrongly_inside(fails: bool) -> object:  # noqa: FBT001 - as the work does
    """Call something else that is guarded, in a way that does not fit."""
    return Guard("inner").call(work, fails, fails)  # type: ignore[call-arg] # that is the point


@functools.wraps(work)
def work_with_more(fails: bool, *, client: object = None) -> object:  # noqa: FBT001 - as the work does
    """Say that it takes what another function takes, and call that one guarded in a way that does not fit."""
    return Guard("inner").call(work, fails, client)  # type: ignore[call-arg] # that is the point


INSIDE = (raise_inside, call_wrongly_inside, call_guarded_wrongly_inside, functools.partial(work_with_more, client=1))


@pytest.mark.parametrize("function", INSIDE, ids=["raised", "called", "guarded", "wrapped"])
def test_a_type_error_from_inside_is_a_failure(function: Callable[[bool], object]) -> None:
    """The function ran, and nobody knows what it did before."""

    async def function_async(fails: bool) -> object:  # noqa: FBT001 - as the work does
        return function(fails)

    for way in (lambda guard: guard(function), lambda guard: lambda fails: guard.call(function, fails)):
        guard = straight()
        with pytest.raises(TypeError):
            way(guard)(fails=True)
        assert (guard.statistics().failures, guard.state) == (1, "open")
    guard = straight()
    with pytest.raises(TypeError):
        asyncio.run(guard.call(function_async, fails=True))
    assert (guard.statistics().failures, guard.state) == (1, "open")


C_CALLS = (
    ("no such number of arguments", len, (), 0),
    ("an argument of another type, of which nobody sees where it was refused", len, (5,), 1),
    ("no signature is shown", operator.itemgetter(0), (), 1),
    ("one that calls back", sorted, ([3, "a"],), 1),
)


@pytest.mark.parametrize(("what", "function", "args", "failures"), C_CALLS, ids=[row[0] for row in C_CALLS])
def test_a_function_in_c_may_have_run_unless_its_signature_says_no(
    what: str, function: Callable[..., object], args: tuple[Any, ...], failures: int
) -> None:
    """It leaves no trace of how far it got. What is in doubt is counted as a failed call."""
    guard = straight()
    with pytest.raises(TypeError):
        guard.call(function, *args)
    assert guard.statistics().failures == failures, what


def test_a_wrong_name_of_what_gives_nothing_to_await_is_no_misfit() -> None:
    """A function that is marked as async and gives a plain value has run: its `TypeError` is a failed call."""
    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is None:
        pytest.skip("functions are marked so since Python 3.12")
    guard = straight()
    with pytest.raises(TypeError):
        asyncio.run(guard.call(mark(lambda: 1)))
    assert guard.statistics().failures == 1


def test_a_permit_judges_the_errors_of_its_body_as_any_others() -> None:
    """The body is the call, and no function is known that it should fit."""
    guard = straight()
    with pytest.raises(TypeError), guard.permit():
        work()  # type: ignore[call-arg] # that is the mistake
    assert guard.statistics().failures == 1


def test_the_error_of_a_misfit_is_raised_as_it_was() -> None:
    """Asking about it leaves no trace in it. The same error is none of a call with other arguments."""
    with pytest.raises(TypeError) as caught:
        straight().call(work)  # type: ignore[call-arg] # that is the mistake
    error = caught.value
    assert not is_misfit(error, (work, (), {}))  # as seen from here: it has passed this test
    error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr] # it was raised
    assert is_misfit(error, (work, (), {}))
    assert not is_misfit(error, (work, (True,), {}))
    assert (error.__cause__, error.__context__) == (None, None)


def typed(names: "Iterable[NotImportedHere]") -> None:  # type: ignore[name-defined] # noqa: F821 - as with TYPE_CHECKING
    """Have an annotation that only type checkers can read."""


def test_signatures_are_read_without_their_annotations() -> None:
    """They may name what is imported for type checkers alone."""
    assert list(signature_of(typed).parameters) == ["names"]
    assert Guard("api").decorate(key_by="names")(typed).__name__ == "typed"
