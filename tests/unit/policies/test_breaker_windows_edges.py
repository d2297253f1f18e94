"""The closed windows at their edges: what leaves a window, when a rate begins to count, when the edge is passed."""

from math import inf

import pytest

from switchgear.core.outcome import Verdict
from switchgear.policies.breaker.evidence import TENANTS_MAX, Evidence
from switchgear.policies.breaker.windows import (
    ClosedPhase,
    ConsecutiveWindow,
    CountWindow,
    Rates,
    Thresholds,
    TimeWindow,
    window_for,
)

GOOD, BAD, NOTHING = Verdict.SUCCESS, Verdict.FAILURE, Verdict.IGNORED
ROW = Thresholds(failures=2)
LAST = Thresholds(failure_rate=0.5, slow_rate=0.75, slow_after=1.0, minimum_calls=4, window_calls=4)
TIME = Thresholds(failure_rate=0.5, slow_rate=0.75, slow_after=1.0, minimum_calls=4, bucket_seconds=2.0, buckets=3)


def test_the_thresholds_say_which_window() -> None:
    """Buckets mean time, calls mean calls, neither means a row; each starts empty in its generation."""
    for thresholds, kind in ((ROW, ConsecutiveWindow), (LAST, CountWindow), (TIME, TimeWindow)):
        window = window_for(thresholds, 7)
        assert type(window) is kind
        assert (window.generation, window.hits, window.blocked) == (7, 0, 0)
        assert window.rates(5.0) == Rates(0, 0, 0)


@pytest.mark.parametrize("thresholds", [ROW, LAST, TIME])
def test_a_closed_window_lets_every_call_in(thresholds: Thresholds) -> None:
    """Time alone changes nothing, and there is nothing to wait for."""
    window = window_for(thresholds, 0)
    assert window.state(5.0) == "closed"
    assert window.due(5.0) is None
    assert window.admit(5.0) is None
    assert window.retry_after(5.0) == 0.0


def test_what_all_closed_phases_share_passes_its_edge_at_once() -> None:
    """Unless a window says otherwise, every outcome is judged."""
    assert ClosedPhase(ROW, 0).edge == -inf


def test_a_row_is_ended_by_success_only() -> None:
    """An ignored call neither adds to the row nor ends it; the edge is passed while there is one."""
    window = ConsecutiveWindow(ROW, 0)
    assert window.edge == inf
    assert window.settle(BAD, 0.0, 0.0) is None
    assert (window.edge, window.rates(0.0)) == (-inf, Rates(1, 1, 0))
    assert window.settle(NOTHING, 0.0, 0.0) is None
    assert window.failed == 1
    assert window.settle(GOOD, 0.0, 0.0) is None
    assert (window.edge, window.failed) == (inf, 0)
    assert window.settle(BAD, 0.0, 0.0) is None
    assert window.settle(BAD, 0.0, 0.0) == "trip"
    assert window.settle(BAD, 0.0, 0.0) == "trip"


def test_a_full_ring_forgets_the_oldest_call_whatever_it_was() -> None:
    """Failed and slow are counted apart, and each call leaves with all that it was counted for."""
    window = CountWindow(LAST, 0)
    for verdict, duration in ((BAD, 0.0), (GOOD, 2.0), (BAD, 2.0), (GOOD, 1.0)):
        window.settle(verdict, duration, 0.0)
    assert window.rates(0.0) == Rates(4, 2, 2)
    assert window.settle(NOTHING, 9.0, 0.0) is None
    expected = [Rates(4, 1, 2), Rates(4, 1, 1), Rates(4, 0, 0), Rates(4, 0, 0), Rates(4, 0, 0)]
    for rates in expected:
        window.settle(GOOD, 0.0, 0.0)
        assert window.rates(0.0) == rates
    window.settle(BAD, 2.0, 0.0)
    for _ in range(4):
        assert window.rates(0.0) == Rates(4, 1, 1)
        window.settle(GOOD, 0.0, 0.0)
    assert window.rates(0.0) == Rates(4, 0, 0)


@pytest.mark.parametrize("thresholds", [LAST, TIME])
def test_a_rate_counts_from_the_minimum_of_calls_on(thresholds: Thresholds) -> None:
    """Three bad calls of three are nothing; of four they are enough. At the threshold is enough."""
    window = window_for(thresholds, 0)
    assert [window.settle(BAD, 0.0, 0.0) for _ in range(4)] == [None, None, None, "trip"]
    window = window_for(thresholds, 0)
    moves = [window.settle(verdict, 0.0, 0.0) for verdict in (BAD, GOOD, GOOD, GOOD)]
    assert moves == [None] * 4
    window = window_for(thresholds, 0)
    assert [window.settle(verdict, 0.0, 0.0) for verdict in (BAD, BAD, GOOD, GOOD)] == [None, None, None, "trip"]


