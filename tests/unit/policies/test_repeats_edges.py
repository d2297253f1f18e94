"""Retries, their budget, hedges and fallbacks at their edges."""

import time
from datetime import UTC, datetime
from email.utils import format_datetime
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.errors import DeadlineExceeded, InDoubt, NotApplied, RateLimited, RetryExhausted
from switchgear.policies.checks import MISSING
from switchgear.policies.errors import matches, names_exactly, require_filter
from switchgear.policies.fallback import Fallback
from switchgear.policies.hedge import Hedge, HedgeMachine
from switchgear.policies.hints import hint_of
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget, RetryBudgetMachine


class Answered(Exception):
    """An error that says when to come back."""

    def __init__(self, retry_after: object = None, *, headers: object = None) -> None:
        """Carry the hint where a client would."""
        self.retry_after = retry_after
        self.response = type("Response", (), {"headers": headers})()


# -- Which errors --------------------------------------------------------------------------------------------


def test_a_filter_is_a_class_some_classes_or_a_question() -> None:
    """Each of them means what it says; none means nothing."""
    error = ConnectionError("gone")
    meant: list[Any] = [OSError, (ValueError, OSError), lambda found: "gone" in str(found)]
    for which in meant:
        require_filter("Retry(on)", which)
        assert matches(which, error) is True
    others: list[Any] = [ValueError, (ValueError,), lambda _: [], None]
    for which in others:
        assert matches(which, error) is False


def test_naming_exactly_is_naming_the_very_class() -> None:
    """A parent does not name its children, nor does a question."""
    error = ConnectionError()
    assert names_exactly(ConnectionError, error) is True
    assert names_exactly((ValueError, ConnectionError), error) is True
    for which in (OSError, (OSError,), matches, None):
        assert names_exactly(which, error) is False  # type: ignore[arg-type]  # any question will do


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (OSError(), True),
        (ConnectionError(), True),
        (TimeoutError(), False),
        (ValueError(), False),
        (KeyboardInterrupt(), False),
        (RateLimited(), False),
        (RetryExhausted(attempts=1), False),
        (DeadlineExceeded(sent=True), False),
        (NotApplied(), True),
    ],
)
def test_only_what_is_named_and_not_ignored_is_retried(error: BaseException, *, retried: bool) -> None:
    """Cancellation and refusals never; errors of ours only by their very class; an inner timeout like any error."""
    retry = Retry(on=(OSError, NotApplied, RateLimited), ignore=TimeoutError)
    assert retry.retries(error) is retried
    everything = Retry(on=Exception)
    assert everything.retries(DeadlineExceeded(sent=True)) is True
    assert everything.retries(RetryExhausted(attempts=1)) is False
    assert Retry(on=RetryExhausted).retries(RetryExhausted(attempts=1)) is True


# -- How long ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "repeat", "draw", "previous", "seconds"),
    [
        ("exponential", 1, 0.9, 0.0, 1.0),
        ("exponential", 2, 0.9, 0.0, 2.0),
        ("exponential", 4, 0.9, 0.0, 8.0),
        ("exponential", 5, 0.9, 0.0, 10.0),
        ("exponential", 5_000, 0.9, 0.0, 10.0),
        ("full_jitter", 3, 0.0, 0.0, 0.0),
        ("full_jitter", 3, 0.5, 0.0, 2.0),
        ("full_jitter", 9, 0.5, 0.0, 5.0),
        ("equal_jitter", 3, 0.0, 0.0, 2.0),
        ("equal_jitter", 3, 0.5, 0.0, 3.0),
        ("decorrelated", 1, 0.5, 0.0, 1.0),
        ("decorrelated", 1, 0.5, 1.0, 2.0),
        ("decorrelated", 1, 0.0, 3.0, 1.0),
        ("decorrelated", 1, 0.5, 3.0, 5.0),
        ("decorrelated", 1, 0.99, 100.0, 10.0),
        ("constant", 7, 0.9, 5.0, 1.0),
    ],
)
def test_a_back_off_has_its_shape(backoff: Any, repeat: int, draw: float, previous: float, seconds: float) -> None:  # noqa: ANN401 - a column
    """From the base by doublings up to the cap, spread as the shape says."""
    retry = Retry(on=OSError, backoff=backoff, base=1.0, cap=10.0)
    assert retry.wait(repeat, draw, previous) == pytest.approx(seconds)


