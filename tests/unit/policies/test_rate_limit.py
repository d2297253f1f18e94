"""The rate limiter's machine: burst, exact waits, weights, reservations, refunds."""

from math import inf
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.policies.rate_limit import RateLimit, RateLimitMachine, limiter_for


def test_the_burst_goes_at_once_and_then_one_each_interval() -> None:
    """Exactly `burst` fit at one moment, also where intervals are no exact floats; the next fits at retry_after."""
    for limit in (3, 7, 10, 49):
        limiter = RateLimitMachine(RateLimit(limit, per=1.0, burst=20))
        now = 123_456.789
        assert [limiter.charge(now, 1) for _ in range(20)] == [0.0] * 20
        for _ in range(200):
            wait = limiter.charge(now, 1)
            assert wait == pytest.approx(1 / limit, abs=1e-6)
            now += wait
            assert limiter.charge(now, 1) == 0.0


@pytest.mark.parametrize(("cost", "wait"), [(0, 0.0), (1, 0.5), (2, 1.0), (4, 2.0), (5, inf), (4.5, inf)])
def test_cost_is_weighed_against_the_bucket(cost: float, wait: float) -> None:
    """Wait grows with cost; cost 0 takes nothing; a cost above the burst can never fit."""
    limiter = RateLimitMachine(RateLimit(2, burst=4))
    assert limiter.charge(0.0, 4) == 0.0
    assert limiter.charge(0.0, cost) == pytest.approx(wait)


def test_a_refused_call_charges_nothing() -> None:
    """However often a call is refused, the next turn comes at the same moment."""
    limiter = RateLimitMachine(RateLimit(1))
    limiter.charge(0.0, 1)
    waits = [limiter.charge(0.25, 1) for _ in range(100)]
    assert set(waits) == {0.75}


def test_the_refusal_for_ever_says_so() -> None:
    """A cost above the burst is rejected, without retry_after."""
    limiter = RateLimitMachine(RateLimit(2, burst=4))
    refusal = limiter.refusal(limiter.charge(0.0, 5))
    assert (refusal.code, refusal.retry_after, refusal.decision) == (Code.RATE_LIMITED_CONNECTOR, None, "reject")


def test_reservations_queue_up_behind_each_other() -> None:
    """Each reservation waits one interval more; one whose turn comes too late takes nothing."""
    limiter = RateLimitMachine(RateLimit(2, burst=1))
    assert [limiter.reserve(10.0, 1, 1.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert limiter.reserve(10.0, 1, 1.0) == 1.5
    assert limiter.reserve(10.5, 1, 1.0) == 1.0


def test_a_refund_gives_back_what_never_left() -> None:
    """A refunded call leaves the bucket as if it had not been; never below empty."""
    limiter = RateLimitMachine(RateLimit(1, burst=2))
    limiter.charge(0.0, 2)
    limiter.refund(2)
    assert limiter.charge(0.0, 2) == 0.0
    limiter.refund(50)
    assert limiter.level(0.0) == 0.0


@pytest.mark.parametrize(
    ("limit", "options"),
    [
        (0, {}),
        (-1, {}),
        (True, {}),
        ("5", {}),
        (float("nan"), {}),
        (5, {"per": 0}),
        (5, {"burst": 0}),
        (5, {"burst": 0.5}),
        (5, {"wait": -1}),
        (5, {"wait": float("inf")}),
        (5, {"warm_up": -1}),
        (5, {"warm_up": float("inf")}),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(limit: float, options: dict[str, Any]) -> None:
    """Options are validated at birth, and the message names the policy."""
    with pytest.raises(OptionError, match="RateLimit"):
        RateLimit(limit, **options)


def test_the_burst_defaults_to_the_limit() -> None:
    """Without `burst` the bucket holds the limit, and at least one call."""
    assert RateLimit(10).burst == 10
    assert RateLimit(0.5).burst == 1


def let_in(limiter: RateLimitMachine, start: float, end: float) -> int:
    """Call as often as is let in, waiting exactly as told; return how many calls that were."""
    now, count = start, 0
    while now < end:
        wait = limiter.charge(now, 1)
        count += wait == 0.0
        now += wait
    return count


def test_the_rate_grows_from_a_third_to_full_over_the_warm_up() -> None:
    """In T seconds of use from cold, 2/3 of the full rate is let in on average; at the start a third, then all."""
    limiter = limiter_for(RateLimit(90, warm_up=30.0))
    assert let_in(limiter, 1_000.0, 1_001.0) == pytest.approx(30 + 1, abs=1)
    assert let_in(limiter, 1_001.0, 1_030.0) == pytest.approx(90 * 30 * 2 / 3 - 31, abs=2)
    assert let_in(limiter, 1_030.0, 1_040.0) == pytest.approx(900, abs=1)


def test_a_limit_cools_down_as_slowly_as_it_warms_up() -> None:
    """Idle for half the warm-up: two thirds of the rate are left; idle for all of it: a third."""
    for idle, share in ((0.0, 1.0), (15.0, 2 / 3), (30.0, 1 / 3), (3_600.0, 1 / 3)):
        limiter = limiter_for(RateLimit(90, warm_up=30.0))
        let_in(limiter, 0.0, 60.0)
        limiter.charge(60.0 + 1 / 90 + idle, 1)
        assert limiter.charge(60.0 + 1 / 90 + idle, 1) == pytest.approx(1 / 90 / share, rel=0.02)


def test_a_warm_limit_reserves_and_refunds_as_another() -> None:
    """Turns ahead of time line up behind each other at the growing rate; a refund shortens the line."""
    limiter = limiter_for(RateLimit(3, warm_up=10.0))
    waits = [limiter.reserve(5.0, 1, 10.0) for _ in range(4)]
    assert waits == [0.0, *sorted(waits[1:])]
    assert waits[1] == pytest.approx(0.92, abs=0.01)  # 1 = s + s²/10
    assert waits[3] - waits[2] < waits[2] - waits[1] < waits[1]
    last = limiter.reserve(5.0, 1, 0.5)
    limiter.refund(1)
    assert limiter.reserve(5.0, 1, 0.5) == pytest.approx(waits[3])
    assert last > waits[3]
    assert limiter.charge(5.0, 2) == inf


def test_a_warm_limit_is_not_as_new() -> None:
    """Drained is not enough to be forgotten: it has to be cold as well."""
    limiter = limiter_for(RateLimit(1, warm_up=10.0))
    assert limiter.is_clean(5.0)
    limiter.charge(5.0, 1)
    assert (limiter.level(9.0), limiter.is_clean(9.0), limiter.is_clean(30.0)) == (0.0, False, True)


def test_a_limit_with_a_warm_up_has_no_burst_unless_told() -> None:
    """A burst goes at once, also when cold, so the default is one call."""
    assert (RateLimit(10, warm_up=5.0).burst, RateLimit(10, warm_up=5.0, burst=4).burst) == (1, 4)
