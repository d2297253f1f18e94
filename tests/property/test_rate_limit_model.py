"""Laws of the rate limiter: a stateful walk against a token bucket in exact fractions, and its bound."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from switchgear.policies.rate_limit import RateLimit, RateLimitMachine, limiter_for
from tests.effort import examples


class LimiterWalk(RuleBasedStateMachine):
    """Any walk of charges, reservations, refunds and waits agrees with exact arithmetic."""

    @initialize(limit=st.integers(1, 50), per=st.sampled_from([1, 2, 60]), burst=st.integers(1, 30))
    def start(self, limit: int, per: int, burst: int) -> None:
        """Set both up alike."""
        self.options = RateLimit(limit, per=per, burst=burst)
        self.limiter = RateLimitMachine(self.options)
        self.rate = Fraction(limit, per)
        self.burst = burst
        self.level = Fraction(0)
        self.now = Fraction(10_000)

    @rule(cost=st.integers(0, 35))
    def charge(self, cost: int) -> None:
        """A charge fits exactly when the exact bucket has room, and else names the exact wait."""
        wait = self.limiter.charge(float(self.now), cost)
        if cost > self.burst:
            assert wait == float("inf")
        elif self.level + cost <= self.burst:
            assert wait == 0.0
            self.level += cost
        else:
            assert abs(wait - float((self.level + cost - self.burst) / self.rate)) < 1e-6

    @rule(cost=st.integers(1, 5), patience=st.integers(0, 40))
    def reserve(self, cost: int, patience: int) -> None:
        """A reservation is made exactly when its turn comes in time."""
        exact = max(Fraction(0), (self.level + cost - self.burst) / self.rate)
        wait = self.limiter.reserve(float(self.now), cost, patience + 0.001)
        if cost > self.burst:
            assert wait == float("inf")
            return
        assert abs(wait - float(exact)) < 1e-6
        if wait <= patience + 0.001:
            self.level += cost

    @rule(cost=st.integers(1, 3))
    def refund(self, cost: int) -> None:
        """A refund takes from the level, never below empty."""
        self.limiter.charge(float(self.now), 0)
        if self.limiter.level(float(self.now)) <= self.burst:
            self.limiter.refund(cost)
            self.level = max(Fraction(0), self.level - cost)

    @rule(eighths=st.integers(1, 80))
    def wait(self, eighths: int) -> None:
        """Let time pass."""
        step = Fraction(eighths, 8)
        self.now += step
        self.level = max(Fraction(0), self.level - step * self.rate)

    @invariant()
    def levels_agree(self) -> None:
        """The meter never drifts from exact arithmetic."""
        if hasattr(self, "limiter"):
            assert abs(self.limiter.level(float(self.now)) - float(self.level)) < 1e-6


TestLimiterWalk = LimiterWalk.TestCase
TestLimiterWalk.settings = settings(max_examples=examples(100), stateful_step_count=40)


@given(
    limit=st.floats(0.1, 1e5),
    burst=st.floats(1, 100),
    start=st.floats(0, 1e7),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=80),
)
def test_no_stretch_of_time_lets_more_through_than_burst_and_rate(
    limit: float, burst: float, start: float, pauses: list[float]
) -> None:
    """From any call to any later one: calls ≤ burst + rate × time, whatever the pauses."""
    limiter, now, let_in = RateLimitMachine(RateLimit(limit, burst=burst)), start, []
    for pause in pauses:
        now += pause
        if limiter.charge(now, 1) == 0.0:
            let_in.append(now)
    for first, begin in enumerate(let_in):
        for last in range(first, len(let_in)):
            allowed = burst + limit * (let_in[last] - begin)
            assert last - first + 1 <= allowed * (1 + 1e-9) + 1e-6 * (1 + limit)


@given(limit=st.floats(0.1, 1e4), burst=st.integers(1, 50), start=st.floats(0, 1e6), cost=st.integers(1, 50))
def test_waiting_as_told_is_always_enough(limit: float, burst: int, start: float, cost: int) -> None:
    """After exactly `retry_after` seconds the same call is let in, whatever the rounding."""
    limiter = RateLimitMachine(RateLimit(limit, burst=burst))
    assert limiter.charge(start, burst) == 0.0
    wait = limiter.charge(start, min(cost, burst))
    assert wait > 0
    assert limiter.charge(start + wait, min(cost, burst)) == 0.0


WARM = {
    "limit": st.floats(0.1, 1e4),
    "burst": st.integers(1, 50),
    "warm_up": st.floats(0.01, 100),
    "start": st.floats(0, 1e6),
    "pauses": st.lists(st.floats(0, 20), max_size=20),
}


@given(cost=st.integers(1, 50), **WARM)
def test_waiting_as_told_is_exact_while_warming_up(
    limit: float, burst: int, warm_up: float, start: float, pauses: list[float], cost: int
) -> None:
    """After `retry_after` seconds, and not a moment sooner, the same call is let in, however warm the limit is."""
    limiter, now, cost = limiter_for(RateLimit(limit, burst=burst, warm_up=warm_up)), start, min(cost, burst)
    for pause in pauses:
        now += pause
        while limiter.charge(now, 1) == 0.0:
            pass
    while limiter.charge(now, 1) == 0.0:
        pass
    wait = limiter.charge(now, cost)
    sooner = wait * 0.999 - 1e-6
    if sooner > 0 and wait * limit * 1e-3 / 3 > 1e-6 * (1 + limit):
        assert limiter.charge(now + sooner, cost) > 0
    assert limiter.charge(now + wait, cost) == 0.0


@given(**WARM)
def test_looking_at_a_warming_limit_more_often_changes_nothing(
    limit: float, burst: int, warm_up: float, start: float, pauses: list[float]
) -> None:
    """The meter is a function of time: many small steps and one large one lead to the same level and warmth."""
    often, seldom = (limiter_for(RateLimit(limit, burst=burst, warm_up=warm_up)) for _ in range(2))
    for limiter in (often, seldom):
        limiter.charge(start, burst)
    now = start
    for pause in pauses:
        now += pause
        often.charge(now, 0)
    assert abs(often.level(now) - seldom.level(now)) < 1e-6 * (1 + limit)
    for limiter in (often, seldom):
        limiter.charge(now, burst)
    assert abs(often.charge(now, 1) - seldom.charge(now, 1)) < 1e-5 * (1 + 1 / limit) * (1 + 1 / warm_up)


@given(**WARM)
def test_a_warming_limit_never_lets_more_through_than_a_warm_one(
    limit: float, burst: int, warm_up: float, start: float, pauses: list[float]
) -> None:
    """Warm-up only takes away, and never more than two thirds of the rate."""
    warming, now = limiter_for(RateLimit(limit, burst=burst, warm_up=warm_up)), start
    warm, third = RateLimitMachine(RateLimit(limit, burst=burst)), RateLimitMachine(RateLimit(limit / 3, burst=burst))
    for limiter in (warming, warm, third):
        limiter.charge(now, burst)
    for pause in pauses:
        now += pause
        for limiter in (warming, warm, third):
            limiter.charge(now, 0)
        slack = 1e-6 * (1 + limit)
        assert warm.level(now) - slack <= warming.level(now) <= third.level(now) + slack
