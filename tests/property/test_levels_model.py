"""Laws of limits at several levels: a stateful walk against token buckets in exact fractions."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from switchgear.policies.levels import CODES, LEVELS, Bucket, Taken, charge_all, reserve_all, standing_of
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.refusal import Refusal
from tests.effort import examples

SLACK = 1e-6


class Model:
    """One bucket in exact fractions."""

    def __init__(self, limit: int, burst: int) -> None:
        """Start empty."""
        self.rate, self.burst, self.level = Fraction(limit), burst, Fraction(0)

    def wait(self, cost: int) -> float:
        """Return the seconds until `cost` fits."""
        if cost > self.burst:
            return float("inf")
        return float(max(Fraction(0), (self.level + cost - self.burst) / self.rate))


class LevelsWalk(RuleBasedStateMachine):
    """Any walk of charges, reservations, refunds and waits agrees with exact arithmetic at every level."""

    @initialize(options=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 15)), min_size=1, max_size=4))
    def start(self, options: list[tuple[int, int]]) -> None:
        """Set both up alike."""
        self.models = [Model(limit, burst) for limit, burst in options]
        self.buckets = [
            Bucket(level, level, RateLimit(limit, burst=burst))
            for level, (limit, burst) in zip(LEVELS, options, strict=False)
        ]
        self.now = Fraction(10_000)

    @rule(cost=st.integers(0, 18))
    def charge(self, cost: int) -> None:
        """A charge is made at all levels or at none; a refusal names the longest wait and its level."""
        waits = [model.wait(cost) for model in self.models]
        refusal = charge_all(self.buckets, float(self.now), cost)
        if refusal is None:
            assert max(waits) == 0.0
            self.take(cost)
        else:
            self.named(refusal, waits)

    @rule(cost=st.integers(1, 6), patience=st.integers(0, 12))
    def reserve(self, cost: int, patience: int) -> None:
        """A reservation is made at all levels when the longest wait fits, and says that wait."""
        waits = [model.wait(cost) for model in self.models]
        wait = reserve_all(self.buckets, float(self.now), cost, patience + 0.001)
        if isinstance(wait, Refusal):
            self.named(wait, waits)
        else:
            assert abs(wait - max(waits)) < SLACK
            self.take(cost)

    @rule(cost=st.integers(1, 5))
    def charge_and_refund(self, cost: int) -> None:
        """What is given back at once leaves no trace at any level."""
        now = float(self.now)
        if charge_all(self.buckets, now, cost) is None:
            Taken(self.buckets, cost, now).give_back(now)

    @rule(eighths=st.integers(1, 40))
    def wait(self, eighths: int) -> None:
        """Let time pass."""
        step = Fraction(eighths, 8)
        self.now += step
        for model in self.models:
            model.level = max(Fraction(0), model.level - step * model.rate)

    @invariant()
    def levels_agree(self) -> None:
        """No level drifts, and what a standing says agrees with it and changes nothing."""
        for bucket, model in zip(getattr(self, "buckets", []), getattr(self, "models", []), strict=True):
            standing = standing_of(bucket, float(self.now))
            assert abs(standing.remaining - max(0.0, float(model.burst - model.level))) < 1e-5
            assert abs(bucket.machine.level(float(self.now)) - float(model.level)) < SLACK

    def take(self, cost: int) -> None:
        """Charge the models."""
        for model in self.models:
            model.level += cost

    def named(self, refusal: Refusal, waits: list[float]) -> None:
        """Compare a refusal with the exact waits."""
        longest = max(waits)
        assert longest > 0.0
        level = next(level for level in LEVELS if CODES[level] is refusal.code)
        assert waits[LEVELS.index(level)] >= longest - SLACK
        if longest == float("inf"):
            assert refusal.retry_after is None
        else:
            assert abs((refusal.retry_after or 0.0) - longest) < SLACK


TestLevelsWalk: Any = LevelsWalk.TestCase
TestLevelsWalk.settings = settings(max_examples=examples(60), stateful_step_count=30)


@given(cost=st.integers(1, 10), early=st.integers(0, 9), pause=st.floats(0, 30), later=st.integers(0, 10))
def test_a_late_refund_never_gives_back_what_another_call_took(cost: int, early: int, pause: float, later: int) -> None:
    """What a charge still holds is what has not drained; giving it back leaves at least what came after it."""
    bucket = Bucket("tenant", "acme", RateLimit(1, burst=30))
    charge_all([bucket], 0.0, early)
    charge_all([bucket], 0.0, cost)
    taken = Taken([bucket], cost, 0.0)
    charge_all([bucket], pause, later)
    taken.give_back(pause)
    assert bucket.machine.level(pause) >= later - SLACK


@given(limit=st.integers(1, 50), burst=st.integers(1, 30), taken=st.integers(0, 30), cold=st.booleans())
def test_after_the_reset_one_more_unit_is_there(limit: int, burst: int, taken: int, cold: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """`reset` is the moment at which the remaining whole units have become one more, warm or cold."""
    bucket = Bucket("tenant", "acme", RateLimit(limit, burst=burst, warm_up=10.0 if cold else 0.0))
    charge_all([bucket], 50.0, min(taken, burst))
    before = standing_of(bucket, 50.0)
    after = standing_of(bucket, 50.0 + before.reset)
    assert after.remaining >= min(burst, int(before.remaining) + 1) - 1e-5
