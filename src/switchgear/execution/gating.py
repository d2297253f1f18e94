"""Between intents and gates: what a gate is shown of an intent, and what of its answer goes into the append. Pure."""

from __future__ import annotations

import msgspec

from switchgear.execution.contract import Tool
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import NOTHING_ELSE, Also
from switchgear.execution.transitions import State
from switchgear.gates.destructive.force import Force
from switchgear.gates.gate import NO_CONDITIONS, Conditions, Consent, GateRequest, Stage

_ADMISSION = Stage.ADMISSION
HOLDING = frozenset(
    {
        "KILL_SWITCH_ACTIVE",
        "KILL_SWITCH_UNREADABLE",
        "RESTORE_PENDING",
        "TOOL_CHANGED",
        "TOOL_UNREGISTERED",
        "BUDGET_EXCEEDED",
        "DESTRUCTIVE_BLOCKED",
        "DEPENDENCY_UNKNOWN",
    }
)
"""Codes of refusals before dispatch that hold an intent until what stands in the way has changed."""


def admission_request(intent: Intent, tool: Tool, now: float) -> GateRequest:
    """Return what gates see of an intent that is about to be accepted."""
    # What each has is given by position: where a call has many names, CPython gathers them in a dictionary first.
    return GateRequest(
        _ADMISSION,
        intent.id,
        intent.tenant,
        intent.account,
        intent.actor,
        tool.name,
        tool.contract,
        tool.requires,
        tool.effect,
        tool.destructive,
        tool.cost,
        intent.digest,
        now,
        intent.deadline_at,
        priority=intent.priority or "critical",
        purpose=intent.purpose,
        undo=intent.undo,
    )


def dispatch_request(intent: Intent, tool: Tool, now: float) -> GateRequest:
    """Return what gates see of an intent whose next attempt is about to leave."""
    return GateRequest(
        Stage.DISPATCH,
        intent.id,
        intent.tenant,
        intent.account,
        intent.actor,
        tool.name,
        tool.contract,
        tool.requires,
        tool.effect,
        tool.destructive,
        tool.cost,
        intent.digest,
        now,
        intent.deadline_at,
        priority=intent.priority or "critical",
        agreed=intent.contract,
        consent=_consent(intent),
        reserved=bool(intent.reserved),
        purpose=intent.purpose,
        undo=intent.undo,
        force=_force(intent),
    )


def departure_request(admitted: GateRequest) -> GateRequest:
    """Return what gates see of an action that was let in as `admitted`, when it is to leave in the same moment."""
    return msgspec.structs.replace(admitted, stage=Stage.DISPATCH, agreed=admitted.contract)


def also_of(conditions: Conditions) -> Also:
    """Return the part of an append that makes it conditional on what gates relied on."""
    if conditions is NO_CONDITIONS:
        return NOTHING_ELSE
    return Also(expects=conditions.expects, counts=conditions.counts)


def _force(intent: Intent) -> Force | None:
    """Return the force that speaks for the next dispatch, or for the one that is on record and has not left yet."""
    force = intent.force
    return force if force is not None and force.used is (intent.state is State.DISPATCHED) else None


def _consent(intent: Intent) -> Consent | None:
    asked = intent.approval
    if asked is None:
        return None
    given = len(asked.granted)
    return Consent(asked.rule, asked.digest, asked.nonce, asked.quorum, given, asked.expires_at, used=asked.used)
