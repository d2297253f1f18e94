"""What a replay may do with an intent as it stands, by today's gates: pure decisions.

Each function returns what follows the beginning of a replay: its end where that is known at once, else what sets the
intent going. Nothing is ever sent for what succeeded, for what is in doubt, or for what was erased.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.execution.contract import Tool
from switchgear.execution.decide import Backoff, Moment, repeat_in_doubt
from switchgear.execution.intent import Change, Intent
from switchgear.execution.replay import Cause, Result, completed, failed
from switchgear.execution.transitions import DOUBTFUL, LIVE, Kind, State
from switchgear.ledger.erasure import is_erased

_ON_ITS_WAY = LIVE | {State.NOT_APPLIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a replay goes by beside the intent.

    `tool` is what the tool of the intent is here today, None where it is not known. `refusal` is what the gates say
    today of an attempt. `proof` names what shows that the action has no effect now: `not_applied`, `reverted`,
    `compensated`, or None. `hindrance` is what else forbids to execute it anew.
    """

    moment: Moment
    tool: Tool | None
    refusal: Rejected | None
    proof: str | None = None
    hindrance: Rejected | None = None


def resumed(intent: Intent, seen: Seen) -> tuple[Change, ...]:
    """Return what a resume of `intent` comes to."""
    match intent.state:
        case State.SUCCEEDED:
            return (completed(Result.ALREADY_EXECUTED),)
        case State.READY | State.HELD | State.IN_DOUBT:
            return _gone_on(intent, seen)
        case State.RECONCILING | State.NEEDS_OPERATOR:
            return (_in_doubt(intent),)
        case State.PENDING_APPROVAL:
            return (failed(Cause.GATE, Code.APPROVAL_REQUIRED, "it waits for approval"),)
        case _:
            return (_in_doubt(intent) if intent.unresolved else completed(Result.NOTHING_TO_DO),)


def reexecution(intent: Intent, tool: Tool, *, by: str, proof: str, now: float) -> Change:
    """Return the record that `intent` is executed anew, with fresh attempts and fresh time of its tool."""
    facts = {
        "by": by,
        "proof": proof,
        "attempts_max": tool.attempts,
        "deadline_at": now + tool.lifetime,
        "lookups": 0,
    }
    return Change(Kind.REEXECUTED, {**facts, "generation_before": intent.generation})


def reexecuted(intent: Intent, seen: Seen, *, by: str) -> tuple[Change, ...]:
    """Return what executing `intent` anew comes to: another generation only where nothing of it is left in effect."""
    if intent.state in _ON_ITS_WAY:
        return (completed(Result.NOTHING_TO_DO),)
    if intent.state in DOUBTFUL or (intent.unresolved and intent.state is not State.SUCCEEDED):
        return (_in_doubt(intent),)
    if seen.proof is None:
        return (completed(Result.ALREADY_EXECUTED),)
    if seen.hindrance is not None:
        return (_gate(seen.hindrance),)
    if (obstacle := _obstacle(intent, seen)) is not None:
        return (obstacle,)
    assert seen.tool is not None, "an unknown tool is an obstacle"
    return (reexecution(intent, seen.tool, by=by, proof=seen.proof, now=seen.moment.now),)


def _gone_on(intent: Intent, seen: Seen) -> tuple[Change, ...]:
    """Return what lets an intent go on that waits for a gate, for its turn, or for the end of a doubt."""
    obstacle = _obstacle(intent, seen)
    if obstacle is not None:
        return (obstacle,)
    if intent.state is State.HELD:
        return (Change(Kind.RELEASED),)
    if intent.state is State.READY:
        return ()
    return _repeated(intent, seen) or (_in_doubt(intent),)


def _repeated(intent: Intent, seen: Seen) -> tuple[Change, ...]:
    """Return one more attempt of what is in doubt, where its effect allows one; a person has asked for it.

    Attempts and time that are used up are granted anew; the retention of the key, and a cancel, are not.
    """
    assert seen.tool is not None, "an unknown tool is an obstacle"
    granted = {
        "attempts_max": max(intent.attempts_max, intent.attempt + 1),
        "deadline_at": max(intent.deadline_at, seen.moment.now + seen.tool.lifetime),
    }
    fresh = msgspec.structs.replace(intent, **granted)
    return tuple(
        Change(change.kind, {**change.facts, **granted}, change.payload)
        for change in repeat_in_doubt(fresh, Backoff.of(seen.tool), seen.moment)
    )


def _obstacle(intent: Intent, seen: Seen) -> Change | None:
    """Return the end of a replay that would have to send what must not be sent."""
    if is_erased(intent.arguments):
        return failed(Cause.ERROR, Code.ILLEGAL_TRANSITION, "its arguments were erased, so it cannot be sent again")
    if seen.tool is None:
        return failed(Cause.GATE, Code.TOOL_UNREGISTERED, "its tool is not registered here")
    if seen.tool.contract != intent.contract and intent.unresolved and intent.state is not State.SUCCEEDED:
        return failed(Cause.CHANGED_CONTRACT, Code.TOOL_CHANGED, "the tool has changed: a repeat is another request")
    return None if seen.refusal is None else _gate(seen.refusal)


def _gate(refusal: Rejected) -> Change:
    if refusal.code is Code.TOOL_CHANGED:
        return failed(Cause.CHANGED_CONTRACT, refusal.code, refusal.message)
    return failed(Cause.GATE, refusal.code, refusal.message)


def _in_doubt(intent: Intent) -> Change:
    message = "it is not known whether it happened; it is settled by its rule or by a person first"
    return failed(Cause.IN_DOUBT, intent.code or Code.IN_DOUBT, message)
