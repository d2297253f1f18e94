"""The breaker's phases and moves at their edges: what each phase says, and what new options change at once."""

from math import inf
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.breaker import Breaker, BreakerMachine, Change
from switchgear.policies.breaker.phases import ForcedOpenPhase, HalfOpenPhase, OpenPhase, Ramp
from switchgear.policies.refusal import Refusal

GOOD, BAD, NOTHING = Verdict.SUCCESS, Verdict.FAILURE, Verdict.IGNORED
OPTIONS = Breaker(failures=1, cooldown=10.0, jitter=0.0)


def facts(refusal: Refusal | None) -> tuple[Any, ...]:
    """Return all that a refusal says."""
    assert refusal is not None
    assert (refusal.policy, refusal.code) == ("breaker", Code.CIRCUIT_OPEN)
    return refusal.state, refusal.retry_after, refusal.decision, refusal.reason


def call(machine: BreakerMachine, verdict: Verdict, now: float, *, duration: float = 0.0, draw: float = 0.0) -> None:
    """Make a call that is let in."""
    assert machine.admit(now, draw) is None
    machine.settle(machine.phase, verdict, duration, now, draw)


def opened(options: Breaker = OPTIONS, now: float = 0.0) -> BreakerMachine:
    """Return a breaker that has just opened."""
    machine = BreakerMachine(options)
    call(machine, BAD, now)
    assert isinstance(machine.phase, OpenPhase)
    return machine


def test_an_open_phase_says_when_to_come_back() -> None:
    """What is left of the cooldown, down to 0; at its end the next call is a probe."""
    phase = OpenPhase(3, 10.0)
    assert (phase.generation, phase.until, phase.blocked) == (3, 10.0, 0)
    assert facts(phase.admit(4.0)) == ("open", 6.0, "defer", "")
    assert (phase.state(9.9), phase.due(9.9), phase.retry_after(9.5)) == ("open", None, 0.5)
    assert (phase.state(10.0), phase.due(10.0), phase.retry_after(10.0)) == ("half_open", "probe", 0.0)
    assert phase.retry_after(11.0) == 0.0
    assert phase.settle(BAD, 0.0, 0.0) is None


def test_a_half_open_phase_hints_shortly_when_its_probes_are_out() -> None:
    """At most a second, at most the cooldown, and never beyond the end of the round."""
    phase = HalfOpenPhase(OPTIONS, 2, 0.0)
    assert phase.retry_after(0.0) == 0.0
    assert phase.admit(0.0) is None
    assert facts(phase.admit(0.0)) == ("half_open", 1.0, "defer", "every probe is taken")
    assert phase.retry_after(9.5) == 0.5
    assert phase.retry_after(12.0) == 0.0
    quick = HalfOpenPhase(Breaker(cooldown=0.2), 2, 0.0)
    quick.admit(0.0)
    assert quick.retry_after(0.0) == 0.2


def test_an_idle_round_of_probes_is_not_given_up() -> None:
    """Without half_open_max only a round with probes out lapses, a cooldown after the last of them left."""
    phase = HalfOpenPhase(Breaker(cooldown=10.0, probes=2), 0, 0.0)
    assert phase.due(100.0) is None
    phase.admit(100.0)
    assert (phase.ends, phase.due(109.9), phase.due(110.0)) == (110.0, None, "lapse")
    assert (phase.state(109.9), phase.state(110.0)) == ("half_open", "open")
    phase.admit(105.0)
    assert (phase.ends, phase.due(114.9), phase.due(115.0)) == (115.0, None, "lapse")
    phase.settle(NOTHING, 0.0, 105.0)
    phase.settle(NOTHING, 0.0, 105.0)
    assert phase.due(200.0) is None


def test_a_bounded_round_ends_whoever_is_in_it() -> None:
    """With half_open_max the end is fixed when the round begins, and a verdict at the end is too late."""
    phase = HalfOpenPhase(Breaker(cooldown=10.0, half_open_max=3.0), 0, 5.0)
    assert phase.due(7.9) is None
    assert phase.due(8.0) == "lapse"
    phase.admit(6.0)
    assert phase.ends == 8.0
    assert phase.settle(GOOD, 0.0, 8.0) == "lapse"
    assert phase.settle(GOOD, 0.0, 7.9) == "recover"


