"""Budgets in Python: what one principal may see of them. Everything goes through `control`."""

from __future__ import annotations

from collections.abc import Sequence

from switchgear.control.spending import BudgetView, SpendingReport, csv_text
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal


class BudgetDesk:
    """The budgets as one principal sees them: ``acme.budgets.list()``."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    async def list(self) -> Sequence[BudgetView]:
        """Return every budget of this tenant as it stands in its present period."""
        return await self._control.budgets.list(self._principal)

    async def report(
        self, *, period: str | None = None, by: Sequence[str] = ("budget",), every_tenant: bool = False
    ) -> SpendingReport:
        """Return what was spent in `period` (like 2026-11; by default this month), broken down `by` these.

        `by` is ``budget``, or some of account, connector, tool and day. `every_tenant` is for the platform. Raises
        `Invalid` for a period or breakdown that cannot be, `Denied` (PERMISSION_DENIED).
        """
        return await self._control.budgets.report(self._principal, period=period, by=by, every_tenant=every_tenant)

    async def csv(
        self, *, period: str | None = None, by: Sequence[str] = ("budget",), every_tenant: bool = False
    ) -> str:
        """Return the same report as CSV with a head line. Raises as `report` does."""
        return csv_text(await self.report(period=period, by=by, every_tenant=every_tenant))
