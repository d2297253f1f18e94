"""The limit: how it follows durations, by the numbers of gradient2, and what differs from it."""

from collections.abc import Iterator
from math import inf
from typing import Any

import pytest

from switchgear.core.outcome import Verdict
from switchgear.policies.shedding.gradient import GradientLimit
from switchgear.policies.shedding.options import Shedding

CALLS = 10


class Upstream:
    """Something that settles calls, ten to a window, and knows what time it is."""

    def __init__(self, **options: float | None) -> None:
        """Ask for plain arithmetic unless told otherwise: no smoothing, no tolerance, windows without a length."""
        plain: dict[str, Any] = {"smoothing": 1.0, "tolerance": 1.0, "initial": 100, "long_window": 1_000.0}
        self.limit = GradientLimit(Shedding(**{**plain, **options}))
        self.now = 500.0

    def window(
        self, duration: float, *, verdict: Verdict = Verdict.SUCCESS, in_flight: int = 150, calls: int = CALLS
    ) -> int:
        """Settle a window of calls alike, a second long, and return the limit after it."""
        for number in range(calls):
            self.now += 0.0 if number else 0.5
            self.now += 1.0 if number == calls - 1 else 0.0
            self.limit.settle(self.now, duration, verdict, in_flight)
        return self.limit.limit

    def windows(self, count: int, duration: float) -> Iterator[int]:
        """Settle many windows."""
        return (self.window(duration) for _ in range(count))


def test_the_limit_grows_by_the_headroom_while_calls_are_as_quick_as_usual() -> None:
    """Gradient 1: the new limit is the old one and the headroom."""
    upstream = Upstream(headroom=4)
    assert list(upstream.windows(3, 1.0)) == [104, 108, 112]


def test_the_limit_shrinks_by_usual_over_present() -> None:
    """Calls that take a quarter longer take a fifth of the limit away; the headroom is still added."""
    upstream = Upstream(headroom=4)
    assert upstream.window(1.0) == 104
    assert upstream.window(1.25) == int(104 / 1.25 + 4)


def test_calls_that_take_no_time_are_calls() -> None:
    """On a coarse clock a call may take nothing; it is as quick as can be."""
    assert list(Upstream(headroom=4).windows(2, 0.0)) == [104, 108]


def test_calls_as_quick_as_usual_never_ask_for_a_dip() -> None:
    """However long it goes on, a limit that grows goes on growing."""
    limits = list(Upstream(initial=20, headroom=1, long_window=10.0).windows(100, 1.0))
    assert limits == list(range(21, 121))


def test_one_window_never_takes_more_than_half() -> None:
    """The gradient is at least a half, however slow the calls are."""
    upstream = Upstream(headroom=4)
    upstream.window(1.0)
    assert upstream.window(1_000.0) == 104 / 2 + 4


def test_a_new_estimate_is_taken_over_by_its_share() -> None:
    """Smoothing: a fifth of the new estimate, four fifths of the old limit."""
    upstream = Upstream(headroom=5, smoothing=0.2)
    assert list(upstream.windows(2, 1.0)) == [101, 102]
    assert upstream.window(4.0) == int(102 * 0.8 + (102 * 0.5 + 5) * 0.2)


@pytest.mark.parametrize(("duration", "limit"), [(1.5, 108), (1.6, int(104 * 1.5 / 1.6 + 4))])
def test_calls_within_the_tolerance_are_as_quick_as_usual(duration: float, limit: int) -> None:
    """Up to `tolerance` times the usual duration the limit grows, and from there on it shrinks."""
    upstream = Upstream(headroom=4, tolerance=1.5)
    upstream.window(1.0)
    assert upstream.window(duration) == limit


def test_the_limit_stays_within_its_bounds() -> None:
    """Neither growth nor decline leaves minimum and maximum."""
    upstream = Upstream(headroom=50, minimum=90, maximum=120)
    assert list(upstream.windows(2, 1.0)) == [120, 120]
    upstream = Upstream(headroom=1, minimum=90, maximum=120)
    upstream.window(1.0)
    assert upstream.window(9.0) == 90


