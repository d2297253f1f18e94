"""The folds: which rows and counters the events of a chain make, one entry for each kind of stream.

A room that writes a new kind of row adds its fold here; then `ledger rebuild` makes that row of the ledger and
compares it. A fold applies one event at a time to the rows as they are then, and needs nothing else. Rows of other
spaces are caches or settings that no event makes; a rebuild keeps them as they are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from switchgear.core.errors import StoreError
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, accepted, evolve
from switchgear.execution.key_records import KEYS, KeyRecord, bound, encoded_key, key_name
from switchgear.execution.recorder import INTENTS, encoded, intent_of
from switchgear.execution.reservation import settlement
from switchgear.execution.resources import RESOURCES
from switchgear.execution.sagas import book
from switchgear.execution.sagas import saga as sagas
from switchgear.execution.sagas.transitions import SagaKind
from switchgear.execution.time_boxes import box as boxes
from switchgear.execution.transitions import Kind
from switchgear.gates.budget_names import HELD, USED
from switchgear.gates.kill_switches import switches
from switchgear.ledger.erasure import ERASED
from switchgear.ledger.events import Recorded
from switchgear.storage.abilities import Row

INTENT_PREFIX = "int_"
SAGA_PREFIX = "sga_"

COUNTERS = (USED, HELD)
"""The spaces of counters that events make."""

BROKEN = (
    StoreError,
    IllegalTransitionError,
    sagas.IllegalSagaTransitionError,
    boxes.IllegalStepError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
)
"""What folding raises for events that are damaged, of a newer release, or in an order that cannot be."""


class BeginningMissing(Exception):
    """The first event of a stream that is there is not the first of its life."""


class Models(Protocol):
    """The rows and counters of one tenant while the events of one append are applied."""

    def get(self, space: str, key: str) -> Row | None:
        """Return a row as it is by now, or None."""

    def version(self, space: str, key: str) -> int:
        """Return the version that a row has after this append, if it is written in it."""

    def put(self, space: str, key: str, value: bytes, facet: str = "") -> None:
        """Write a row in this append."""

    def count(self, space: str, key: str, amount: int) -> None:
        """Add to a counter."""


@dataclass(frozen=True, slots=True)
class Fold:
    """How one kind of stream becomes rows.

    `owns` tells its streams; `apply` applies one event, and raises one of `BROKEN` when that cannot be; `row`
    names the row that is spoilt when an event of the stream is.
    """

    name: str
    spaces: tuple[str, ...]
    owns: Callable[[str], bool]
    apply: Callable[[Recorded, Models], None]
    row: Callable[[str], tuple[str, str]]


def _facts(event: Recorded) -> dict[str, Any]:
    return dict(event.facts)


def _payload(event: Recorded) -> dict[str, Any] | None:
    return None if event.payload is None else dict(event.payload)


# --- intents, their keys, resources and reserved units ---


def _apply_intent(event: Recorded, models: Models) -> None:
    row = models.get(INTENTS, event.stream)
    before = None if row is None else intent_of(row)
    after = _intent_after(before, event)
    after = msgspec.structs.replace(after, version=models.version(INTENTS, event.stream))
    models.put(INTENTS, event.stream, encoded(after), after.state)
    _bind_key(event, after, models)
    if event.type == Kind.DISPATCHED:
        _claim(event, after, models)
    if before is not None and event.type != ERASED:
        for count in settlement(Kind(event.type), event.facts, before.reserved):
            models.count(count.space, count.key, count.amount)


def _intent_after(before: Intent | None, event: Recorded) -> Intent:
    if event.type == Kind.ACCEPTED:
        assert before is None, "an intent is accepted once"
        return accepted(_facts(event), _payload(event) or {}, event.at)
    if before is None:
        raise BeginningMissing
    return before if event.type == ERASED else evolve(before, _change(event), event.at)


def _change(event: Recorded) -> Change:
    return Change(Kind(event.type), _facts(event), _payload(event))


def _bind_key(event: Recorded, intent: Intent, models: Models) -> None:
    """Write the row of the key where a birth binds it, and where executing anew binds it once more."""
    if intent.key is None or event.type not in (Kind.ACCEPTED, Kind.REEXECUTED):
        return
    name = key_name(intent.account, intent.tool, intent.key)
    row = models.get(KEYS, name)
    if event.type == Kind.ACCEPTED:
        models.put(KEYS, name, encoded_key(bound(event.facts)))
    elif row is not None:
        models.put(KEYS, name, row.value)


def _claim(event: Recorded, intent: Intent, models: Models) -> None:
    if intent.resource is not None and "resource_version" in event.facts:
        models.put(RESOURCES, intent.resource, intent.id.encode())
    for key, units in (event.facts.get("reserved") or {}).items():
        for space in COUNTERS:
            models.count(space, key, units)


# --- sagas ---


def _apply_saga(event: Recorded, models: Models) -> None:
    row = models.get(book.SAGAS, event.stream)
    if event.type == SagaKind.ACCEPTED:
        after = sagas.accepted(event.facts, event.payload, event.at)
        record = encoded_key(KeyRecord(after.id, after.digest))
        models.put(book.SAGA_KEYS, book.key_name(after.account, after.key), record)
    elif row is None:
        raise BeginningMissing
    else:
        after = book.saga_of(row)
        if event.type != ERASED:
            change = sagas.SagaChange(SagaKind(event.type), _facts(event), _payload(event))
            after = sagas.evolve(after, change, event.at)
    after = msgspec.structs.replace(after, version=models.version(book.SAGAS, event.stream))
    models.put(book.SAGAS, event.stream, book.encoded(after), after.state)


# --- time-boxes ---


def _apply_box(event: Recorded, models: Models) -> None:
    key = event.stream.removeprefix(boxes.STREAM_PREFIX)
    row = models.get(boxes.SPACE, key)
    before = None if row is None else boxes.decoded_box(row.key, row.value)
    if before is None and event.type != boxes.BoxKind.OPENED:
        raise BeginningMissing
    step = boxes.BoxStep(boxes.BoxKind(event.type), _facts(event), _payload(event))
    after = boxes.evolve_box(before, step, tenant=event.tenant, at=event.at)
    after = msgspec.structs.replace(after, version=models.version(boxes.SPACE, key))
    models.put(boxes.SPACE, key, boxes.encoded_box(after), after.state)


# --- kill switches ---


def _apply_switches(event: Recorded, models: Models) -> None:
    row = models.get(switches.SPACE, switches.KEY)
    after = switches.applied(None if row is None else switches.decoded(row.value), event)
    if after is None:
        raise BeginningMissing
    models.put(switches.SPACE, switches.KEY, switches.encoded(after), "on" if after.on else "off")


FOLDS: tuple[Fold, ...] = (
    Fold(
        "intents",
        (INTENTS, KEYS, RESOURCES),
        lambda stream: stream.startswith(INTENT_PREFIX),
        _apply_intent,
        lambda stream: (INTENTS, stream),
    ),
    Fold(
        "sagas",
        (book.SAGAS, book.SAGA_KEYS),
        lambda stream: stream.startswith(SAGA_PREFIX),
        _apply_saga,
        lambda stream: (book.SAGAS, stream),
    ),
    Fold(
        "time-boxes",
        (boxes.SPACE,),
        lambda stream: stream.startswith(boxes.STREAM_PREFIX),
        _apply_box,
        lambda stream: (boxes.SPACE, stream.removeprefix(boxes.STREAM_PREFIX)),
    ),
    Fold(
        "kill switches",
        (switches.SPACE,),
        lambda stream: stream == switches.STREAM,
        _apply_switches,
        lambda _stream: (switches.SPACE, switches.KEY),
    ),
)
"""One entry for each kind of stream that rows are folded from."""


def fold_of(stream: str) -> Fold | None:
    """Return how the events of a stream become rows; None when they make none."""
    return next((fold for fold in FOLDS if fold.owns(stream)), None)
