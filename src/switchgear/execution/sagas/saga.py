"""The saga: its record, and the fold that makes it of its events.

`evolve` applies one change and refuses what the tables in `transitions` do not allow. Which change comes next is
decided in `decide`, and stored in `book`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from switchgear.execution.sagas.transitions import (
    FINAL,
    PHASES,
    SETTLED,
    TRANSITIONS,
    UNDER_WAY,
    Phase,
    SagaKind,
    SagaState,
)

ERASED: Mapping[str, Any] = {"[erased]": True}
"""What stands where the arguments of a step were, once they are erased: nothing is sent with them."""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step: what it does, what undoes it, and how far it is.

    `compensate` names the tool that undoes it, None where nothing does; `undo` are the arguments for that, None for
    those of the step itself. Behind a `pivot` that has happened the saga only goes forward. `intent` carries the step
    out and `compensation` undoes it; `earlier` are intents of both that came to nothing and were begun anew.
    """

    name: str
    tool: str
    contract: str
    arguments: dict[str, Any]
    compensate: str | None = None
    undo: dict[str, Any] | None = None
    pivot: bool = False
    phase: Phase = Phase.WAITING
    intent: str | None = None
    compensation: str | None = None
    earlier: tuple[str, ...] = ()
    code: str | None = None

    @property
    def under_way(self) -> str | None:
        """The intent that is not settled for good, None when there is none."""
        return {Phase.RUNNING: self.intent, Phase.COMPENSATING: self.compensation}.get(self.phase)


class Stuck(msgspec.Struct, frozen=True):
    """Where and why a saga needs a person: the position of the step, and what became of it."""

    position: int
    code: str
    message: str


