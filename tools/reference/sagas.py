"""The part of the page of events that is about sagas, from their own tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.execution.sagas.transitions import FINAL, TRANSITIONS, Phase, SagaKind, SagaState
from tools.reference.markdown import table

_STATES: Mapping[SagaState, str] = {
    SagaState.PROPOSED: "Asked for, and not yet on record. Never stored.",
    SagaState.RUNNING: "Its steps are done, one after the other.",
    SagaState.COMPENSATING: "What succeeded is undone, in reverse. A step that is under way is settled first.",
    SagaState.STUCK: "A person is needed: an intent of it must be resolved, or an undoing failed, or a step behind the "
    "pivot did. It names the step.",
    SagaState.COMPLETED: "Every step succeeded.",
    SagaState.COMPENSATED: "A step failed, and everything that had succeeded was undone.",
    SagaState.CANCELLED: "It was cancelled, and everything that had succeeded was undone.",
}

_PHASES: Mapping[Phase, str] = {
    Phase.WAITING: "Its turn has not come.",
    Phase.RUNNING: "Its intent is under way, held, or in doubt.",
    Phase.APPLIED: "It succeeded.",
    Phase.NOT_APPLIED: "It failed for good, and changed nothing.",
    Phase.UNKNOWN: "Its intent was abandoned: nobody knows whether it happened.",
    Phase.COMPENSATING: "The intent that undoes it is under way, held, or in doubt.",
    Phase.COMPENSATED: "It was undone.",
    Phase.COMPENSATION_FAILED: "It could not be undone.",
    Phase.COMPENSATION_UNKNOWN: "The intent that undoes it was abandoned: nobody knows whether it is undone.",
}

_MEANINGS: Mapping[SagaKind, str] = {
    SagaKind.ACCEPTED: "The steps were recorded and the key bound. Only then is the saga acknowledged.",
    SagaKind.STEP_STARTED: "The intent of a step was accepted, in the same append. Names it.",
    SagaKind.STEP_SUCCEEDED: "A step succeeded. If it is the pivot, there is no way back from here.",
    SagaKind.STEP_FAILED: "A step failed for good. Names the code. Before the pivot, the saga turns back.",
    SagaKind.STEP_UNKNOWN: "The intent of a step was abandoned.",
    SagaKind.CANCEL_REQUESTED: "Somebody cancelled the saga. Names who, and why.",
    SagaKind.COMPENSATION_STARTED: "The intent that undoes a step was accepted, in the same append. Names it.",
    SagaKind.STEP_COMPENSATED: "A step was undone.",
    SagaKind.COMPENSATION_FAILED: "A step could not be undone. Names the code.",
    SagaKind.COMPENSATION_UNKNOWN: "The intent that undoes a step was abandoned.",
    SagaKind.STUCK: "A person is needed. Names the step, the code, and the intent if there is one.",
    SagaKind.RESUMED: "It goes on: the intent that it waited for is settled, or a person said how. Names who, and why.",
    SagaKind.COMPLETED: "Every step succeeded.",
    SagaKind.COMPENSATED: "Everything that had succeeded was undone.",
    SagaKind.CANCELLED: "Everything that had succeeded before the cancel was undone.",
}


def saga_events() -> Iterator[str]:
    """Return the sections about sagas."""
    yield "## Events of a saga\n"
    yield "A saga has a stream of its own, named by its id, in its tenant's chain. Its intents have theirs.\n"
    states = [(f"`{state}`", "yes" if state in FINAL else "", _STATES[state]) for state in SagaState]
    yield from table(("State", "Final", "Meaning"), states)
    yield from table(
        ("Event", "Allowed in", "Leads to", "Meaning"),
        [
            (f"`{kind}`", _in_words(sources), f"`{target}`" if target else _WAY, _MEANINGS[kind])
            for kind, (sources, target) in TRANSITIONS.items()
        ],
    )
    yield from table(("Phase of a step", "Meaning"), [(f"`{phase}`", _PHASES[phase]) for phase in Phase])


_WAY = "`running`, or `compensating` once it turned back"


def _in_words(sources: frozenset[SagaState]) -> str:
    return ", ".join(f"`{state}`" for state in SagaState if state in sources)
