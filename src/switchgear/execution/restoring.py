"""What follows for open work of a store that came from a backup, once an operator has said since when. Pure decisions.

Such a store has forgotten what happened between the backup and its restore. What was waiting then may have left since,
and nobody here knows. So it is in doubt, and its effect class or a person settles it. What a saga began after the
backup had keys that are forgotten: it goes on only by a person's word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.execution.family import COMPENSATE, STEP
from switchgear.execution.intent import Change, Intent
from switchgear.execution.sagas.decide import Begin, after_intent, following
from switchgear.execution.sagas.saga import Saga, SagaChange, folded
from switchgear.execution.sagas.transitions import SagaKind
from switchgear.execution.time_boxes.box import BoxState, BoxStep, TimeBox
from switchgear.execution.time_boxes.rules import called
from switchgear.execution.transitions import WAITING, Kind, State

LATE_SECONDS_MAX = 60.0
"""By how much a call may have left after its deadline was last looked at."""

FORGOTTEN = "it may have been executed after the backup was taken"
_NATURAL = f"{FORGOTTEN}; what was done to the same thing later is forgotten, so a repeat could undo that"
_SAGA = (
    f"{FORGOTTEN}, and so may the later steps of its saga: they would begin anew. Compare all of them with the remotes "
    "before you say what became of this one"
)
_BOX = (
    "its time was over before the restored store went on, and it may have been reverted after the backup was taken: "
    "look, then revert or close it"
)


@dataclass(frozen=True, slots=True)
class Lost:
    """The time that a restored store has forgotten: from `since` until `until`, in seconds since the epoch."""

    since: float
    until: float


def after_thaw(intent: Intent, lost: Lost) -> tuple[Change, ...]:
    """Return what to record of an open intent when its store goes on; nothing where recovery is enough.

    A write that was waiting and may have left in the time that is lost is in doubt. A person is called for steps of
    sagas, and where a repeat could undo what somebody did meanwhile.
    """
    if intent.state is State.NEEDS_OPERATOR or not _may_have_left(intent, lost):
        return ()
    if intent.purpose in (STEP, COMPENSATE):
        return _for_a_person(intent, lost, _SAGA)
    if intent.effect is Effect.NATURAL:
        return _for_a_person(intent, lost, _NATURAL)
    return (_doubt(intent, lost, FORGOTTEN),) if intent.state in WAITING and intent.effect.writes else ()


def saga_after_thaw(saga: Saga, intent: Intent | None) -> tuple[SagaChange, ...]:
    """Return what to record of an open saga; `intent` is the one it waits for. Nothing new begins: it is stuck first.

    One whose intent is not settled waits on, and one that needs a person already does.
    """
    changes = after_intent(saga, intent) if intent is not None else ()
    after = folded(saga, changes, saga.updated_at)
    begin = following(after)
    if not isinstance(begin, Begin):
        return changes if begin is None else (*changes, begin)
    step = after.steps[begin.position].name
    facts = {"position": begin.position, "step": step, "code": str(Code.IN_DOUBT)}
    doing = f"step {step} may have been {'undone' if begin.undo else 'begun'} after the backup was taken"
    message = f"{doing}: compare it and those after it with the remotes, then say done or retry"
    return (*changes, SagaChange(SagaKind.STUCK, facts, {"message": message}))


def box_after_thaw(box: TimeBox, lost: Lost) -> BoxStep | None:
    """Return what to record of a time-box: a person is called when it may have been reverted in the lost time."""
    if box.state is not BoxState.OPEN or box.reverts_at > lost.until:
        return None
    return called(Code.IN_DOUBT, _BOX)


def _may_have_left(intent: Intent, lost: Lost) -> bool:
    """Return whether what waits could have been sent: its time was not over yet, and had come."""
    if intent.state not in WAITING:
        return True
    begun = intent.not_before is None or intent.not_before < lost.until
    return begun and intent.deadline_at + LATE_SECONDS_MAX > lost.since


def _for_a_person(intent: Intent, lost: Lost, message: str) -> tuple[Change, ...]:
    call = Change(Kind.NEEDS_OPERATOR, {"code": str(Code.IN_DOUBT), "restored": True}, {"message": message})
    if intent.state in (State.IN_DOUBT, State.RECONCILING):
        return (call,)
    return (_doubt(intent, lost, message), call)


def _doubt(intent: Intent, lost: Lost, message: str) -> Change:
    """Return the doubt. The remote may have seen the key since the beginning of the time that is lost."""
    facts: dict[str, Any] = {
        "code": str(Code.IN_DOUBT),
        "attempt": intent.attempt,
        "doubtful": True,
        "restored": True,
    }
    if intent.first_sent_at is None:
        facts["first_sent_at"] = max(lost.since, intent.created_at)
    return Change(Kind.IN_DOUBT, facts, {"message": message})