def test_demand_below_half_the_limit_proves_nothing() -> None:
    """A limit that nobody uses neither grows nor shrinks; exactly half is used."""
    upstream = Upstream()
    upstream.window(1.0, in_flight=50)
    assert upstream.limit.limit == 104
    assert upstream.window(1.0, in_flight=51) == 104
    assert upstream.window(9.0, in_flight=51) == 104


def test_a_call_that_found_no_place_proves_demand() -> None:
    """A class that may only use a small share of the limit can press against it too; the next window starts anew."""
    upstream = Upstream()
    upstream.limit.press()
    assert upstream.window(1.0, in_flight=10) == 104
    assert upstream.window(1.0, in_flight=10) == 104


@pytest.mark.parametrize("calls", [1, 9])
def test_few_calls_say_too_little(calls: int) -> None:
    """A window has ten calls at least, however long it takes."""
    upstream = Upstream()
    for _ in range(9 // calls):
        assert upstream.window(1.0, calls=calls) == 100
    assert upstream.window(1.0, calls=1) == 104


def test_a_window_has_its_length() -> None:
    """Many calls at one moment are still one window: a thousand of them move the limit once."""
    limit = GradientLimit(Shedding(smoothing=1.0, window=2.0))
    moves = [limit.settle(now, 1.0, Verdict.SUCCESS, 20) for now in [10.0] * 1_000 + [11.9, 12.0, 12.0]]
    assert moves.index(True) == 1_001
    assert sum(moves) == 1


@pytest.mark.parametrize(
    ("duration", "verdict"),
    [
        (1.0, Verdict.IGNORED),
        (inf, Verdict.IGNORED),
        (inf, Verdict.SUCCESS),
        (float("nan"), Verdict.SUCCESS),
        (-1.0, Verdict.SUCCESS),
        (0.5, Verdict.FAILURE),
        (1.0, Verdict.FAILURE),
    ],
)
def test_what_says_nothing_about_load_moves_nothing(duration: float, verdict: Verdict) -> None:
    """Ignored calls, successes of unknown duration and failures as quick as usual leave the limit alone."""
    upstream = Upstream()
    upstream.window(1.0)
    assert upstream.window(duration, verdict=verdict, calls=100) == 104
    assert upstream.window(1.0) == 108


def test_a_failure_before_anything_is_known_of_durations_moves_nothing() -> None:
    """Without a usual duration only a timeout is known to be slow."""
    upstream = Upstream(headroom=4)
    assert upstream.window(99.0, verdict=Verdict.FAILURE) == 100
    assert upstream.window(inf, verdict=Verdict.FAILURE) == 100 / 2 + 4


@pytest.mark.parametrize("duration", [inf, 1.1])
def test_slow_failures_count_at_the_steepest_gradient(duration: float) -> None:
    """A dependency that only times out still lowers the limit: each such call weighs as much as another."""
    upstream = Upstream(headroom=4)
    upstream.window(1.0)
    for _ in range(5):
        upstream.limit.settle(upstream.now, duration, Verdict.FAILURE, 150)
    assert upstream.window(1.0, calls=5) == int(104 * (5 * 1.0 + 5 * 0.5) / 10 + 4)


def test_a_fixed_limit_never_moves() -> None:
    """Minimum and maximum alike mean a limit that nothing is learned for."""
    upstream = Upstream(initial=None, minimum=7, maximum=7)
    assert {upstream.window(duration) for duration in (1.0, 9.0, 0.1, inf)} == {7}


def test_the_usual_duration_never_rises_under_demand() -> None:
    """Queueing that lasts does not become the usual: the limit stays down, though it dips once in a long window."""
    upstream = Upstream(headroom=4, tolerance=1.0)
    upstream.window(1.0)
    settled = list(upstream.windows(200, 1.25))[-1]
    assert settled == 20  # where a fifth of the limit is the headroom
    assert upstream.window(1.0) == 24


def test_the_usual_duration_rises_while_there_is_little_demand() -> None:
    """Slowness that our calls did not cause is learned within the long window."""
    upstream = Upstream(headroom=4, long_window=100.0)
    upstream.window(1.0)
    for _ in range(300):
        upstream.window(2.0, in_flight=10)
    assert upstream.window(1.9) == 108


def test_the_first_windows_are_averaged_evenly() -> None:
    """Nine windows of 1 s and one of 2 s are 1.1 s: what takes longer than that shrinks the limit, and nothing else."""
    results = []
    for duration in (1.09, 1.11):
        upstream = Upstream(headroom=0.001, long_window=1_000_000.0)
        for number in range(10):
            upstream.window(2.0 if number == 4 else 1.0, in_flight=10)
        results.append(upstream.window(duration))
    assert results == [100, 99]


def test_after_the_first_windows_the_mean_fades_with_the_long_window() -> None:
    """From ten windows on a window weighs a tenth at least, or its part of the long window."""
    upstream = Upstream(headroom=0.001, long_window=2.0)
    for _ in range(12):
        upstream.window(1.0, in_flight=10)
    upstream.window(1.4, in_flight=10)  # of 1 s: half of the long window
    assert upstream.window(1.19) == 100
    assert upstream.window(1.23) < 100


def test_a_usual_duration_that_is_far_too_long_fades_quickly() -> None:
    """After a slow time that was learned, quick calls bring the usual duration down ahead of the mean."""
    upstream = Upstream(headroom=4, long_window=1_000_000.0)
    for _ in range(10):
        upstream.window(10.0, in_flight=10)
    for _ in range(20):
        upstream.window(1.0, in_flight=10)
    assert upstream.window(2.5) < 104


@pytest.mark.parametrize(("quick", "limit"), [(1.05, 100), (0.8, 94)])
def test_only_a_usual_duration_of_over_twice_the_present_one_fades(quick: float, limit: int) -> None:
    """Ten windows of 2 s and a quick one are about 1.9 s; only the quicker one takes a tenth more off that."""
    upstream = Upstream(headroom=0.001, long_window=1_000_000.0)
    for _ in range(10):
        upstream.window(2.0, in_flight=10)
    upstream.window(quick, in_flight=10)
    assert upstream.window(1.8) == limit


def dipping() -> Upstream:
    """Return an upstream whose limit of 60 or so has just dipped, because it was slow for the long window."""
    upstream = Upstream(headroom=30, tolerance=1.0, long_window=100.0)
    upstream.window(1.0)
    while upstream.window(2.0) >= 40:
        pass
    return upstream


def test_calls_that_stay_slow_make_the_limit_dip() -> None:
    """It falls to half of itself, at a tolerance of 1, once a long window has passed since durations were known."""
    upstream = Upstream(headroom=30, tolerance=1.0, long_window=100.0)
    upstream.window(1.0)
    known = upstream.now
    limits = []
    while upstream.now < known + 100.0:
        limits.append(upstream.window(2.0))
    assert limits[-2] == 60
    assert limits[-1] == 30


@pytest.mark.parametrize(("calm", "grows"), [(2.0, True), (1.0, False)])
def test_a_dip_tells_overload_from_change(calm: float, *, grows: bool) -> None:
    """If fewer calls are as slow, slow is the new usual and the limit grows; if they are quicker, it was overload."""
    upstream = dipping()
    upstream.window(2.0, in_flight=31, calls=1)
    upstream.now += 5.0
    before = upstream.window(calm, in_flight=30)
    assert before in (60, 61)
    assert (upstream.window(2.0) > before + 10) == grows


def test_the_usual_duration_after_a_dip_is_the_mean_in_the_calm() -> None:
    """Ten calls of 2 s: one of 2.5 s takes a fifth of the limit away, and the headroom is added."""
    upstream = dipping()
    upstream.limit.settle(upstream.now, 2.0, Verdict.SUCCESS, 31)
    upstream.now += 5.0
    before = upstream.window(2.0, in_flight=30)
    assert upstream.window(2.5) in (int(before * 0.8 + 30), int(before * 0.8 + 31))


def test_only_calls_that_began_in_the_calm_are_measured() -> None:
    """Calls let in before the dip were slowed down by the others; they do not count, nor do failures."""
    upstream = dipping()
    low = upstream.limit.limit
    assert upstream.window(0.1, in_flight=low + 2, calls=50) == low  # too many are still out
    assert upstream.window(60.0, in_flight=low + 1, calls=20) == low  # calm now, but they began before
    assert upstream.window(0.1, verdict=Verdict.FAILURE, in_flight=low, calls=20) == low
    assert upstream.window(inf, in_flight=low, calls=20) == low
    upstream.now += 1.0
    assert upstream.window(0.5, in_flight=low, calls=9) == low
    assert upstream.window(0.5, in_flight=low, calls=1) > low


def test_a_dip_ends_after_a_long_window_at_the_latest() -> None:
    """When nothing succeeds, the limit comes back all the same, and what was known of durations stays."""
    upstream = dipping()
    started, low = upstream.now, upstream.limit.limit
    while upstream.limit.limit == low:
        upstream.now += 5.0
        upstream.limit.settle(upstream.now, inf, Verdict.FAILURE, low)
    assert upstream.now - started == 100.0
    assert upstream.limit.limit in (60, 61)


def test_dips_take_a_tenth_of_the_time_at_most() -> None:
    """A dip that took long is followed by ten times as long without one."""
    upstream = dipping()
    started, low = upstream.now, upstream.limit.limit
    upstream.now += 50.0
    upstream.limit.settle(upstream.now, 1.0, Verdict.SUCCESS, low)
    upstream.now += 1.0
    upstream.window(1.0, in_flight=low)
    ended = upstream.now
    while upstream.window(4.0) != low:
        pass
    assert 10 * (ended - started) <= upstream.now - ended <= 10 * (ended - started) + 2.0


def test_a_dip_never_leaves_the_minimum() -> None:
    """At the minimum there is nothing to dip to: durations are measured there."""
    upstream = Upstream(initial=None, minimum=40, maximum=41, headroom=4, tolerance=1.0, long_window=100.0)
    upstream.window(1.0)
    assert set(upstream.windows(300, 2.0)) <= {40, 41}


def test_new_options_keep_what_was_learned_within_the_new_bounds() -> None:
    """Live reconfiguration clamps the limit and goes by the usual duration as before."""
    upstream = Upstream()
    upstream.window(1.0)
    upstream.window(9.0, calls=9)
    upstream.limit.reconfigure(Shedding(maximum=50, smoothing=1.0, tolerance=1.0, headroom=4))
    assert upstream.limit.limit == 50
    assert upstream.window(2.0, calls=9) == 50
    upstream.limit.reconfigure(Shedding(maximum=50, smoothing=1.0, tolerance=1.0, headroom=4))
    assert upstream.window(2.0) == 50 / 2 + 4
    assert max(upstream.windows(20, 1.0)) == 50
    upstream.limit.reconfigure(Shedding(minimum=80, smoothing=1.0))
    assert upstream.limit.limit == 80


def test_new_options_end_a_dip() -> None:
    """A dip by the old options is not gone on with; the next slow window may ask for another."""
    upstream = dipping()
    low = upstream.limit.limit
    upstream.limit.reconfigure(Shedding(smoothing=1.0, tolerance=1.0, headroom=30))
    assert upstream.limit.limit > low
    assert upstream.window(2.0) == low
