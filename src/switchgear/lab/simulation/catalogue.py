"""The tools that are simulated: every effect class, with lookups, reverts, compensations, resources and rules.

How the remote behaves for each is in `remote`; here is what the engine is told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from switchgear.core.effects import Effect
from switchgear.execution.contract import Tool
from switchgear.gates.approval import ApprovalRule
from switchgear.gates.budget import Budget, Budgets
from switchgear.gates.budget_names import Period
from switchgear.health.dependency import Dependency

TENANTS = ("acme", "globex", "initech")
ACTOR = "service:orders"
LATE_MAX = 20.0
"""Seconds after which a request that is on its way has arrived, or never will."""
KEY_RETENTION = 90.0
"""Seconds for which the remote promises to know a key. It keeps that promise for what is still on its way as well."""
TIMEOUT = 5.0
LIFETIME = 600.0
SETTLE_DELAY = LATE_MAX + TIMEOUT
"""A lookup that is made sooner could miss what is on its way."""
ESCALATE_AFTER = 120.0
APPROVAL_EXPIRES = 300.0


def _tool(name: str, effect: Effect, **options: object) -> Tool:
    given: dict[str, Any] = {
        "requires": (name.partition(".")[0],),
        "timeout": TIMEOUT,
        "lifetime": LIFETIME,
        "key_retention": KEY_RETENTION,
        "backoff_base": 0.5,
        "backoff_cap": 20.0,
        "settle_delay": SETTLE_DELAY,
    }
    return Tool(name=name, effect=effect, **(given | options))


PROBE_TIMEOUT = 1.0
DEPENDENCIES = {
    name: Dependency(
        name, kind="function", freshness=11.0, probe_every=8.0, probe_timeout=PROBE_TIMEOUT, backoff_max=20.0
    )
    for name in ("crm", "directory")
}
"""What destructive tools rest on, by name. Each is probed by every engine."""

TOOLS: tuple[Tool, ...] = (
    _tool("crm.find", Effect.READ_ONLY),
    _tool("crm.read", Effect.READ_ONLY),
    _tool("crm.keyed", Effect.KEYED),
    _tool("crm.opaque", Effect.OPAQUE),
    _tool("crm.natural", Effect.NATURAL, resource="contact/{contact}"),
    _tool("crm.order", Effect.RECONCILABLE, lookup="crm.find"),
    _tool("mail.send", Effect.KEYED, requires=("mail", "crm"), cost=2, attempts=1),
    _tool("crm.delete", Effect.OPAQUE, destructive=True, requires=("crm", "directory")),
    _tool("crm.purge", Effect.KEYED, destructive=True, requires=("crm", "directory")),
    _tool("crm.refund", Effect.KEYED, cost=5),
    _tool("idp.enable", Effect.KEYED),
    _tool("idp.disable", Effect.KEYED, revert="idp.enable"),
    _tool("shop.release", Effect.KEYED),
    _tool("shop.reserve", Effect.KEYED, compensate="shop.release"),
    _tool("shop.unbook", Effect.RECONCILABLE, lookup="crm.find"),
    _tool("shop.book", Effect.OPAQUE, compensate="shop.unbook"),
    _tool("shop.ship", Effect.KEYED),
)
"""In an order in which they can be registered: what others name comes first."""

PATIENT_TOOLS = tuple(replace(tool, timeout=400.0) if tool.name == "crm.opaque" else tool for tool in TOOLS)
"""The same where engines share a store: one that waits for longer than it takes until its engine is called lost."""

BY_NAME = {tool.name: tool for tool in TOOLS}
SUBMITTED = (
    *("crm.read", "crm.keyed", "crm.keyed", "crm.opaque", "crm.opaque", "crm.natural", "crm.natural"),
    *("crm.order", "crm.order", "mail.send", "crm.delete", "crm.purge", "crm.purge", "crm.refund"),
)
"""What clients ask for alone, the frequent ones more than once."""
BOXED = "idp.disable"
SAGA_TOOLS = ("shop.reserve", "shop.book", "crm.read")
SAGA_LAST = "shop.ship"

RULES = (
    ApprovalRule(name="deletions", tool="*.delete", destructive=True, quorum=2, expires=APPROVAL_EXPIRES),
    ApprovalRule(name="refunds", cost_above=4, expires=APPROVAL_EXPIRES),
)
BUDGETS = Budgets(
    [
        Budget(name="units", limit=20, period=Period.HOUR, each=("account",)),
        Budget(name="refunds", limit=5, period=Period.DAY, tool="crm.refund"),
    ]
)
