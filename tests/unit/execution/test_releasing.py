"""How fast what was held for a dependency goes on: tables under a clock that is a number."""

from __future__ import annotations

import pytest

from switchgear.execution.releasing import RATE, Releasing

HELD = "DESTRUCTIVE_BLOCKED"


def released(releasing: Releasing, now: float, *, code: str = HELD, waiting: int = 1_000) -> int:
    """Look once, and return how many of those that wait may go on."""
    releasing.look(now)
    return sum(releasing.may_go(code, ("redis",)) for _ in range(waiting))


def test_after_an_outage_it_begins_slowly_and_gets_up_to_speed() -> None:
    """10, 25, then 50 % of the rate, the whole of it after the ramp; one goes at once."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    counts = [released(releasing, float(second)) for second in range(15)]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert RATE.limit * 0.08 <= counts[1] <= RATE.limit * 0.12
    assert RATE.limit * 0.9 <= counts[-1] <= RATE.limit


def test_live_traffic_goes_first_and_starves_nobody() -> None:
    """While something waits for the same dependency, one held intent goes on in each look."""
    releasing = Releasing({"redis": 3}.__getitem__, lambda: 0.5)
    releasing.recovered("redis")
    assert [released(releasing, float(second)) for second in range(20)] == [1] * 20


@pytest.mark.parametrize("code", ["KILL_SWITCH_ACTIVE", "BUDGET_EXCEEDED", None])
def test_what_was_held_for_another_reason_is_not_slowed(code: str | None) -> None:
    """A switch that is released has nothing to do with the dependency."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    releasing.look(0.0)
    assert all(releasing.may_go(code, ("redis",)) for _ in range(100))


def test_another_dependency_is_not_slowed() -> None:
    """Only what has recovered is spared."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    releasing.look(0.0)
    assert all(releasing.may_go(HELD, ("crm",)) for _ in range(100))


def test_of_several_that_recovered_the_slowest_decides() -> None:
    """A place is taken of each, or of none."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("crm")
    for second in range(12):
        released(releasing, float(second))
    releasing.recovered("redis")
    releasing.look(12.0)
    assert [releasing.may_go(HELD, ("crm", "redis")) for _ in range(3)] == [True, False, False]


def test_an_outage_anew_begins_slowly_anew() -> None:
    """What flaps is not loaded at full rate because it once was."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    for second in range(15):
        released(releasing, float(second))
    releasing.recovered("redis")
    assert released(releasing, 15.0) == 1


def test_a_release_ends_when_nobody_asks_any_more() -> None:
    """Afterwards nothing is slowed, and nothing is kept."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    releasing.look(0.0)
    releasing.look(RATE.ramp + 1.0)
    assert released(releasing, RATE.ramp + 2.0) == 1_000


def test_a_pause_is_not_made_up_for() -> None:
    """A sweeper that stood still for an hour does not let everything go at once."""
    releasing = Releasing(lambda _: 0, lambda: 0.5)
    releasing.recovered("redis")
    released(releasing, 0.0)
    assert released(releasing, 3_600.0) <= RATE.limit
