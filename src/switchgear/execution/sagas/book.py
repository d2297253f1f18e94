"""Keeps sagas: events and a row in one append, together with the intents that they bear. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from switchgear.core.scope import Scope
from switchgear.execution.intent import Change, Intent
from switchgear.execution.key_records import KeyRecord, key_of
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import NOTHING_ELSE, Also, Birth
from switchgear.execution.sagas.saga import Saga, SagaChange, accepted, evolve, folded
from switchgear.execution.sagas.transitions import OPEN, SagaKind
from switchgear.ledger.erasure import ERASED, shown
from switchgear.ledger.events import Context, EventEncoder, read
from switchgear.ledger.values import read_value
from switchgear.storage.abilities import Entry, Event, Row, Write

SAGAS = "saga"
"""The space of the rows of sagas, by id; their facet is the state."""
SAGA_KEYS = "saga_key"
"""The space of what idempotency keys of sagas are bound to."""
_PAGE = 500

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Saga).decode


def saga_of(row: Row) -> Saga:
    """Return the saga that a row holds. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode, row.value, "the row of {}", row.key)


def encoded(saga: Saga) -> bytes:
    """Return the row value of a saga."""
    return _encode(saga)


def key_name(account: str, key: str) -> str:
    """Return the row key of a saga's idempotency key."""
    return json.dumps([account, key], ensure_ascii=False, separators=(",", ":"))


async def folded_saga(entries: AsyncIterator[Entry]) -> Saga | None:
    """Return the saga that its entries, in order, describe; None when they do not begin with its birth.

    Raises `StoreError` (LEDGER_CORRUPT) for entries that cannot be read, `IllegalSagaTransitionError` for an order that
    the tables do not allow.
    """
    saga: Saga | None = None
    versions, last_append = 0, ""
    async for entry in entries:
        recorded = shown(read(entry))
        if saga is None:
            if recorded.type != SagaKind.ACCEPTED:
                return None
            saga = accepted(recorded.facts, recorded.payload, recorded.at)
        elif recorded.type != ERASED:
            payload = None if recorded.payload is None else dict(recorded.payload)
            saga = evolve(saga, SagaChange(SagaKind(recorded.type), dict(recorded.facts), payload), recorded.at)
        versions += entry.append_id != last_append
        last_append = entry.append_id
    return None if saga is None else msgspec.structs.replace(saga, version=versions)


class Book:
    """The sagas of one store."""

    def __init__(self, parts: Parts, encoder: EventEncoder) -> None:
        """Record by the recorder of an engine."""
        self._parts = parts
        self._encoder = encoder

    async def get(self, tenant: str, saga_id: str) -> Saga | None:
        """Return a saga as the store has it, or None when this tenant has none of that id."""
        row = await self._parts.store.get(SAGAS, tenant, saga_id)
        return None if row is None else saga_of(row)

    async def bound(self, tenant: str, name: str) -> tuple[KeyRecord, int] | None:
        """Return what a key is bound to and the version of that record, or None when it is free."""
        row = await self._parts.store.get(SAGA_KEYS, tenant, name)
        return None if row is None else (key_of(row), row.version)

    async def open_rows(self) -> AsyncIterator[Row]:
        """Yield the rows of all sagas that are not at their end, of all tenants."""
        after: tuple[str, str] | None = None
        while rows := await self._parts.store.scan(SAGAS, sorted(OPEN), after=after, limit=_PAGE):
            after = (rows[-1].tenant, rows[-1].key)
            for row in rows:
                yield row

    async def accept(
        self,
        facts: Mapping[str, Any],
        payload: Mapping[str, Any],
        changes: Sequence[SagaChange],
        *,
        key_version: int,
        also: Also = NOTHING_ELSE,
    ) -> Saga:
        """Record a new saga, with `changes` right after, and bind its key, which is at `key_version` (0: free).

        Raises `StaleError` when the key is bound already or something that `also` expects has changed, `StoreError`
        when nothing could be recorded.
        """
        now = self._parts.watch.time()
        first = accepted(facts, payload, now)
        saga = msgspec.structs.replace(folded(first, changes, now), version=1)
        birth = SagaChange(SagaKind.ACCEPTED, dict(facts), dict(payload))
        events = self._events(saga, (birth, *changes), saga.actor, now)
        bound = Write(
            SAGA_KEYS, key_name(saga.account, saga.key), key_version, _encode(KeyRecord(saga.id, saga.digest))
        )
        await self._bear(saga, events, (_row(saga, 0), bound), also)
        return saga

    async def record(
        self, saga: Saga, changes: Sequence[SagaChange], *, actor: str = ACTOR, births: Sequence[Birth] = ()
    ) -> Saga:
        """Record `changes` of `saga`, at least one, with the intents that they bear; return it as it stands then.

        Raises `StaleError` when it has changed meanwhile, `StoreError` when nothing could be recorded.
        """
        after, events = self._after(saga, changes, actor)
        await self._bear(after, events, (_row(after, saga.version),), Also(births=tuple(births)))
        return after

    async def record_with(
        self, saga: Saga, changes: Sequence[SagaChange], intent: Intent, of_intent: Sequence[Change], *, actor: str
    ) -> Saga:
        """Record `changes` of `saga` in one append with those of an intent that serves it. Raises as `record` does."""
        after, events = self._after(saga, changes, actor)
        also = Also(events=events, writes=(_row(after, saga.version),))
        await self._parts.recorder.record(intent, of_intent, actor=actor, also=also)
        return after

    def _after(self, saga: Saga, changes: Sequence[SagaChange], actor: str) -> tuple[Saga, tuple[Event, ...]]:
        now = self._parts.watch.time()
        after = msgspec.structs.replace(folded(saga, changes, now), version=saga.version + 1)
        return after, self._events(after, changes, actor, now)

    def _events(self, saga: Saga, changes: Sequence[SagaChange], actor: str, now: float) -> tuple[Event, ...]:
        scope = Scope(saga.tenant, saga.account, actor)
        context = Context(saga.trace, saga.correlation, saga.id)
        return tuple(
            self._encoder.encode(
                change.kind,
                stream=saga.id,
                scope=scope,
                at=now,
                facts=change.facts,
                payload=change.payload,
                context=context,
            )
            for change in changes
        )

    async def _bear(self, saga: Saga, events: tuple[Event, ...], writes: tuple[Write, ...], also: Also) -> None:
        whole = structs.replace(also, events=(*events, *also.events), writes=(*writes, *also.writes))
        await self._parts.recorder.bear(saga.tenant, saga.id, whole)


def _row(saga: Saga, expected: int) -> Write:
    return Write(SAGAS, saga.id, expected, _encode(saga), saga.state)
