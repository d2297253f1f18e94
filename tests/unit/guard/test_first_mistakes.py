"""What people get wrong on their first day with a guard is refused at birth, with what to write instead."""

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    Fallback,
    Guard,
    Hedge,
    RateLimit,
    Retry,
    RetryBudget,
    Shedding,
    Timeout,
    circuit_breaker,
)
from switchgear.core.errors import OptionError
from switchgear.policies.signatures import signature_of, takes_one
from switchgear.testing import VirtualClock

Mistake = Callable[[], object]
any_of: Any = {  # what no type checker would let pass
    each.__name__: each
    for each in (Breaker, Bulkhead, Fallback, Guard, Hedge, RateLimit, Retry, RetryBudget, Shedding, Timeout)
}


def fails(mistake: Mistake, kind: type[Exception]) -> str:
    """Return what the error of a mistake says."""
    with pytest.raises(kind) as caught:
        mistake()
    return str(caught.value)


CONSTRUCTED: tuple[tuple[str, tuple[Any, ...], dict[str, Any], str, str], ...] = (
    ("Breaker", (5,), {}, "too many positional arguments", "Breaker(failures=5)"),
    (
        "Breaker",
        (),
        {"failure_threshold": 5},
        "unexpected keyword argument 'failure_threshold'",
        "failure_rate, slow_rate",
    ),
    ("Retry", (3,), {}, "too many positional arguments", "Retry(attempts=3, on=(ConnectionError,))"),
    ("Retry", (), {"retries": 3}, "unexpected keyword argument 'retries'", "it takes attempts, on, ignore"),
    ("RetryBudget", (0.1,), {}, "too many positional arguments", "RetryBudget(ratio=0.1)"),
    ("Timeout", (), {}, "missing a required argument: 'seconds'", "Timeout(5.0)"),
    ("RateLimit", (10, 1.0), {}, "too many positional arguments", "RateLimit(10, per=1.0)"),
    ("Bulkhead", (3, 4), {}, "too many positional arguments", "Bulkhead(32, queue=64)"),
    ("Shedding", (5,), {}, "too many positional arguments", "Shedding(maximum=64)"),
    ("Hedge", (0.2,), {}, "too many positional arguments", "Hedge(after=0.2)"),
    ("Fallback", ([],), {}, "too many positional arguments", "Fallback(value=[])"),
    ("Guard", (), {}, "missing a required argument: 'name'", 'Guard("github", timeout=Timeout(5.0))'),
    ("Guard", ("api", Breaker()), {}, "too many positional arguments", 'Guard("github", timeout=Timeout(5.0))'),
    ("Guard", ("api",), {"retries": 3}, "unexpected keyword argument 'retries'", "timeout, retry, deadline"),
)


@pytest.mark.parametrize(("name", "args", "options", "what", "write"), CONSTRUCTED)
def test_a_constructor_says_what_to_write(
    name: str, args: tuple[Any, ...], options: dict[str, Any], what: str, write: str
) -> None:
    """An option by its place, of another library, or none: what is wrong, a line that works, what there is."""
    said = fails(lambda: any_of[name](*args, **options), TypeError)
    assert said.startswith(f"{name}: ")
    assert what in said
    assert write in said


def test_the_lines_to_write_work() -> None:
    """Each example in these messages makes what it is an example of."""
    for name, args, options, _what, _write in CONSTRUCTED:
        example = fails(lambda: any_of[name](*args, **options), TypeError).split("; ")[1]  # noqa: B023 - called at once
        made = eval(example.removeprefix("write for example "), dict(any_of))  # noqa: S307 - our own line
        assert isinstance(made, any_of[name])


def test_a_type_error_from_inside_a_constructor_stays_as_it_is() -> None:
    """Only what does not fit is explained so."""

    class Odd(str):
        __slots__ = ()

        def __bool__(self) -> bool:
            raise TypeError("no truth in it")

        __len__ = __bool__

    assert fails(lambda: Guard(Odd("api")), TypeError) == "no truth in it"


def test_decorate_without_parentheses_is_the_guard_itself() -> None:
    """As people write it who have no key, on plain functions and methods alike."""
    guard = Guard("api")

    @guard.decorate
    def plain(number: int) -> int:
        return number + 1

    class Client:
        @guard.decorate
        async def ask(self, number: int) -> int:
            return number + 1

    assert plain(1) == 2
    assert plain.guard is guard
    assert Client.ask.guard is guard
    assert guard.statistics().successes == 1


