"""What must not leave did not: by kill switch, without approval, or over what a later action has changed.

All of it is read from the order of the ledger: what counts is what was recorded before what.
"""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.transitions import Kind
from switchgear.gates.kill_switches.switches import RELEASED, STREAM, TRIPPED, Mode, touches
from switchgear.lab.simulation.catalogue import BY_NAME
from switchgear.lab.simulation.history import Step
from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.ledger.events import Recorded

_QUORUM = {"crm.delete": 2, "crm.refund": 1}


def nothing_leaves_past_a_freeze(evidence: Evidence) -> Iterator[str]:
    """Check that nothing which a freeze covers is recorded as dispatched between it and its release."""
    frozen: set[tuple[str, str]] = set()
    for event in evidence.history.events:
        if event.stream == STREAM:
            _switch(frozen, event)
        elif event.type == Kind.DISPATCHED:
            yield from _past(frozen, event, evidence.intents[event.stream])


def _switch(frozen: set[tuple[str, str]], event: Recorded) -> None:
    place = (event.tenant, str(event.facts["target"]))
    if event.type == TRIPPED and event.facts["mode"] == Mode.FREEZE:
        frozen.add(place)
    elif event.type == RELEASED:
        frozen.discard(place)


def _past(frozen: set[tuple[str, str]], event: Recorded, intent: Intent) -> Iterator[str]:
    requires = BY_NAME[intent.tool].requires
    for scope, target in sorted(frozen):
        if scope in (PLATFORM_TENANT, event.tenant) and touches(
            target, tenant=event.tenant, tool=intent.tool, requires=requires
        ):
            yield f"{intent.tool} {intent.id} left while {target} was frozen by {scope}"


def nothing_leaves_without_approval(evidence: Evidence) -> Iterator[str]:
    """Check that what needs the word of people has it: of enough, and of none who asked for it or is an agent."""
    for step in evidence.history.dispatches():
        quorum = _QUORUM.get(step.after.tool)
        if quorum is not None and (problem := _unapproved(step, quorum)):
            yield f"{step.after.tool} {step.after.id} left {problem}"


def _unapproved(step: Step, quorum: int) -> str:
    approval = step.before.approval if step.before is not None else None
    if approval is None:
        return "without an approval"
    people = {grant.by for grant in approval.granted}
    if step.after.actor in people or any(name.startswith(AGENT) for name in people):
        return f"by the word of {sorted(people)}"
    return "" if len(people) >= quorum else f"with {len(people)} of {quorum} approvals"


def no_repeat_undoes_what_came_later(evidence: Evidence) -> Iterator[str]:
    """Check that no action in doubt sets its value again once another was dispatched to the same resource."""
    last: dict[tuple[str, str], str] = {}
    for step in evidence.history.dispatches():
        intent, before = step.after, step.before
        if intent.resource is None:
            continue
        place = (intent.tenant, intent.resource)
        if before is not None and before.unresolved and last.get(place) != intent.id:
            yield f"{intent.tool} {intent.id} was repeated over {last.get(place)}, both at {intent.resource}"
        last[place] = intent.id
