"""Client throttling: the formula, who goes first, what counts, and how it is forgotten."""

from itertools import pairwise

import pytest

from switchgear.core.outcome import Verdict
from switchgear.policies.places import PRIORITIES, Priority
from switchgear.policies.shedding.throttling import Throttle

NEVER, ALWAYS = 0.999_999, 0.0


def throttle(successes: int, failures: int, factor: float = 2.0) -> Throttle:
    """Return a throttle that has seen so many calls end at second 1,000."""
    made = Throttle(factor, 120.0)
    for verdict, count in ((Verdict.SUCCESS, successes), (Verdict.FAILURE, failures)):
        for _ in range(count):
            made.settle(1_000.0, verdict)
    return made


@pytest.mark.parametrize(
    ("successes", "failures", "factor", "share"),
    [
        (0, 0, 2.0, 0.0),
        (10, 0, 2.0, 0.0),
        (10, 10, 2.0, 0.0),
        (10, 11, 2.0, 1 / 22),
        (10, 30, 2.0, 20 / 41),
        (0, 10, 2.0, 10 / 11),
        (0, 1, 2.0, 1 / 2),
        (10, 30, 1.1, 29 / 41),
    ],
)
def test_the_share_to_turn_away_is_that_of_the_book(successes: int, failures: int, factor: float, share: float) -> None:
    """max(0, (requests - K * accepts) / (requests + 1))."""
    assert throttle(successes, failures, factor).share(1_000.0) == pytest.approx(share)


def test_the_draw_decides() -> None:
    """A call is turned away when the draw lies below the share, and at no other."""
    assert throttle(10, 30).turns_away(1_000.0, "critical", 20 / 41 - 0.001)
    assert not throttle(10, 30).turns_away(1_000.0, "critical", 20 / 41)


def test_what_is_turned_away_here_is_asked_for() -> None:
    """Calls held back count as requests, so that the share goes up while they keep coming."""
    held = throttle(10, 30)
    held.turns_away(1_000.0, "critical", ALWAYS)
    assert held.share(1_000.0) == pytest.approx(21 / 42)
    held.turns_away(1_000.0, "critical", NEVER)
    assert held.share(1_000.0) == pytest.approx(21 / 42)


def test_ignored_calls_say_nothing() -> None:
    """A caller that went away is neither request nor accept."""
    quiet = throttle(10, 30)
    quiet.settle(1_000.0, Verdict.IGNORED)
    assert quiet.share(1_000.0) == pytest.approx(20 / 41)


def test_calls_that_have_not_ended_are_not_held_against_their_kind() -> None:
    """A first burst, all of it in flight, is let out as a whole."""
    burst = Throttle(2.0, 120.0)
    assert not any(burst.turns_away(1_000.0, "critical", ALWAYS) for _ in range(1_000))


@pytest.mark.parametrize("asked", [("critical", "sheddable"), ("critical_plus", "critical"), PRIORITIES])
def test_the_lowest_class_goes_first(asked: tuple[Priority, ...]) -> None:
    """Of equal crowds a higher one loses calls only when every lower one loses all; in all, the share holds."""
    counts: dict[Priority, int] = dict.fromkeys(asked, 0)
    steps, successes, failures = 20, 3_000, 7_000
    for step in range(steps):
        crowd = throttle(successes, failures)
        for priority in asked:
            for _ in range(30):
                crowd.turns_away(1_000.0, priority, NEVER)
        for priority in asked:
            counts[priority] += crowd.turns_away(1_000.0, priority, step / steps)
    lost = [counts[priority] / steps for priority in reversed(asked)]
    assert sum(lost) / len(lost) == pytest.approx(0.4, abs=0.05)
    assert all(lower == 1.0 or higher == 0.0 for lower, higher in pairwise(lost))


def test_a_class_that_is_alone_is_never_held_back_wholly() -> None:
    """Whoever asks, some call gets through and finds out about the recovery."""
    for priority in PRIORITIES:
        down = throttle(0, 1_000)
        assert not all(down.turns_away(1_000.0, priority, NEVER) for _ in range(3))


def test_the_window_is_forgotten_piece_by_piece() -> None:
    """What happened is kept for two minutes, in twelfths, and then no longer counts."""
    kept = throttle(0, 10)
    kept.settle(1_060.0, Verdict.SUCCESS)
    assert kept.share(1_060.0) == pytest.approx(9 / 12)
    assert kept.share(1_119.9) == pytest.approx(9 / 12)
    assert kept.share(1_120.0) == 0.0
    kept.settle(1_175.0, Verdict.FAILURE)
    assert kept.share(1_175.0) == 0.0
    assert kept.share(1_180.0) == pytest.approx(1 / 2)


def test_a_long_silence_forgets_everything() -> None:
    """After a night without calls nothing is held against the dependency, and counting goes on."""
    slept = throttle(0, 10)
    assert slept.share(90_000.0) == 0.0
    slept.settle(90_000.0, Verdict.FAILURE)
    for later in range(0, 120, 10):
        assert slept.share(90_000.0 + later) == pytest.approx(1 / 2)
    assert slept.share(1e15) == 0.0


def test_asking_alone_forgets_what_has_left_the_window() -> None:
    """A dependency that nobody called for two minutes is asked again, whatever the draw."""
    assert throttle(0, 10).turns_away(1_119.9, "critical", ALWAYS)
    assert not throttle(0, 10).turns_away(1_120.0, "critical", ALWAYS)


def test_an_earlier_moment_counts_as_the_present_one() -> None:
    """Threads may arrive in another order than they read the clock."""
    crossed = throttle(0, 3)
    crossed.settle(900.0, Verdict.FAILURE)
    assert crossed.share(1_000.0) == pytest.approx(4 / 5)


def test_new_options_keep_the_counts() -> None:
    """Another K applies to what was counted; another window begins anew."""
    changed = throttle(10, 30)
    changed.reconfigure(1.1, 120.0)
    assert changed.share(1_000.0) == pytest.approx(29 / 41)
    changed.reconfigure(1.1, 60.0)
    assert changed.share(1_000.0) == 0.0
    assert changed.bucket_seconds == 5.0