def test_a_round_is_judged_over_all_its_probes() -> None:
    """Bad as soon as that is certain, good when every probe is back; one that says nothing gives its place back."""
    phase = HalfOpenPhase(Breaker(failure_rate=0.5, probes=4, cooldown=10.0), 0, 0.0)
    for _ in range(4):
        assert phase.admit(0.0) is None
    assert phase.admit(0.0) is not None
    assert phase.settle(NOTHING, 0.0, 0.0) is None
    assert phase.admit(0.0) is None
    assert [phase.settle(verdict, 0.0, 0.0) for verdict in (BAD, GOOD, GOOD, GOOD)] == [None, None, None, "recover"]
    again = HalfOpenPhase(Breaker(failure_rate=0.5, probes=4, cooldown=10.0), 0, 0.0)
    for _ in range(4):
        again.admit(0.0)
    assert [again.settle(BAD, 0.0, 0.0) for _ in range(2)] == [None, "relapse"]


def test_a_slow_probe_counts_as_slow_only_when_it_took_longer() -> None:
    """Exactly `slow_after` is not slow."""
    options = Breaker(slow_rate=0.5, slow_after=1.0)
    for duration, move in ((1.0, "recover"), (1.1, "relapse")):
        phase = HalfOpenPhase(options, 0, 0.0)
        phase.admit(0.0)
        assert phase.settle(GOOD, duration, 0.0) == move


def test_forced_open_refuses_for_ever() -> None:
    """Waiting does not help, time changes nothing, and no outcome matters."""
    machine = BreakerMachine(Breaker(mode="forced_open"))
    assert (machine.passing, machine.state(5.0), machine.retry_after(5.0)) == (False, "forced_open", None)
    assert facts(machine.admit(5.0, 0.0)) == ("forced_open", None, "reject", "the breaker is forced open")
    assert (machine.phase.generation, machine.blocked) == (0, 0)
    assert ForcedOpenPhase(0).settle(BAD, 0.0, 0.0) is None
    assert ForcedOpenPhase(0).due(1e9) is None
    assert machine.is_clean(0.0) is False


def test_a_ramp_lets_in_ten_then_twenty_five_then_fifty_of_a_hundred() -> None:
    """Evenly spread, the first call first; the others wait for the next step."""
    ramp = Ramp(100.0, 30.0)
    for start, of_a_hundred in ((100.0, 10), (110.0, 25), (120.0, 50)):
        refusals = [ramp.admit(start) for _ in range(100)]
        assert sum(refusal is None for refusal in refusals) == of_a_hundred
        told = next(refusal for refusal in refusals if refusal is not None)
        assert facts(told) == ("closed", 10.0, "defer", "only a share of calls is let in after closing")
    assert (ramp.over(129.9), ramp.over(130.0)) == (False, True)
    fresh = Ramp(0.0, 3.0)
    assert fresh.admit(0.0) is None
    late = fresh.admit(0.9)
    assert late is not None
    assert late.retry_after == pytest.approx(0.1)


def test_a_ramp_keeps_its_share_over_many_calls() -> None:
    """One in ten is exactly that, however many come."""
    ramp = Ramp(0.0, 30.0)
    assert sum(ramp.admit(0.0) is None for _ in range(5_000)) == 500


def test_a_ramp_ends_with_the_first_call_after_it() -> None:
    """Then every call is let in, and nothing asks the ramp again."""
    machine = opened(Breaker(failures=1, cooldown=10.0, jitter=0.0, ramp=30.0))
    call(machine, GOOD, 10.0)
    assert (machine.state(10.0), machine.passing) == ("closed", False)
    assert machine.is_clean(10.0) is False
    assert [machine.admit(10.0, 0.0) is None for _ in range(20)].count(True) == 2
    assert machine.admit(40.0, 0.0) is None
    assert machine.passing is True
    assert [machine.admit(11.0, 0.0) for _ in range(5)] == [None] * 5
    assert machine.is_clean(40.0) is True


def test_opening_ends_a_ramp() -> None:
    """A failure on the way up opens it, and after the next recovery the ramp begins anew."""
    machine = opened(Breaker(failures=1, cooldown=10.0, jitter=0.0, ramp=30.0))
    call(machine, GOOD, 10.0)
    call(machine, BAD, 10.0)
    assert facts(machine.admit(12.0, 0.0)) == ("open", 8.0, "defer", "")
    call(machine, GOOD, 20.0)
    assert machine.passing is False


