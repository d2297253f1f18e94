"""What an action belongs to, as every surface shows it: its time-box, the step of a saga, its cause, its newest replay.

Time-box and saga are read from their own rows, for one that has them; the rest is on record with the intent. Looking
changes nothing. What became of a doubt is in `resolutions`.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.control.damage import unless_damaged
from switchgear.control.time_box_views import TimeBoxView, time_box_view
from switchgear.execution.engine import Engine
from switchgear.execution.family import COMPENSATE, LOOKUP, REVERT, STEP
from switchgear.execution.intent import Intent, Replay
from switchgear.execution.replay import Mode
from switchgear.execution.sagas.saga import Saga, Step

REPLAY = "replay"
"""The kind of cause of what a person had executed anew; the other kinds are the purposes of intents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaStepView:
    """The step of a saga that an action carries out or undoes. `saga_state` is where the saga stands.

    `intent` does the step and `compensation` undoes it: one of them is this action, or was before it was begun anew.
    """

    id: str
    saga_state: str
    step: str
    phase: str
    intent: str | None
    compensation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CausationView:
    """What caused an action, and as what: `kind` is "lookup", "revert", "step", "compensate" or "replay".

    `intent` is the one that it looks up, undoes or executes anew; None for a step. `saga` is that of a step, or of what
    undoes one. `by` is the person who asked for the replay; None when that is not the newest one any more.
    """

    kind: str
    intent: str | None = None
    saga: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestReplayView:
    """The newest replay of an action. One of `result` and `cause` says how it ended; both are None while it runs.

    `requested_at` is in seconds since the epoch; `refusal` is the code of what stood in its way.
    """

    mode: str
    requested_by: str
    requested_at: float
    trace: str
    result: str | None
    cause: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Belongings:
    """What has a life of its own and an action belongs to. `unreadable` names what is there and damaged."""

    time_box: TimeBoxView | None = None
    saga: SagaStepView | None = None
    unreadable: tuple[str, ...] = ()


ALONE = Belongings()
"""Of an action that belongs to nothing, which most do."""


def belongs(intent: Intent) -> bool:
    """Return whether there is something to read about what `intent` belongs to."""
    return intent.time_box is not None or intent.parent is not None


async def belongings_of(engine: Engine, intent: Intent) -> Belongings:
    """Return what `intent` belongs to. What is damaged is named, and hides nothing else.

    Raises `StoreError` when the store cannot be read at all.
    """
    if not belongs(intent):
        return ALONE
    box, box_lost = await unless_damaged(_time_box(engine, intent), "time_box")
    saga, saga_lost = await unless_damaged(_saga_step(engine, intent), "saga")
    return Belongings(box, saga, (*box_lost, *saga_lost))


def causation_view(intent: Intent) -> CausationView | None:
    """Return what caused `intent`; None for what somebody has submitted."""
    if intent.generation > 1:
        replay = intent.replay
        by = replay.by if replay is not None and replay.mode == Mode.REEXECUTE else None
        return CausationView(kind=REPLAY, intent=intent.id, by=by)
    if intent.purpose in (LOOKUP, REVERT):
        return CausationView(kind=intent.purpose, intent=intent.parent)
    if intent.purpose == COMPENSATE:
        return CausationView(kind=COMPENSATE, intent=_intent_of_key(intent.about), saga=intent.parent)
    return CausationView(kind=STEP, saga=intent.parent) if intent.purpose == STEP else None


def newest_replay_view(replay: Replay | None) -> NewestReplayView | None:
    """Return the newest replay of an intent, None when there was none."""
    if replay is None:
        return None
    return NewestReplayView(
        mode=replay.mode,
        requested_by=replay.by,
        requested_at=replay.at,
        trace=replay.trace,
        result=replay.result,
        cause=replay.cause,
        refusal=replay.refusal,
    )


async def _time_box(engine: Engine, intent: Intent) -> TimeBoxView | None:
    if intent.time_box is None:
        return None
    box = await engine.time_boxes.desk.get(intent.tenant, intent.downstream_key)
    return None if box is None else await time_box_view(engine, box)


async def _saga_step(engine: Engine, intent: Intent) -> SagaStepView | None:
    if intent.parent is None or intent.purpose not in (STEP, COMPENSATE):
        return None
    saga = await engine.sagas.found(intent.tenant, intent.parent)
    step = None if saga is None else _step_of(saga, intent.id)
    if saga is None or step is None:
        return None
    return SagaStepView(
        id=saga.id,
        saga_state=str(saga.state),
        step=step.name,
        phase=str(step.phase),
        intent=step.intent,
        compensation=step.compensation,
    )


def _step_of(saga: Saga, intent_id: str) -> Step | None:
    return next(
        (step for step in saga.steps if intent_id in (step.intent, step.compensation, *step.earlier)),
        None,
    )


def _intent_of_key(downstream_key: str | None) -> str | None:
    """Return the intent whose downstream key this is: its id, and its generation behind a dot from the second on."""
    return None if downstream_key is None else downstream_key.partition(".")[0]