def test_a_key_by_its_place_is_told_its_name() -> None:
    """It would be taken for the function."""
    wrong: Any = Guard("api").decorate
    assert "@guard.decorate(key_by='tenant')" in fails(lambda: wrong("tenant"), OptionError)


def work(number: int = 1) -> int:
    """Be guarded."""
    return number


@pytest.mark.parametrize("kind", [staticmethod, classmethod, property, functools.cached_property])
def test_a_guard_stands_below_the_decorators_of_methods(kind: Callable[..., Any]) -> None:
    """Above them it would lose the object, or have nothing to call."""
    guard: Any = Guard("api")
    by_key, breaker = guard.decorate(key_by=lambda *_: "a"), circuit_breaker()
    for decorator in (guard, guard.decorate, by_key, breaker):
        said = fails(lambda: decorator(kind(work)), TypeError)  # noqa: B023 - called at once
        assert f"write @{kind.__name__} first" in said


@pytest.mark.parametrize(
    "decorated", [Guard("inner"), type("Client", (), {}), None, 5], ids=["guard", "class", "None", "5"]
)
def test_a_guard_stands_round_functions_only(decorated: object) -> None:
    """Of a class it would guard nothing but the making of objects, and of another guard the decorating."""
    guard: Any = Guard("api")
    for decorator in (guard, guard.decorate(key_by=lambda *_: "a")):
        assert "guard" in fails(lambda: decorator(decorated), TypeError)  # noqa: B023 - called at once
    assert guard.call(dict, a=1) == {"a": 1}


def test_a_decorator_with_parentheses_too_many_says_so() -> None:
    """``@guard()`` is what `circuit_breaker` wants."""
    guard: Any = Guard("api")
    assert "write for example @guard, without parentheses" in fails(guard, TypeError)


@pytest.mark.parametrize("function", [lambda: 1, lambda _a, _b: 1, lambda *, _error: 1])
def test_a_function_of_the_error_takes_the_error(function: Callable[..., Any]) -> None:
    """Else it would fail when it is asked for the first time, in the middle of an outage."""
    mistakes: tuple[Mistake, ...] = (
        lambda: Fallback(function=function),
        lambda: Retry(on=function),
        lambda: Breaker(ignore=function),
        lambda: Hedge(after=1.0, on=function),
        lambda: Guard("api").subscribe(function),
    )
    for mistake in mistakes:
        assert "function of the e" in fails(mistake, OptionError)


def test_what_does_not_show_its_parameters_is_believed() -> None:
    """A function in C may take one argument."""
    assert all(takes_one(function) for function in (max, bool, print, random.Random().getrandbits))
    assert next(iter(signature_of(Breaker).parameters)) == "failures"


@pytest.mark.parametrize("clock", [time, time.monotonic, VirtualClock, 5])
def test_a_clock_is_one(clock: Any) -> None:  # noqa: ANN401 - any value at all
    """Anything else would fail in the first call that waits."""
    assert "write clock=VirtualClock()" in fails(lambda: Guard("api", clock=clock), OptionError)


@pytest.mark.parametrize("given", [random.Random, 5, lambda: 0.5])
def test_randomness_can_be_drawn_from(given: Any) -> None:  # noqa: ANN401 - any value at all
    """Anything else would fail at the first draw."""
    assert "write random=Random(7)" in fails(lambda: Guard("api", random=given), OptionError)


@pytest.mark.parametrize("error", ["connection reset", OSError])
def test_a_permit_is_told_an_exception(error: Any) -> None:  # noqa: ANN401 - any value at all
    """What is none is a failure all the same, and it is said that nobody can judge it."""
    guard = Guard("api", breaker=Breaker(failures=9), bulkhead=Bulkhead(1))
    permit = guard.permit_nowait()
    assert "takes the exception" in fails(lambda: permit.fail(error), TypeError)
    with pytest.raises(TypeError, match="takes the exception"), guard.permit() as body:
        body.fail(error)
    assert (guard.statistics().failures, guard.statistics().in_flight) == (2, 0)
