"""Laws of the breaker: a stateful walk against a naive model, and windows against a plain list of calls."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from switchgear.core.outcome import Verdict
from switchgear.policies.breaker import Breaker, BreakerMachine, Phase
from tests.effort import examples

MIDDLE = 0.5
VERDICTS = st.sampled_from(list(Verdict))


@dataclass
class Model:
    """A breaker as one would explain it: three states, a row of failures, a set of probes."""

    failures: int
    cooldown: float
    probes: int
    state: str = "closed"
    generation: int = 0
    row: int = 0
    until: float = 0.0
    in_flight: int = 0
    recorded: int = 0
    last_probe: float = 0.0

    def tick(self, now: float) -> None:
        """Let time do its work, as an admission sees it."""
        if self.state == "half_open" and self.in_flight and now >= self.last_probe + self.cooldown:
            self.open(self.last_probe + self.cooldown)
        if self.state == "open" and now >= self.until:
            self.state, self.in_flight, self.recorded = "half_open", 0, 0
            self.generation += 1

    def open(self, since: float) -> None:
        """Open for a cooldown."""
        self.state, self.until = "open", since + self.cooldown
        self.generation += 1

    def admit(self, now: float) -> bool:
        """Let a call in, or not."""
        self.tick(now)
        if self.state == "half_open" and self.in_flight + self.recorded < self.probes:
            self.in_flight += 1
            self.last_probe = now
            return True
        return self.state == "closed"

    def settle(self, generation: int, verdict: Verdict, now: float) -> None:
        """Take an outcome of the present generation."""
        if generation != self.generation:
            return
        if self.state == "half_open":
            self._settle_probe(verdict, now)
        elif self.state == "closed":
            self.row = {Verdict.SUCCESS: 0, Verdict.FAILURE: self.row + 1, Verdict.IGNORED: self.row}[verdict]
            if self.row >= self.failures:
                self.open(now)

    def _settle_probe(self, verdict: Verdict, now: float) -> None:
        if now >= self.last_probe + self.cooldown:
            self.open(self.last_probe + self.cooldown)
            return
        self.in_flight -= 1
        if verdict is Verdict.FAILURE:
            self.open(now)
        elif verdict is Verdict.SUCCESS:
            self.recorded += 1
            if self.recorded == self.probes:
                self.state, self.row = "closed", 0
                self.generation += 1


class BreakerWalk(RuleBasedStateMachine):
    """Any interleaving of admissions, late outcomes and waits behaves as the model says."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        """Set both up alike."""
        super().__init__()
        self.now = 1_000.0
        self.model = Model(failures=3, cooldown=10.0, probes=2)
        self.breaker = BreakerMachine(Breaker(failures=3, cooldown=10.0, probes=2, jitter=0.0))

    @rule(target=calls)
    def admit(self) -> tuple[Phase, int] | None:
        """Ask both; keep the ticket of a call that is let in."""
        refusal = self.breaker.admit(self.now, MIDDLE)
        assert (refusal is None) == self.model.admit(self.now)
        if refusal is not None:
            assert refusal.retry_after is not None
            assert refusal.retry_after >= 0
            return None
        return self.breaker.phase, self.model.generation

    @rule(call=consumes(calls), verdict=VERDICTS)
    def settle(self, call: tuple[Phase, int] | None, verdict: Verdict) -> None:
        """Settle a call, maybe long after its generation has ended."""
        if call is not None:
            self.breaker.settle(call[0], verdict, 0.0, self.now, MIDDLE)
            self.model.settle(call[1], verdict, self.now)

    @rule(quarters=st.integers(1, 60))
    def wait(self, quarters: int) -> None:
        """Let time pass."""
        self.now += quarters / 4

    @invariant()
    def generations_agree(self) -> None:
        """Both made the same transitions."""
        assert self.breaker.phase.generation == self.model.generation

    @invariant()
    def it_never_wedges(self) -> None:
        """After two cooldowns without news a call is let in: open ends, and hung probes are given up."""
        state = self.breaker.state(self.now + 20.0)
        wait = self.breaker.retry_after(self.now)
        assert wait is not None
        assert wait <= 10.0
        assert state in ("closed", "half_open", "open")


TestBreakerWalk = BreakerWalk.TestCase
TestBreakerWalk.settings = settings(max_examples=examples(150), stateful_step_count=40)

RECORDED = st.sampled_from([Verdict.SUCCESS, Verdict.FAILURE])
OUTCOMES = st.lists(st.tuples(st.integers(0, 40), RECORDED, st.booleans()), max_size=60)


@dataclass
class Plain:
    """Every call ever recorded, and nothing clever."""

    calls: list[tuple[float, bool, bool]] = field(default_factory=list)

    def bad(self, recent: list[tuple[float, bool, bool]]) -> bool:
        """Return whether either rate is reached over at least four calls."""
        if len(recent) < 4:
            return False
        failed, slow = sum(call[1] for call in recent), sum(call[2] for call in recent)
        return failed / len(recent) >= 0.5 or slow / len(recent) >= 0.75


def window(**options: float) -> BreakerMachine:
    """Return a machine with rates 0.5 failed and 0.75 slow over at least 4 calls."""
    rates: dict[str, Any] = {"failure_rate": 0.5, "slow_rate": 0.75, "slow_after": 1.0, "minimum_calls": 4}
    return BreakerMachine(Breaker(**{**rates, **options}))


@given(OUTCOMES)
def test_a_time_window_trips_when_a_list_of_calls_says_so(outcomes: list[tuple[int, Verdict, bool]]) -> None:
    """The bucketed sums equal a recount of all calls in the buckets that the window covers, call by call."""
    breaker, plain, now = window(window=20.0), Plain(), 5_000.0
    for pause, verdict, slow in outcomes:
        now += pause / 4
        plain.calls.append((now, verdict is Verdict.FAILURE, slow))
        breaker.settle(breaker.phase, verdict, 2.0 if slow else 0.5, now, MIDDLE)
        expected = plain.bad([call for call in plain.calls if int(call[0]) > int(now) - 20])
        assert (breaker.state(now) == "open") == expected
        if expected:
            return


@given(OUTCOMES)
def test_a_count_window_trips_when_the_last_calls_say_so(outcomes: list[tuple[int, Verdict, bool]]) -> None:
    """The ring equals a recount of the last calls, call by call."""
    breaker, plain = window(window_calls=7), Plain()
    for _, verdict, slow in outcomes:
        plain.calls.append((0.0, verdict is Verdict.FAILURE, slow))
        breaker.settle(breaker.phase, verdict, 2.0 if slow else 0.5, 0.0, MIDDLE)
        expected = plain.bad(plain.calls[-7:])
        assert (breaker.state(0.0) == "open") == expected
        if expected:
            return


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(1, 10), st.floats(0, 0.99))
def test_a_cooldown_stays_in_its_bounds(recoveries: int, draw: float, factor: float, jitter: float) -> None:
    """Whatever the number of failed recoveries: finite, above zero, never above the maximum."""
    options = Breaker(cooldown=2.0, cooldown_factor=factor, cooldown_max=500.0, jitter=jitter)
    assert 0 < options.cooldown_after(recoveries, draw) <= 500.0