def test_waits_may_be_nothing_and_the_cap_may_be_the_base() -> None:
    """Zero seconds are allowed for base, cap and hint; a huge base never overflows."""
    assert Retry(on=OSError, base=0, cap=0, hint_max=0).wait(3, 0.5, 0.0) == 0.0
    assert Retry(on=OSError, base=2.0, cap=2.0, backoff="exponential").wait(3, 0.5, 0.0) == 2.0
    assert Retry(on=OSError, base=1e300, cap=1e301, backoff="exponential").wait(2_000, 0.5, 0.0) == 1e301
    assert Retry(on=OSError, base=2.0**-1022, cap=1e9, backoff="exponential").wait(2_000, 0.5, 0.0) == 2.0
    assert Retry(on=OSError, budget=None).budget is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (OSError(), None),
        (Answered(2), 2.0),
        (Answered(0.5), 0.5),
        (Answered(-1), -1.0),
        (Answered(0, headers={"Retry-After": "9"}), 0.0),
        (Answered(inf), inf),
        (Answered(10**400), inf),
        (Answered(-(10**400)), -inf),
        (Answered(nan), None),
        (Answered("3"), 3.0),
        (Answered([3]), None),
        (Answered(headers={"Retry-After": "4"}), 4.0),
        (Answered(headers={"retry-after": "5"}), 5.0),
        (Answered(headers={"Retry-After": "", "retry-after": "6"}), 6.0),
        (Answered(headers={"Retry-After": "-1"}), -1.0),
        (Answered(headers={"Retry-After": "nan"}), None),
        (Answered(headers={"Retry-After": "soon"}), None),
        (Answered(headers={"Retry-After": "Mon, 99 Nov 2026 00:00:00 GMT"}), None),
        (Answered(headers={"Retry-After": format_datetime(datetime.fromtimestamp(1_030, UTC), usegmt=True)}), 30.0),
        (Answered(headers={"Retry-After": format_datetime(datetime.fromtimestamp(970, UTC), usegmt=True)}), 0.0),
        (Answered(headers={}), None),
        (Answered(headers=[("Retry-After", "4")]), None),
    ],
)
def test_a_hint_is_seconds_or_a_date(error: BaseException, seconds: float | None) -> None:
    """Of the error itself, else of its response's header, whatever its case; what cannot be read says nothing."""
    assert hint_of(error, 1_000.0) == seconds


def test_a_date_without_a_zone_is_never_read_in_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP dates are in UTC; read in local time, a hint would be hours away, or over."""
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "JST-9")
            time.tzset()
            assert hint_of(Answered(headers={"Retry-After": "Thu, 01 Jan 1970 00:17:10 -0000"}), 1_000.0) == 30.0
    finally:
        time.tzset()


# -- The budget ----------------------------------------------------------------------------------------------


def test_a_budget_that_can_allow_one_repeat_is_taken() -> None:
    """Exactly one in a window is enough, and so is a ratio alone."""
    assert RetryBudget(ratio=0, floor=0.1, window=10.0).floor == 0.1
    assert RetryBudget(ratio=0.1, floor=0).ratio == 0.1


def test_costs_may_be_a_mapping_or_pairs() -> None:
    """Both are kept as pairs; 0 is free and infinity means never."""
    assert RetryBudget(costs={OSError: 0, ValueError: inf}).costs == ((OSError, 0), (ValueError, inf))
    assert RetryBudget(costs=[(OSError, 2)]).costs == ((OSError, 2),)
    machine = RetryBudgetMachine(RetryBudget(costs={OSError: 0, ConnectionError: 3.0, ValueError: inf}))
    costs = [machine.cost_of(error) for error in (OSError(), ConnectionResetError(), ValueError(), KeyError())]
    assert costs == [0, 3.0, inf, 1.0]
    assert machine.withdraw(0.0, 0, 0) is True
    assert machine.withdraw(0.0, 0, inf) is False


def test_the_floor_is_there_without_calls_and_comes_back_after_the_window() -> None:
    """As many as the floor says in a window, not one more, and again when the first has left the window."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0.0, floor=0.2, window=10.0))
    assert machine.balance(0.0, 0) == 2.0
    assert [machine.withdraw(0.0, 0) for _ in range(3)] == [True, True, False]
    assert (machine.balance(0.0, 0), machine.is_clean(0.0)) == (0.0, False)
    assert machine.withdraw(9.9, 0) is False
    assert (machine.balance(10.0, 0), machine.is_clean(10.0)) == (2.0, True)
    assert machine.withdraw(10.0, 0) is True


def test_what_lies_a_rounding_above_the_balance_is_at_it() -> None:
    """A billionth of a repeat is no reason to refuse one; more than that is."""
    for more, taken in ((1e-9, True), (2e-9, False)):
        machine = RetryBudgetMachine(RetryBudget(ratio=0.0, floor=0.2, window=10.0))
        assert machine.withdraw(0.0, 0, 2.0 + more) is taken


