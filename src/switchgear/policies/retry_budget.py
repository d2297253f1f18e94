"""RetryBudget: how many repeats a dependency can bear, shared by all calls of a member. Options and the machine.

Attempts bound one call; the budget bounds all of them together, so that repeats cannot keep an overloaded dependency
down. It has the shape of Finagle's `RetryBudget` (a ratio of the calls, plus a floor, over a window that moves), and
errors may cost more or less than 1, as in gRPC's retry throttling. Which error is retried is not decided here.

A call pays nothing: the machine is only told the running total of first attempts when somebody wants to repeat. Such
a look cannot know when the calls since the look before were made, so it spreads them evenly over that time. With C(t)
for the total at t on those straight lines, a repeat at t is let through only when it keeps

    withdrawn in (t - window, t]  <=  ratio * (C(t) - C(t - window)) + floor * window

So no call is ever counted twice, and none counts for longer than `window`. Looks and withdrawals that lie closer than
a 128th of the window are kept together. Their calls age a little early then, and their withdrawals a little late,
so the bound above holds as it stands, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from switchgear.core.errors import OptionError
from switchgear.policies.checks import refused, require_number, require_seconds
from switchgear.policies.signatures import options

_STEPS = 128  # how finely the window is remembered
_COSTS = "RetryBudget(costs={TimeoutError: 2.0})"
_ROUNDING = 1e-9  # of a second and of a repeat: what lies that close to a bound is at it

Costs = Mapping[type[BaseException], float] | Sequence[tuple[type[BaseException], float]]
"""What a repeat after an error of a class costs."""


@options("RetryBudget(ratio=0.1)")
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """Let repeats through up to a share of the calls, plus a few in any case. Hedges draw on it too.

    ratio   repeats earned by each first attempt, at least 0; default 0.2: one repeat for five calls.
    floor   repeats a second that are allowed without any calls, at least 0; default 10. They may come at once:
            ``floor * window`` of them in each window.
    window  seconds that the budget reaches back, above 0; default 10. What was earned and not spent is lost then.
    costs   what a repeat after an error of a class costs, as a mapping or as pairs; default: nothing named. The
            nearest class of an error counts, and 1 when none is named; 0 is free, infinity means never.

    In the `window` seconds up to any repeat there are never more than ``ratio * calls + floor * window`` of them. The
    floor is exact as long as repeats lie at least a hundredth of the window apart, and else up to a hundredth lower.
    Raises `OptionError` for options that cannot work, among them a budget that could never allow a single repeat.
    """

    ratio: float = 0.2
    floor: float = 10.0
    window: float = 10.0
    costs: Costs = ()

    def __post_init__(self) -> None:
        """Check the options and keep the costs as pairs."""
        require_number("RetryBudget(ratio)", self.ratio, least=0, example=0.2)
        require_number("RetryBudget(floor)", self.floor, least=0, example=10.0)
        require_seconds("RetryBudget(window)", self.window, example=10.0)
        if self.ratio == 0 and self.floor * self.window < 1:
            raise OptionError(
                f"RetryBudget(ratio=0, floor={self.floor!r}, window={self.window!r}) could never allow a repeat, since "
                "floor * window is below 1; write for example "
                f"RetryBudget(ratio=0.2, floor={self.floor!r}, window={self.window!r})"
            )
        object.__setattr__(self, "costs", _pairs(self.costs))


def _pairs(costs: object) -> tuple[tuple[type[BaseException], float], ...]:
    """Return the costs as checked pairs. Raise `OptionError` for what is none."""
    pairs = tuple(costs.items() if isinstance(costs, Mapping) else costs if isinstance(costs, Sequence) else (costs,))
    for pair in pairs:
        if not _is_pair(pair):
            wants = "needs pairs of an exception class and a number of at least 0"
            raise refused("RetryBudget(costs)", wants, pair, _COSTS)
    kinds = [kind for kind, _ in pairs]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise OptionError(f"RetryBudget(costs) names {twice.__name__} twice; write each class once, as in {_COSTS}")
    return pairs


def _is_pair(pair: object) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 - a pair has two
        return False
    kind, cost = pair
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        return False
    return isinstance(cost, (int, float)) and not isinstance(cost, bool) and not isnan(cost) and cost >= 0


class _Step:
    """The looks of a 128th of the window: the first and the last of them, and what was withdrawn."""

    __slots__ = ("began", "calls", "ended", "first_calls", "withdrawn")

    def __init__(self, now: float, calls: int) -> None:
        """Begin with a look at the running total."""
        self.began = self.ended = now
        self.first_calls = self.calls = calls
        self.withdrawn = 0.0


class RetryBudgetMachine:
    """The balance of one budget.

    `calls` is always the running total of first attempts that the member has counted, which never falls. A `now` or
    a total that is older than the last look, as threads may bring it, counts as that of the last look.
    """

    __slots__ = ("_costs", "_options", "_steps")

    def __init__(self, options: RetryBudget, now: float = 0.0, calls: int = 0) -> None:
        """Start with the floor, at the monotonic second `now`; of the calls only those after `calls` will count.

        Without `now` the calls up to the first look are spread over all of the clock's time, so that few count.
        """
        self._steps = [_Step(now, calls)]
        self.reconfigure(options)

    def withdraw(self, now: float, calls: int, cost: float = 1.0) -> bool:
        """Take `cost` for a repeat. Return False, and take nothing, when too little is left.

        `cost` is at least 0. Cost 0 can always be taken, infinity never. Whatever is taken, it is a look at the running
        total: the more of them, the truer the ages of the calls.
        """
        step = self._look(now, calls)
        if cost > self.balance(now, calls) + _ROUNDING:
            return False
        step.withdrawn += cost
        return True

    def balance(self, now: float, calls: int) -> float:
        """Return how many repeats of cost 1 are left, at least 0. Changes nothing.

        Never above ``ratio * calls of the window + floor * window``.
        """
        last = self._steps[-1]
        return max(0.0, self._left(max(now, last.ended), max(calls, last.calls)))

    def cost_of(self, error: BaseException) -> float:
        """Return what a repeat after `error` costs: that of its nearest class that is named, else 1."""
        costs = self._costs
        return next((costs[kind] for kind in type(error).__mro__ if kind in costs), 1.0)

    def is_clean(self, now: float) -> bool:
        """Return whether a new one would allow as much: nothing was withdrawn within the window."""
        return self._withdrawn(now - self._options.window) == 0.0

    def reconfigure(self, options: RetryBudget) -> None:
        """Go on under other options. A wider window does not bring back what had already been forgotten."""
        self._options = options
        self._costs: dict[type, float] = dict(_pairs(options.costs))

    def _look(self, now: float, calls: int) -> _Step:
        """Note the running total at `now`, and return the step that it falls into.

        The first step remembered only marks where the lines begin, so nothing is added to it.
        """
        steps = self._steps
        last = steps[-1]
        now, calls = max(now, last.ended), max(calls, last.calls)
        if len(steps) > 1 and now - last.began < self._options.window / _STEPS:
            last.ended, last.calls = now, calls
            return last
        steps.append(_Step(now, calls))
        self._forget(now - self._options.window)
        return steps[-1]

    def _forget(self, since: float) -> None:
        """Drop the steps before the one at which the line through `since` begins."""
        steps = self._steps
        gone = 0
        while gone + 1 < len(steps) and steps[gone + 1].began <= since:
            gone += 1
        del steps[:gone]

    def _left(self, now: float, calls: int) -> float:
        options = self._options
        since = now - options.window
        earned = options.ratio * (calls - self._calls_at(since, now, calls))
        return earned + options.floor * options.window - self._withdrawn(since)

    def _withdrawn(self, since: float) -> float:
        """Return what was taken after `since`."""
        return sum(step.withdrawn for step in self._steps if step.ended > since + _ROUNDING)

    def _calls_at(self, since: float, now: float, calls: int) -> float:
        """Return the running total at `since`, on the straight lines between the looks, the last of them at `now`."""
        last = self._steps[0]
        for step in self._steps:
            if step.began > since:
                now, calls = step.began, step.first_calls
                break
            last = step
        if since <= last.began:
            return last.calls
        return last.calls + (calls - last.calls) * (since - last.began) / (now - last.began)
