"""Use cases about budgets: what is left of each, and what was spent on what. They only read; limits are configured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from switchgear.control.permissions import Permissions
from switchgear.control.spending import (
    BY,
    BudgetView,
    SpendingLine,
    SpendingReport,
    Spent,
    budget_view,
    lines_of_budgets,
    lines_of_costs,
)
from switchgear.core.errors import Invalid
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.gates.budget import Budget
from switchgear.gates.budget_names import COSTS, HELD, USED, Period, counter_key, counter_name
from switchgear.storage.abilities import Store

_YEAR = "[1-9][0-9]{3}"
_LEAP_YEAR = "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
_DAY_OF_YEAR = "((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"  # of 365 days
PERIOD_PATTERN = f"(total|{_YEAR}(-(0[1-9]|1[0-2]))?|{_YEAR}-{_DAY_OF_YEAR}|{_LEAP_YEAR}-02-29)"
"""What the period of a report looks like: a year, month or day in UTC, or ``total`` for all there is."""
PERIOD_FORMS = "a year, month or day that there is, like 2026, 2026-11 or 2026-11-21, or total"
"""The same in words."""
BY_PATTERN = f"(budget|({'|'.join(BY[1:])})(,({'|'.join(BY[1:])}))*)"
"""What a breakdown looks like as one word."""
COUNTERS_MAX = 100_000
"""The most counters that one report adds up."""

_PAGE = 1000


class Budgets:
    """What can be asked about the budgets of the caller's tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("budgets:read",), platform=("platform:read",))

    def __init__(self, keeper: BudgetKeeper, store: Store) -> None:
        """Ask for the budgets of `keeper`; read their counters from `store`."""
        self._keeper = keeper
        self._store = store

    async def list(self, principal: Principal) -> Sequence[BudgetView]:
        """Return every budget of the tenant as it stands in its present period.

        A budget that tells accounts, connectors or tools apart has a row for each that has spent something, and one
        row that names none of them as long as there is none.
        """
        principal.require("budgets:read")
        now = self._keeper.now()
        views: list[BudgetView] = []
        for budget in self._keeper.budgets.of(principal.tenant):
            views += await self._views(budget, principal.tenant, now)
        return views

    async def report(
        self,
        principal: Principal,
        *,
        period: str | None = None,
        by: Sequence[str] = ("budget",),
        every_tenant: bool = False,
    ) -> SpendingReport:
        """Return what was spent in `period`: a year, month or day in UTC, ``total``, or by default this month.

        `by` is ``budget``, or some of account, connector, tool and day: costs, whichever budgets they were charged
        to. `every_tenant` needs ``platform:read`` and goes on record in the platform's chain. Raises `Invalid` for
        a period or breakdown that cannot be, and for more than 100,000 counters.
        """
        principal.require("budgets:read")
        asked = Period.MONTH.label(self._keeper.now()) if period is None else period
        _check(asked, by)
        lines: list[SpendingLine] = []
        for tenant in await self._tenants(principal, asked, by) if every_tenant else [principal.tenant]:
            lines += await self._lines(tenant, asked, by)
        return SpendingReport(period=asked, by=tuple(by), items=lines)

    async def _tenants(self, principal: Principal, period: str, by: Sequence[str]) -> Sequence[str]:
        principal.require("platform:read")
        await self._keeper.record_reading(principal.actor, {"tenant": principal.tenant, "period": period, "by": [*by]})
        return [tenant for tenant in await self._store.tenants() if tenant != PLATFORM_TENANT]

    async def _views(self, budget: Budget, tenant: str, now: float) -> Sequence[BudgetView]:
        label = budget.period.label(now)
        prefix = counter_key(budget.name, label, {})
        spent = await self._spent(tenant, prefix)
        within = {key: one for key, one in spent.items() if key[len(prefix) :][:1] in ("", "/")}
        if not (budget.each and within):
            within.setdefault(prefix, (0, 0))
        return [budget_view(budget, tenant, counter_name(key), one, now) for key, one in within.items()]

    async def _lines(self, tenant: str, period: str, by: Sequence[str]) -> Sequence[SpendingLine]:
        begin = "" if period == Period.TOTAL else period
        if "budget" not in by:
            return lines_of_costs(tenant, period, by, await self._spent(tenant, f"{COSTS}/{begin}"))
        spent: dict[str, Spent] = {}
        for budget in self._keeper.budgets.of(tenant):
            spent |= await self._spent(tenant, f"{budget.name}/{begin}")
            spent |= await self._spent(tenant, f"{budget.name}/{Period.TOTAL}")
        return lines_of_budgets(self._keeper.budgets, tenant, spent, self._keeper.now())

    async def _spent(self, tenant: str, prefix: str) -> Mapping[str, Spent]:
        used = await self._counters(USED, tenant, prefix)
        held = await self._counters(HELD, tenant, prefix)
        return {key: (units, held.get(key, 0)) for key, units in used.items()}

    async def _counters(self, space: str, tenant: str, prefix: str) -> Mapping[str, int]:
        found: dict[str, int] = {}
        after: str | None = None
        while rows := await self._store.counters(space, tenant, prefix=prefix, after=after, limit=_PAGE):
            found |= {row.key: row.value for row in rows}
            after = rows[-1].key
            if len(found) > COUNTERS_MAX:
                raise Invalid(f"that is more than {COUNTERS_MAX} counters; ask for a shorter period", policy="budgets")
        return found


def _check(period: str, by: Sequence[str]) -> None:
    """Check what a report is asked for."""
    if not re.fullmatch(PERIOD_PATTERN, period):
        raise Invalid(f"a period is {PERIOD_FORMS}, not {period[:50]!r}")
    if not by or not set(by) <= set(BY) or ("budget" in by and len(by) > 1):
        raise Invalid(f"a report is by budget, or by some of {', '.join(BY[1:])}")