def test_each_change_says_state_generation_and_when_to_come_back() -> None:
    """A subscriber learns all of it, in order."""
    machine = opened()
    call(machine, GOOD, 10.0)
    assert machine.changes == (Change("open", 1, 10.0), Change("half_open", 2, 0.0), Change("closed", 3, 0.0))
    assert (machine.opened, machine.closed) == (1, 1)


def test_failed_recoveries_lengthen_the_cooldown_until_one_succeeds() -> None:
    """Each relapse multiplies it; closing starts over; a round that is given up counts as no relapse."""
    machine = opened(Breaker(failures=1, cooldown=10.0, cooldown_factor=2.0, jitter=0.0))
    call(machine, BAD, 10.0)
    assert machine.retry_after(10.0) == 20.0
    call(machine, BAD, 30.0)
    assert machine.retry_after(30.0) == 40.0
    assert machine.admit(70.0, 0.0) is None
    assert machine.admit(80.0, 0.0) is not None
    assert machine.retry_after(80.0) == 40.0
    call(machine, GOOD, 120.0)
    call(machine, BAD, 120.0)
    assert machine.retry_after(120.0) == 10.0


def test_a_round_that_lapsed_long_ago_opens_from_its_end_and_not_from_now() -> None:
    """A breaker that nobody asked for a while does not make its dependency wait again."""
    machine = opened()
    assert machine.admit(10.0, 0.0) is None
    refused = machine.admit(25.0, 0.0)
    assert facts(refused) == ("open", 5.0, "defer", "")
    again = opened()
    assert again.admit(10.0, 0.0) is None
    assert again.admit(40.0, 0.0) is None
    assert isinstance(again.phase, HalfOpenPhase)


def test_an_outcome_that_comes_too_late_for_its_round_ends_it_at_its_end() -> None:
    """The cooldown begins when the round was over, not when somebody noticed."""
    machine = opened()
    assert machine.admit(10.0, 0.0) is None
    machine.settle(machine.phase, GOOD, 0.0, 23.0, 0.0)
    assert machine.retry_after(23.0) == 7.0


def test_outcomes_of_another_generation_are_dropped() -> None:
    """Neither a late success nor a late failure moves a breaker that has moved on."""
    machine = BreakerMachine(OPTIONS)
    ticket = machine.phase
    call(machine, BAD, 0.0)
    machine.settle(ticket, GOOD, 0.0, 1.0, 0.0)
    machine.settle(ticket, BAD, 0.0, 1.0, 0.0)
    assert (machine.opened, machine.closed, machine.state(1.0)) == (1, 0, "open")


def test_calls_that_a_driver_refused_are_counted_over_all_open_phases() -> None:
    """What the phase in force counts is added to what earlier ones did."""
    machine = opened()
    assert isinstance(machine.phase, OpenPhase)
    machine.phase.blocked += 3
    assert machine.blocked == 3
    call(machine, BAD, 10.0)
    assert isinstance(machine.phase, OpenPhase)
    machine.phase.blocked += 2
    assert machine.blocked == 5


@pytest.mark.parametrize(
    ("mode", "observes", "state"),
    [("normal", False, "closed"), ("observe", True, "closed"), ("disabled", False, "disabled")],
)
def test_a_mode_says_what_a_refusal_is_worth(mode: Any, observes: bool, state: str) -> None:  # noqa: ANN401, FBT001 - columns
    """Only an observing breaker's refusals are not meant; a disabled one never opens and says what it is."""
    machine = BreakerMachine(Breaker(failures=1, mode=mode))
    assert (machine.observes, machine.state(0.0), machine.passing) == (observes, state, True)
    call(machine, BAD, 0.0)
    assert machine.opened == (0 if mode == "disabled" else 1)
    assert Breaker(mode=mode).first_state == state
    assert Breaker(mode="forced_open").first_state == "forced_open"


