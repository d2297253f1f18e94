"""Terms of a call: what `using` says of it decides what may be repeated, and narrows without touching the guard."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import Fallback, Guard, Hedge, RateLimit, RateLimited, Retry, RetryExhausted
from switchgear.core.deadline import current_deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.testing import VirtualClock


class Failing:
    """A dependency that is down, and counts."""

    def __init__(self) -> None:
        """Start without calls."""
        self.calls = 0

    def blocking(self) -> object:
        """Fail."""
        self.calls += 1
        raise ConnectionError

    async def asynchronous(self) -> None:
        """Fail in a task."""
        self.blocking()

    def stream(self) -> Any:  # noqa: ANN401 - gives nothing
        """Fail at the first step."""
        yield self.blocking()

    async def async_stream(self) -> Any:  # noqa: ANN401 - gives nothing
        """Fail at the first step, in a task."""
        yield self.blocking()


async def make(guard: Guard, function: Callable[[], Any]) -> None:
    """Make a call, and take the first step of an iteration."""
    made = guard.call(function)
    if inspect.isgenerator(made):
        next(made)
    elif inspect.isasyncgen(made):
        await anext(made)
    elif inspect.isawaitable(made):
        await made


KINDS = pytest.mark.parametrize("kind", ["blocking", "asynchronous", "stream", "async_stream"])


@KINDS
@pytest.mark.parametrize("effect", ["opaque", "reconcilable", Effect.OPAQUE])
async def test_a_call_that_may_not_be_repeated_is_made_once(kind: str, effect: str) -> None:
    """No retry, no hedge, no fallback: one attempt, and the very error of it."""
    upstream = Failing()
    guard = Guard(
        "api",
        retry=Retry(attempts=5, on=OSError, base=0.0),
        hedge=Hedge(after=1.0, on=OSError),
        fallback=Fallback(value="cached"),
        effect="read_only",
        clock=VirtualClock(),
    )
    with pytest.raises(ConnectionError):
        await make(guard.using(effect=effect), getattr(upstream, kind))
    statistics = guard.statistics()
    assert (upstream.calls, statistics.retries, statistics.hedges, statistics.fallbacks) == (1, 0, 0, 0)


@KINDS
@pytest.mark.parametrize("effect", [None, "read_only", "keyed", "natural"])
async def test_a_call_that_may_be_repeated_is_retried(kind: str, effect: str | None) -> None:
    """An effect that allows it, or none declared beside `Retry(on=)`, is retried to the end."""
    upstream = Failing()
    guard = Guard("api", retry=Retry(attempts=3, on=OSError, base=0.0), effect=effect, clock=VirtualClock())
    with pytest.raises(RetryExhausted):
        await make(guard, getattr(upstream, kind))
    assert upstream.calls == 3


def test_a_refusal_of_a_call_that_may_not_be_repeated_may_be_waited_out() -> None:
    """What was refused at the door has not been made: within a deadline it may wait, and is then made once."""
    clock = VirtualClock()
    upstream = Failing()
    guard = Guard("api", rate_limit=RateLimit(1), retry=Retry(on=OSError), deadline=60.0, clock=clock)
    guard.permit_nowait().succeed()
    with pytest.raises(ConnectionError):
        guard.using(effect="opaque").call(upstream.blocking)
    assert (upstream.calls, clock.monotonic()) == (1, 1_001.0)


def test_the_last_word_on_the_effect_is_the_calls() -> None:
    """`using` says it of its own view; the guard stays as it was declared."""
    guard = Guard("api", retry=Retry(attempts=2, on=OSError, base=0.0), effect="opaque", clock=VirtualClock())
    upstream = Failing()
    with pytest.raises(RetryExhausted):
        guard.using(effect="keyed").call(upstream.blocking)
    with pytest.raises(ConnectionError):
        guard.call(upstream.blocking)
    assert (upstream.calls, guard.effect) == (3, Effect.OPAQUE)


def test_terms_add_up() -> None:
    """Each `using` leaves alone what it does not name, and also holds for keyed members."""
    guard = Guard("api", rate_limit=RateLimit(10), clock=VirtualClock())
    view = guard.using(cost=4).using(tenant="acme", priority="sheddable").using(operation="search")
    view.call(int)
    view.key("k").call(int)
    for member in (guard, guard.key("k")):
        member.permit_nowait(cost=6).succeed()
        with pytest.raises(RateLimited):
            member.permit_nowait(cost=1)


def test_a_deadline_only_tightens() -> None:
    """Terms can shorten the guard's deadline, never lengthen it."""
    clock = VirtualClock()
    guard = Guard("api", deadline=5.0, clock=clock)
    for seconds, expected in ((2.0, 2.0), (9.0, 5.0)):
        assert guard.using(deadline=seconds).call(_remaining) == expected


def _remaining() -> float:
    scope = current_deadline()
    assert scope is not None
    return scope.remaining()


@pytest.mark.parametrize(
    "terms",
    [
        {"effect": "harmless"},
        {"cost": -1},
        {"cost": float("nan")},
        {"priority": "urgent"},
        {"tenant": ""},
        {"tenant": 7},
        {"operation": ""},
        {"deadline": 0},
        {"deadline": float("inf")},
    ],
)
def test_terms_are_checked_when_they_are_said(terms: dict[str, Any]) -> None:
    """A term that cannot be is an error where it was written, and no call is made."""
    with pytest.raises(OptionError):
        Guard("api").using(**terms)
