"""RetryBudget as a table: what is earned, what is forgotten, what an error costs."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.retry_budget import RetryBudget, RetryBudgetMachine


def taken(machine: RetryBudgetMachine, now: float, calls: int, tries: int = 1000) -> int:
    """Return how many repeats of cost 1 are let through at once."""
    return sum(machine.withdraw(now, calls) for _ in range(tries))


def test_the_defaults_allow_a_fifth_of_the_calls_and_ten_a_second() -> None:
    """Ratio 0.2 and floor 10 over 10 seconds: 100 for nothing, and one for five calls."""
    machine = RetryBudgetMachine(RetryBudget())
    assert machine.balance(5.0, 0) == 100.0
    assert taken(machine, 5.0, 50) == 110


@pytest.mark.parametrize(
    ("ratio", "floor", "window", "calls", "allowed"),
    [
        (0.2, 0.0, 10.0, 0, 0),
        (0.2, 0.0, 10.0, 4, 0),
        (0.2, 0.0, 10.0, 5, 1),
        (0.1, 0.0, 10.0, 30, 3),
        (1.5, 0.0, 1.0, 4, 6),
        (0.0, 0.5, 2.0, 1000, 1),
        (0.0, 3.0, 2.0, 0, 6),
        (0.5, 3.0, 2.0, 10, 11),
    ],
)
def test_ratio_and_floor_add_up(ratio: float, floor: float, window: float, calls: int, allowed: int) -> None:
    """At the birth of the machine, everything counted so far lies inside the window."""
    machine = RetryBudgetMachine(RetryBudget(ratio=ratio, floor=floor, window=window))
    assert taken(machine, 0.5, calls) == allowed


def test_the_floor_lets_a_steady_trickle_through_for_ever() -> None:
    """Ten a second are always allowed, to the very last one, in each second, without any call."""
    machine = RetryBudgetMachine(RetryBudget())
    assert all(machine.withdraw(tenths / 10, 0) for tenths in range(1000))


def test_withdrawals_come_back_after_the_window_and_not_before() -> None:
    """What was taken at 3 s is missing until 13 s."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0, floor=0.2, window=10.0))
    assert taken(machine, 3.0, 0) == 2
    assert not machine.withdraw(12.999, 0)
    assert taken(machine, 13.1, 0) == 2


@pytest.mark.parametrize(
    ("now", "balance"),
    [(12.0, 100.0), (14.0, 80.0), (17.0, 50.0), (20.0, 20.0), (21.0, 10.0), (22.0, 0.0), (99.0, 0.0)],
)
def test_calls_age_evenly_since_the_look_before(now: float, balance: float) -> None:
    """80 calls between 2 s and 10 s and 20 more until 12 s were made at ten a second, as far as anybody knows."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    for time, calls in ((2.0, 0), (10.0, 80), (12.0, 100)):
        machine.withdraw(time, calls, 0.0)
    assert machine.balance(now, 100) == pytest.approx(balance)


def test_calls_of_a_long_silence_count_for_the_window_only() -> None:
    """A thousand calls in a hundred seconds are a hundred in the last ten."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    assert machine.balance(100.0, 1000) == pytest.approx(100.0)
    assert taken(machine, 100.0, 1000) == 100


def test_calls_before_the_birth_of_the_machine_count_for_nothing() -> None:
    """A budget that is given to a running member starts with the floor."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0.1, window=10.0), 500.0, 7000)
    assert machine.balance(500.0, 7000) == 1.0
    assert machine.balance(501.0, 7003) == pytest.approx(4.0)


def test_looks_close_to_each_other_are_kept_together() -> None:
    """A jump right after a look ages from that moment on, not over the quiet time before it."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    for now, calls in ((5.0, 0), (10.0, 0), (10.05, 1000)):
        machine.withdraw(now, calls, 0.0)
    assert machine.balance(15.0, 1000) == 1000.0
    assert machine.balance(20.0, 1000) == 0.0


def test_a_late_thread_sees_the_latest_look() -> None:
    """A second or a total from before the last look counts as that of the last look: nothing is earned twice."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    assert taken(machine, 5.0, 10) == 10
    assert not machine.withdraw(4.0, 8)
    assert machine.balance(4.0, 8) == 0.0
    assert taken(machine, 4.0, 12) == 2


def test_reading_the_balance_changes_nothing() -> None:
    """A balance read in between does not alter how the calls are spread."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    assert [machine.balance(10.0, 500), machine.balance(5.0, 500)] == [500.0, 500.0]
    machine.withdraw(10.0, 0, 0.0)
    assert machine.balance(19.0, 500) == 500.0


def test_the_balance_is_never_negative() -> None:
    """Repeats outlive the calls that paid for them; the debt is kept, and shown as nothing left."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=0, window=10.0))
    machine.withdraw(1.0, 10, 0.0)
    assert taken(machine, 9.0, 10) == 10
    assert machine.balance(12.0, 10) == 0.0
    assert machine.withdraw(12.0, 10, 0.0)
    assert not machine.withdraw(12.0, 15)


@pytest.mark.parametrize(
    ("cost", "times"), [(0.0, 1000), (0.1, 10), (0.5, 2), (1.0, 1), (1.0 + 1e-6, 0), (2.0, 0), (inf, 0)]
)
def test_a_cost_is_taken_as_a_whole_or_not_at_all(cost: float, times: int) -> None:
    """Free repeats always pass, repeats of infinite cost never, and the rest as often as it fits."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0, floor=0.1, window=10.0))
    assert sum(machine.withdraw(1.0, 0, cost) for _ in range(1000)) == times
    if times == 0:
        assert machine.balance(1.0, 0) == 1.0