def test_calls_earn_their_share_for_a_window() -> None:
    """Five calls earn a repeat; a window later they have earned nothing; calls before the start never do."""
    options = RetryBudget(ratio=0.2, floor=0.0, window=10.0)
    machine = RetryBudgetMachine(options, now=0.0, calls=100)
    assert machine.balance(0.0, 100) == 0.0
    assert machine.withdraw(1.0, 104) is False
    assert machine.withdraw(1.0, 105) is True
    assert machine.withdraw(1.0, 105) is False
    machine = RetryBudgetMachine(options, now=0.0, calls=0)
    machine.withdraw(1.0, 50, 0.0)
    assert machine.balance(1.0, 50) == pytest.approx(10.0)
    assert machine.balance(10.5, 50) == pytest.approx(5.0)
    assert machine.balance(11.0, 50) == 0.0


def test_calls_between_two_looks_are_spread_evenly() -> None:
    """Half the time between them ago, half of them count."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0.0, window=10.0))
    machine.withdraw(10.0, 0, 0.0)
    machine.withdraw(14.0, 40, 0.0)
    machine.withdraw(20.0, 40, 0.0)
    assert machine.balance(21.0, 40) == pytest.approx(30.0)
    assert machine.balance(22.0, 40) == pytest.approx(20.0)
    assert machine.balance(24.0, 40) == pytest.approx(0.0)


def test_an_older_look_counts_as_the_last() -> None:
    """Threads may bring a moment or a total that another has overtaken."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0.0, window=10.0))
    machine.withdraw(5.0, 3, 0.0)
    assert machine.balance(1.0, 1) == pytest.approx(3.0)
    assert machine.withdraw(1.0, 1) is True
    assert machine.balance(5.0, 3) == pytest.approx(2.0)
    assert machine.is_clean(14.5) is False


def test_looks_of_a_128th_of_the_window_are_kept_together() -> None:
    """So memory is bounded; a look exactly that much later begins anew; the first of all only marks the start."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0.0, floor=10.0, window=128.0), now=0.0)
    for now in (0.0, 0.5, 0.999, 1.0, 1.5):
        machine.withdraw(now, 0)
    steps = machine._steps  # noqa: SLF001 - how much is remembered shows in no other way
    assert [(step.began, step.ended, step.withdrawn) for step in steps] == [
        (0.0, 0.0, 0.0),
        (0.0, 0.999, 3.0),
        (1.0, 1.5, 2.0),
    ]
    for now in range(2, 1_000):
        machine.withdraw(float(now), 0, 0.0)
    assert len(machine._steps) <= 130  # noqa: SLF001 - as above


def test_other_options_keep_what_was_withdrawn() -> None:
    """Ratio, floor and costs change at once; what was taken stays taken."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0.0, floor=1.0, window=10.0))
    for _ in range(4):
        machine.withdraw(0.0, 0)
    machine.reconfigure(RetryBudget(ratio=0.0, floor=0.5, window=10.0, costs={OSError: 0.5}))
    assert machine.balance(0.0, 0) == 1.0
    assert machine.cost_of(OSError()) == 0.5


# -- Hedges --------------------------------------------------------------------------------------------------


def test_a_fixed_delay_learns_nothing() -> None:
    """It is what it is, whatever calls take."""
    machine = HedgeMachine(Hedge(after=0.2))
    machine.record(9.0)
    assert machine.delay(0.0) == 0.2


def test_a_percentile_needs_its_minimum_of_calls() -> None:
    """One fewer says nothing yet."""
    machine = HedgeMachine(Hedge(percentile=0.5, minimum_calls=3))
    machine.record(1.0)
    machine.record(1.0)
    assert machine.delay(0.0) is None
    machine.record(1.0)
    assert machine.delay(0.0) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        (Hedge(percentile=0.5, minimum_calls=1, minimum=2.0), 2.0),
        (Hedge(percentile=0.5, minimum_calls=1, maximum=0.5), 0.5),
        (Hedge(percentile=0.5, minimum_calls=1, minimum=0.5, maximum=0.5), 0.5),
        (Hedge(percentile=0.5, minimum_calls=1, minimum=0), 1.0),
    ],
)
def test_a_percentile_stays_within_its_bounds(options: Hedge, seconds: float) -> None:
    """Not below the minimum, not above the maximum, which may be the same."""
    machine = HedgeMachine(options)
    machine.record(1.0)
    assert machine.delay(0.0) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize(
    ("given", "seconds"), [(0.0, 1e-6), (-1.0, 1e-6), (1e-6, 1e-6), (3600.0, 3600.0), (9e9, 3600.0), (inf, 3600.0)]
)
def test_a_duration_is_known_between_a_microsecond_and_an_hour(given: float, seconds: float) -> None:
    """Whatever lies beyond counts as the nearest that is known."""
    machine = HedgeMachine(Hedge(percentile=0.5, minimum_calls=1))
    machine.record(given)
    assert machine.delay(0.0) == pytest.approx(seconds, rel=0.05)


