"""The breaker's machine as a table: windows, trips, cooldowns, probes, generations, ramp, modes."""

from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.core.outcome import Verdict
from switchgear.policies.breaker import Breaker, BreakerMachine

MIDDLE = 0.5  # the draw that leaves a cooldown as it is
OK, BAD, NOTHING = Verdict.SUCCESS, Verdict.FAILURE, Verdict.IGNORED
LETTERS = {"s": OK, "f": BAD, "i": NOTHING}


def machine(**options: Any) -> BreakerMachine:
    """Return a machine without jitter unless asked for."""
    return BreakerMachine(Breaker(**{"jitter": 0.0, **options}))


def play(breaker: BreakerMachine, outcomes: str, *, now: float = 0.0, duration: float = 0.0) -> None:
    """Let calls in and settle them at once: s succeeds, f fails, i is ignored, S and F do so slowly."""
    for letter in outcomes:
        assert breaker.admit(now, MIDDLE) is None
        length = 100.0 if letter.isupper() else duration
        breaker.settle(breaker.phase, LETTERS[letter.lower()], length, now, MIDDLE)


@pytest.mark.parametrize(
    ("options", "outcomes", "state"),
    [
        ({}, "ffff", "closed"),
        ({}, "fffff", "open"),
        ({}, "ffffsffff", "closed"),
        ({"failures": 2}, "fif", "open"),
        ({"failures": 1}, "i", "closed"),
        ({"window_calls": 4, "minimum_calls": 4}, "fff", "closed"),
        ({"window_calls": 4, "minimum_calls": 4}, "ffss", "open"),
        ({"window_calls": 4, "minimum_calls": 4}, "fsss", "closed"),
        ({"window_calls": 4, "minimum_calls": 4}, "fsssfs", "closed"),
        ({"window_calls": 4, "minimum_calls": 4}, "fsssff", "open"),
        ({"failure_rate": 0.5, "minimum_calls": 10}, "fffffffff", "closed"),
        ({"failure_rate": 0.5, "minimum_calls": 10}, "fffffsssss", "open"),
        ({"failure_rate": 0.5, "minimum_calls": 10}, "ffffssssss", "closed"),
        ({"failure_rate": 0.9, "minimum_calls": 10}, "fffffffffs", "open"),
        ({"slow_rate": 0.5, "slow_after": 1.0, "minimum_calls": 2}, "Ss", "open"),
        ({"slow_rate": 0.6, "slow_after": 1.0, "minimum_calls": 2}, "Ss", "closed"),
        ({"failure_rate": 1.0, "slow_rate": 1.0, "slow_after": 1.0, "minimum_calls": 2}, "FF", "open"),
        ({"failure_rate": 1.0, "slow_rate": 0.5, "slow_after": 1.0, "minimum_calls": 4}, "iiiiFsss", "closed"),
    ],
)
def test_a_breaker_trips_at_or_above_its_threshold_and_never_below_the_minimum(
    options: dict[str, Any], outcomes: str, state: str
) -> None:
    """Rates trip at or above the threshold, are undefined below the minimum, and ignored calls do not count."""
    breaker = machine(**options)
    play(breaker, outcomes)
    assert breaker.state(0.0) == state


def test_slow_means_strictly_longer() -> None:
    """A call that took exactly `slow_after` is not slow."""
    breaker = machine(slow_rate=0.1, slow_after=2.0, minimum_calls=1)
    play(breaker, "ssss", duration=2.0)
    assert breaker.state(0.0) == "closed"
    play(breaker, "s", duration=2.000001)
    assert breaker.state(0.0) == "open"


@pytest.mark.parametrize(("window", "still", "gone"), [(60.0, 59.0, 60.0), (5.0, 4.5, 5.0), (1.0, 0.9, 1.0)])
def test_a_time_window_forgets_what_has_left_it(window: float, still: float, gone: float) -> None:
    """Buckets are one second, finer below ten seconds; a bucket that left the window no longer counts."""
    for later, state in ((still, "open"), (gone, "closed")):
        breaker = machine(failure_rate=1.0, minimum_calls=4, window=window)
        play(breaker, "fff", now=1000.0)
        play(breaker, "f", now=1000.0 + later)
        assert breaker.state(1000.0 + later) == state


def test_a_refusal_says_what_is_left_of_the_cooldown() -> None:
    """The refusal of an open breaker carries code, state and what is left of the cooldown."""
    breaker = machine(failures=1, cooldown=30.0)
    play(breaker, "f", now=100.0)
    refusal = breaker.admit(110.0, MIDDLE)
    assert refusal is not None
    assert (refusal.code, refusal.state, refusal.retry_after, refusal.decision) == (
        Code.CIRCUIT_OPEN,
        "open",
        20.0,
        "defer",
    )