class Saga(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A saga on record. Times are seconds since the epoch; `version` is the row's version.

    `undoing` says that what succeeded is to be undone, because a step failed or since somebody wished it
    (`cancel_requested`); `code` and `message` say why. `stuck` is what a person has to look at.
    """

    id: str
    tenant: str
    account: str
    actor: str
    key: str
    digest: str
    key_retention: float
    steps: tuple[Step, ...]
    created_at: float
    updated_at: float
    trace: str = ""
    correlation: str = ""
    state: SagaState = SagaState.PROPOSED
    version: int = 0
    undoing: bool = False
    cancel_requested: bool = False
    stuck: Stuck | None = None
    code: str | None = None
    message: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in FINAL

    @property
    def settled(self) -> bool:
        """Whether a submitter need not wait on: final, or a person is needed."""
        return self.state in SETTLED

    @property
    def committed(self) -> bool:
        """Whether its pivot has happened: there is no way back any more."""
        return any(step.pivot and step.phase is Phase.APPLIED for step in self.steps)

    @property
    def active(self) -> int | None:
        """The position of the step that has an intent under way, None when there is none."""
        return next((index for index, step in enumerate(self.steps) if step.phase in UNDER_WAY), None)

    @property
    def under_way(self) -> str | None:
        """The intent that the saga waits for now, None when it waits for none."""
        return None if self.active is None else self.steps[self.active].under_way


class SagaChange(msgspec.Struct, frozen=True):
    """One event to be: machine facts, and payload with user data."""

    kind: SagaKind
    facts: dict[str, Any] = {}
    payload: dict[str, Any] | None = None


class IllegalSagaTransitionError(Exception):
    """A defect: the tables do not allow this event now."""


def accepted(facts: Mapping[str, Any], payload: Mapping[str, Any] | None, at: float) -> Saga:
    """Return the running saga that an `accepted` event makes. Steps whose arguments were erased hold a mark."""
    given, undo = _given(payload, "arguments"), _given(payload, "undo")
    steps = [
        {**step, "arguments": given.get(step["name"], dict(ERASED)), "undo": undo.get(step["name"])}
        for step in facts["steps"]
    ]
    saga = msgspec.convert({**facts, "steps": steps, "created_at": at, "updated_at": at}, Saga)
    return evolve(saga, SagaChange(SagaKind.ACCEPTED), at)


def evolve(saga: Saga, change: SagaChange, at: float) -> Saga:
    """Return `saga` after `change`, which happened `at` seconds since the epoch.

    Raises `IllegalSagaTransitionError` when the tables do not allow it.
    """
    allowed, target = TRANSITIONS[change.kind]
    if saga.state not in allowed:
        raise IllegalSagaTransitionError(f"{change.kind} is not allowed in {saga.state} ({saga.id})")
    fields = _fields(saga, change)
    after = msgspec.structs.replace(saga, **fields, updated_at=at)
    if target is None:
        target = SagaState.COMPENSATING if after.undoing else SagaState.RUNNING
    return msgspec.structs.replace(after, state=target)


def folded(saga: Saga, changes: Sequence[SagaChange], at: float) -> Saga:
    """Return `saga` after all `changes`, in order."""
    for change in changes:
        saga = evolve(saga, change, at)
    return saga


def _given(payload: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    found = (payload or {}).get(name, {})
    return found if isinstance(found, Mapping) else {}


def _fields(saga: Saga, change: SagaChange) -> dict[str, Any]:
    """Return the fields that an event sets."""
    kind, facts = change.kind, change.facts
    message = str((change.payload or {}).get("message", ""))
    if kind in PHASES:
        return _stepped(saga, kind, facts, message)
    if kind is SagaKind.CANCEL_REQUESTED:
        return {"undoing": True, "cancel_requested": True, "stuck": None, "code": facts["code"], "message": message}
    if kind is SagaKind.STUCK:
        return {"stuck": Stuck(facts["position"], facts["code"], message)}
    if kind is SagaKind.RESUMED:
        return {"stuck": None, **_settled_by_person(saga, facts)}
    return {}


def _stepped(saga: Saga, kind: SagaKind, facts: Mapping[str, Any], message: str) -> dict[str, Any]:
    """Return the fields after an event of one step: its new phase, and which way the saga goes."""
    position = facts["position"]
    step = saga.steps[position]
    allowed, phase = PHASES[kind]
    if step.phase not in allowed:
        raise IllegalSagaTransitionError(f"{kind} is not allowed for step {step.name}, {step.phase} ({saga.id})")
    fields: dict[str, Any] = {"phase": phase, "code": facts.get("code")}
    if kind is SagaKind.STEP_STARTED:
        fields |= {"intent": facts["intent"], "earlier": _put_away(step.earlier, step.intent)}
    if kind is SagaKind.COMPENSATION_STARTED:
        fields |= {"compensation": facts["intent"], "earlier": _put_away(step.earlier, step.compensation)}
    steps = _with(saga.steps, position, msgspec.structs.replace(step, **fields))
    return {"steps": steps, **_turned(saga, kind, facts, message, pivot=step.pivot)}


def _turned(saga: Saga, kind: SagaKind, facts: Mapping[str, Any], message: str, *, pivot: bool) -> dict[str, Any]:
    """Return whether a saga turns round: back when a step failed before the pivot, forward once the pivot happened."""
    if kind is SagaKind.STEP_SUCCEEDED and pivot:
        return {"undoing": False, "code": None, "message": ""}
    if kind in (SagaKind.STEP_FAILED, SagaKind.STEP_UNKNOWN) and not saga.committed and not saga.undoing:
        return {"undoing": True, "code": facts["code"], "message": message}
    return {}


_BY_PERSON: Mapping[tuple[Phase, str], Mapping[bool, Phase]] = {
    (Phase.WAITING, "retry"): {False: Phase.WAITING},
    (Phase.WAITING, "done"): {False: Phase.APPLIED},
    (Phase.APPLIED, "retry"): {True: Phase.APPLIED},
    (Phase.APPLIED, "done"): {True: Phase.COMPENSATED},
    (Phase.NOT_APPLIED, "retry"): {False: Phase.WAITING},
    (Phase.NOT_APPLIED, "done"): {False: Phase.APPLIED},
    (Phase.UNKNOWN, "retry"): {True: Phase.APPLIED},
    (Phase.UNKNOWN, "done"): {True: Phase.COMPENSATED, False: Phase.APPLIED},
    (Phase.COMPENSATION_FAILED, "retry"): {True: Phase.APPLIED},
    (Phase.COMPENSATION_FAILED, "done"): {True: Phase.COMPENSATED},
    (Phase.COMPENSATION_UNKNOWN, "done"): {True: Phase.COMPENSATED},
}
"""(phase, what a person says) -> whether the saga goes backward -> the phase after it."""


def after_word(saga: Saga, how: str) -> Phase | None:
    """Return the phase of the step that a saga is stuck at, after a person said `how`; None where it cannot be said.

    ``retry`` begins anew what is missing, and never what may have happened; ``done`` says it was done by hand.
    """
    if saga.stuck is None:
        return None
    step = saga.steps[saga.stuck.position]
    if step.phase is Phase.UNKNOWN and how == "retry" and (step.compensate is None or step.pivot):
        return None
    return _BY_PERSON.get((step.phase, how), {}).get(saga.undoing)


def _settled_by_person(saga: Saga, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person's word sets; nothing when the intent that the saga waited for has settled by itself."""
    phase = after_word(saga, facts["how"]) if "how" in facts else None
    if phase is None or saga.stuck is None:
        return {}
    at = saga.stuck.position
    return {"steps": _with(saga.steps, at, msgspec.structs.replace(saga.steps[at], phase=phase, code=None))}


def _put_away(earlier: tuple[str, ...], intent: str | None) -> tuple[str, ...]:
    return earlier if intent is None else (*earlier, intent)


def _with(steps: tuple[Step, ...], position: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:position], step, *steps[position + 1 :])
