"""What follows for a saga: from how an intent of it ended, from a cancel, from a person's word. Pure.

Each function takes a saga as it is and returns changes to record, or what to begin next. A step in doubt is waited for:
whether to undo it is decided once it is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Conflict, Denied
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.sagas.saga import Saga, SagaChange, after_word
from switchgear.execution.sagas.transitions import Phase, SagaKind, SagaState
from switchgear.execution.transitions import State
from switchgear.ledger.reasons import check_reason

Changes = tuple[SagaChange, ...]


class Ending(Enum):
    """What the end of an intent means for the saga that it serves."""

    APPLIED = auto()
    NOT_APPLIED = auto()
    UNKNOWN = auto()
    NEEDS_PERSON = auto()


class How(StrEnum):
    """What a person says of a stuck saga: begin anew what is missing, or it was done by hand."""

    RETRY = "retry"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin the step at `position`, or what undoes it."""

    position: int
    undo: bool


_NOT_APPLIED = frozenset({State.FAILED, State.DENIED, State.REJECTED, State.CANCELLED, State.EXPIRED})
_PUT_AWAY = frozenset({State.DEAD_LETTERED, State.DISCARDED})


def ending(intent: Intent) -> Ending | None:
    """Return what an intent's end means; None while it is not settled for good."""
    if intent.state is State.SUCCEEDED:
        return Ending.APPLIED
    if intent.state in _NOT_APPLIED:
        return Ending.NOT_APPLIED
    if intent.state in _PUT_AWAY:
        return Ending.UNKNOWN if intent.ended is State.ABANDONED else Ending.NOT_APPLIED
    return Ending.NEEDS_PERSON if intent.state is State.NEEDS_OPERATOR else None


def after_intent(saga: Saga, intent: Intent) -> Changes:
    """Return what to record of how the intent that the saga waits for stands; nothing when it says nothing new."""
    position, ended = saga.active, ending(intent)
    if position is None or ended is None or saga.under_way != intent.id:
        return ()
    if ended is Ending.NEEDS_PERSON:
        return () if saga.stuck is not None else (_stuck(saga, position, intent.code, _needed(intent), intent.id),)
    resumed = (SagaChange(SagaKind.RESUMED, {"intent": intent.id}),) if saga.stuck is not None else ()
    if saga.steps[position].phase is Phase.RUNNING:
        return (*resumed, *_after_step(saga, position, ended, intent))
    return (*resumed, *_after_compensation(saga, position, ended, intent))


def unable(saga: Saga, begin: Begin, code: Code, message: str) -> Changes:
    """Return what to record when a step, or what undoes it, cannot even begin."""
    facts = _of_step(saga, begin.position, code=str(code))
    if begin.undo:
        failed = SagaChange(SagaKind.COMPENSATION_FAILED, facts, {"message": message})
        return (failed, _stuck(saga, begin.position, code, message))
    return _failed(saga, begin.position, SagaKind.STEP_FAILED, facts, message)


def started(saga: Saga, begin: Begin, intent_id: str) -> SagaChange:
    """Return the record that an intent of a step, or of what undoes it, begins."""
    kind = SagaKind.COMPENSATION_STARTED if begin.undo else SagaKind.STEP_STARTED
    return SagaChange(kind, _of_step(saga, begin.position, intent=intent_id))


def following(saga: Saga) -> Begin | SagaChange | None:
    """Return what to begin next, or the end of the saga; None while it waits for an intent, or for a person."""
    if saga.active is not None or saga.state not in (SagaState.RUNNING, SagaState.COMPENSATING):
        return None
    if saga.state is SagaState.COMPENSATING:
        return _next_to_undo(saga)
    for position, step in enumerate(saga.steps):
        if step.phase is Phase.WAITING:
            return Begin(position, undo=False)
    return SagaChange(SagaKind.COMPLETED)


def cancellation(saga: Saga, *, by: str, reason: str) -> Changes:
    """Return the record of a cancel; nothing when what succeeded is being undone already.

    Raises `Conflict` (ILLEGAL_TRANSITION) when the saga has ended otherwise, or its pivot has happened.
    """
    if saga.state is SagaState.CANCELLED or (saga.undoing and not saga.final):
        return ()
    if saga.final:
        raise _conflict(saga, f"a saga that is {saga.state} cannot be cancelled")
    if saga.committed:
        raise _conflict(saga, "its pivot has happened, so there is no way back: the saga only goes forward")
    facts = {"by": by, "code": str(Code.CANCELLED)}
    return (SagaChange(SagaKind.CANCEL_REQUESTED, facts, {"message": reason}),)