@pytest.mark.parametrize("thresholds", [LAST, TIME])
def test_slow_means_longer_and_not_as_long(thresholds: Thresholds) -> None:
    """Exactly `slow_after` is not slow; a failure may be slow as well."""
    window = window_for(thresholds, 0)
    assert [window.settle(GOOD, 1.0, 0.0) for _ in range(4)] == [None] * 4
    assert window.rates(0.0) == Rates(4, 0, 0)
    window = window_for(thresholds, 0)
    assert [window.settle(GOOD, 1.1, 0.0) for _ in range(4)] == [None, None, None, "trip"]
    window = window_for(thresholds, 0)
    window.settle(BAD, 1.1, 0.0)
    assert window.rates(0.0) == Rates(1, 1, 1)


def test_a_bucket_ends_at_its_end_and_leaves_as_a_whole() -> None:
    """Three buckets of two seconds: a call of second 0 is forgotten at second 6, one of second 2 at second 8."""
    window = TimeWindow(TIME, 0)
    window.settle(BAD, 0.0, 0.0)
    window.settle(GOOD, 2.0, 1.9)
    window.settle(BAD, 2.0, 2.0)
    window.settle(NOTHING, 9.0, 2.0)
    for now, rates in ((5.9, Rates(3, 2, 2)), (6.0, Rates(1, 1, 1)), (7.9, Rates(1, 1, 1)), (8.0, Rates(0, 0, 0))):
        assert window.rates(now) == rates
    window.settle(GOOD, 0.0, 6.0)
    assert window.rates(6.0) == Rates(2, 1, 1)
    window.settle(GOOD, 0.0, 8.0)
    assert window.rates(8.0) == Rates(2, 0, 0)
    assert window.rates(12.0) == Rates(1, 0, 0)


def test_what_left_the_window_takes_no_part_in_the_rate() -> None:
    """Failures and slow calls of forgotten buckets do not trip, and good ones do not dilute."""
    window = TimeWindow(TIME, 0)
    for _ in range(3):
        window.settle(BAD, 2.0, 0.0)
    assert [window.settle(GOOD, 0.0, 6.0) for _ in range(5)] == [None] * 5
    for now in (12.0, 14.0, 16.0):
        window.settle(GOOD, 0.0, now)
    assert window.settle(BAD, 0.0, 16.0) is None
    assert window.settle(BAD, 0.0, 18.0) == "trip"


def test_several_buckets_are_forgotten_together_and_no_more_than_those() -> None:
    """After a pause the old ones go, and the one that is still in the window stays."""
    window = TimeWindow(TIME, 0)
    for now in (0.0, 2.0, 4.0):
        window.settle(BAD if now else GOOD, 2.0, now)
    window.settle(GOOD, 0.0, 8.0)
    assert window.rates(8.0) == Rates(2, 1, 1)
    assert window.settle(GOOD, 0.0, 8.5) is None
    assert window.settle(BAD, 0.0, 9.0) == "trip"
    window.settle(GOOD, 0.0, 10.0)
    assert window.rates(10.0) == Rates(4, 1, 0)


def test_the_edge_is_the_end_of_the_bucket_while_nothing_can_trip() -> None:
    """A driver adds good calls by itself before the edge; with bad calls below the minimum each call is judged."""
    window = TimeWindow(TIME, 0)
    assert window.edge == -inf
    window.settle(GOOD, 0.0, 5.0)
    assert (window.edge, window.hits) == (6.0, 1)
    window.settle(BAD, 0.0, 5.0)
    assert window.edge == -inf
    window.settle(GOOD, 0.0, 5.0)
    window.settle(GOOD, 0.0, 5.0)
    assert (window.edge, window.hits) == (6.0, 4)
    slow = TimeWindow(TIME, 0)
    slow.settle(GOOD, 2.0, 5.0)
    assert slow.edge == -inf


def test_calls_that_a_driver_added_count_like_any_other() -> None:
    """They are in the running bucket, move with it into the past, and are forgotten with it."""
    window = TimeWindow(TIME, 0)
    window.settle(GOOD, 0.0, 0.0)
    window.hits += 5
    assert window.rates(0.0) == Rates(6, 0, 0)
    window.settle(BAD, 0.0, 2.0)
    assert window.rates(2.0) == Rates(7, 1, 0)
    assert [window.settle(BAD, 0.0, 6.0) for _ in range(3)] == [None, None, "trip"]


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        (ROW, Thresholds(failures=3), True),
        (ROW, LAST, False),
        (LAST, ROW, False),
        (LAST, Thresholds(failure_rate=0.9, minimum_calls=2, window_calls=4), True),
        (LAST, Thresholds(failure_rate=0.5, minimum_calls=4, window_calls=5), False),
        (TIME, Thresholds(failure_rate=0.9, minimum_calls=2, bucket_seconds=2.0, buckets=9), True),
        (TIME, Thresholds(failure_rate=0.5, minimum_calls=4, bucket_seconds=1.0, buckets=3), False),
        (TIME, LAST, False),
    ],
)
def test_a_window_of_the_same_kind_and_grain_goes_on(before: Thresholds, after: Thresholds, goes_on: bool) -> None:  # noqa: FBT001 - a column
    """What is remembered is kept where it means the same; else an empty window begins, in the next generation."""
    window = window_for(before, 4)
    window.settle(BAD, 0.0, 0.0)
    window.hits += 1 if before is TIME else 0
    under = window.under(after)
    assert (under is window) is goes_on
    assert under.generation == (4 if goes_on else 5)
    assert (under.rates(0.0).failed == 1) is goes_on
    if goes_on:
        assert under.edge == -inf


