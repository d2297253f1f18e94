"""Reading budgets: what is left of each, and reports of what was spent, as JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from switchgear.control.budgets import BY_PATTERN, PERIOD_FORMS, PERIOD_PATTERN
from switchgear.control.spending import BudgetView, SpendingReport, csv_text
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.operation import Operation
from switchgear.surfaces.rest.queries import Choice, Word

CSV_MEDIA_TYPE = "text/csv"
"""The media type of a report that was asked for as CSV."""

_EVERY = "all"
_BY_FORMS = "budget, or some of account, connector, tool and day with commas between them"


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of the tenant, in the order in which they are configured."""

    items: Sequence[BudgetView]


async def list_budgets(exchange: Exchange) -> Response:
    """List the tenant's budgets as they stand."""
    return json_response(Budgets(await exchange.control.budgets.list(exchange.principal)))


async def report(exchange: Exchange) -> Response:
    """Report what was spent."""
    query = exchange.query
    found = await exchange.control.budgets.report(
        exchange.principal,
        period=query["period"],
        by=(query["by"] or "budget").split(","),
        every_tenant=query["tenants"] == _EVERY,
    )
    if query["format"] == "csv":
        return Response(csv_text(found), media_type=CSV_MEDIA_TYPE)
    return json_response(found)


OPERATIONS = (
    Operation(
        id="listBudgets",
        method="GET",
        path="/v1/budgets",
        summary="List budgets",
        description="Lists the tenant's budgets: what is used, held and left in the present period, in whole units.",
        permission="budgets:read",
        handle=list_budgets,
        answers={200: Budgets},
    ),
    Operation(
        id="reportSpending",
        method="GET",
        path="/v1/budgets/report",
        summary="Report what was spent",
        description=(
            "Adds up what was spent in a period, by budget or by what it was spent on. `tenants=all` needs the "
            "permission `platform:read` too, and goes on record in the platform's chain."
        ),
        permission="budgets:read",
        handle=report,
        query=(
            Word(
                "period",
                "A year, month or day in UTC, or `total`; by default this month.",
                PERIOD_PATTERN,
                PERIOD_FORMS,
            ),
            Word("by", "`budget`, or some of account, connector, tool and day.", BY_PATTERN, _BY_FORMS),
            Choice("format", "`csv` for a table; by default JSON.", ("json", "csv")),
            Choice("tenants", "Whose spending; by default the caller's own tenant.", ("own", _EVERY)),
        ),
        answers={200: SpendingReport},
        also=(CSV_MEDIA_TYPE,),
    ),
)
