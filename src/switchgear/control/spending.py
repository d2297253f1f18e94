"""What reports about budgets say: their rows, and the same as CSV. Made of counters; nothing is read here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from switchgear.gates.budget import Budget, Budgets
from switchgear.gates.budget_names import DIMENSIONS, CounterName, counter_name

BY = ("budget", *DIMENSIONS, "day")
"""What a report can be broken down by. By ``budget`` stands alone."""

Spent = tuple[int, int]
"""Units used and, of these, held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """A budget of one tenant in its present period. Times are seconds since the epoch, amounts whole units.

    `used` includes `held`, which is reserved for what has not been settled. `account`, `connector` and `tool` are
    None where all share the limit. `each` names which of them have a limit of their own; where nobody has spent yet,
    one row with nothing used says so for all of them. `limit` and `left` are None for a budget that only counts.
    """

    budget: str
    tenant: str
    period: str
    starts_at: float | None
    ends_at: float | None
    account: str | None
    connector: str | None
    tool: str | None
    each: Sequence[str]
    limit: int | None
    used: int
    held: int
    left: int | None
    soft: float
    state: str
    """`open`, `soft_limit` once the soft share is reached, `exhausted` once nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingLine:
    """One line of a report: `used` units, of which `held` are not settled and `settled` are. None: not told apart."""

    tenant: str
    period: str
    budget: str | None
    account: str | None
    connector: str | None
    tool: str | None
    used: int
    held: int
    settled: int
    limit: int | None
    left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingReport:
    """What was spent in `period`, broken down `by` these."""

    period: str
    by: Sequence[str]
    items: Sequence[SpendingLine]


def budget_view(budget: Budget, tenant: str, name: CounterName, spent: Spent, now: float) -> BudgetView:
    """Return a budget as its counters stand."""
    used, held = spent
    left = budget.room(used)
    soft = "soft_limit" if budget.soft_reached(used) else "open"
    return BudgetView(
        budget=budget.name,
        tenant=tenant,
        period=name.period,
        starts_at=budget.period.starts_at(now),
        ends_at=budget.period.ends_at(now),
        account=name.account,
        connector=name.connector,
        tool=name.tool,
        each=budget.each,
        limit=budget.limit,
        used=used,
        held=held,
        left=left,
        soft=budget.soft,
        state="exhausted" if left == 0 else soft,
    )


def lines_of_budgets(budgets: Budgets, tenant: str, spent: Mapping[str, Spent], now: float) -> list[SpendingLine]:
    """Return a line for each counter of a budget; with its limit where the budget still has such periods."""
    return [_line_of_budget(budgets, tenant, counter_name(key), one, now) for key, one in spent.items()]


def lines_of_costs(tenant: str, period: str, by: Sequence[str], spent: Mapping[str, Spent]) -> list[SpendingLine]:
    """Return the lines of costs added up, so that those stay apart which differ in one of `by`."""
    sums: dict[CounterName, Spent] = {}
    for key, (used, held) in spent.items():
        name = counter_name(key)
        group = _group(name, period, by)
        before = sums.get(group, (0, 0))
        sums[group] = (before[0] + used, before[1] + held)
    return [_line(tenant, group, sums[group]) for group in sorted(sums, key=_order)]


def csv_text(report: SpendingReport) -> str:
    """Return a report as CSV (RFC 4180) with a head line; what is not told apart is empty."""
    written = io.StringIO()
    writer = csv.DictWriter(written, [field.name for field in fields(SpendingLine)])
    writer.writeheader()
    writer.writerows(_cells(report.items))
    return written.getvalue()


def _line_of_budget(budgets: Budgets, tenant: str, name: CounterName, spent: Spent, now: float) -> SpendingLine:
    budget = budgets.named(tenant, name.budget)
    same = budget is not None and len(budget.period.label(now)) == len(name.period)
    return _line(tenant, name, spent, budget if same else None)


def _line(tenant: str, name: CounterName, spent: Spent, budget: Budget | None = None) -> SpendingLine:
    used, held = spent
    return SpendingLine(
        tenant=tenant,
        period=name.period,
        budget=name.budget or None,
        account=name.account,
        connector=name.connector,
        tool=name.tool,
        used=used,
        held=held,
        settled=used - held,
        limit=None if budget is None else budget.limit,
        left=None if budget is None else budget.room(used),
    )


def _group(name: CounterName, period: str, by: Sequence[str]) -> CounterName:
    """Return what stays told apart of a line of costs."""
    return CounterName(
        "",
        name.period if "day" in by else period,
        name.account if "account" in by else None,
        name.connector if "connector" in by else None,
        name.tool if "tool" in by else None,
    )


def _order(name: CounterName) -> tuple[str, ...]:
    return name.period, name.account or "", name.connector or "", name.tool or ""


def _cells(items: Iterable[SpendingLine]) -> Iterable[dict[str, object]]:
    return ({name: "" if value is None else value for name, value in asdict(item).items()} for item in items)
