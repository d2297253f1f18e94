"""Live reconfiguration: other options, the same state."""

import asyncio
import functools
from collections.abc import Callable, Iterator
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
    OptionError,
    QueueFull,
    RateLimit,
    RateLimited,
    Retry,
    RetryBudget,
    RetryExhausted,
    Shedding,
    Timeout,
)
from switchgear.core.deadline import current_deadline
from switchgear.core.effects import Effect
from switchgear.testing import VirtualClock
from tests.turns import turns


def failing() -> None:
    """Be a dependency that is down."""
    raise OSError("down")


def state(guard: Guard) -> str:
    """Return the breaker's state."""
    return guard.state


def test_an_open_breaker_stays_open_for_as_long_as_it_was_to() -> None:
    """Other options do not close a breaker: nobody closes one by hand."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=60.0, jitter=0.0), clock=clock)
    with pytest.raises(OSError, match="down"):
        guard.call(failing)
    guard.reconfigure(breaker=Breaker(failures=9, cooldown=1.0))
    with pytest.raises(CircuitOpen) as refused:
        guard.call(int)
    assert refused.value.retry_after == 60.0
    clock.advance(60.0)
    assert guard.call(int) == 0
    assert state(guard) == "closed"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Breaker(failures=5), Breaker(failures=3)),
        (Breaker(failure_rate=0.5, minimum_calls=5), Breaker(failure_rate=0.5, minimum_calls=3)),
        (
            Breaker(failure_rate=0.5, minimum_calls=5, window_calls=9),
            Breaker(failure_rate=0.5, minimum_calls=3, window_calls=9),
        ),
    ],
)
def test_a_window_keeps_what_it_saw(before: Breaker, after: Breaker) -> None:
    """Failures from before count under the new thresholds."""
    guard = Guard("api", breaker=before, clock=VirtualClock())
    for _ in range(2):
        guard.permit_nowait().fail()
    guard.reconfigure(breaker=after)
    assert state(guard) == "closed"
    guard.permit_nowait().fail()
    assert state(guard) == "open"


def test_a_window_of_another_kind_starts_empty_in_a_new_generation() -> None:
    """Outcomes admitted under the old window are dropped: they would mean something else."""
    guard = Guard("api", breaker=Breaker(failures=2), clock=VirtualClock())
    guard.permit_nowait().fail()
    late = guard.permit_nowait()
    guard.reconfigure(breaker=Breaker(failure_rate=0.1, minimum_calls=1, window=10.0))
    late.fail()
    assert state(guard) == "closed"
    guard.permit_nowait().fail()
    assert state(guard) == "open"


def test_forcing_open_and_back_acts_at_once() -> None:
    """A drill begins and ends when somebody says so; whether it closes is for a probe to say."""
    guard = Guard("api", breaker=Breaker(failures=2), clock=VirtualClock())
    assert guard.call(int) == 0
    guard.reconfigure(breaker=Breaker(failures=2, mode="forced_open"))
    assert state(guard) == "forced_open"
    with pytest.raises(CircuitOpen):
        guard.call(int)
    guard.reconfigure(breaker=Breaker(failures=2))
    assert (state(guard), guard.call(int), state(guard)) == ("half_open", 0, "closed")


def test_a_bucket_keeps_what_is_in_it() -> None:
    """A smaller limit does not give the burst a second time, and a greater one drains faster."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, per=10.0, burst=2), clock=clock)
    guard.call(int)
    guard.call(int)
    guard.reconfigure(rate_limit=RateLimit(1, per=1.0, burst=2))
    with pytest.raises(RateLimited) as refused:
        guard.call(int)
    assert refused.value.retry_after == pytest.approx(1.0)
    guard.reconfigure(rate_limit=RateLimit(1, per=1.0, burst=2, warm_up=30.0))
    with pytest.raises(RateLimited) as refused:
        guard.call(int)
    assert refused.value.retry_after == pytest.approx(3.0, rel=0.1)
    guard.reconfigure(rate_limit=None)
    assert guard.call(int) == 0


