"""Asking for approval, and what people say to that: what is recorded, and what a grant is bound to. Pure.

A grant is bound, by a digest, to tenant, intent, tool, arguments, requester, contract, rule, expiry and a nonce of its
own. Whatever changes one of them makes it stale, and another is asked for. Who has asked for an intent is found out in
`consenting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied
from switchgear.execution import decide
from switchgear.execution.intent import Approval, Change, Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.transitions import WAITING, Kind, State
from switchgear.gates.approval import consent_digest
from switchgear.gates.gate import ApprovalNeeded, GateRequest
from switchgear.ledger.reasons import check_reason, check_remark


class Channel(StrEnum):
    """Through what a person spoke, as the client says."""

    REST = "rest"
    CLI = "cli"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person says about an intent that needs approval: who, through what, and why.

    `asked_by` are those who asked for the intent; `at` is now, in seconds since the epoch. `digest` is that of the
    request which the person has seen; None leaves it open. Raises `Invalid` for a reason beyond 500 characters.
    """

    by: str
    channel: Channel
    asked_by: frozenset[str]
    at: float
    digest: str | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        """Check what can be kept."""
        check_remark(self.reason)

    @property
    def facts(self) -> dict[str, Any]:
        """What the ledger keeps of whoever spoke."""
        return {"by": self.by, "channel": str(self.channel)}


def approval_request(request: GateRequest, needed: ApprovalNeeded, nonce: str) -> Change:
    """Return the record that `request` waits for approval under the rule that asked for it, and for which code."""
    expires_at = min(request.at + needed.seconds, request.deadline_at)
    digest = consent_digest(request, needed, nonce=nonce, expires_at=expires_at)
    approval: dict[str, Any] = {
        "rule": needed.rule,
        "quorum": needed.quorum,
        "digest": digest,
        "nonce": nonce,
        "expires_at": expires_at,
    }
    facts = {"approval": approval, "code": str(needed.code), "waiting_for": str(Code.APPROVAL_REQUIRED)}
    return Change(Kind.APPROVAL_REQUESTED, facts)


def given(intent: Intent, word: Word) -> tuple[Change, ...]:
    """Return what to record of a yes; nothing when this person's yes is on record already.

    The yes that completes the quorum approves the intent in the same append. Raises `Denied` for an agent and for
    whoever asked for the intent; `Conflict`: APPROVAL_STALE when another request was seen, APPROVAL_EXPIRED when it
    comes too late, ILLEGAL_TRANSITION when nobody is asked.
    """
    _check_person(word)
    asked = _asked(intent)
    if word.digest is not None and word.digest != asked.digest:
        message = "this is not what was seen: another approval has been asked for since; look at it again"
        raise Conflict(message, code=Code.APPROVAL_STALE, policy="approval", state=str(intent.state))
    if _granted_by(asked, word.by):
        return ()
    _check_pending(intent)
    if word.at >= asked.expires_at:
        raise Conflict(code=Code.APPROVAL_EXPIRED, policy="approval", state=str(intent.state))
    grant = Change(Kind.APPROVAL_GIVEN, {**word.facts, "approval": asked.digest})
    return (grant, Change(Kind.APPROVED)) if len(asked.granted) + 1 >= asked.quorum else (grant,)


def refused(intent: Intent, word: Word) -> tuple[Change, ...]:
    """Return what to record of a no: it ends the intent; nothing when a no has ended it already.

    Where an earlier attempt may have been applied, a no only ends the repeating: the intent is in doubt. Raises
    `Denied` as `given` does, `Invalid` without a reason, `Conflict` (ILLEGAL_TRANSITION) when nobody is asked.
    """
    _check_person(word)
    check_reason(word.reason)
    if intent.state is State.REJECTED:
        return ()
    _check_pending(intent)
    if intent.unresolved:
        (doubt,) = decide.denial(intent, Code.APPROVAL_REJECTED, word.reason)
        return (Change(doubt.kind, {**doubt.facts, **word.facts, "cancel_requested": True}, doubt.payload),)
    facts = {**word.facts, "code": str(Code.APPROVAL_REJECTED)}
    return (Change(Kind.REJECTED, facts, {"message": word.reason}),)


def taken_back(intent: Intent, word: Word) -> tuple[Change, ...]:
    """Return what to record of somebody's taking back a yes; nothing when it is not there any more.

    The intent waits for approval then, also when it had enough. Raises `Conflict` (ILLEGAL_TRANSITION) once a
    dispatch has used the approval, and when there is no yes of this person.
    """
    asked = _asked(intent)
    if asked.used:
        message = "its approval was used: an attempt has left; cancel the intent to stop further ones"
        raise Conflict(message, policy="approval", state=str(intent.state))
    if intent.state not in WAITING:
        message = f"an intent that is {intent.state} goes nowhere under an approval"
        raise Conflict(message, policy="approval", state=str(intent.state))
    if not _granted_by(asked, word.by):
        if intent.state is State.PENDING_APPROVAL:
            return ()
        raise Conflict("there is no approval of yours to take back", policy="approval", state=str(intent.state))
    code = str(Code.APPROVAL_REQUIRED)
    payload = {"reason": word.reason} if word.reason else None
    return (Change(Kind.APPROVAL_WITHDRAWN, {**word.facts, "code": code, "waiting_for": code}, payload),)


def _check_person(word: Word) -> None:
    if word.by.startswith(AGENT):
        raise Denied("an agent cannot decide about an approval; a person can", policy="approval")
    if word.by in word.asked_by:
        message = "who asked for an action cannot decide about its approval: another person must"
        raise Denied(message, policy="approval")


def _asked(intent: Intent) -> Approval:
    if intent.approval is None:
        raise Conflict("nobody is asked to approve this intent", policy="approval", state=str(intent.state))
    return intent.approval


def _granted_by(asked: Approval, name: str) -> bool:
    return any(grant.by == name for grant in asked.granted)


def _check_pending(intent: Intent) -> None:
    if intent.state is not State.PENDING_APPROVAL:
        message = f"an intent that is {intent.state} does not wait for approval"
        raise Conflict(message, policy="approval", state=str(intent.state))
