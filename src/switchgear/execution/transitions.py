"""The states of an intent, the events of its life, and the one table of which event may happen where.

Pure data: the fold over it is in `intent`, the diagram in the docs is drawn from it. Two states of the reference
machine are never stored: *proposed* is a request that is not yet recorded, and *claimed* lives in the memory of the
engine that carries an intent; the event `dispatched` names owner and epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where an intent stands."""

    PROPOSED = "proposed"
    PENDING_APPROVAL = "pending_approval"
    READY = "ready"
    HELD = "held"
    DISPATCHED = "dispatched"
    NOT_APPLIED = "not_applied"
    IN_DOUBT = "in_doubt"
    RECONCILING = "reconciling"
    NEEDS_OPERATOR = "needs_operator"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    DEAD_LETTERED = "dead_lettered"
    DISCARDED = "discarded"
    DENIED = "denied"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Kind(StrEnum):
    """The types of an intent's events."""

    ACCEPTED = "intent.accepted"
    APPROVAL_REQUESTED = "intent.approval_requested"
    APPROVAL_GIVEN = "intent.approval_given"
    APPROVED = "intent.approved"
    APPROVAL_WITHDRAWN = "intent.approval_withdrawn"
    REJECTED = "intent.rejected"
    HELD = "intent.held"
    RELEASED = "intent.released"
    FORCED = "intent.forced"
    DEFERRED = "intent.deferred"
    DISPATCHED = "intent.dispatched"
    SUCCEEDED = "intent.succeeded"
    NOT_APPLIED = "intent.not_applied"
    IN_DOUBT = "intent.in_doubt"
    RECONCILING = "intent.reconciling"
    NEEDS_OPERATOR = "intent.needs_operator"
    RESOLUTION_PROPOSED = "intent.resolution_proposed"
    ABANDONED = "intent.abandoned"
    RETRY_SCHEDULED = "intent.retry_scheduled"
    FAILED = "intent.failed"
    DEAD_LETTERED = "intent.dead_lettered"
    REQUEUED = "intent.requeued"
    DISCARDED = "intent.discarded"
    DENIED = "intent.denied"
    CANCEL_REQUESTED = "intent.cancel_requested"
    CANCELLED = "intent.cancelled"
    EXPIRED = "intent.expired"
    REPLAY_REQUESTED = "REPLAY_REQUESTED"
    REPLAY_STARTED = "REPLAY_STARTED"
    REPLAY_COMPLETED = "REPLAY_COMPLETED"
    REPLAY_FAILED = "REPLAY_FAILED"
    REEXECUTED = "intent.reexecuted"
    ADOPTED = "intent.adopted"


FINAL = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.DISCARDED,
        State.DENIED,
        State.REJECTED,
        State.CANCELLED,
        State.EXPIRED,
    }
)
"""States that nothing leaves, but for a re-execution that a person asks for."""

DOUBTFUL = frozenset({State.IN_DOUBT, State.RECONCILING, State.NEEDS_OPERATOR})
"""States in which nobody knows yet whether the action happened."""

SETTLED = FINAL | DOUBTFUL | {State.DEAD_LETTERED}
"""States in which a submitter need not wait on."""

ANSWERED = SETTLED | {State.PENDING_APPROVAL}
"""States in which whoever waits for an outcome is answered: no connection waits for a person."""

LIVE = frozenset({State.PENDING_APPROVAL, State.READY, State.HELD, State.DISPATCHED})
"""States in which an intent has a place in the queue and the engine itself goes on with it."""

OPEN = LIVE | DOUBTFUL | {State.NOT_APPLIED}
"""States that recovery looks at."""

WAITING = frozenset({State.PENDING_APPROVAL, State.READY, State.HELD})
"""States in which nothing is under way: what waits so can be cancelled, and expires."""

_ANY = frozenset(State) - {State.PROPOSED}
_SAME = None

TRANSITIONS: Mapping[Kind, tuple[frozenset[State], State | None]] = {
    Kind.ACCEPTED: (frozenset({State.PROPOSED}), State.READY),
    Kind.APPROVAL_REQUESTED: (frozenset({State.READY}), State.PENDING_APPROVAL),
    Kind.APPROVAL_GIVEN: (frozenset({State.PENDING_APPROVAL}), _SAME),
    Kind.APPROVED: (frozenset({State.PENDING_APPROVAL}), State.READY),
    Kind.APPROVAL_WITHDRAWN: (frozenset({State.PENDING_APPROVAL, State.READY, State.HELD}), State.PENDING_APPROVAL),
    Kind.REJECTED: (frozenset({State.PENDING_APPROVAL}), State.REJECTED),
    Kind.HELD: (frozenset({State.READY, State.HELD}), State.HELD),
    Kind.RELEASED: (frozenset({State.HELD}), State.READY),
    Kind.FORCED: (frozenset({State.HELD}), State.READY),
    Kind.DEFERRED: (frozenset({State.READY}), State.READY),
    Kind.DISPATCHED: (frozenset({State.READY}), State.DISPATCHED),
    Kind.SUCCEEDED: (frozenset({State.DISPATCHED, State.RECONCILING, State.NEEDS_OPERATOR}), State.SUCCEEDED),
    Kind.NOT_APPLIED: (frozenset({State.DISPATCHED, State.RECONCILING, State.NEEDS_OPERATOR}), State.NOT_APPLIED),
    Kind.IN_DOUBT: (frozenset({State.DISPATCHED, State.RECONCILING}) | WAITING, State.IN_DOUBT),
    Kind.RECONCILING: (frozenset({State.IN_DOUBT}), State.RECONCILING),
    Kind.NEEDS_OPERATOR: (frozenset({State.IN_DOUBT, State.RECONCILING}), State.NEEDS_OPERATOR),
    Kind.RESOLUTION_PROPOSED: (frozenset({State.NEEDS_OPERATOR}), _SAME),
    Kind.ABANDONED: (frozenset({State.NEEDS_OPERATOR}), State.ABANDONED),
    Kind.RETRY_SCHEDULED: (frozenset({State.NOT_APPLIED, State.IN_DOUBT}), State.READY),
    Kind.FAILED: (frozenset({State.NOT_APPLIED}), State.FAILED),
    Kind.DEAD_LETTERED: (frozenset({State.FAILED, State.ABANDONED}), State.DEAD_LETTERED),
    Kind.REQUEUED: (frozenset({State.DEAD_LETTERED}), State.READY),
    Kind.DISCARDED: (frozenset({State.DEAD_LETTERED}), State.DISCARDED),
    Kind.DENIED: (frozenset({State.READY}), State.DENIED),
    Kind.CANCEL_REQUESTED: (frozenset({State.DISPATCHED}) | DOUBTFUL, _SAME),
    Kind.CANCELLED: (WAITING | {State.NOT_APPLIED}, State.CANCELLED),
    Kind.EXPIRED: (WAITING, State.EXPIRED),
    Kind.REPLAY_REQUESTED: (_ANY, _SAME),
    Kind.REPLAY_STARTED: (_ANY, _SAME),
    Kind.REPLAY_COMPLETED: (_ANY, _SAME),
    Kind.REPLAY_FAILED: (_ANY, _SAME),
    Kind.REEXECUTED: (FINAL | {State.DEAD_LETTERED}, State.READY),
    Kind.ADOPTED: (OPEN, _SAME),
}
"""Event type -> the states it may happen in, and the state it leads to (None: it stays)."""
