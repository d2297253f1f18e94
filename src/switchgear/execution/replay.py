"""The words of a replay, and the one end of each: pure.

A replay is four events in the stream of its intent: requested, started, and then exactly one end. An end that is known
at once stands in the append of the beginning; any other goes into the very append that settles the intent. So no crash
leaves a replay without its end, and none has two. What a replay may do is decided in `replay_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from switchgear.core.codes import Code
from switchgear.execution.intent import Change, Intent
from switchgear.execution.transitions import DOUBTFUL, Kind, State
from switchgear.ledger.reasons import check_reason


class Mode(StrEnum):
    """What a replay does."""

    VERIFY = "verify"
    """Folds the events again and compares. Nothing is called."""
    RESUME = "resume"
    """Goes on where the action stands, by the rules of its effect class."""
    REEXECUTE = "re-execute"
    """Executes it anew, as another generation, once it is proved that it has no effect now."""


class Result(StrEnum):
    """How a replay completes."""

    VERIFIED = "verified"
    ALREADY_EXECUTED = "already_executed"
    EXECUTED = "executed"
    NOTHING_TO_DO = "nothing_to_do"


class Cause(StrEnum):
    """Why a replay fails."""

    GATE = "gate"
    """Something that must say yes today does not."""
    IN_DOUBT = "in_doubt"
    """It is not known whether the action happened."""
    CHANGED_CONTRACT = "changed_contract"
    """The tool is not the one that the action was accepted for."""
    INTERRUPTED = "interrupted"
    """The engine ended under it, or somebody cancelled the action."""
    ERROR = "error"
    """It was tried and failed, or its record is not what its events say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Who wants what, and why. `trace` is the replay's own.

    Raises `Invalid` for a reason that is missing or longer than 500 characters.
    """

    mode: Mode
    reason: str
    by: str
    trace: str

    def __post_init__(self) -> None:
        """Check the reason: it is what is left of the replay."""
        check_reason(self.reason)


def begun(intent: Intent, request: ReplayRequest) -> tuple[Change, ...]:
    """Return the beginning of a replay of `intent`: that it was requested, and that it started."""
    facts = {"requested_by": request.by, "mode": str(request.mode), "replay_trace": request.trace}
    linked = {**facts, "linked_trace": intent.trace}
    return (
        Change(Kind.REPLAY_REQUESTED, linked, {"replay_reason": request.reason}),
        Change(Kind.REPLAY_STARTED, facts),
    )


def completed(result: Result, **facts: object) -> Change:
    """Return the good end of a replay."""
    return Change(Kind.REPLAY_COMPLETED, {"result": str(result), **facts})


def failed(cause: Cause, code: Code | str | None = None, detail: str = "") -> Change:
    """Return the bad end of a replay. `code` is what stood in its way, `detail` says so in words."""
    facts = {"cause": str(cause)} | ({"refusal": str(code)} if code else {})
    return Change(Kind.REPLAY_FAILED, facts, {"detail": detail} if detail else None)


def replay_end(before: Intent, after: Intent) -> Change | None:
    """Return the end of a replay under way that belongs into the append that makes `after` of `before`.

    None when no replay is under way, and while the intent goes on: ready, dispatched, or waiting for approval.
    """
    if not after.replaying:
        return None
    if after.interruptions > before.interruptions:
        return failed(Cause.INTERRUPTED, Code.IN_DOUBT)
    if after.state is State.SUCCEEDED:
        return completed(Result.EXECUTED)
    if after.state in DOUBTFUL:
        return failed(Cause.IN_DOUBT, after.code)
    cause = _cause(after)
    return None if cause is None else failed(cause, after.code)


_CAUSES: Mapping[State, Cause] = {
    State.HELD: Cause.GATE,
    State.DENIED: Cause.GATE,
    State.REJECTED: Cause.GATE,
    State.CANCELLED: Cause.INTERRUPTED,
    State.EXPIRED: Cause.ERROR,
    State.FAILED: Cause.ERROR,
    State.ABANDONED: Cause.ERROR,
    State.DEAD_LETTERED: Cause.ERROR,
    State.DISCARDED: Cause.ERROR,
}
"""State that ends a replay -> why it failed. What is in none of them goes on."""


def _cause(after: Intent) -> Cause | None:
    cause = _CAUSES.get(after.state)
    if cause is None:
        return None
    return _BY_CODE.get(after.code or "", cause)


_BY_CODE: Mapping[str, Cause] = {
    str(Code.TOOL_CHANGED): Cause.CHANGED_CONTRACT,
    str(Code.APPROVAL_EXPIRED): Cause.GATE,
}
"""Codes that say more than the state does."""
