"""What follows from what is known: pure decisions about retry, doubt, expiry and cancellation.

Each function takes an intent, facts, the wall time and a random draw, and returns the changes to record. The rules
are those of the effect classes; nothing here waits, sends or stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from switchgear.core.codes import FACTS, Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.execution.contract import Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.intent import Change, Intent
from switchgear.execution.reservation import KEPT
from switchgear.execution.transitions import DOUBTFUL, WAITING, Kind, State

_SUCCEEDED = Kind.SUCCEEDED
_CLOCK_SLACK = 5.0
"""Seconds by which the wall clock may be off between two dispatches."""

ENGINE_ENDED = "the engine ended before an answer came"

INTERRUPTIONS_MAX = 5
"""How often an intent may be interrupted by our own end and still run again by itself."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """Now, in seconds since the epoch, and a random draw in [0, 1) for jitter.

    `unsure` is by how many seconds, 0 or more, the time since a moment on record may be wrong.
    """

    now: float
    draw: float
    unsure: float = 0.0


class Backoff(msgspec.Struct, frozen=True, gc=False):
    """The tool's waits between attempts, in seconds."""

    base: float
    cap: float

    @classmethod
    def of(cls, tool: Tool | None) -> Backoff:
        """Return the tool's own waits, or small ones when the tool is not known here."""
        return cls(0.5, 30.0) if tool is None else cls(tool.backoff_base, tool.backoff_cap)

    def wait(self, attempt: int, draw: float) -> float:
        """Return the full-jitter wait after attempt number `attempt` (from 1)."""
        return draw * min(self.cap, self.base * 2.0 ** min(attempt - 1, 63))


@dataclass(frozen=True, slots=True)
class Unsent:
    """An attempt that was stopped here, because of `code`, before anything of it left. It is not counted as one."""

    code: Code


def after_result(intent: Intent, backoff: Backoff, result: Result | Unsent, moment: Moment) -> tuple[Change, ...]:
    """Return what to record of an attempt that ended with `result`."""
    match result:
        case Succeeded():
            return (Change(_SUCCEEDED, {}, {"value": result.value}),)
        case Unsent():
            return after_unsent(intent, moment, result.code)
        case Uncertain(code=Code.SHUTTING_DOWN):
            return after_interruption(intent, backoff, moment, result.message)
        case Refused():
            return _after_refusal(intent, backoff, result, moment)
        case Uncertain():
            return _after_doubt(intent, backoff, result, moment)


def after_interruption(intent: Intent, backoff: Backoff, moment: Moment, reason: str) -> tuple[Change, ...]:
    """Return what to record of an attempt that the end of an engine cut off."""
    interruptions = intent.interruptions + 1
    doubt = _doubt(intent, Code.IN_DOUBT, reason, interruptions=interruptions)
    return (doubt, *repeat_in_doubt(intent, backoff, moment, interruptions=interruptions))


def repeat_in_doubt(
    intent: Intent, backoff: Backoff, moment: Moment, *, interruptions: int | None = None
) -> tuple[Change, ...]:
    """Return the retry of an interrupted attempt, where the effect class allows one; else nothing.

    A read may run again. A keyed write may while the remote remembers the key, with the same key and bytes. A natural
    one may where it names its resource: the append of its dispatch fails if a later action has touched that.
    """
    cut_off = intent.interruptions if interruptions is None else interruptions
    if not _repeatable(intent) or intent.cancel_requested or cut_off > INTERRUPTIONS_MAX:
        return ()
    if intent.attempt >= intent.attempts_max + cut_off:
        return ()
    if intent.effect is Effect.KEYED and not _remembered(intent, moment.now, moment.now, moment.unsure):
        return ()
    wait = backoff.wait(intent.attempt, moment.draw)
    if moment.now + wait >= intent.deadline_at:
        return ()  # it would only wait for its deadline, and be in doubt then
    return (_retry(intent, Code.IN_DOUBT, wait, moment.now),)


def after_unsent(intent: Intent, moment: Moment, why: Code = Code.LEDGER_UNAVAILABLE) -> tuple[Change, ...]:
    """Return what to record of a dispatch that was recorded but whose call was never made, because of `why`."""
    code = str(why)
    if intent.cancel_requested and intent.unresolved:
        return (_doubt(intent, Code.CANCELLED, "cancelled; an earlier attempt may have been applied"),)
    kept = {KEPT: True} if intent.unresolved else {}
    unsent = Change(Kind.NOT_APPLIED, {"code": code, "attempt": intent.attempt, **kept})
    if intent.cancel_requested:
        return (unsent, Change(Kind.CANCELLED, {"code": str(Code.CANCELLED)}))
    again = {"attempt": intent.attempt - 1, "code": code, "wait": 0.0, "not_before": moment.now}
    return (unsent, Change(Kind.RETRY_SCHEDULED, again))


