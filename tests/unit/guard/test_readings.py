"""What a guard tells about itself: the sum over its keys, the present limit, what the retry budget has left."""

from contextlib import suppress
from typing import Literal

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Guard,
    RateLimit,
    Rejected,
    Retry,
    RetryBudget,
    RetryExhausted,
    Shedding,
)
from switchgear.guard import Statistics
from switchgear.testing import VirtualClock

OF_THE_GUARD = {
    *("name", "key", "state", "retry_after", "failure_rate", "slow_rate", "listener_errors"),
    *("keys", "keys_evicted", "keys_overflowed", "concurrency_limit", "retry_budget"),
}
"""What no sum of keys can say."""


def failing() -> None:
    """Be a dependency that is down."""
    raise OSError("down")


def busy(clock: VirtualClock) -> Guard:
    """Return a guard whose own calls and those of its keys ended in every way."""
    guard = Guard(
        "api",
        breaker=Breaker(failures=2, cooldown=10.0, jitter=0.0),
        rate_limit=RateLimit(1, burst=5),
        retry=Retry(attempts=2, on=OSError, base=0.0),
        clock=clock,
    )
    guard.call(int)
    for key in ("a", "b"):
        guard.key(key).call(int)
        for _ in range(2):
            with suppress(OSError, Rejected, RetryExhausted):
                guard.key(key).call(failing)
    guard.key("c").permit_nowait()
    guard.key("asleep")
    return guard


def test_totals_are_the_sum_over_the_guard_and_its_keys() -> None:
    """Every number that can be added up is, and everything else is the guard's own."""
    guard = busy(VirtualClock())
    own, totals, members = guard.statistics(), guard.totals(), guard.members()
    assert (totals.calls, totals.failures, totals.retries, totals.in_flight, totals.rejected) == (8, 4, 2, 1, 2)
    for name in Statistics.__dataclass_fields__.keys() - OF_THE_GUARD - {"refused", "would_refuse"}:
        assert getattr(totals, name) == sum(getattr(each, name) for each in (own, *members)), name
    assert totals.refused == {"CIRCUIT_OPEN": 2}
    for name in OF_THE_GUARD:
        assert getattr(totals, name) == getattr(own, name), name


def test_refusals_that_were_not_carried_out_are_summed_by_code() -> None:
    """A dry run over keys is read in one place."""
    guard = Guard("api", rate_limit=RateLimit(1), dry_run=True, clock=VirtualClock())
    for key in ("a", "b"):
        for _ in range(3):
            guard.key(key).call(int)
    assert guard.totals().would_refuse == {"RATE_LIMITED_CONNECTOR": 4}
    assert guard.statistics().would_refuse == {}


def test_totals_keep_what_forgotten_keys_had_counted() -> None:
    """A counter never falls when a key makes room, and is never doubled by one that comes back."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(), keys_max=2, clock=clock)
    for number in range(30):
        guard.key(f"tenant-{number % 5}").call(int)
        assert (guard.totals().calls, guard.totals().successes) == (number + 1, number + 1)
    assert guard.totals().keys_evicted == 28
    assert sum(member.calls for member in guard.members()) < 30


def test_totals_have_the_overflow_member() -> None:
    """Calls for keys that had to share are calls as well."""
    guard = Guard("api", breaker=Breaker(failures=1), keys_max=1, clock=VirtualClock())
    guard.key("a").permit_nowait().fail()
    guard.key("b").call(int)
    assert (guard.totals().calls, guard.totals().keys_overflowed) == (2, 1)


def test_the_totals_of_one_key_are_its_statistics() -> None:
    """A key has no keys of its own."""
    guard = busy(VirtualClock())
    assert guard.key("a").totals() == guard.key("a").statistics()


@pytest.mark.parametrize("called", [False, True])
def test_the_bulkhead_tells_its_limit(*, called: bool) -> None:
    """Before the first call and after, and that of now when it was changed."""
    guard = Guard("api", bulkhead=Bulkhead(3))
    if called:
        guard.call(int)
    assert guard.statistics().concurrency_limit == 3
    guard.reconfigure(bulkhead=Bulkhead(5))
    assert guard.statistics().concurrency_limit == 5
    assert Guard("other").statistics().concurrency_limit is None


def test_shedding_tells_the_limit_that_it_found() -> None:
    """It starts at the initial one and follows the dependency, for each key by itself."""
    clock = VirtualClock()
    guard = Guard("api", shedding=Shedding(initial=10, minimum=2), clock=clock)
    assert (guard.statistics().concurrency_limit, guard.key("a").statistics().concurrency_limit) == (10, 10)
    for _ in range(30):
        permits = []
        with suppress(Rejected):
            while True:
                permits.append(guard.permit_nowait())
        clock.advance(0.1)
        for permit in permits:
            permit.succeed()
    grown = guard.statistics().concurrency_limit
    assert grown is not None
    assert grown > 10
    assert guard.key("a").statistics().concurrency_limit == 10
    places = 0
    first = guard.using(priority="critical_plus")
    with suppress(Rejected):
        while True:
            first.permit_nowait()
            places += 1
    assert places == grown


def test_the_retry_budget_tells_what_is_left() -> None:
    """The floor is there at once; calls earn, repeats cost, and reading takes nothing."""
    clock = VirtualClock()
    retry = Retry(attempts=2, on=OSError, base=0.0, budget=RetryBudget(ratio=0.5, floor=0.2, window=10.0))
    guard = Guard("api", retry=retry, clock=clock)
    assert guard.statistics().retry_budget == 2.0
    clock.advance(1.0)
    for _ in range(4):
        guard.call(int)
    assert guard.statistics().retry_budget == 2.0 + 0.5 * 4
    for left in (3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5):
        with suppress(RetryExhausted):
            guard.call(failing)
        assert guard.statistics().retry_budget == pytest.approx(left)
        assert guard.statistics() == guard.statistics()
    assert guard.key("a").statistics().retry_budget == 2.0


@pytest.mark.parametrize("retry", [None, Retry(on=OSError, budget=None)])
def test_without_a_budget_there_is_no_balance(retry: Retry | None) -> None:
    """None is not nothing: no number bounds the repeats."""
    assert Guard("api", retry=retry).statistics().retry_budget is None


@pytest.mark.parametrize("mode", ["normal", "observe", "disabled", "forced_open"])
def test_the_state_is_the_same_whether_calls_pass_by_or_not(
    mode: Literal["normal", "observe", "disabled", "forced_open"],
) -> None:
    """A member that lets every call pass by is read without its mutex, and says what it says with it."""
    guard = Guard("api", breaker=Breaker(failures=1, mode=mode), clock=VirtualClock())
    member = guard._member  # noqa: SLF001 - looked into
    before = guard.state
    with suppress(CircuitOpen):
        guard.permit_nowait().succeed()
    assert (member.straight_plan is member.plan) is (mode != "forced_open")
    passed_by = guard.state
    member.straight_plan = None
    assert (before, passed_by) == (guard.state, guard.state)
    with suppress(CircuitOpen):
        guard.permit_nowait().fail()
    assert guard.state == {"normal": "open", "observe": "open"}.get(mode, mode)