def resumption(saga: Saga, how: How, *, by: str, reason: str) -> Changes:
    """Return the record of what a person says of a stuck saga, so that it goes on.

    Raises `Denied` for an agent, `Invalid` without a reason, `Conflict` when it is not stuck, when an intent of it is
    to be resolved first, or when a retry could be a second effect.
    """
    if by.startswith(AGENT):
        raise Denied("an agent cannot say how a stuck saga goes on; a person can", policy="saga")
    check_reason(reason)
    if saga.stuck is None:
        raise _conflict(saga, f"a saga that is {saga.state} is not stuck")
    if saga.under_way is not None:
        raise _conflict(saga, f"intent {saga.under_way} is in doubt: resolve that, and the saga goes on by itself")
    if after_word(saga, how) is None:
        step = saga.steps[saga.stuck.position]
        raise _conflict(saga, f"step {step.name} may have had its effect: make sure by hand, then say {How.DONE}")
    facts = _of_step(saga, saga.stuck.position, how=str(how), by=by)
    return (SagaChange(SagaKind.RESUMED, facts, {"message": reason}),)


def _after_step(saga: Saga, position: int, ended: Ending, intent: Intent) -> Changes:
    if ended is Ending.APPLIED:
        return (SagaChange(SagaKind.STEP_SUCCEEDED, _of_step(saga, position, intent=intent.id)),)
    facts = _of_step(saga, position, intent=intent.id, code=_code_of(intent))
    if ended is Ending.NOT_APPLIED:
        return _failed(saga, position, SagaKind.STEP_FAILED, facts, intent.message)
    unknown = SagaChange(SagaKind.STEP_UNKNOWN, facts, {"message": intent.message})
    return (unknown, _stuck(saga, position, intent.code, _unknown(saga, position), intent.id))


def _failed(saga: Saga, position: int, kind: SagaKind, facts: dict[str, object], message: str) -> Changes:
    """Return the end of a step that was not applied: before the pivot the saga turns back, behind it it is stuck."""
    failed = SagaChange(kind, facts, {"message": message})
    if not saga.committed:
        return (failed,)
    why = f"step {saga.steps[position].name} failed behind the pivot, so there is no way back: {message}"
    return (failed, _stuck(saga, position, str(facts["code"]), why))


def _after_compensation(saga: Saga, position: int, ended: Ending, intent: Intent) -> Changes:
    facts = _of_step(saga, position, intent=intent.id)
    if ended is Ending.APPLIED:
        return (SagaChange(SagaKind.STEP_COMPENSATED, facts),)
    facts["code"] = _code_of(intent)
    known = ended is Ending.NOT_APPLIED
    kind = SagaKind.COMPENSATION_FAILED if known else SagaKind.COMPENSATION_UNKNOWN
    name = saga.steps[position].name
    why = f"step {name} was not undone" if known else f"nobody knows whether step {name} was undone"
    message = f"{why}: {intent.message}" if intent.message else why
    return (SagaChange(kind, facts, {"message": message}), _stuck(saga, position, intent.code, message, intent.id))


def _next_to_undo(saga: Saga) -> Begin | SagaChange:
    for position in reversed(range(len(saga.steps))):
        step = saga.steps[position]
        if step.phase is Phase.APPLIED and step.compensate is not None:
            return Begin(position, undo=True)
    return SagaChange(SagaKind.CANCELLED if saga.cancel_requested else SagaKind.COMPENSATED)


def _stuck(saga: Saga, position: int, code: str | None, message: str, intent: str | None = None) -> SagaChange:
    facts = _of_step(saga, position, code=str(code or Code.IN_DOUBT))
    if intent is not None:
        facts["intent"] = intent
    return SagaChange(SagaKind.STUCK, facts, {"message": message})


def _of_step(saga: Saga, position: int, **facts: object) -> dict[str, object]:
    return {"position": position, "step": saga.steps[position].name, **facts}


def _code_of(intent: Intent) -> str:
    return intent.code or str(Code.IN_DOUBT)


def _needed(intent: Intent) -> str:
    why = intent.message or FACTS[Code(_code_of(intent))].meaning
    return f"a person must say what became of intent {intent.id}: {why}"


def _unknown(saga: Saga, position: int) -> str:
    return f"nobody knows whether step {saga.steps[position].name} happened: its intent was abandoned"


def _conflict(saga: Saga, message: str) -> Conflict:
    return Conflict(message, policy="saga", state=str(saga.state))
