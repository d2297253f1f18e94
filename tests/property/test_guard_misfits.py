"""Law of calls that do not fit their function: a guard that met them stands as one that never did.

The machines are the oracle: the twin makes the calls that fit, and those alone, by the general drivers.
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Rejected
from switchgear.guard import Statistics
from switchgear.guard.drivers import drive
from switchgear.testing import VirtualClock
from tests.effort import examples
from tests.unit.guard.ways import BLOCKING_WAYS, Way, work

STEPS = st.lists(st.tuples(st.sampled_from(("works", "fails", "does not fit")), st.sampled_from((0.0, 0.25, 2.0))))


def make() -> tuple[Guard, VirtualClock]:
    """Return a guard that soon says no, and comes back."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        breaker=Breaker(failures=2, cooldown=1.0, jitter=0.0),
        rate_limit=RateLimit(2, burst=4),
        bulkhead=Bulkhead(1),
        clock=clock,
    )
    return guard, clock


def told(guard: Guard) -> tuple[Any, ...]:
    """Return what guard and keys have counted, without refusals: a call that does not fit may be refused before."""
    told: Statistics = guard.totals()
    states = {each.state for each in (guard.statistics(), *guard.members())}
    return told.calls, told.successes, told.failures, told.ignored, told.in_flight, states - {"closed"}


@pytest.mark.parametrize("way", BLOCKING_WAYS.values(), ids=BLOCKING_WAYS)
@settings(max_examples=examples(10))
@given(steps=STEPS)
def test_calls_that_do_not_fit_change_nothing(way: Way, steps: list[tuple[str, float]]) -> None:
    """Whatever came before and comes after, in every way to make a call: the counts are those of the twin."""
    guard, clock = make()
    twin, other = make()
    call = way(guard)
    terms: Any = twin.using(cost=2.0 if way is BLOCKING_WAYS["called with terms"] else 1.0)
    for what, seconds in steps:
        clock.advance(seconds)
        other.advance(seconds)
        if what == "does not fit":
            with pytest.raises((TypeError, Rejected)):
                call()
            continue
        with suppress(OSError, Rejected):
            call(what == "fails")
        with suppress(OSError, Rejected):
            drive(terms._member, terms._terms, work, (what == "fails",), {})  # noqa: SLF001 - the oracle
        assert told(guard) == told(twin)
