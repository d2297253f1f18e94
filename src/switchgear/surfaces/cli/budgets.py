"""The command `budget`: what is left of each budget, what was spent on what, and how both are drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import Column, View, moment, styled, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

EXAMPLES = examples(
    "switchgear budget",
    "switchgear budget --by tool --period 2026-11",
    "switchgear budget --by account,tool --csv > spending.csv",
)

_REPORT = "/v1/budgets/report"


def budget(
    *,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Report spending by budget, or by some of account,connector,tool,day."),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", help="Report a year, month or day in UTC, or total; by default this month."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the report as CSV and nothing else.")] = False,
    every_tenant: Annotated[bool, typer.Option("--all-tenants", help="Report every tenant; for the platform.")] = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show what is left of each budget; with an option for reports, what was spent."""
    asked = {"by": by, "period": period, "tenants": "all" if every_tenant else None}
    with session(url, token, as_json=as_json) as opened:
        if as_csv:
            wanted = {name: value for name, value in {**asked, "format": "csv"}.items() if value is not None}
            _print_lines(opened.client.lines(f"{_REPORT}?{urlencode(wanted)}"))
        elif any(asked.values()):
            found = opened.client.get(_REPORT, asked)
            opened.output.answer(found, lambda console: draw_report(console, found))
        else:
            answer = opened.client.get("/v1/budgets")
            opened.output.answer(answer, lambda console: draw_budgets(console, answer["items"]))
    return ExitCode.OK


def draw_budgets(console: Console, budgets: Sequence[View]) -> None:
    """Print the budgets as they stand."""
    rows = [
        (
            escape(each["budget"]),
            escape(_within(each) or _each(each.get("each") or ())),
            escape(each["period"]),
            styled(each["state"]),
            str(each["used"]),
            str(each["held"]),
            _units(each["limit"]),
            _units(each["left"]),
            moment(each["ends_at"]),
        )
        for each in budgets
    ]
    table(console, _BUDGETS, rows, empty="no budgets")


def draw_report(console: Console, report: View) -> None:
    """Print a report, with what it tells apart."""
    rows = [
        (
            escape(line["tenant"]),
            escape(line["period"]),
            escape(line["budget"] or ""),
            escape(_within(line)),
            str(line["used"]),
            str(line["held"]),
            _units(line["limit"]),
            _units(line["left"]),
        )
        for line in report["items"]
    ]
    table(console, _LINES, rows, empty=f"nothing was spent in {report['period']}")


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _within(view: View) -> str:
    """Return the account, connector and tool that a row is about, those that it tells apart."""
    return " ".join(str(view[name]) for name in ("account", "connector", "tool") if view[name] is not None)


def _each(words: Sequence[str]) -> str:
    """Return whom a budget tells apart of which nobody has spent anything yet."""
    return f"each {' and '.join(words)}" if words else ""


def _units(number: int | None) -> str:
    return "" if number is None else str(number)


_BUDGETS = (
    Column("budget"),
    Column("of"),
    Column("period", whole=True),
    Column("state", whole=True),
    Column("used", whole=True),
    Column("held", whole=True),
    Column("limit", whole=True),
    Column("left", whole=True),
    Column("until", whole=True, spare=True),
)
_LINES = (
    Column("tenant"),
    Column("period", whole=True),
    Column("budget"),
    Column("of"),
    Column("used", whole=True),
    Column("held", whole=True),
    Column("limit", whole=True),
    Column("left", whole=True),
)
