"""Reads the ``[[budgets]]`` of the file. What they mean is for the budget gate to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchgear.assembly.configuration.checking import checked
from switchgear.assembly.configuration.problems import Problems, shown
from switchgear.assembly.configuration.sections import BudgetTable
from switchgear.gates.budget import Budget, Budgets
from switchgear.gates.budget_names import Period

_WRITE = "write [[budgets]] and its keys below it, once for each budget"


def budgets_of(raw: Mapping[str, Any], problems: Problems) -> Budgets:
    """Return the budgets in the order of the file, after adding what is wrong with them."""
    tables = raw.get("budgets", [])
    if not isinstance(tables, list):
        problems.add(("budgets",), f"must be a list of tables, not {shown(tables)}", _WRITE)
        return Budgets()
    found: dict[tuple[str, str], Budget] = {}
    for number, table in enumerate(tables):
        budget = _budget(table, number, problems)
        if budget is not None and (budget.name, budget.tenant) in found:
            wrong = f"{shown(budget.name)} is the name of an earlier budget of tenant {shown(budget.tenant)}"
            problems.add(("budgets", number, "name"), wrong)
        elif budget is not None:
            found[budget.name, budget.tenant] = budget
    return Budgets(found.values())


def _budget(table: object, number: int, problems: Problems) -> Budget | None:
    if not isinstance(table, Mapping):
        problems.add(("budgets", number), f"must be a table, not {shown(table)}", _WRITE)
        return None
    read = checked(BudgetTable, table, ("budgets", number), problems)
    if read is None:
        return None
    return Budget(**{**read.model_dump(), "period": Period(read.period), "each": tuple(read.each)})
