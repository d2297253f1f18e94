"""Laws of the retry budget: its bound over any window, against all calls and repeats kept in plain lists."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from switchgear.policies.retry_budget import RetryBudget, RetryBudgetMachine
from tests.effort import examples

SLACK = 1e-6
EDGE = 2e-9  # seconds: the machine lets a withdrawal go that is a nanosecond short of the window
BUDGETS = st.builds(
    RetryBudget,
    ratio=st.sampled_from([0.1, 0.2, 0.5, 1.0, 2.0]),
    floor=st.sampled_from([0.0, 0.1, 1.0, 7.0]),
    window=st.sampled_from([0.5, 1.0, 10.0]),
)
PAUSES = st.one_of(st.just(0.0), st.floats(0, 0.02), st.floats(0, 2), st.floats(0, 30))
STORY = st.lists(st.tuples(PAUSES, st.integers(0, 60), st.integers(0, 25)), min_size=1, max_size=20)
"""Pauses in seconds, each with the calls and the attempted repeats that follow it."""


def told(
    budget: RetryBudget, story: list[tuple[float, int, int]], *, every_call: bool
) -> tuple[list[float], list[float], list[tuple[float, int]]]:
    """Live the story. Return the times of all calls, of the repeats let through, and the looks with what they saw."""
    machine, now = RetryBudgetMachine(budget), 0.0
    calls: list[float] = []
    repeats: list[float] = []
    looks = [(0.0, 0)]
    for pause, made, tried in story:
        now += pause
        calls += [now] * made
        if every_call:
            machine.withdraw(now, len(calls), 0.0)
            looks.append((now, len(calls)))
        for _ in range(tried):
            looks.append((now, len(calls)))
            if machine.withdraw(now, len(calls)):
                repeats.append(now)
    return calls, repeats, looks


def within(times: list[float], after: float, until: float) -> int:
    """Return how many of `times` lie in (after, until]."""
    return sum(after < time <= until for time in times)


@given(BUDGETS, STORY)
def test_no_window_holds_more_repeats_than_its_calls_and_the_floor_pay_for(
    budget: RetryBudget, story: list[tuple[float, int, int]]
) -> None:
    """When every call is looked at: up to any repeat, repeats ≤ ratio × calls + floor × window, of that window."""
    calls, repeats, _ = told(budget, story, every_call=True)
    for until in repeats:
        since = until - budget.window
        allowed = budget.ratio * within(calls, since, until) + budget.floor * budget.window
        assert within(repeats, since + EDGE, until) <= allowed + SLACK * (1 + allowed)


@given(BUDGETS, STORY)
def test_calls_that_were_not_looked_at_pay_no_more_than_once(
    budget: RetryBudget, story: list[tuple[float, int, int]]
) -> None:
    """However seldom the looks: a window is paid for by the calls since the last look before it began."""
    calls, repeats, looks = told(budget, story, every_call=False)
    for until in repeats:
        since = until - budget.window
        seen = max((total for time, total in looks if time <= since), default=0)
        unseen = within(calls, -1.0, until) - seen
        allowed = budget.ratio * unseen + budget.floor * budget.window
        assert within(repeats, since + EDGE, until) <= allowed + SLACK * (1 + allowed)


@given(BUDGETS, STORY)
def test_over_any_time_repeats_stay_a_share_of_all_calls(
    budget: RetryBudget, story: list[tuple[float, int, int]]
) -> None:
    """From the start to any repeat: repeats ≤ ratio × all calls + the floor of each window begun."""
    calls, repeats, _ = told(budget, story, every_call=False)
    for until in repeats:
        windows = int(until / budget.window) + 1
        allowed = budget.ratio * within(calls, -1.0, until) + budget.floor * budget.window * windows
        assert within(repeats, -1.0, until) <= allowed + SLACK * (1 + allowed)


@given(BUDGETS, st.floats(0, 1e6), st.integers(0, 10**6), st.integers(0, 1000))
def test_a_single_look_never_sees_more_than_the_cap(budget: RetryBudget, now: float, calls: int, more: int) -> None:
    """The balance lies between the floor and ratio × calls + floor × window until something is withdrawn."""
    machine = RetryBudgetMachine(budget, 0.0, calls)
    floor = budget.floor * budget.window
    assert floor <= machine.balance(now, calls + more) <= (floor + budget.ratio * more) * (1 + SLACK)


@dataclass
class Ledger:
    """The budget as one would explain it: every look and every withdrawal, nothing forgotten."""

    budget: RetryBudget
    looks: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])
    withdrawn: list[tuple[float, float]] = field(default_factory=list)

    def calls_at(self, time: float) -> float:
        """Return the running total at `time`, on straight lines between the looks."""
        if time <= 0:
            return 0
        for (began, before), (ended, after) in reversed(list(pairwise(self.looks))):
            if began <= time < ended:
                return before + (after - before) * (time - began) / (ended - began)
        return self.looks[-1][1]

    def balance(self, now: float, calls: int, *, earned_within: float, spent_within: float) -> float:
        """Return what is left when calls and withdrawals are remembered for so many seconds."""
        spent = sum(cost for time, cost in self.withdrawn if time > now - spent_within + EDGE / 2)
        earned = calls - self.calls_at(now - earned_within)
        return self.budget.ratio * earned + self.budget.floor * self.budget.window - spent


class BudgetWalk(RuleBasedStateMachine):
    """Any walk of calls, looks, withdrawals and pauses stays between the plain model and one a hundredth stricter."""

    @initialize(budget=BUDGETS)
    def start(self, budget: RetryBudget) -> None:
        """Set both up alike."""
        self.ledger = Ledger(budget)
        self.machine = RetryBudgetMachine(budget)
        self.now, self.calls = 0.0, 0

    @rule(calls=st.integers(1, 100))
    def call(self, calls: int) -> None:
        """Make first attempts. The machine is not told."""
        self.calls += calls

    @rule(pause=PAUSES)
    def wait(self, pause: float) -> None:
        """Let time pass."""
        self.now += pause

    @rule()
    def observe(self) -> None:
        """Look without taking."""
        self.machine.withdraw(self.now, self.calls, 0.0)
        self.ledger.looks.append((self.now, self.calls))

    @rule(cost=st.sampled_from([0.0, 0.5, 1.0, 1.0, 3.0]))
    def withdraw(self, cost: float) -> None:
        """Take when the bounds allow, and only then."""
        self.ledger.looks.append((self.now, self.calls))
        strictest, loosest = self.bounds()
        taken = self.machine.withdraw(self.now, self.calls, cost)
        assert taken or cost > strictest - SLACK
        assert not taken or cost <= max(0.0, loosest) + SLACK
        if taken:
            self.ledger.withdrawn.append((self.now, cost))

    @invariant()
    def the_balance_lies_within_the_bounds(self) -> None:
        """Never above the plain model, and below it by no more than a hundredth of the window explains."""
        if hasattr(self, "machine"):
            strictest, loosest = self.bounds()
            balance = self.machine.balance(self.now, self.calls)
            assert max(0.0, strictest) - SLACK <= balance <= max(0.0, loosest) + SLACK

    def bounds(self) -> tuple[float, float]:
        """Return the balance of a model that is a hundredth stricter, and of the model itself."""
        window = self.ledger.budget.window
        real = self.ledger.looks
        self.ledger.looks = [*real, (self.now, self.calls)]
        early, late = window * (1 - 0.0101), window * (1 + 0.0101)
        strictest = self.ledger.balance(self.now, self.calls, earned_within=early, spent_within=late)
        loosest = self.ledger.balance(self.now, self.calls, earned_within=window, spent_within=window)
        self.ledger.looks = real
        return strictest, loosest


TestBudgetWalk = BudgetWalk.TestCase
TestBudgetWalk.settings = settings(max_examples=examples(60), stateful_step_count=30)