async def test_who_waits_gets_the_places_that_are_new() -> None:
    """A greater bulkhead wakes its queue at once; a smaller one lets calls under way end."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=3))
    held = guard.permit_nowait()
    tasks = [asyncio.create_task(guard.call(asyncio.sleep, 0, number)) for number in range(3)]
    await turns(5)
    guard.reconfigure(bulkhead=Bulkhead(4))
    assert await asyncio.gather(*tasks) == [0, 1, 2]
    guard.reconfigure(bulkhead=Bulkhead(1))
    with pytest.raises(QueueFull):
        guard.call(int)
    held.succeed()
    assert (guard.call(int), guard.statistics().in_flight) == (0, 0)


def test_places_do_not_come_or_go_under_calls_under_way() -> None:
    """What a call did not take it must not give back, so this is refused, and nothing has changed."""
    plain, bounded = Guard("api", breaker=Breaker()), Guard("api", bulkhead=Bulkhead(1))
    with pytest.raises(OptionError, match="bulkhead"):
        plain.reconfigure(bulkhead=Bulkhead(1))
    with pytest.raises(OptionError, match="not both"):
        bounded.reconfigure(shedding=Shedding())
    with pytest.raises(OptionError, match="cannot add or drop"):
        bounded.reconfigure(bulkhead=None)
    assert bounded.call(int) == 0


def test_every_key_is_reconfigured_and_a_key_alone_is_not() -> None:
    """Keys share the options of their guard."""
    guard = Guard("api", breaker=Breaker(failures=5), clock=VirtualClock())
    for _ in range(2):
        guard.key("a").permit_nowait().fail()
    with pytest.raises(OptionError, match="reconfigure the guard itself"):
        guard.key("a").reconfigure(breaker=None)
    guard.reconfigure(breaker=Breaker(failures=3))
    guard.key("a").permit_nowait().fail()
    guard.key("new").permit_nowait().fail()
    assert (guard.key("a").state, guard.key("new").state) == ("open", "closed")


def test_a_call_under_way_settles_and_a_decorated_function_follows() -> None:
    """Nothing is lost between two plans, and functions decorated before go by the new one."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=5), rate_limit=RateLimit(100), clock=clock)
    decorated = guard(lambda: guard.reconfigure(breaker=Breaker(failures=1), retry=Retry(attempts=2, on=OSError)))
    decorated()
    flaky = iter([OSError("once")])

    @guard
    def call() -> str:
        for error in flaky:
            raise error
        return "done"

    guard.reconfigure(breaker=None)
    assert call() == "done"
    assert (guard.statistics().retries, guard.statistics().in_flight) == (1, 0)


def test_a_retry_budget_keeps_what_was_withdrawn() -> None:
    """Reconfiguring does not fill the budget up again."""
    budget = RetryBudget(ratio=0.0, floor=0.1, window=10.0)
    retry = Retry(attempts=2, on=OSError, base=0.0, budget=budget)
    guard = Guard("api", retry=retry, clock=VirtualClock())
    with pytest.raises(RetryExhausted):
        guard.call(failing)
    guard.reconfigure(retry=Retry(attempts=3, on=OSError, base=0.0, budget=budget))
    with pytest.raises(RetryExhausted, match="budget"):
        guard.call(failing)