def no_repeat(intent: Intent, tool: Tool, now: float, unsure: float) -> tuple[Change, ...] | None:
    """Return the end of an intent in doubt whose repeat could be a second effect; None when it may go.

    The same key protects only under the same contract, and only while the remote remembers it until this attempt
    has ended. `now` is in seconds since the epoch, and `unsure` by how many the time since a record may be wrong.
    """
    if not intent.unresolved:
        return None
    if tool.contract != intent.contract:
        return (_doubt(intent, Code.TOOL_CHANGED, "the contract has changed: a repeat would be another request"),)
    if intent.effect is Effect.KEYED and not _remembered(intent, now, now + tool.timeout, unsure):
        return (
            _doubt(intent, Code.IN_DOUBT, "the remote may have forgotten the key; a repeat could be a second effect"),
        )
    return None


def touched(intent: Intent) -> tuple[Change, ...]:
    """Return the end of the repeating of an intent whose resource a later action has changed: a person must look."""
    message = f"a later action has changed {intent.resource}; a repeat would undo it"
    called = Change(Kind.NEEDS_OPERATOR, {"code": str(Code.IN_DOUBT)}, {"message": message})
    return (_doubt(intent, Code.IN_DOUBT, message), called)


def after_not_applied(
    intent: Intent, backoff: Backoff, moment: Moment, facts: dict[str, Any], payload: dict[str, Any] | None = None
) -> tuple[Change, ...]:
    """Return what to record of an action in doubt that is known by now not to have happened, and what follows.

    `facts` and `payload` say who found out. It runs again as after any attempt that was not applied.
    """
    code = Code(intent.code) if intent.code else Code.IN_DOUBT
    named = {**facts, "code": str(code), "attempt": intent.attempt, "lookups": 0}
    found = Change(Kind.NOT_APPLIED, named, payload)
    if intent.cancel_requested:
        return (found, Change(Kind.CANCELLED, {"code": str(Code.CANCELLED)}))
    wait = backoff.wait(intent.attempt, moment.draw)
    return (found, *_again_or_failed(intent, code, intent.message, wait, moment.now))


def hold(refusal: Rejected) -> Change:
    """Return the record that an intent keeps its place until what stands in its way has changed."""
    code = str(refusal.code)
    facts: dict[str, Any] = {
        "code": code,
        "policy": refusal.policy,
        "dependency": refusal.dependency,
        "waiting_for": code,
    }
    if refusal.state:
        facts["state"] = refusal.state
    if refusal.retry_after is not None:
        facts["retry_after"] = refusal.retry_after
    return Change(Kind.HELD, facts, {"message": refusal.message} if refusal.message else None)


def delay_of(intent: Intent, now: float) -> float:
    """Return the seconds until an intent may run; a wall clock that went back never makes a wait longer than it was."""
    if intent.not_before is None:
        return 0.0
    left = max(0.0, intent.not_before - now)
    return left if intent.wait is None else min(left, intent.wait)


def deferral(refusal: Rejected, wait: float, now: float) -> Change:
    """Return the record of a refusal that is only for now: it is offered again after `wait` seconds."""
    facts = {
        "code": str(refusal.code),
        "policy": refusal.policy,
        "dependency": refusal.dependency,
        "state": refusal.state,
        "retry_after": refusal.retry_after,
        "waiting_for": str(refusal.code),
        "wait": wait,
        "not_before": now + wait,
    }
    return Change(Kind.DEFERRED, facts)


def cancellation(intent: Intent, reason: str, actor: str) -> tuple[Change, ...]:
    """Return what a cancel does now; nothing when it is already under way, done, or too late.

    What has not left is cancelled. Where an attempt may have been applied, a cancel only ends the repeating.
    """
    facts = {"by": actor}
    if intent.state in WAITING:
        if intent.unresolved:
            return (_doubt(intent, Code.IN_DOUBT, reason, cancel_requested=True, **facts),)
        return (Change(Kind.CANCELLED, {**facts, "code": str(Code.CANCELLED)}, {"message": reason}),)
    if (intent.state is State.DISPATCHED or intent.state in DOUBTFUL) and not intent.cancel_requested:
        return (Change(Kind.CANCEL_REQUESTED, {**facts, "cancel_requested": True}, {"reason": reason}),)
    return ()


def denial(intent: Intent, code: Code, message: str) -> tuple[Change, ...]:
    """Return the end of an intent that a gate or guard refused for good before it left."""
    if intent.unresolved:
        return (_doubt(intent, code, message),)
    return (Change(Kind.DENIED, {"code": str(code)}, {"message": message}),)


def shed(intent: Intent) -> tuple[Change, ...]:
    """Return the end of an intent that may be shed and has waited in the queue for too long."""
    return denial(intent, Code.QUEUE_EXPIRED, FACTS[Code.QUEUE_EXPIRED].meaning)


