"""The states of a saga, the events of its life, and the one table of which event may happen where. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class SagaState(StrEnum):
    """Where a saga stands."""

    PROPOSED = "proposed"
    """Asked for, and not yet on record. Never stored."""
    RUNNING = "running"
    COMPENSATING = "compensating"
    STUCK = "stuck"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"


class SagaKind(StrEnum):
    """The types of a saga's events."""

    ACCEPTED = "saga.accepted"
    STEP_STARTED = "saga.step_started"
    STEP_SUCCEEDED = "saga.step_succeeded"
    STEP_FAILED = "saga.step_failed"
    STEP_UNKNOWN = "saga.step_unknown"
    CANCEL_REQUESTED = "saga.cancel_requested"
    COMPENSATION_STARTED = "saga.compensation_started"
    STEP_COMPENSATED = "saga.step_compensated"
    COMPENSATION_FAILED = "saga.compensation_failed"
    COMPENSATION_UNKNOWN = "saga.compensation_unknown"
    STUCK = "saga.stuck"
    RESUMED = "saga.resumed"
    COMPLETED = "saga.completed"
    COMPENSATED = "saga.compensated"
    CANCELLED = "saga.cancelled"


class Phase(StrEnum):
    """How far one step of a saga is."""

    WAITING = "waiting"
    RUNNING = "running"
    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    """Its intent was abandoned: nobody knows whether it happened."""
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    COMPENSATION_UNKNOWN = "compensation_unknown"


FINAL = frozenset({SagaState.COMPLETED, SagaState.COMPENSATED, SagaState.CANCELLED})
"""States that nothing leaves."""

OPEN = frozenset({SagaState.RUNNING, SagaState.COMPENSATING, SagaState.STUCK})
"""States that recovery looks at."""

SETTLED = FINAL | {SagaState.STUCK}
"""States in which a submitter need not wait on."""

_MOVING = frozenset({SagaState.RUNNING, SagaState.COMPENSATING})
_BACKWARD = frozenset({SagaState.COMPENSATING})
_SAME = None

TRANSITIONS: Mapping[SagaKind, tuple[frozenset[SagaState], SagaState | None]] = {
    SagaKind.ACCEPTED: (frozenset({SagaState.PROPOSED}), SagaState.RUNNING),
    SagaKind.STEP_STARTED: (frozenset({SagaState.RUNNING}), _SAME),
    SagaKind.STEP_SUCCEEDED: (_MOVING, _SAME),
    SagaKind.STEP_FAILED: (_MOVING, _SAME),
    SagaKind.STEP_UNKNOWN: (_MOVING, _SAME),
    SagaKind.CANCEL_REQUESTED: (frozenset({SagaState.RUNNING, SagaState.STUCK}), SagaState.COMPENSATING),
    SagaKind.COMPENSATION_STARTED: (_BACKWARD, _SAME),
    SagaKind.STEP_COMPENSATED: (_BACKWARD, _SAME),
    SagaKind.COMPENSATION_FAILED: (_BACKWARD, _SAME),
    SagaKind.COMPENSATION_UNKNOWN: (_BACKWARD, _SAME),
    SagaKind.STUCK: (_MOVING, SagaState.STUCK),
    SagaKind.RESUMED: (frozenset({SagaState.STUCK}), _SAME),
    SagaKind.COMPLETED: (frozenset({SagaState.RUNNING}), SagaState.COMPLETED),
    SagaKind.COMPENSATED: (_BACKWARD, SagaState.COMPENSATED),
    SagaKind.CANCELLED: (_BACKWARD, SagaState.CANCELLED),
}
"""Event type -> the states it may happen in, and the state it leads to.

None: it stays, but that a saga which moves on goes backward once it has to undo, and forward otherwise.
"""

PHASES: Mapping[SagaKind, tuple[frozenset[Phase], Phase]] = {
    SagaKind.STEP_STARTED: (frozenset({Phase.WAITING}), Phase.RUNNING),
    SagaKind.STEP_SUCCEEDED: (frozenset({Phase.RUNNING}), Phase.APPLIED),
    SagaKind.STEP_FAILED: (frozenset({Phase.WAITING, Phase.RUNNING}), Phase.NOT_APPLIED),
    SagaKind.STEP_UNKNOWN: (frozenset({Phase.RUNNING}), Phase.UNKNOWN),
    SagaKind.COMPENSATION_STARTED: (frozenset({Phase.APPLIED}), Phase.COMPENSATING),
    SagaKind.STEP_COMPENSATED: (frozenset({Phase.COMPENSATING}), Phase.COMPENSATED),
    SagaKind.COMPENSATION_FAILED: (
        frozenset({Phase.APPLIED, Phase.COMPENSATING}),
        Phase.COMPENSATION_FAILED,
    ),
    SagaKind.COMPENSATION_UNKNOWN: (frozenset({Phase.COMPENSATING}), Phase.COMPENSATION_UNKNOWN),
}
"""Event type -> the phases that its step may be in, and the phase it leads to."""

UNDER_WAY = frozenset({Phase.RUNNING, Phase.COMPENSATING})
"""Phases in which an intent of the step is not settled for good."""