def test_shares_need_a_rate_and_enough_calls() -> None:
    """A row has none, nor has an open breaker, nor one with too few calls; else both are told."""
    options = Breaker(failure_rate=1.0, slow_rate=1.0, slow_after=1.0, minimum_calls=4, window_calls=10)
    machine = BreakerMachine(options)
    for verdict, duration in ((BAD, 0.0), (GOOD, 2.0), (GOOD, 2.0)):
        call(machine, verdict, 0.0, duration=duration)
    assert machine.shares(0.0) == (None, None)
    call(machine, GOOD, 0.0)
    assert machine.shares(0.0) == (0.25, 0.5)
    assert BreakerMachine(OPTIONS).shares(0.0) == (None, None)
    tripped = opened(Breaker(failure_rate=0.5, minimum_calls=1, window_calls=1))
    assert tripped.shares(0.0) == (None, None)


def test_clean_means_that_nothing_bad_is_remembered() -> None:
    """Neither a failure nor a slow call, and closed."""
    options = Breaker(failure_rate=1.0, slow_rate=1.0, slow_after=1.0, minimum_calls=2, window_calls=2)
    machine = BreakerMachine(options)
    assert machine.is_clean(0.0) is True
    call(machine, GOOD, 0.0)
    assert machine.is_clean(0.0) is True
    call(machine, GOOD, 0.0, duration=2.0)
    assert machine.is_clean(0.0) is False
    machine = BreakerMachine(OPTIONS)
    assert machine.is_clean(0.0) is True
    call(machine, BAD, 0.0)
    assert machine.is_clean(0.0) is False
    assert machine.is_clean(10.0) is False


def test_forcing_open_and_its_end_act_at_once() -> None:
    """From any state; a second time changes nothing; after its end a probe decides, in a new generation each."""
    for machine in (BreakerMachine(OPTIONS), opened()):
        before = machine.phase.generation
        machine.reconfigure(Breaker(failures=1, mode="forced_open"), 1.0)
        assert (machine.passing, machine.state(1.0), machine.phase.generation) == (False, "forced_open", before + 1)
        assert machine.changes[-1] == Change("forced_open", before + 1, None)
        phase = machine.phase
        machine.reconfigure(Breaker(failures=2, mode="forced_open"), 2.0)
        assert machine.phase is phase
        machine.reconfigure(OPTIONS, 3.0)
        assert (machine.passing, machine.state(3.0), machine.phase.generation) == (False, "half_open", before + 2)
        assert machine.closed == 0


def test_disabling_an_open_breaker_closes_it_at_once() -> None:
    """And from then on it never opens; enabled again it goes on with what it remembers."""
    machine = opened()
    machine.reconfigure(Breaker(failures=1, mode="disabled"), 1.0)
    assert (machine.passing, machine.state(1.0), machine.closed) == (True, "disabled", 1)
    call(machine, BAD, 1.0)
    assert machine.passing is True
    machine.reconfigure(OPTIONS, 2.0)
    assert machine.state(2.0) == "closed"
    call(machine, BAD, 2.0)
    assert machine.state(2.0) == "open"


def test_an_open_phase_keeps_its_end_under_other_options() -> None:
    """Only what comes after it goes by them."""
    machine = opened()
    phase = machine.phase
    machine.reconfigure(Breaker(failures=1, cooldown=99.0, jitter=0.0), 5.0)
    assert machine.phase is phase
    assert machine.retry_after(5.0) == 5.0
    call(machine, BAD, 10.0)
    assert machine.retry_after(10.0) == 99.0


def test_a_round_of_probes_goes_on_under_other_options() -> None:
    """More probes may be let in at once, and the judgement is by the new number."""
    machine = opened()
    assert machine.admit(10.0, 0.0) is None
    round_of_probes = machine.phase
    assert machine.admit(10.0, 0.0) is not None
    machine.reconfigure(Breaker(failures=1, cooldown=10.0, probes=2), 11.0)
    assert machine.phase is round_of_probes
    assert machine.admit(11.0, 0.0) is None
    machine.settle(round_of_probes, GOOD, 0.0, 11.0, 0.0)
    assert machine.state(11.0) == "half_open"
    machine.settle(round_of_probes, GOOD, 0.0, 11.0, 0.0)
    assert machine.state(11.0) == "closed"