@pytest.mark.parametrize("kind", ["call", "decorated", "using", "permit", "stream"])
def test_a_deadline_comes_goes_and_changes(kind: str) -> None:
    """The guard's own deadline is that of now, whatever was decorated or viewed before; `using` only tightens it."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(), clock=clock)

    def left() -> float | None:
        scope = current_deadline()
        return None if scope is None else scope.remaining()

    def permitted() -> float | None:
        with guard.permit():
            return left()

    def stream() -> Iterator[float | None]:
        yield left()

    made: dict[str, Callable[[], float | None]] = {
        "call": lambda: guard.call(left),
        "decorated": guard(left),
        "using": functools.partial(guard.using(deadline=30.0).call, left),
        "permit": permitted,
        "stream": lambda: next(guard.call(stream)),
    }
    own = 30.0 if kind == "using" else None
    seen = [made[kind]()]
    for seconds in (20.0, 5.0, None):
        guard.reconfigure(deadline=seconds)
        seen.append(made[kind]())
    assert seen == [own, 20.0, 5.0, own]


def test_an_effect_is_declared_later() -> None:
    """Hedges and fallbacks come with the effect that allows them; what a call says of itself still counts more."""
    guard = Guard("api", clock=VirtualClock())
    with pytest.raises(OptionError, match="read_only"):
        guard.reconfigure(fallback=Fallback(value="old"))
    decorated = guard(failing)
    opaque = guard.using(effect="opaque")
    guard.reconfigure(fallback=Fallback(value="old"), effect="read_only")
    assert (guard.effect, opaque.effect) == (Effect.READ_ONLY, Effect.OPAQUE)
    answers: list[object] = [guard.call(failing), decorated()]
    assert answers == ["old", "old"]
    with pytest.raises(OSError, match="down"):
        opaque.call(failing)
    with pytest.raises(OptionError, match="effect is one of"):
        guard.reconfigure(effect="reads")


def test_other_keys_are_held_at_most() -> None:
    """More keys than before are held at once; more than are allowed make room as new ones come."""
    guard = Guard("api", breaker=Breaker(), keys_max=2, clock=VirtualClock())
    for key in "abc":
        guard.key(key).call(int)
    assert guard.statistics().keys == 2
    guard.reconfigure(keys_max=4)
    for key in "abcd":
        guard.key(key).call(int)
    assert guard.statistics().keys == 4


def test_timeouts_and_the_switch_of_faults_carry_over() -> None:
    """What holds no state is simply replaced; faults that are on stay on."""
    guard = Guard("api", timeout=Timeout(5.0), faults=Faults(Fault("error", rate=1.0, error=KeyError)))
    guard.inject_faults()
    guard.reconfigure(timeout=None, faults=Faults(Fault("error", rate=1.0, error=ValueError)))
    assert guard.timeout_seconds is None
    with pytest.raises(ValueError):  # noqa: PT011 - only its class matters here
        guard.call(int)
    guard.inject_faults(on=False)
    assert guard.call(int) == 0


def test_options_that_cannot_work_change_nothing() -> None:
    """A refused reconfiguration leaves the guard as it was."""
    guard = Guard("api", timeout=Timeout(5.0))
    with pytest.raises(OptionError, match="hedge"):
        guard.reconfigure(hedge=1)  # type: ignore[arg-type] # what is wrong on purpose
    assert guard.timeout_seconds == 5.0


@pytest.mark.parametrize(
    ("changes", "word"), [({"clock": None}, "clock"), ({"name": "x"}, "name"), ({"nonsense": 1}, "nonsense")]
)
def test_what_cannot_be_reconfigured_is_named(changes: dict[str, Any], word: str) -> None:
    """A change without effect would be worse than an error."""
    guard = Guard("api", timeout=Timeout(5.0))
    with pytest.raises(OptionError, match=f"not {word}"):
        guard.reconfigure(**changes)
    assert guard.name == "api"


async def test_layers_that_come_later_hold_for_functions_decorated_before() -> None:
    """Fallback, faults and hedge belong to the guard, not to the moment of decorating."""
    guard = Guard("api", effect="read_only", breaker=Breaker(failures=99), clock=VirtualClock())
    sent = 0

    @guard
    async def call() -> str:
        nonlocal sent
        sent += 1
        await turns()
        return "real"

    blocking = guard(failing)
    assert await call() == "real"
    guard.reconfigure(fallback=Fallback(value="instead", on=OSError))
    assert blocking() == "instead"
    guard.reconfigure(faults=Faults(Fault("error", rate=1.0, error=OSError)))
    guard.inject_faults()
    assert await call() == "instead"
    guard.reconfigure(faults=None, fallback=None, hedge=Hedge(after=1e-9))
    sent = 0
    assert await call() == "real"
    assert sent >= 1
