"""Budgets: never overdrawn, nothing reserved for ever, and what is used is what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from switchgear.execution.reservation import SPENDING, BudgetFold
from switchgear.execution.transitions import Kind
from switchgear.gates.budget import NEVER_STOPPED
from switchgear.gates.budget_names import COSTS, HELD, USED, counter_name
from switchgear.lab.simulation.catalogue import BUDGETS
from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.ledger.events import Recorded

_USED_UP = (Kind.SUCCEEDED, Kind.ABANDONED)
"""What uses units. A read that was cut off has used them too, however it ends: it may have been made."""


def no_budget_is_overdrawn(evidence: Evidence) -> Iterator[str]:
    """Check that no dispatch takes a counter beyond its limit, but for what finds out or undoes."""
    for tenant, events in _by_tenant(evidence).items():
        fold = BudgetFold()
        for event in events:
            fold.apply(event)
            if event.type == Kind.DISPATCHED and evidence.intents[event.stream].purpose not in NEVER_STOPPED:
                yield from _beyond(fold, tenant, event)


def _beyond(fold: BudgetFold, tenant: str, event: Recorded) -> Iterator[str]:
    for key in event.facts.get("reserved") or {}:
        budget = BUDGETS.named(tenant, counter_name(key).budget)
        used = fold.counters[USED, key]
        if budget is not None and budget.limit is not None and used > budget.limit:
            yield f"{key} of {tenant} is at {used} of {budget.limit} after {event.stream}"


def what_was_reserved_is_settled(evidence: Evidence) -> Iterator[str]:
    """Check that once everything rests nothing is held, and what is used are the costs of what was done."""
    if any(not intent.final for intent in evidence.intents.values()):
        return
    spent: Counter[str] = Counter()
    for step in evidence.history.steps(*SPENDING):
        read = step.before is not None and not step.before.effect.writes and bool(step.before.reserved)
        if step.kind in _USED_UP or read:
            spent[step.after.tenant] += step.after.cost
    for tenant, events in _by_tenant(evidence).items():
        fold = BudgetFold()
        for event in events:
            fold.apply(event)
        for (space, key), units in sorted(fold.counters.items()):
            if space == HELD and units:
                yield f"{units} units of {key} of {tenant} stay reserved although everything is settled"
        used = sum(
            units
            for (space, key), units in fold.counters.items()
            if space == USED and counter_name(key).budget == COSTS
        )
        if used != spent[tenant]:
            yield f"{tenant} has used {used} units, and what was done costs {spent[tenant]}"


def _by_tenant(evidence: Evidence) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = {}
    for event in evidence.history.events:
        found.setdefault(event.tenant, []).append(event)
    return found
