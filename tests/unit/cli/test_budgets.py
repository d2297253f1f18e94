"""How budgets and reports are drawn for people."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from switchgear.surfaces.cli.budgets import draw_budgets, draw_report

BUDGET: dict[str, Any] = {
    "budget": "agents",
    "period": "2026-11",
    "ends_at": 0.0,
    "account": "main",
    "connector": None,
    "tool": "crm.[x]",
    "limit": 100,
    "used": 81,
    "held": 3,
    "left": 19,
    "state": "soft_limit",
}


def console() -> Console:
    """Return a wide console that keeps what it is given."""
    return Console(file=io.StringIO(), width=160)


def text_of(drawn: Console) -> str:
    """Return what was printed."""
    assert isinstance(drawn.file, io.StringIO)
    return drawn.file.getvalue()


def test_a_budget_is_a_row_with_what_it_tells_apart() -> None:
    """Names are printed as they are, markup or not; a budget without a limit has empty places."""
    drawn = console()
    draw_budgets(drawn, [BUDGET, {**BUDGET, "limit": None, "left": None, "ends_at": None}])
    first, second = text_of(drawn).splitlines()[1:]
    for word in ("agents", "main crm.[x]", "2026-11", "soft_limit", "81", "3", "100", "19", "1970-01-01"):
        assert word in first
    assert "100" not in second


def test_a_budget_that_nobody_has_spent_of_shows_its_limit() -> None:
    """Before the first spend the limit is there all the same, and whom it is for."""
    drawn = console()
    draw_budgets(drawn, [{**BUDGET, "account": None, "tool": None, "each": ["account", "tool"], "used": 0}])
    assert "each account and tool" in text_of(drawn)


def test_nothing_is_said_in_words() -> None:
    """An empty table would look like a defect."""
    drawn = console()
    draw_budgets(drawn, [])
    draw_report(drawn, {"period": "2026-11", "items": []})
    assert text_of(drawn).splitlines() == ["no budgets", "nothing was spent in 2026-11"]


def test_a_report_has_a_line_for_each() -> None:
    """Tenant, period, what it is about, and units."""
    drawn = console()
    line = {**BUDGET, "tenant": "acme", "budget": None, "limit": None, "left": None}
    draw_report(drawn, {"period": "2026-11", "items": [line]})
    (row,) = text_of(drawn).splitlines()[1:]
    assert row.split() == ["acme", "2026-11", "main", "crm.[x]", "81", "3"]