def test_a_percentile_is_the_one_that_so_many_calls_did_not_exceed() -> None:
    """Of a hundred calls the 95th, exactly, and not the one after it."""
    for slow, seconds in ((5, 0.1), (6, 1.0)):
        machine = HedgeMachine(Hedge(percentile=0.95, minimum_calls=100))
        for _ in range(100 - slow):
            machine.record(0.1)
        for _ in range(slow):
            machine.record(1.0)
        assert machine.delay(0.0) == pytest.approx(seconds, rel=0.05)


def test_the_elder_calls_are_forgotten_when_the_younger_are_enough() -> None:
    """A window long and the minimum of calls; until both are there, all of them count."""
    machine = HedgeMachine(Hedge(percentile=0.5, minimum_calls=4, window=10.0))
    for _ in range(6):
        machine.record(1.0)
    assert machine.delay(100.0) == pytest.approx(1.0, rel=0.05)
    assert machine.delay(109.9) == pytest.approx(1.0, rel=0.05)
    assert machine.delay(110.0) == pytest.approx(1.0, rel=0.05)
    for _ in range(3):
        machine.record(0.01)
    assert machine.delay(120.0) == pytest.approx(1.0, rel=0.05)
    machine.record(0.01)
    assert machine.delay(120.0) == pytest.approx(0.01, rel=0.05)
    for _ in range(4):
        machine.record(5.0)
    assert machine.delay(129.9) == pytest.approx(0.01, rel=0.05)
    machine.record(5.0)
    assert machine.delay(130.0) == pytest.approx(5.0, rel=0.05)


def test_too_few_calls_stay_too_few_after_a_window() -> None:
    """A window that is over forgets nothing, and makes no calls of none."""
    machine = HedgeMachine(Hedge(percentile=0.5, minimum_calls=4, window=10.0))
    for _ in range(3):
        machine.record(1.0)
    assert [machine.delay(now) for now in (0.0, 10.0, 20.0)] == [None, None, None]
    machine.record(1.0)
    assert machine.delay(20.0) == pytest.approx(1.0, rel=0.05)


def test_what_is_known_of_calls_stays_under_another_percentile() -> None:
    """It is forgotten only when a fixed delay is asked for in between."""
    machine = HedgeMachine(Hedge(percentile=0.5, minimum_calls=1))
    machine.record(1.0)
    machine.reconfigure(Hedge(percentile=0.9, minimum_calls=1))
    assert machine.delay(0.0) == pytest.approx(1.0, rel=0.05)
    machine.reconfigure(Hedge(after=0.3))
    assert machine.delay(0.0) == 0.3
    machine.reconfigure(Hedge(percentile=0.9, minimum_calls=1))
    assert machine.delay(0.0) is None


@pytest.mark.parametrize(
    ("error", "starts"),
    [(OSError(), True), (ValueError(), False), (RateLimited(), False), (KeyboardInterrupt(), False)],
)
def test_a_failure_that_is_named_starts_the_next_copy(error: BaseException, *, starts: bool) -> None:
    """Cancellation and refusals of ours never do, even if everything is named."""
    assert Hedge(after=1.0, on=OSError).starts_next(error) is starts
    assert Hedge(after=1.0, on=BaseException).starts_next(error) is isinstance(error, (OSError, ValueError))
    assert Hedge(after=1.0).starts_next(error) is False


def test_a_hedge_takes_up_to_five_copies() -> None:
    """Five are allowed, and any share below 1 is a percentile."""
    assert Hedge(after=1.0, attempts=5).attempts == 5
    assert Hedge(percentile=0.999).percentile == 0.999


# -- Fallbacks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fallback", "error", "applies"),
    [
        (Fallback(value=1), OSError(), True),
        (Fallback(value=1), RateLimited(), True),
        (Fallback(value=1), KeyboardInterrupt(), False),
        (Fallback(value=1, on=BaseException), KeyboardInterrupt(), False),
        (Fallback(value=1, on=ValueError), OSError(), False),
        (Fallback(value=1, ignore=OSError), ConnectionError(), False),
        (Fallback(value=1), InDoubt(), False),
        (Fallback(value=1, on=InDoubt), InDoubt(), True),
        (Fallback(value=1, on=(OSError, InDoubt)), InDoubt(), True),
        (Fallback(value=1, on=InDoubt, ignore=InDoubt), InDoubt(), False),
    ],
)
def test_a_fallback_answers_for_what_it_means(fallback: Fallback, error: BaseException, *, applies: bool) -> None:
    """Never for what is no Exception, never for doubt unless it is named, never for what is ignored."""
    assert fallback.applies(error) is applies


def test_a_value_that_is_none_is_a_value() -> None:
    """What was not given is something else than None."""
    assert Fallback(value=None).value is None
    assert Fallback(function=print).value is MISSING
