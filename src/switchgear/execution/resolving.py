"""What a person says became of an action in doubt, and what follows from it: pure decisions.

Agents never say; where the action is destructive, two persons must say the same. Two who say different things settle
nothing: both words stay on record, until one of the two says what the other said, or a third person agrees with one of
them. What a lookup finds out is in `lookups`; who may be asked at all is decided in `control`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.execution import decide
from switchgear.execution.attempt import unfit
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import AGREEMENT, SECOND_PERSON, Change, Intent, Word, words_beside
from switchgear.execution.transitions import Kind, State

EVIDENCE_CHARACTERS_MAX = 2_000
"""The longest evidence that is kept."""
AGENT = "agent:"
"""How the name of an actor begins that is no person."""
_RESOLVABLE = (State.IN_DOUBT, State.NEEDS_OPERATOR)
_WAITS = (State.READY, State.HELD)
"""Where an action may be whose earlier attempt is in doubt, and which its effect lets run again."""


class Says(StrEnum):
    """What a person can say of an action in doubt."""

    APPLIED = "applied"
    """It happened."""
    NOT_APPLIED = "not_applied"
    """It did not happen, so it may run again."""
    ABANDON = "abandon"
    """Nobody will find out; it is not to run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A person's word: the verdict, what it rests on, and for `applied` the value to keep as the outcome.

    Raises `Invalid` for evidence that is missing or longer than 2,000 characters, for a value with another verdict,
    and for one that the ledger has no room for.
    """

    says: Says
    evidence: str
    by: str
    value: Any = None

    def __post_init__(self) -> None:
        """Check what can be kept."""
        if not self.evidence.strip() or len(self.evidence) > EVIDENCE_CHARACTERS_MAX:
            raise Invalid(f"evidence has 1 to {EVIDENCE_CHARACTERS_MAX} characters: say how you found out")
        if self.value is not None and self.says is not Says.APPLIED:
            raise Invalid(f"only what was applied has a value; {self.says} has none")
        if wrong := unfit(self.value):
            raise Invalid(wrong, code=Code.PAYLOAD_TOO_LARGE, policy="resolve")


def resolved(
    intent: Intent, finding: Finding, backoff: Backoff, moment: Moment, *, destructive: bool
) -> tuple[Change, ...]:
    """Return what to record of `finding`; nothing when the same person has said just that already.

    A word of somebody who has spoken before takes the place of their earlier one, be it for new evidence alone. Who
    agrees and names no value agrees with the value that was named. Raises `Denied` when an agent says it, `Conflict`
    when the intent is not in doubt, a lookup is under way, or another person who says the same names another value.
    """
    if finding.by.startswith(AGENT):
        raise Denied("an agent cannot say what became of an action in doubt; a person can", policy="resolve")
    if intent.state not in _RESOLVABLE:
        raise _refusal(intent)
    called = () if intent.state is State.NEEDS_OPERATOR else (_called(intent, finding),)
    others = words_beside(intent, finding.by)
    agreed = next((word for word in others if word.verdict == finding.says), None)
    if (intent.destructive or destructive) and agreed is None:
        return () if _repeated(intent, finding) else (*called, _proposal(finding, others))
    return (*called, *_settled(intent, finding, backoff, moment, agreed))


def _refusal(intent: Intent) -> Conflict:
    if intent.state is State.RECONCILING:
        return Conflict("a lookup is finding out; wait for it", state=str(intent.state), retry_after=5.0)
    if intent.doubt_since is not None and intent.state in _WAITS:
        waits = f"it is {intent.state}, to run again after an attempt in doubt"
        return Conflict(f"{waits}; cancel that, and it is in doubt for a person", state=str(intent.state))
    return Conflict(f"an intent that is {intent.state} is not in doubt", state=str(intent.state))


def _called(intent: Intent, finding: Finding) -> Change:
    """Return the step to the state in which a person decides; the reason of the doubt stays on record."""
    facts = {"code": intent.code or str(Code.IN_DOUBT), "by": finding.by}
    return Change(Kind.NEEDS_OPERATOR, facts, {"message": intent.message} if intent.message else None)


def _repeated(intent: Intent, finding: Finding) -> bool:
    said = intent.resolution
    known = () if said is None or said.ended else said.words
    return (finding.by, str(finding.says), finding.evidence, finding.value) in [
        (word.by, word.verdict, word.evidence, word.value) for word in known
    ]


def _proposal(finding: Finding, others: Sequence[Word]) -> Change:
    payload = {"evidence": finding.evidence}
    if finding.value is not None:
        payload["proposed_value"] = finding.value
    facts = {"verdict": str(finding.says), "by": finding.by, "awaits": AGREEMENT if others else SECOND_PERSON}
    return Change(Kind.RESOLUTION_PROPOSED, facts, payload)


def _agreed_value(intent: Intent, finding: Finding, agreed: Word | None) -> object:
    """Return the value that is kept: the one that was named."""
    if agreed is None or agreed.value in (None, finding.value):
        return finding.value
    if finding.value is None:
        return agreed.value
    raise Conflict(
        f"{agreed.by} says too that it was applied, and names another value; leave yours out to agree with that one,"
        " or have them say it anew",
        state=str(intent.state),
    )


def _settled(
    intent: Intent, finding: Finding, backoff: Backoff, moment: Moment, agreed: Word | None
) -> tuple[Change, ...]:
    """Return the end of a doubt. `agreed` is what another person has said to the same end, None where nobody had."""
    facts = {"verdict": str(finding.says), "resolved_by": finding.by}
    value = _agreed_value(intent, finding, agreed)
    if agreed is not None:
        facts["proposed_by"] = agreed.by
    evidence = {"evidence": finding.evidence}
    match finding.says:
        case Says.APPLIED:
            return (Change(Kind.SUCCEEDED, facts, {**evidence, "value": value}),)
        case Says.NOT_APPLIED:
            return decide.after_not_applied(intent, backoff, moment, facts, evidence)
        case Says.ABANDON:
            code = str(Code.IN_DOUBT)
            message = {**evidence, "message": f"given up: {finding.evidence}"}
            given_up = Change(Kind.ABANDONED, {**facts, "code": code}, message)
            return (given_up, Change(Kind.DEAD_LETTERED, {"reason": code}))