@pytest.mark.parametrize("thresholds", [ROW, TIME])
def test_the_first_outcome_under_other_thresholds_is_judged(thresholds: Thresholds) -> None:
    """A driver may not add it by itself, though nothing bad is remembered."""
    window = window_for(thresholds, 0)
    window.settle(GOOD, 0.0, 0.0)
    assert window.edge > 0.0
    assert window.under(thresholds).edge == -inf


def test_a_window_that_goes_on_is_judged_by_the_new_thresholds() -> None:
    """At the next outcome, whatever that is."""
    window = window_for(LAST, 0)
    for _ in range(3):
        window.settle(BAD, 0.0, 0.0)
    under = window.under(Thresholds(failure_rate=0.5, minimum_calls=2, window_calls=4))
    assert under.settle(GOOD, 0.0, 0.0) == "trip"
    row = window_for(ROW, 0)
    row.settle(BAD, 0.0, 0.0)
    assert row.under(Thresholds(failures=3)).settle(BAD, 0.0, 0.0) is None


def test_rates_are_over_all_calls_of_the_window() -> None:
    """Either rate is enough, and one below its threshold is not."""
    thresholds = Thresholds(failure_rate=0.5, slow_rate=0.25)
    assert thresholds.exceeded(4, 2, 0) is True
    assert thresholds.exceeded(4, 0, 1) is True
    assert thresholds.exceeded(5, 2, 1) is False


def test_evidence_is_as_old_as_it_is_asked_for() -> None:
    """A call exactly so long ago is too old; ignored calls say nothing; calls without a tenant are one tenant's."""
    evidence = Evidence(10.0)
    evidence.hear("a", BAD, 0.0)
    evidence.hear("b", GOOD, 0.0)
    assert evidence.suffices(2, 9.9) is False
    assert evidence.suffices(1, 9.9) is True
    assert evidence.suffices(2, 10.0) is True
    evidence.hear("a", BAD, 20.0)
    evidence.hear("b", NOTHING, 20.0)
    evidence.hear("c", NOTHING, 20.0)
    assert evidence.suffices(2, 20.0) is True
    evidence.hear(None, GOOD, 20.0)
    assert evidence.suffices(2, 20.0) is False
    evidence.hear(None, BAD, 20.0)
    assert evidence.suffices(2, 20.0) is True
    assert evidence.suffices(3, 20.0) is True


def test_a_failure_of_long_ago_is_no_evidence_against_a_tenant_of_now() -> None:
    """Exactly as long ago as is looked back is too long ago, for failures as for calls."""
    evidence = Evidence(10.0)
    evidence.hear("a", BAD, 0.0)
    evidence.hear("b", GOOD, 5.0)
    assert evidence.suffices(1, 9.9) is True
    assert evidence.suffices(1, 10.0) is False


def test_a_tenant_that_is_heard_again_pushes_nobody_out() -> None:
    """Only one that is new does, and then there are a thousand as before."""
    evidence = Evidence(1e9)
    evidence.hear("good", GOOD, 1.0)
    for number in range(TENANTS_MAX - 1):
        evidence.hear(f"t{number}", BAD, 1.0)
    evidence.hear("t5", BAD, 2.0)
    assert evidence.suffices(TENANTS_MAX, 2.0) is False
    evidence.hear("new", BAD, 3.0)
    assert evidence.suffices(2 * TENANTS_MAX, 3.0) is True


def test_evidence_of_a_thousand_tenants_is_the_most() -> None:
    """The one heard of longest ago is forgotten, and not the one that called first."""
    assert TENANTS_MAX == 1_000
    evidence = Evidence(1e9)
    evidence.hear("old", GOOD, 1.0)
    evidence.hear("first", GOOD, 1.0)
    for number in range(TENANTS_MAX - 2):
        evidence.hear(f"t{number}", BAD, 2.0)
    assert evidence.suffices(TENANTS_MAX, 2.0) is False
    evidence.hear("old", GOOD, 3.0)
    evidence.hear("new", BAD, 3.0)
    assert evidence.suffices(TENANTS_MAX, 3.0) is False
    evidence.hear("newer", BAD, 3.0)
    evidence.hear("old", BAD, 3.0)
    assert evidence.suffices(TENANTS_MAX, 3.0) is True
