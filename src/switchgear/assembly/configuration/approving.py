"""Reads the ``[[approvals]]`` of the file into the rules of the approval gate, which says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchgear.assembly.configuration.checking import checked
from switchgear.assembly.configuration.problems import Problems, shown
from switchgear.assembly.configuration.sections import ApprovalTable
from switchgear.core.effects import Effect
from switchgear.gates.approval import ApprovalRule

_WRITE = "write [[approvals]] and its keys below it, once for each rule"


def approval_rules(raw: Mapping[str, Any], problems: Problems) -> tuple[ApprovalRule, ...]:
    """Return the rules in the order of the file, after adding what is wrong with them."""
    tables = raw.get("approvals", [])
    if not isinstance(tables, list):
        problems.add(("approvals",), f"must be a list of tables, not {shown(tables)}", _WRITE)
        return ()
    rules: dict[str, ApprovalRule] = {}
    for number, table in enumerate(tables):
        rule = _rule(table, number, problems)
        if rule is not None and rule.name in rules:
            problems.add(("approvals", number, "name"), f"{shown(rule.name)} is the name of an earlier rule")
        elif rule is not None:
            rules[rule.name] = rule
    return tuple(rules.values())


def _rule(table: object, number: int, problems: Problems) -> ApprovalRule | None:
    if not isinstance(table, Mapping):
        problems.add(("approvals", number), f"must be a table, not {shown(table)}", _WRITE)
        return None
    found = checked(ApprovalTable, table, ("approvals", number), problems)
    if found is None:
        return None
    effects = None if found.effects is None else frozenset(map(Effect, found.effects))
    return ApprovalRule(**{**found.model_dump(), "effects": effects})
