"""Budgets: how many units a tenant may spend in a period, which counters an action draws on, and the gate that asks.

A gate decides from a `BudgetBook`, what is known here of the counters. The counters in the store are the truth: the
append that writes `dispatched` counts within the limit, or it is not written. What an outcome gives back is in
`execution.reservation`, who reads the counters and raises alarms in `execution.budget_keeper`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, Rejected
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.budget_names import DIMENSIONS, HELD, USED, Period, cost_key, counter_key
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Stage
from switchgear.storage.abilities import Count

LIMIT_MAX = 10**15
"""The highest limit of a budget, in units."""
NEVER_STOPPED = frozenset({"lookup", "revert", "compensate"})
"""Purposes of actions that are counted and never refused: finding out and undoing must not want for budget."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many units may be spent in a period by the actions that fit every pattern.

    `tenant`, `account`, `connector` and `tool` are names or patterns (``crm.*``); each tenant has counters of its
    own. `each` names what else has: with ``("account",)`` every account may spend `limit`. `limit` is in whole units,
    0 to 10¹⁵; None only counts. `soft` is the share of it, above 0 and at most 1, at which an alarm is raised. Of
    several budgets of one name the first that names a tenant is that tenant's. Raises `OptionError`.
    """

    name: str
    limit: int | None = None
    period: Period = Period.MONTH
    tenant: str = "*"
    account: str = "*"
    connector: str = "*"
    tool: str = "*"
    each: tuple[str, ...] = ()
    soft: float = 0.8

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not _NAME.match(self.name):
            raise OptionError(f"a budget's name is 1 to 64 characters of A-Za-z0-9._-, not {self.name!r}")
        if self.limit is not None and not 0 <= self.limit <= LIMIT_MAX:
            raise OptionError(f"budget {self.name!r} needs a limit of 0 to {LIMIT_MAX} units, not {self.limit!r}")
        if not 0 < self.soft <= 1:
            raise OptionError(f"budget {self.name!r} needs a soft share above 0 and at most 1, not {self.soft!r}")
        if unknown := [word for word in self.each if word not in DIMENSIONS]:
            raise OptionError(f"budget {self.name!r}: each is some of {', '.join(DIMENSIONS)}, not {unknown[0]!r}")

    def fits(self, request: GateRequest) -> bool:
        """Return whether `request` draws on this budget."""
        return (
            fnmatchcase(request.tenant, self.tenant)
            and fnmatchcase(request.account, self.account)
            and fnmatchcase(request.connector, self.connector)
            and fnmatchcase(request.tool, self.tool)
        )

    def key(self, request: GateRequest) -> str:
        """Return the key of the counters that `request` draws on, such as ``agents/2026-11/account=main``."""
        within = {word: getattr(request, word) for word in DIMENSIONS if word in self.each} if self.each else {}
        return counter_key(self.name, self.period.label(request.at), within)

    def room(self, used: int) -> int | None:
        """Return how many units are left of the limit; None without one."""
        return None if self.limit is None else max(0, self.limit - used)

    def soft_reached(self, used: int) -> bool:
        """Return whether `used` units are at the soft share of the limit, or above."""
        return self.limit is not None and used >= self.soft * self.limit


class Budgets:
    """Every budget there is, in order."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        """Raise `OptionError` when two budgets have one name and one tenant."""
        self.all = tuple(budgets)
        named = [(budget.name, budget.tenant) for budget in self.all]
        if twice := [name for name, tenant in named if named.count((name, tenant)) > 1]:
            raise OptionError(f"two budgets are called {twice[0]!r}; give each a name, or a tenant, of its own")

    def of(self, tenant: str) -> Iterator[Budget]:
        """Return the budgets of a tenant: of each name the first that names it."""
        seen: set[str] = set()
        for budget in self.all:
            if budget.name not in seen and fnmatchcase(tenant, budget.tenant):
                seen.add(budget.name)
                yield budget

    def named(self, tenant: str, name: str) -> Budget | None:
        """Return the tenant's budget of a name, or None."""
        return next((budget for budget in self.of(tenant) if budget.name == name), None)


class BudgetGate:
    """A gate over budgets. At admission it is a quote; at dispatch it says what the append has to count."""

    def __init__(self, budgets: Budgets, book: BudgetBook) -> None:
        """Go by `budgets`, and what `book` knows of their counters."""
        self._budgets = budgets
        self._book = book

    def check(self, request: GateRequest) -> Conditions:
        """Return what to count: in every budget that fits, or in none.

        An action that has its units reserved already is charged nothing again. Raises `Rejected` (BUDGET_EXCEEDED)
        when a budget cannot cover it; `retry_after` is when the period ends; None, and `decision`
        "reject", when waiting does not help.
        """
        if not self._budgets.all or request.reserved or request.cost <= 0:
            return NO_CONDITIONS
        drawn = [(budget, budget.key(request)) for budget in self._budgets.of(request.tenant) if budget.fits(request)]
        if not drawn:
            return NO_CONDITIONS
        stops = request.purpose not in NEVER_STOPPED
        if stops:
            self._check_room(request, drawn)
        return NO_CONDITIONS if request.stage is Stage.ADMISSION else _charged(request, drawn, stops=stops)

    def _check_room(self, request: GateRequest, drawn: Sequence[tuple[Budget, str]]) -> None:
        """Raise for what has no room; of several budgets that have none, for the one that takes longest."""
        full = [(budget, key) for budget, key in drawn if not self._covers(request, budget, key)]
        if not full:
            return
        waits = [_wait(budget, request) for budget, _ in full]
        longest = max(range(len(full)), key=lambda index: float("inf") if waits[index] is None else waits[index] or 0.0)
        budget, key = full[longest]
        for refusing, refused in full:
            if request.cost <= (refusing.limit or 0):
                self._book.refuse(request.tenant, refused)
        raise Rejected(
            f"{key} has {self._room(request, budget, key)} of {budget.limit} units left, and this takes {request.cost}",
            code=Code.BUDGET_EXCEEDED,
            policy="budget",
            dependency=budget.name,
            state="exhausted",
            retry_after=waits[longest],
            decision="reject" if waits[longest] is None else "defer",
        )

    def _covers(self, request: GateRequest, budget: Budget, key: str) -> bool:
        room = self._room(request, budget, key)
        return room is None or request.cost <= room

    def _room(self, request: GateRequest, budget: Budget, key: str) -> int | None:
        room = budget.room(self._book.used(request.tenant, key))
        known = self._book.room_found(request.tenant, key)
        return room if known is None or room is None else min(room, known)


def _charged(request: GateRequest, drawn: Sequence[tuple[Budget, str]], *, stops: bool) -> Conditions:
    limits = {key: budget.limit if stops else None for budget, key in drawn}
    limits[cost_key(request.at, request.account, request.connector, request.tool)] = None
    used = tuple(Count(USED, key, request.cost, limit) for key, limit in limits.items())
    held = tuple(Count(HELD, key, request.cost) for key in limits)
    return Conditions(counts=(*used, *held), reserved=dict.fromkeys(limits, request.cost))


def _wait(budget: Budget, request: GateRequest) -> float | None:
    """Return the seconds until the next period begins, when it may cover what this one cannot; else None."""
    ends_at = budget.period.ends_at(request.at)
    if ends_at is None or (budget.limit is not None and request.cost > budget.limit):
        return None
    return max(0.0, ends_at - request.at)