@pytest.mark.parametrize("as_pairs", [False, True])
@pytest.mark.parametrize(
    ("error", "cost"),
    [
        (TimeoutError(), 3.0),
        (ConnectionResetError(), 0.0),
        (FileNotFoundError(), 2.0),
        (KeyError(), inf),
        (ValueError(), 1.0),
        (KeyboardInterrupt(), 1.0),
    ],
)
def test_the_nearest_class_named_sets_the_cost(error: BaseException, cost: float, *, as_pairs: bool) -> None:
    """The class itself, else its nearest parent, else 1; in whatever order the costs are written."""
    costs: Mapping[type[BaseException], float] = {OSError: 2, TimeoutError: 3, ConnectionError: 0, LookupError: inf}
    machine = RetryBudgetMachine(RetryBudget(costs=list(costs.items()) if as_pairs else costs))
    assert machine.cost_of(error) == cost


def test_without_costs_every_error_costs_one() -> None:
    """The default of a cost is 1."""
    assert RetryBudgetMachine(RetryBudget()).cost_of(OSError()) == 1.0


def test_options_do_not_follow_the_mapping_they_were_made_of() -> None:
    """Options are frozen: costs are copied, and equal options are equal and hash alike."""
    costs: dict[type[BaseException], float] = {OSError: 2.0}
    options = RetryBudget(costs=costs)
    costs[OSError] = 5.0
    assert options == RetryBudget(costs=((OSError, 2.0),))
    assert hash(options) == hash(RetryBudget(costs=((OSError, 2.0),)))
    assert RetryBudgetMachine(options).cost_of(OSError()) == 2.0


def test_a_machine_is_clean_when_the_window_has_forgotten_its_withdrawals() -> None:
    """A registry may forget a member whose budget a new one would equal."""
    machine = RetryBudgetMachine(RetryBudget(window=10.0))
    assert machine.is_clean(0.0)
    machine.withdraw(5.0, 0)
    assert not machine.is_clean(14.9)
    assert machine.is_clean(15.0)


def test_other_options_keep_what_was_withdrawn() -> None:
    """A budget that is changed while running goes on from where it stands, costs included."""
    machine = RetryBudgetMachine(RetryBudget(ratio=0, floor=1.0, window=10.0))
    assert taken(machine, 5.0, 0) == 10
    machine.reconfigure(RetryBudget(ratio=0, floor=1.5, window=10.0, costs={OSError: 4.0}))
    assert taken(machine, 6.0, 0) == 5
    assert machine.cost_of(OSError()) == 4.0
    machine.reconfigure(RetryBudget(ratio=0, floor=1.0, window=5.0))
    assert taken(machine, 10.0, 0) == 0
    assert machine.cost_of(OSError()) == 1.0
    assert taken(machine, 10.5, 0) == 0
    assert taken(machine, 11.0, 0) == 5


def test_a_window_that_the_clock_cannot_resolve_is_no_mishap() -> None:
    """Where now minus the window is now itself, nothing is remembered, and nothing breaks."""
    machine = RetryBudgetMachine(RetryBudget(ratio=1.0, floor=1e12, window=1e-12))
    for now in (1e7, 1e7, 2e7):
        assert machine.withdraw(now, 10)
        assert machine.balance(now, 10) == pytest.approx(1.0)


def test_memory_stays_bounded_however_often_it_is_asked() -> None:
    """A 128th of the window is the finest step that is kept."""
    machine = RetryBudgetMachine(RetryBudget(window=1.0))
    for number in range(20_000):
        machine.withdraw(number / 5000, number)
    assert len(machine._steps) <= 131  # noqa: SLF001 - the bound is the rule


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"ratio": -0.1}, r"RetryBudget\(ratio=0.2\)"),
        ({"ratio": nan}, r"RetryBudget\(ratio=0.2\)"),
        ({"floor": -1}, r"RetryBudget\(floor=10.0\)"),
        ({"floor": inf}, r"RetryBudget\(floor=10.0\)"),
        ({"window": 0}, r"RetryBudget\(window=10.0\)"),
        ({"window": "10"}, r"RetryBudget\(window=10.0\)"),
        ({"ratio": 0, "floor": 0}, r"RetryBudget\(ratio=0.2, floor=0, window=10.0\)"),
        ({"ratio": 0, "floor": 0.4, "window": 2.0}, r"RetryBudget\(ratio=0.2, floor=0.4, window=2.0\)"),
        ({"costs": {OSError: -1}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": {OSError: nan}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": {OSError: True}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": {OSError: "2"}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": {"OSError": 2.0}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": {int: 2.0}}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": (OSError, 2.0)}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": ((OSError, 2.0, 3.0),)}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": OSError}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": None}, r"costs=\{TimeoutError: 2.0\}"),
        ({"costs": ((OSError, 2.0), (OSError, 3.0))}, "names OSError twice"),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any], advice: str) -> None:
    """Each refusal names the option and says what to write instead."""
    with pytest.raises(OptionError, match=advice):
        RetryBudget(**options)


def test_options_are_frozen_slotted_and_keyword_only() -> None:
    """Options cannot change under a guard that uses them, take no misspelt name, and say what each value is."""
    options: Any = RetryBudget()
    with pytest.raises(FrozenInstanceError):
        options.ratio = 3.0
    assert not hasattr(options, "__dict__")
    with pytest.raises(TypeError):
        type(options)(0.2)