def expiry(intent: Intent) -> tuple[Change, ...]:
    """Return the end of an intent whose deadline passed while it waited."""
    if intent.unresolved:
        return (_doubt(intent, Code.DEADLINE_EXCEEDED, "the deadline passed before an attempt settled the doubt"),)
    code = Code.APPROVAL_EXPIRED if intent.state is State.PENDING_APPROVAL else Code.DEADLINE_EXCEEDED
    return (Change(Kind.EXPIRED, {"code": str(code)}),)


def _after_refusal(intent: Intent, backoff: Backoff, result: Refused, moment: Moment) -> tuple[Change, ...]:
    if intent.unresolved:
        return _after_refusal_in_doubt(intent, backoff, result, moment)
    refused = Change(
        Kind.NOT_APPLIED,
        {"code": str(result.code), "attempt": intent.attempt, "retry_after": result.retry_after},
        {"message": result.message},
    )
    if intent.cancel_requested:
        return (refused, Change(Kind.CANCELLED, {"code": str(Code.CANCELLED)}))
    if not result.retryable or (result.retry_after or 0.0) < 0:
        return (refused, *failed(intent, result.code, result.message))
    wait = max(backoff.wait(intent.attempt, moment.draw), result.retry_after or 0.0)
    return (refused, *_again_or_failed(intent, result.code, result.message, wait, moment.now))


def _again_or_failed(intent: Intent, code: Code, message: str, wait: float, now: float) -> tuple[Change, ...]:
    """Return the next attempt after one that was not applied; the end where attempts or time are used up."""
    if intent.attempt >= intent.attempts_max + intent.interruptions:
        return failed(intent, Code.RETRY_EXHAUSTED, message)
    if now + wait >= intent.deadline_at:
        return failed(intent, Code.DEADLINE_EXCEEDED, message)
    return (_retry(intent, code, wait, now),)


def _after_refusal_in_doubt(intent: Intent, backoff: Backoff, result: Refused, moment: Moment) -> tuple[Change, ...]:
    """Return what to record of a refusal while an earlier attempt may still have been applied."""
    doubt = _doubt(intent, result.code, f"an earlier attempt may have been applied; this one was not: {result.message}")
    if not result.retryable or (result.retry_after or 0.0) < 0:
        return (doubt,)
    return (doubt, *repeat_in_doubt(intent, _at_least(backoff, result.retry_after), moment))


def _after_doubt(intent: Intent, backoff: Backoff, result: Uncertain, moment: Moment) -> tuple[Change, ...]:
    if not intent.effect.writes:
        unchanged = Refused(
            result.code, result.message, retryable=True, verdict=result.verdict, retry_after=result.retry_after
        )
        return _after_refusal(intent, backoff, unchanged, moment)
    doubt = _doubt(intent, result.code, result.message)
    return (doubt, *repeat_in_doubt(intent, _at_least(backoff, result.retry_after), moment))


def _doubt(intent: Intent, code: Code, message: str, **facts: object) -> Change:
    named = {"code": str(code), "attempt": intent.attempt, "doubtful": True}
    return Change(Kind.IN_DOUBT, {**named, **facts}, {"message": message})


def _at_least(backoff: Backoff, retry_after: float | None) -> Backoff:
    return backoff if not retry_after or retry_after <= 0 else _Hinted(retry_after, backoff.cap)


class _Hinted(Backoff, frozen=True, gc=False):
    """A wait that the remote asked for, with up to a tenth more so that waiters do not return together."""

    def wait(self, attempt: int, draw: float) -> float:  # noqa: ARG002 - the hint replaces growth
        """Return the remote's own wish, jittered upwards."""
        return self.base * (1.0 + 0.1 * draw)


def _retry(intent: Intent, code: Code, wait: float, now: float) -> Change:
    left = intent.attempts_max + intent.interruptions - intent.attempt
    facts = {
        "attempt": intent.attempt,
        "code": str(code),
        "wait": wait,
        "not_before": now + wait,
        "left": max(left, 0),
    }
    return Change(Kind.RETRY_SCHEDULED, facts)


def failed(intent: Intent, code: Code, message: str) -> tuple[Change, ...]:
    """Return the end of an intent that was not applied and is not tried again: a write becomes a dead letter.

    One that serves another intent does not: what it serves decides.
    """
    end = Change(Kind.FAILED, {"code": str(code)}, {"message": message or FACTS[code].meaning})
    if not intent.effect.writes or intent.purpose is not None:
        return (end,)
    return (end, Change(Kind.DEAD_LETTERED, {"reason": str(code)}))


def _repeatable(intent: Intent) -> bool:
    return intent.effect.repeats_in_doubt or (intent.effect is Effect.NATURAL and intent.resource is not None)


def _remembered(intent: Intent, now: float, until: float, unsure: float) -> bool:
    """Return whether the remote surely still knows the key at `until`, though `unsure` more seconds may have passed.

    A wall clock that went back behind the first dispatch cannot tell, so the answer is no.
    """
    first = intent.first_sent_at
    if first is None or now < first - _CLOCK_SLACK:
        return False
    return until + unsure + _CLOCK_SLACK < first + intent.key_retention