def test_half_open_admits_its_probes_and_no_more() -> None:
    """At most `probes` are let in, in flight and in total, and the verdict falls when all are recorded."""
    breaker = machine(failure_rate=0.5, minimum_calls=1, probes=3, cooldown=10.0)
    play(breaker, "f")
    assert [breaker.admit(10.0, MIDDLE) is None for _ in range(5)] == [True, True, True, False, False]
    probe = breaker.phase
    breaker.settle(probe, OK, 0.0, 10.0, MIDDLE)
    assert breaker.admit(10.0, MIDDLE) is not None
    breaker.settle(probe, OK, 0.0, 10.0, MIDDLE)
    assert breaker.state(10.0) == "half_open"
    breaker.settle(probe, BAD, 0.0, 10.0, MIDDLE)
    assert breaker.state(10.0) == "closed"
    assert (breaker.opened, breaker.closed) == (1, 1)


@pytest.mark.parametrize(
    ("options", "outcomes", "state"),
    [
        ({"failures": 5}, "s", "closed"),
        ({"failures": 5}, "f", "open"),
        ({"failures": 5, "probes": 3}, "ssf", "open"),
        ({"failures": 5, "probes": 3}, "iiisss", "closed"),
        ({"failure_rate": 0.5, "probes": 4}, "fsss", "closed"),
        ({"failure_rate": 0.5, "probes": 4}, "fsf", "open"),
        ({"failure_rate": 1.0, "slow_rate": 0.5, "slow_after": 1.0, "probes": 2}, "Ss", "open"),
    ],
)
def test_probes_are_judged_by_the_thresholds(options: dict[str, Any], outcomes: str, state: str) -> None:
    """Recovery is judged by the rate over the probes; after consecutive failures any failed probe opens again."""
    breaker = machine(cooldown=10.0, **options)
    breaker.move("trip", 0.0, MIDDLE)
    for letter in outcomes:
        play(breaker, letter, now=10.0)
        if breaker.state(10.0) == "open":
            break
    assert breaker.state(10.0) == state


@pytest.mark.parametrize("verdict", [OK, BAD])
def test_a_call_from_before_the_trip_changes_nothing(verdict: Verdict) -> None:
    """An outcome of another generation is dropped, success and failure alike, in open, half-open and closed."""
    breaker = machine(failures=1, cooldown=10.0)
    old = breaker.phase
    play(breaker, "f")
    breaker.settle(old, verdict, 0.0, 1.0, MIDDLE)
    assert breaker.state(1.0) == "open"
    assert breaker.admit(10.0, MIDDLE) is None
    probe = breaker.phase
    breaker.settle(old, verdict, 0.0, 10.0, MIDDLE)
    assert breaker.state(10.0) == "half_open"
    breaker.settle(probe, OK, 0.0, 10.0, MIDDLE)
    breaker.settle(old, verdict, 0.0, 11.0, MIDDLE)
    breaker.settle(probe, verdict, 0.0, 11.0, MIDDLE)
    assert breaker.state(11.0) == "closed"


def test_the_cooldown_grows_with_each_failed_recovery_up_to_its_maximum() -> None:
    """Open lasts `cooldown`, times the factor for each failed recovery, to the maximum; success starts over."""
    breaker = machine(failures=1, cooldown=10.0, cooldown_factor=2.0, cooldown_max=35.0)
    now, seen = 0.0, []
    play(breaker, "f", now=now)
    for _ in range(4):
        wait = breaker.retry_after(now)
        assert wait is not None
        seen.append(wait)
        now += wait
        play(breaker, "f", now=now)
    assert seen == [10.0, 20.0, 35.0, 35.0]
    now += 35.0
    play(breaker, "sf", now=now)
    assert breaker.retry_after(now) == 10.0