def test_fewer_probes_may_be_enough_at_once() -> None:
    """A round is judged again by new options, unless none of its probes is back."""
    for verdict, state in ((GOOD, "closed"), (BAD, "open")):
        options = Breaker(failure_rate=1.0, cooldown=10.0, jitter=0.0, probes=3, minimum_calls=1)
        machine = opened(options)
        for _ in range(2):
            assert machine.admit(10.0, 0.0) is None
        machine.reconfigure(Breaker(failure_rate=1.0, cooldown=10.0, jitter=0.0, probes=4), 10.0)
        machine.settle(machine.phase, verdict, 0.0, 10.0, 0.0)
        assert machine.state(10.0) == "half_open"
        machine.reconfigure(Breaker(failure_rate=1.0, cooldown=10.0, jitter=0.4, probes=1), 10.0)
        assert machine.state(10.0) == state
        assert machine.retry_after(10.0) == (0.0 if verdict is GOOD else 10.0)
    machine = opened(Breaker(failures=1, cooldown=10.0, jitter=0.0, probes=3))
    for _ in range(3):
        assert machine.admit(10.0, 0.0) is None
    for _ in range(2):
        machine.settle(machine.phase, GOOD, 0.0, 10.0, 0.0)
    machine.reconfigure(Breaker(failures=1, probes=1), 10.0)
    assert machine.state(10.0) == "closed"


def test_a_ramp_that_is_asked_about_the_past_is_at_its_first_step() -> None:
    """Threads may bring a moment from before the closing."""
    ramp = Ramp(100.0, 30.0)
    assert sum(ramp.admit(80.0) is None for _ in range(100)) == 10


def test_a_closed_window_goes_by_new_thresholds() -> None:
    """The row that has begun counts on; a window of another kind starts empty."""
    machine = BreakerMachine(Breaker(failures=5))
    call(machine, BAD, 0.0)
    machine.reconfigure(Breaker(failures=2), 0.0)
    call(machine, BAD, 0.0)
    assert machine.state(0.0) == "open"
    machine = BreakerMachine(Breaker(failures=5))
    call(machine, BAD, 0.0)
    machine.reconfigure(Breaker(failure_rate=0.5), 0.0)
    assert (machine.phase.generation, machine.is_clean(0.0)) == (1, True)


def test_evidence_is_forgotten_only_when_its_options_change() -> None:
    """Other options leave what was heard of tenants; another number of tenants starts anew, and none asks for none."""
    several = Breaker(failures=1, tenants=2, jitter=0.0)
    machine = BreakerMachine(several)
    machine.settle(machine.phase, GOOD, 0.0, 0.0, 0.0, "b")
    machine.settle(machine.phase, BAD, 0.0, 0.0, 0.0, "a")
    assert machine.state(0.0) == "closed"
    machine.reconfigure(Breaker(failures=1, tenants=2, jitter=0.0, probes=2), 0.0)
    machine.settle(machine.phase, BAD, 0.0, 0.0, 0.0, "a")
    assert machine.state(0.0) == "closed"
    machine.reconfigure(Breaker(failures=1, tenants=3, jitter=0.0), 0.0)
    machine.settle(machine.phase, BAD, 0.0, 0.0, 0.0, "a")
    assert machine.state(0.0) == "open"
    single = BreakerMachine(several)
    single.settle(single.phase, GOOD, 0.0, 0.0, 0.0, "b")
    single.reconfigure(Breaker(failures=1, jitter=0.0), 0.0)
    single.settle(single.phase, BAD, 0.0, 0.0, 0.0, "a")
    assert single.state(0.0) == "open"


