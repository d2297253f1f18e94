"""The intent: its record, its states, and the one table of transitions.

State is a fold over events: `evolve` applies one change to an intent and refuses what the table does not allow.
Nothing here decides which change comes next (see `decide`) and nothing is stored here (see `recorder`).

Two states of the reference machine are never stored on an embedded store: *proposed* is a request that is not yet
recorded, and *claimed* lives in the memory of the one engine; the event `dispatched` names owner and epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from switchgear.core.effects import Effect


class State(StrEnum):
    """Where an intent stands."""

    PROPOSED = "proposed"
    READY = "ready"
    HELD = "held"
    DISPATCHED = "dispatched"
    NOT_APPLIED = "not_applied"
    IN_DOUBT = "in_doubt"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.DENIED, State.CANCELLED, State.EXPIRED})
"""States that nothing leaves."""

LIVE = frozenset({State.READY, State.HELD, State.DISPATCHED})
"""States in which the engine itself goes on with an intent."""

OPEN = LIVE | {State.NOT_APPLIED, State.IN_DOUBT}
"""States that recovery looks at."""


class Kind(StrEnum):
    """The types of an intent's events."""

    ACCEPTED = "intent.accepted"
    HELD = "intent.held"
    RELEASED = "intent.released"
    DEFERRED = "intent.deferred"
    DISPATCHED = "intent.dispatched"
    SUCCEEDED = "intent.succeeded"
    NOT_APPLIED = "intent.not_applied"
    IN_DOUBT = "intent.in_doubt"
    RETRY_SCHEDULED = "intent.retry_scheduled"
    FAILED = "intent.failed"
    DENIED = "intent.denied"
    CANCEL_REQUESTED = "intent.cancel_requested"
    CANCELLED = "intent.cancelled"
    EXPIRED = "intent.expired"


_SAME = None
TRANSITIONS: Mapping[Kind, tuple[frozenset[State], State | None]] = {
    Kind.ACCEPTED: (frozenset({State.PROPOSED}), State.READY),
    Kind.HELD: (frozenset({State.READY}), State.HELD),
    Kind.RELEASED: (frozenset({State.HELD}), State.READY),
    Kind.DEFERRED: (frozenset({State.READY}), State.READY),
    Kind.DISPATCHED: (frozenset({State.READY}), State.DISPATCHED),
    Kind.SUCCEEDED: (frozenset({State.DISPATCHED}), State.SUCCEEDED),
    Kind.NOT_APPLIED: (frozenset({State.DISPATCHED}), State.NOT_APPLIED),
    Kind.IN_DOUBT: (frozenset({State.DISPATCHED, State.READY, State.HELD}), State.IN_DOUBT),
    Kind.RETRY_SCHEDULED: (frozenset({State.NOT_APPLIED, State.IN_DOUBT}), State.READY),
    Kind.FAILED: (frozenset({State.NOT_APPLIED}), State.FAILED),
    Kind.DENIED: (frozenset({State.READY}), State.DENIED),
    Kind.CANCEL_REQUESTED: (frozenset({State.DISPATCHED, State.IN_DOUBT}), _SAME),
    Kind.CANCELLED: (frozenset({State.READY, State.HELD, State.NOT_APPLIED}), State.CANCELLED),
    Kind.EXPIRED: (frozenset({State.READY, State.HELD}), State.EXPIRED),
}
"""Event type -> the states it may happen in, and the state it leads to (None: it stays)."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An action on record. Times are seconds since the epoch; `version` is the row's version, and its epoch.

    `attempt` counts dispatches; `interruptions` those that ended with the process and not with an answer. `doubtful`
    says that the fate of some attempt is not known, and stays until a success settles it.
    """

    id: str
    tenant: str
    account: str
    actor: str
    tool: str
    effect: Effect
    contract: str
    arguments: dict[str, Any]
    digest: str
    key: str | None
    attempts_max: int
    key_retention: float
    created_at: float
    updated_at: float
    deadline_at: float
    trace: str
    correlation: str
    state: State = State.PROPOSED
    version: int = 0
    attempt: int = 0
    interruptions: int = 0
    owner: str = ""
    first_sent_at: float | None = None
    not_before: float | None = None
    waiting_for: str | None = None
    code: str | None = None
    message: str = ""
    value: Any = None
    cancel_requested: bool = False
    doubtful: bool = False

    @property
    def unresolved(self) -> bool:
        """Whether an earlier attempt may have been applied: no later refusal, expiry or cancel can settle that."""
        return self.doubtful and self.effect.writes

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self.state in FINAL

    @property
    def settled(self) -> bool:
        """Whether a submitter need not wait on: final, or in doubt."""
        return self.state in FINAL or self.state is State.IN_DOUBT


class Change(msgspec.Struct, frozen=True):
    """One event to be: machine facts, and payload with user data. A fact or payload named like a field sets it."""

    kind: Kind
    facts: dict[str, Any] = {}
    payload: dict[str, Any] | None = None


class IllegalTransitionError(Exception):
    """A defect: the table does not allow this event in this state."""


_CLEARED: Mapping[str, Any] = {"not_before": None, "waiting_for": None, "code": None, "message": ""}
_FIELDS = frozenset(Intent.__struct_fields__)


def evolve(intent: Intent, change: Change, at: float) -> Intent:
    """Return `intent` after `change`, which happened `at` seconds since the epoch.

    Raises `IllegalTransitionError` when the table does not allow it.
    """
    allowed, target = TRANSITIONS[change.kind]
    if intent.state not in allowed:
        raise IllegalTransitionError(f"{change.kind} is not allowed in {intent.state} ({intent.id})")
    if change.kind is Kind.IN_DOUBT and intent.state is not State.DISPATCHED and not intent.unresolved:
        raise IllegalTransitionError(f"{intent.id} is {intent.state} and no attempt of it is in doubt")
    fields: dict[str, Any] = {} if target is _SAME else dict(_CLEARED)
    fields.update(_named_fields(change.facts))
    if change.payload is not None:
        fields.update(_named_fields(change.payload))
    fields["state"] = intent.state if target is None else target
    fields["updated_at"] = at
    return msgspec.structs.replace(intent, **fields)


def _named_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name in _FIELDS}


def birth(facts: Mapping[str, Any], payload: Mapping[str, Any], at: float) -> Intent:
    """Return the proposed intent that an `accepted` event describes."""
    return msgspec.convert({**facts, **payload, "created_at": at, "updated_at": at}, Intent)


def accepted(facts: Mapping[str, Any], payload: Mapping[str, Any], at: float) -> Intent:
    """Return the ready intent that an `accepted` event makes."""
    return evolve(birth(facts, payload, at), Change(Kind.ACCEPTED), at)
