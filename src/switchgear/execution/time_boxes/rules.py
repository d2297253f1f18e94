"""What an intent's change means for its time-box, and what a box needs now: pure decisions.

A box is opened with the dispatch of its action and void when the action proves not applied. At its end the action is
reverted if it is known to have happened; what is not known is settled first, or by a person. How the tool reverts, and
whether it may, is its own business: it compares first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Conflict, Invalid
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Change, Intent
from switchgear.execution.registry import Registry
from switchgear.execution.schedule import check_number
from switchgear.execution.time_boxes.box import ENDED, EXTENSIONS_MAX, SECONDS_MAX, BoxKind, BoxState, BoxStep, TimeBox
from switchgear.execution.transitions import DOUBTFUL, Kind, State

ATTEMPTS_MIN = 10
"""The fewest attempts of a revert, whatever its tool says: a person is only called once an outage lasts."""
_CAPTURED = ("prior", "now")
_VOIDABLE = (BoxState.OPEN, BoxState.NEEDS_OPERATOR)


class Fate(Enum):
    """What is known of an action when its box looks."""

    HAPPENED = auto()
    NOT_APPLIED = auto()
    UNDER_WAY = auto()
    """An attempt, a repeat or a lookup is about to tell."""
    UP_TO_A_PERSON = auto()


class Wants(Enum):
    """What a box needs beside an event."""

    NOTHING = auto()
    A_REVERT = auto()


def checked_time_box(tool: Tool, seconds: float | None, registry: Registry) -> None:
    """Return when an action of `tool` can be submitted with a time-box of `seconds`; None is none.

    Raises `Invalid` for a tool that names no revert, for one whose revert is not registered here or changes nothing,
    and for seconds that are no number above 0 and at most 31 days.
    """
    if seconds is None:
        return
    check_number("revert_after", seconds, policy="time_box")
    if not 0 < seconds <= SECONDS_MAX:
        raise Invalid(
            f"revert_after, the length of a time-box, is above 0 and at most {SECONDS_MAX:.0f} seconds",
            policy="time_box",
        )
    if tool.revert is None:
        raise Invalid(f"{tool.name} names no tool that reverts it, so it has no time-box", policy="time_box")
    known = registry.get(tool.revert)
    if known is None or not known.tool.effect.writes:
        wrong = "is not registered here" if known is None else "changes nothing"
        raise Invalid(f"{tool.revert}, which reverts {tool.name}, {wrong}", policy="time_box")


def step_with(box: TimeBox | None, after: Intent, changes: Sequence[Change], now: float) -> BoxStep | None:
    """Return the event of its box that belongs into the append of `changes`, after which the intent is `after`.

    None when the box stays as it is.
    """
    if any(change.kind is Kind.DISPATCHED for change in changes):
        return _opened(after, now) if box is None or box.state in ENDED else None
    if box is None or box.state not in _VOIDABLE or fate_of(box, after) is not Fate.NOT_APPLIED:
        return None
    return BoxStep(BoxKind.VOIDED, {"code": after.code})


def fate_of(box: TimeBox, intent: Intent, *, lookup: bool = False) -> Fate:
    """Return what is known of the action of `box`. `lookup` says that a tool here can look it up."""
    if intent.downstream_key != box.id or intent.state is State.NEEDS_OPERATOR or _abandoned(intent):
        return Fate.UP_TO_A_PERSON
    if intent.state is State.SUCCEEDED:
        return Fate.HAPPENED
    if intent.state is State.IN_DOUBT and not lookup:
        return Fate.UP_TO_A_PERSON
    if intent.state in DOUBTFUL or intent.state is State.DISPATCHED or intent.unresolved:
        return Fate.UNDER_WAY
    return Fate.NOT_APPLIED


def needed(box: TimeBox, intent: Intent, revert: Intent | None, *, due: bool, lookup: bool) -> BoxStep | Wants:
    """Return what a box needs now. `revert` is the newest intent that reverts it, `due` says that its time is over."""
    if box.revert is not None:
        return _after_revert(box, revert)
    if box.state is BoxState.NEEDS_OPERATOR and not box.unsettled:
        return Wants.NOTHING
    match fate_of(box, intent, lookup=lookup):
        case Fate.NOT_APPLIED:
            return BoxStep(BoxKind.VOIDED, {"code": intent.code})
        case Fate.HAPPENED if due:
            return Wants.A_REVERT
        case Fate.UP_TO_A_PERSON if due and box.state is BoxState.OPEN:
            why = "its time is over, and nobody knows whether it happened: say what became of the action"
            return called(Code.IN_DOUBT, why, unsettled=True)
        case _:
            return Wants.NOTHING


def called(code: Code | str, why: str, *, unsettled: bool = False) -> BoxStep:
    """Return the event that a person must decide about a box."""
    facts: dict[str, Any] = {"code": str(code), **({"unsettled": True} if unsettled else {})}
    return BoxStep(BoxKind.NEEDS_OPERATOR, facts, {"message": why})


def revert_arguments(intent: Intent, undo: Tool) -> dict[str, Any]:
    """Return what the tool `undo` is told: the arguments of the action, and what its value says of before and after.

    A tool whose schema knows its arguments and allows no others is told only those.
    """
    told = {**intent.arguments, **captured(intent)}
    schema = undo.arguments_schema or {}
    if schema.get("additionalProperties", True) is not False:
        return told
    return {name: told[name] for name in told if name in schema.get("properties", {})}


def captured(intent: Intent) -> dict[str, Any]:
    """Return what the value of an action says of before (`prior`) and after (`now`): either, both or neither."""
    value = intent.value if isinstance(intent.value, Mapping) else {}
    return {name: value[name] for name in _CAPTURED if name in value}


def extended(box: TimeBox, seconds: float, *, by: str, reason: str, now: float) -> BoxStep:
    """Return the event that moves the end of a box by `seconds`.

    Raises `Invalid` for seconds that are no number above 0, or an end more than 31 days from now; `Conflict` when the
    box is not open any more, or was extended 100 times.
    """
    check_number("an extension", seconds, policy="time_box")
    if not 0 < seconds <= SECONDS_MAX or box.reverts_at + seconds > now + SECONDS_MAX:
        message = f"an extension is above 0 seconds, and ends at most {SECONDS_MAX:.0f} seconds from now"
        raise Invalid(message, policy="time_box")
    if box.state is not BoxState.OPEN:
        raise refusal(box)
    if box.extensions >= EXTENSIONS_MAX:
        message = f"it was extended {EXTENSIONS_MAX} times, the most there is; let it revert, or close it"
        raise Conflict(message, policy="time_box", state=str(box.state))
    facts = {"reverts_at": box.reverts_at + seconds, "seconds": box.seconds + seconds, "by": by}
    return BoxStep(BoxKind.EXTENDED, facts, {"reason": reason})


def closed(box: TimeBox, intent: Intent, *, by: str, reason: str) -> BoxStep:
    """Return the event that ends a box without a revert: the action stays.

    Raises `Conflict` when a revert has begun, and while an open box's action may still not have happened.
    """
    if box.state not in _VOIDABLE:
        raise refusal(box)
    if box.state is BoxState.OPEN and intent.state is not State.SUCCEEDED:
        raise Conflict(f"the action is {intent.state}; it has to be settled first", state=str(intent.state))
    return BoxStep(BoxKind.CLOSED, {"by": by}, {"reason": reason})


def check_revertible(box: TimeBox, intent: Intent, revert: Intent | None) -> None:
    """Return when a person can have the action reverted now. Raises `Conflict` where something is not settled."""
    if box.state not in _VOIDABLE:
        raise refusal(box)
    if intent.downstream_key != box.id or intent.state is not State.SUCCEEDED:
        raise Conflict(f"the action is {intent.state}; it has to be settled first", state=str(intent.state))
    if revert is not None and revert.state is State.SUCCEEDED:
        raise Conflict(f"the revert {revert.id} has happened", policy="time_box", state=str(revert.state))
    if revert is not None and not revert.final:
        message = f"the revert {revert.id} is {revert.state}; it has to be settled first"
        raise Conflict(message, state=str(revert.state))


def refusal(box: TimeBox) -> Conflict:
    """Return why nothing can be done about a box any more."""
    return Conflict(f"a time-box that is {box.state} allows this no more", policy="time_box", state=str(box.state))


def _opened(intent: Intent, now: float) -> BoxStep:
    seconds = intent.time_box or 0.0
    facts: dict[str, Any] = {
        "box": intent.downstream_key,
        "account": intent.account,
        "intent": intent.id,
        "tool": intent.tool,
        "undo": intent.undo,
        "seconds": seconds,
        "reverts_at": now + seconds,
    }
    return BoxStep(BoxKind.OPENED, facts)


def _abandoned(intent: Intent) -> bool:
    return State.ABANDONED in (intent.state, intent.ended)


def _after_revert(box: TimeBox, revert: Intent | None) -> BoxStep | Wants:
    """Return what the end of a revert means. One that is under way, or in doubt with a rule for it, goes on."""
    if revert is not None and revert.state is State.SUCCEEDED:
        return BoxStep(BoxKind.REVERTED, {"revert": revert.id})
    if box.state is not BoxState.REVERTING or (revert is not None and not _stuck(revert)):
        return Wants.NOTHING
    if revert is None:
        return called(Code.LEDGER_CORRUPT, "the intent that reverts it is not on record")
    code = _code_of(revert)
    return called(code, revert.message or FACTS[code].meaning)


def _stuck(revert: Intent) -> bool:
    return revert.final or revert.state is State.NEEDS_OPERATOR


def _code_of(revert: Intent) -> Code:
    if revert.state is State.EXPIRED or revert.code == Code.DEADLINE_EXCEEDED:
        return Code.TIMEOUT_REVERT
    return Code(revert.code) if revert.code else Code.TOOL_FAILED