@pytest.mark.parametrize(
    ("options", "failed", "draw", "seconds"),
    [
        (Breaker(cooldown=10.0, jitter=0.1), 0, 0.0, 9.0),
        (Breaker(cooldown=10.0, jitter=0.1), 0, 0.5, 10.0),
        (Breaker(cooldown=10.0, jitter=0.1), 5, 1.0, 11.0),
        (Breaker(cooldown=10.0, jitter=0.0, cooldown_factor=2.0), 3, 0.0, 80.0),
        (Breaker(cooldown=10.0, jitter=0.0, cooldown_factor=2.0), 9, 0.0, 100.0),
        (Breaker(cooldown=10.0, jitter=0.5, cooldown_factor=2.0), 9, 1.0, 100.0),
        (Breaker(cooldown=10.0, jitter=0.0, cooldown_factor=2.0, cooldown_max=30.0), 9, 0.0, 30.0),
        (Breaker(cooldown=10.0, jitter=0.5, cooldown_factor=2), 5_000, 0.0, 50.0),
    ],
)
def test_a_cooldown_grows_varies_and_ends_at_its_maximum(
    options: Breaker, failed: int, draw: float, seconds: float
) -> None:
    """The draw varies it up and down by the jitter; nothing takes it above the maximum."""
    assert options.cooldown_after(failed, draw) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("options", "buckets"),
    [
        (Breaker(window=60.0), (1.0, 60)),
        (Breaker(window=10.0), (1.0, 10)),
        (Breaker(window=10.5), (1.0, 11)),
        (Breaker(window=5.0), (0.5, 10)),
        (Breaker(failure_rate=0.2), (1.0, 60)),
        (Breaker(window_calls=5), (0.0, 0)),
    ],
)
def test_a_window_has_buckets_of_a_second_or_ten_of_them(options: Breaker, buckets: tuple[float, int]) -> None:
    """Below ten seconds the buckets are finer, so that a window is never of fewer than ten."""
    assert (options.thresholds.bucket_seconds, options.thresholds.buckets) == buckets


def test_rates_have_their_defaults_once_one_is_asked_for() -> None:
    """Half of ten calls in a minute; fewer calls where the window holds no more; no slowness unless it is said."""
    for options in (Breaker(window=30.0), Breaker(minimum_calls=10), Breaker(window_calls=50)):
        assert (options.thresholds.failures, options.thresholds.failure_rate) == (0, 0.5)
        assert (options.thresholds.slow_rate, options.thresholds.slow_after) == (inf, inf)
        assert options.thresholds.minimum_calls == 10
    assert Breaker(window_calls=5).thresholds.minimum_calls == 5
    assert Breaker(window_calls=5, minimum_calls=5).thresholds.window_calls == 5
    slow = Breaker(slow_rate=0.3, slow_after=2.0).thresholds
    assert (slow.failure_rate, slow.slow_rate, slow.slow_after) == (0.5, 0.3, 2.0)
    assert Breaker().thresholds.failures == 5
    assert Breaker(failures=1).thresholds.failures == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Breaker(), "Breaker(failures=5, cooldown=60.0, jitter=0.1, probes=1)"),
        (
            Breaker(window_calls=5, mode="observe"),
            (
                "Breaker(failure_rate=0.5, minimum_calls=5, window_calls=5, "
                "cooldown=60.0, jitter=0.1, probes=1, mode='observe')"
            ),
        ),
        (
            Breaker(window=5.0, cooldown_factor=2.0, ramp=3.0),
            (
                "Breaker(failure_rate=0.5, minimum_calls=10, window=5.0, "
                "cooldown=60.0, cooldown_factor=2.0, jitter=0.1, probes=1, ramp=3.0)"
            ),
        ),
    ],
)
def test_a_breaker_shows_what_applies(options: Breaker, said: str) -> None:
    """Resolved defaults are shown, and what is switched off is not."""
    assert repr(options) == said


RAMPING = Breaker(failures=1, cooldown=10.0, jitter=0.0, ramp=30.0)


def test_forcing_open_ends_a_ramp() -> None:
    """Not one call is let in, neither while the ramp would last nor after it."""
    machine = opened(RAMPING)
    call(machine, GOOD, 10.0)
    machine.reconfigure(Breaker(failures=1, mode="forced_open"), 11.0)
    assert all(machine.admit(now, 0.0) is not None for now in (11.0, 12.0, 39.9, 40.0, 41.0))
    assert machine.passing is False


@pytest.mark.parametrize("now", [5.0, 10.0, 11.0])
def test_a_disabled_breaker_lets_every_call_in(now: float) -> None:
    """Open, half-open or on its way up: disabling it lets every call in at once."""
    machine = opened(RAMPING)
    if now >= 10.0:
        assert machine.admit(10.0, 0.0) is None
    if now > 10.0:
        machine.settle(machine.phase, GOOD, 0.0, 10.0, 0.0)
    machine.reconfigure(Breaker(failures=1, ramp=30.0, mode="disabled"), now)
    assert machine.passing is True
    assert [machine.admit(now, 0.0) for _ in range(20)] == [None] * 20
