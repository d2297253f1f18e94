"""A time-box: how long an action holds, and what became of its revert. Its record, and the fold over its events.

It has a stream of its own in its tenant's chain, and one row. Nothing here decides which event comes next (see
`rules`), and nothing is stored here (see `desk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from switchgear.ledger.events import Recorded
from switchgear.ledger.values import read_value

SPACE = "time_box"
"""The space of the rows, keyed by the id of the box; their facet is the state."""
STREAM_PREFIX = "time_box."
SECONDS_MAX = 31 * 86_400.0
"""The longest time-box, and the furthest from now that an extension can move its end."""

EXTENSIONS_MAX = 100
"""Most times that one box is extended, so that what people did to it can always be read whole."""


class BoxState(StrEnum):
    """Where a time-box stands."""

    OPEN = "open"
    VOIDED = "voided"
    REVERTING = "reverting"
    REVERTED = "reverted"
    NEEDS_OPERATOR = "needs_operator"
    CLOSED = "closed"


class BoxKind(StrEnum):
    """The types of a time-box's events."""

    OPENED = "time_box.opened"
    VOIDED = "time_box.voided"
    EXTENDED = "time_box.extended"
    REVERTING = "time_box.reverting"
    REVERTED = "time_box.reverted"
    NEEDS_OPERATOR = "time_box.needs_operator"
    CLOSED = "time_box.closed"


ENDED = frozenset({BoxState.VOIDED, BoxState.REVERTED, BoxState.CLOSED})
"""States in which nothing is left to do."""

LASTING = frozenset(BoxState) - ENDED
"""States that the engine looks after."""

_UNDECIDED = frozenset({BoxState.OPEN, BoxState.NEEDS_OPERATOR})

BOX_TRANSITIONS: Mapping[BoxKind, tuple[frozenset[BoxState | None], BoxState | None]] = {
    BoxKind.OPENED: (frozenset({None, *ENDED}), BoxState.OPEN),
    BoxKind.VOIDED: (_UNDECIDED, BoxState.VOIDED),
    BoxKind.EXTENDED: (frozenset({BoxState.OPEN}), None),
    BoxKind.REVERTING: (_UNDECIDED, BoxState.REVERTING),
    BoxKind.REVERTED: (frozenset({BoxState.REVERTING, BoxState.NEEDS_OPERATOR}), BoxState.REVERTED),
    BoxKind.NEEDS_OPERATOR: (LASTING, BoxState.NEEDS_OPERATOR),
    BoxKind.CLOSED: (_UNDECIDED, BoxState.CLOSED),
}
"""Event type -> the states it may happen in (None: there is no box yet), and the state it leads to (None: it stays)."""


class TimeBox(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long an action holds. Times are seconds since the epoch; `version` is that of its row.

    `id` is the downstream key of the action, so another generation of an intent has another box. `intent` did it with
    `tool`, and `undo` is the tool that reverts it. `revert` is the newest intent that does. `unsettled` says that a
    person was called since it is not known whether the action happened at all. `begun_by` is who began the revert: the
    engine when the time was over, else a person; `begun_early` says that it was before the end. Neither is known of
    what an earlier release has begun.
    """

    id: str
    tenant: str
    account: str
    intent: str
    tool: str
    undo: str
    seconds: float
    opened_at: float
    reverts_at: float
    updated_at: float
    state: BoxState = BoxState.OPEN
    version: int = 0
    extensions: int = 0
    revert: str | None = None
    begun_by: str | None = None
    begun_early: bool = False
    unsettled: bool = False
    code: str | None = None
    message: str = ""


class BoxStep(msgspec.Struct, frozen=True):
    """One event to be: facts that the machine knows, and a payload with words of people or remotes."""

    kind: BoxKind
    facts: dict[str, Any] = {}
    payload: dict[str, Any] | None = None


class IllegalStepError(Exception):
    """A defect: the table does not allow this event in this state."""


_FIELDS = frozenset(TimeBox.__struct_fields__) - {"id", "tenant", "state", "version", "extensions", "updated_at"}
_AFRESH: Mapping[str, Any] = {"code": None, "message": "", "unsettled": False}


def evolve_box(box: TimeBox | None, step: BoxStep, *, tenant: str, at: float) -> TimeBox:
    """Return a box after `step`, which happened `at` seconds since the epoch. The version is left to its row.

    A fact or payload named like a field sets it. Raises `IllegalStepError` when the table does not allow it.
    """
    allowed, target = BOX_TRANSITIONS[step.kind]
    if (box.state if box is not None else None) not in allowed:
        raise IllegalStepError(f"{step.kind} is not allowed in {box.state if box else 'no box'}")
    named = {name: value for name, value in {**step.facts, **(step.payload or {})}.items() if name in _FIELDS}
    if "begun_early" in step.facts:
        named["begun_by"] = step.facts["by"]
    if box is None or step.kind is BoxKind.OPENED:
        version = box.version if box is not None else 0
        opened = {**named, "id": step.facts["box"], "tenant": tenant, "opened_at": at, "updated_at": at}
        return msgspec.convert({**opened, "version": version}, TimeBox)
    if step.kind is BoxKind.EXTENDED:
        return msgspec.structs.replace(box, **named, extensions=box.extensions + 1, updated_at=at)
    return msgspec.structs.replace(box, **{**_AFRESH, **named}, state=target or box.state, updated_at=at)


def folded_box(events: Iterable[Recorded]) -> TimeBox | None:
    """Return the box that the events of its stream, in order, describe; None when there are none.

    Each event is one version. Raises `IllegalStepError` for an order that cannot be.
    """
    box: TimeBox | None = None
    for event in events:
        payload = dict(event.payload) if event.payload is not None else None
        step = BoxStep(BoxKind(event.type), dict(event.facts), payload)
        after = evolve_box(box, step, tenant=event.tenant, at=event.at)
        box = msgspec.structs.replace(after, version=after.version + 1)
    return box


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TimeBox).decode


def encoded_box(box: TimeBox) -> bytes:
    """Return the row value of a box."""
    return _encode(box)


def decoded_box(key: str, value: bytes) -> TimeBox:
    """Return the box that a row holds. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode, value, "the row of time-box {}", key)