@pytest.mark.parametrize(("draw", "cooldown"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
def test_the_cooldown_varies_by_the_jitter(draw: float, cooldown: float) -> None:
    """The jitter is a share up and down, drawn outside the machine; ±10 % by default."""
    assert Breaker(cooldown=10.0).cooldown_after(0, draw) == pytest.approx(cooldown)


def test_a_hung_probe_does_not_wedge_the_breaker() -> None:
    """A round whose probe never comes back is given up after a cooldown, and the late outcome is dropped."""
    breaker = machine(failures=1, cooldown=10.0)
    play(breaker, "f")
    assert breaker.admit(10.0, MIDDLE) is None
    hung = breaker.phase
    assert breaker.admit(19.0, MIDDLE) is not None
    assert breaker.state(20.0) == "open"
    assert breaker.admit(20.0, MIDDLE) is not None
    assert breaker.admit(30.0, MIDDLE) is None
    breaker.settle(hung, OK, 0.0, 30.0, MIDDLE)
    assert breaker.state(30.0) == "half_open"


def test_half_open_max_returns_to_open_without_a_verdict() -> None:
    """`half_open_max` bounds a round whatever happened in it; the cooldown runs from the end of the round."""
    breaker = machine(failures=1, cooldown=10.0, probes=2, half_open_max=5.0)
    play(breaker, "f")
    play(breaker, "s", now=10.0)
    assert breaker.state(14.9) == "half_open"
    assert breaker.state(15.0) == "open"
    refusal = breaker.admit(17.0, MIDDLE)
    assert refusal is not None
    assert refusal.retry_after == 8.0


def test_an_idle_half_open_breaker_waits_for_traffic() -> None:
    """Without `half_open_max`, a probe that gave its place back lets the next one in, however much later."""
    breaker = machine(failures=1, cooldown=10.0)
    play(breaker, "f")
    play(breaker, "i", now=10.0)
    play(breaker, "s", now=10_000.0)
    assert breaker.state(10_000.0) == "closed"


def test_reading_takes_no_probe() -> None:
    """State, rates and retry_after change nothing, however often they are read."""
    breaker = machine(failures=1, cooldown=10.0)
    play(breaker, "f")
    for _ in range(10):
        assert (breaker.state(10.0), breaker.retry_after(10.0), breaker.shares(10.0)) == (
            "half_open",
            0.0,
            (None, None),
        )
    assert breaker.changes[-1].state == "open"
    assert breaker.admit(10.0, MIDDLE) is None


def test_admission_ramps_after_closing() -> None:
    """After closing 10, 25, then 50 % of calls are let in over `ramp` seconds, evenly spread, then all."""
    breaker = machine(failures=1, cooldown=10.0, ramp=30.0)
    play(breaker, "f")
    play(breaker, "s", now=10.0)
    let_in = [sum(breaker.admit(at, MIDDLE) is None for _ in range(100)) for at in (10.0, 20.0, 30.0, 40.0)]
    assert let_in == [10, 25, 50, 100]


def test_a_ramp_refusal_names_the_next_step() -> None:
    """A call held back by the ramp learns when more will be let in."""
    breaker = machine(failures=1, cooldown=10.0, ramp=30.0)
    play(breaker, "f")
    play(breaker, "s", now=10.0)
    assert breaker.admit(12.0, MIDDLE) is None
    refusal = breaker.admit(12.0, MIDDLE)
    assert refusal is not None
    assert (refusal.state, refusal.retry_after) == ("closed", 8.0)


def test_forced_open_refuses_for_ever() -> None:
    """Forced open refuses every call and says that waiting does not help."""
    breaker = machine(mode="forced_open")
    refusal = breaker.admit(1e9, MIDDLE)
    assert refusal is not None
    assert (refusal.state, refusal.retry_after, refusal.decision) == ("forced_open", None, "reject")


def test_disabled_records_and_never_refuses() -> None:
    """A disabled breaker is a dry run: it keeps its rates and lets everything in."""
    breaker = machine(mode="disabled", failure_rate=0.5, minimum_calls=2)
    play(breaker, "f" * 20)
    assert (breaker.state(0.0), breaker.shares(0.0), breaker.opened) == ("disabled", (1.0, 0.0), 0)


@pytest.mark.parametrize(
    "options",
    [
        {"failures": 0},
        {"failures": True},
        {"failures": 5, "failure_rate": 0.5},
        {"failure_rate": 0},
        {"failure_rate": 1.5},
        {"failure_rate": float("nan")},
        {"slow_rate": 0.5},
        {"slow_after": 1.0},
        {"slow_after": 1.0, "failures": 3},
        {"window": 60.0, "window_calls": 10},
        {"window": 0},
        {"window_calls": 0},
        {"window_calls": 5, "minimum_calls": 6},
        {"minimum_calls": 0},
        {"cooldown": 0},
        {"cooldown": float("inf")},
        {"cooldown_factor": 0.5},
        {"cooldown_max": 1.0},
        {"jitter": 1.0},
        {"jitter": -0.1},
        {"probes": 0},
        {"half_open_max": 0},
        {"ramp": -1},
        {"mode": "off"},
        {"on": "OSError"},
        {"ignore": ()},
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any]) -> None:
    """Options are validated at birth, and the message names the policy."""
    with pytest.raises(OptionError, match="Breaker"):
        Breaker(**options)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "failures=5, cooldown=60.0, jitter=0.1, probes=1"),
        ({"window": 5.0}, "failure_rate=0.5, minimum_calls=10, window=5.0, cooldown=60.0, jitter=0.1, probes=1"),
        (
            {"slow_rate": 0.5, "slow_after": 2.0, "window_calls": 4, "cooldown": 9.0, "ramp": 9.0},
            (
                "failure_rate=0.5, slow_rate=0.5, slow_after=2.0, minimum_calls=4, window_calls=4, cooldown=9.0, "
                "jitter=0.1, probes=1, ramp=9.0"
            ),
        ),
    ],
)
def test_options_show_what_applies(options: dict[str, Any], shown: str) -> None:
    """Defaults that depend on each other are shown as they come out, and what is off is not shown."""
    assert repr(Breaker(**options)) == f"Breaker({shown})"
