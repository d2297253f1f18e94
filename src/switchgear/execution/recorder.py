"""Writes decisions down: changes of an intent become events and a row in one conditional append.

Every append names the version it rests on, so a decision made on old knowledge is refused as `StaleError`. A lost
acknowledgement is settled here: the same append is sent again, and a conflict is read back by append id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.execution.intent import LIVE, Change, Intent, Kind, accepted, evolve
from switchgear.ledger.events import Context, EventEncoder
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Conflicted,
    Event,
    Row,
    Store,
    Unknown,
    Write,
)

INTENTS = "intent"
KEYS = "key"
_RESENDS_MAX = 3

_encode = msgspec.json.Encoder().encode
_decode_intent = msgspec.json.Decoder(Intent).decode


class KeyRecord(msgspec.Struct, frozen=True):
    """What an idempotency key is bound to."""

    intent_id: str
    digest: str


_decode_key = msgspec.json.Decoder(KeyRecord).decode


class StaleError(Exception):
    """The decision rested on an older version. An intent has been read again by now: decide again."""

    def __init__(self, conflict: Conflicted) -> None:
        """Keep what stood in the way."""
        super().__init__(f"{conflict.space} {conflict.key} is at {conflict.found}, not {conflict.expected}")
        self.conflict = conflict


def key_name(account: str, tool: str, key: str) -> str:
    """Return the row key of an idempotency key."""
    return json.dumps([account, tool, key], ensure_ascii=False, separators=(",", ":"))


def intent_of(row: Row) -> Intent:
    """Return the intent that a row holds. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    try:
        return _decode_intent(row.value)
    except msgspec.MsgspecError as error:
        raise StoreError(f"the row of {row.key} cannot be read: {error}", code=Code.LEDGER_CORRUPT) from error


def encoded(intent: Intent) -> bytes:
    """Return the row value of an intent."""
    return _encode(intent)


class Recorder:
    """Appends changes of intents and keeps the live ones at hand. One per engine."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, owner: str, encoder: EventEncoder) -> None:
        """`owner` names this engine in every dispatch; `encoder` makes the events."""
        self._store = store
        self._encoder = encoder
        self._clock = clock
        self._ids = ids
        self.owner = owner
        self.live: dict[str, Intent] = {}
        self._listeners: list[Callable[[Intent], None]] = []

    def subscribe(self, listener: Callable[[Intent], None]) -> None:
        """Call `listener` with every intent that has durably changed. It must not raise."""
        self._listeners.append(listener)

    async def accept(self, facts: dict[str, object], payload: dict[str, object], key_version: int = 0) -> Intent:
        """Record a new intent and bind its key, which must be at `key_version` (0: free).

        Raises `StaleError` when the key is bound already, `StoreError` when nothing could be recorded.
        """
        now = self._clock.time()
        change = Change(Kind.ACCEPTED, facts, payload)
        intent = msgspec.structs.replace(accepted(facts, payload, now), version=1)
        writes = [Write(INTENTS, intent.id, 0, _encode(intent), intent.state)]
        if intent.key is not None:
            bound = KeyRecord(intent.id, intent.digest)
            name = key_name(intent.account, intent.tool, intent.key)
            writes.append(Write(KEYS, name, key_version, _encode(bound)))
        await self._commit(intent, (self._event(intent, change, now, intent.actor),), tuple(writes))
        return self._keep(intent)

    async def record(self, intent: Intent, changes: Sequence[Change], *, actor: str) -> Intent:
        """Record `changes` of `intent`, at least one, in order and together, and return it as it stands then.

        Raises `StaleError` when it has changed meanwhile, `StoreError` when nothing could be recorded.
        """
        assert changes, f"nothing to record of {intent.id}: a version without an event could not be folded again"
        now = self._clock.time()
        after = intent
        for change in changes:
            after = evolve(after, change, now)
        after = msgspec.structs.replace(after, version=intent.version + 1)
        events = tuple(self._event(intent, change, now, actor) for change in changes)
        await self._commit(after, events, (Write(INTENTS, intent.id, intent.version, _encode(after), after.state),))
        return self._keep(after)

    async def latest(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent as last recorded, or None when this tenant has none of that id."""
        known = self.live.get(intent_id)
        if known is not None:
            return known if known.tenant == tenant else None
        return await self.reload(tenant, intent_id)

    async def reload(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent as the store has it. A change that had not been acknowledged is announced now."""
        row = await self._store.get(INTENTS, tenant, intent_id)
        if row is None:
            return None
        read, known = intent_of(row), self.live.get(intent_id)
        if known is not None and known.version > read.version:
            return known
        return self._keep(read, announce=known is not None and known.version < read.version)

    async def settled_fate(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent whose acceptance was never acknowledged, or None: it is not on record and never will be.

        The writer takes appends in order, so an empty one that commits proves that all before it are settled.
        """
        fence = await self._store.append(Append(self._ids.next("apd"), tenant, ()))
        if not isinstance(fence, Committed):
            raise StoreError("the ledger does not acknowledge", code=Code.TIMEOUT_JOURNAL_APPEND)
        return await self.reload(tenant, intent_id)

    async def bound_key(self, tenant: str, name: str) -> tuple[KeyRecord, int] | None:
        """Return what a key is bound to and the version of that record, or None when it is free."""
        row = await self._store.get(KEYS, tenant, name)
        return (_decode_key(row.value), row.version) if row is not None else None

    def _keep(self, intent: Intent, *, announce: bool = True) -> Intent:
        if intent.state in LIVE:
            self.live[intent.id] = intent
        else:
            self.live.pop(intent.id, None)
        if announce:
            for listener in self._listeners:
                listener(intent)
        return intent

    def _event(self, intent: Intent, change: Change, now: float, actor: str) -> Event:
        scope = Scope(intent.tenant, intent.account, actor)
        return self._encoder.encode(
            change.kind,
            stream=intent.id,
            scope=scope,
            at=now,
            facts=change.facts,
            payload=change.payload,
            context=Context(intent.trace, intent.correlation),
        )

    async def _commit(
        self,
        intent: Intent,
        events: tuple[Event, ...],
        writes: tuple[Write, ...],
    ) -> Committed:
        append = Append(self._ids.next("apd"), intent.tenant, events, writes)
        outcome = await self._append(append, intent.id)
        if isinstance(outcome, Conflicted):
            if outcome.space == INTENTS:
                await self.reload(outcome.tenant, outcome.key)
            raise StaleError(outcome)
        if isinstance(outcome, Unknown):
            raise StoreError(f"the ledger did not acknowledge: {outcome.reason}", code=Code.TIMEOUT_JOURNAL_APPEND)
        return outcome

    async def _append(self, append: Append, stream: str) -> Appended:
        """Send `append` until its fate is known, at most three times.

        The writer takes appends in order, so once a repeat is answered the first one is settled: a repeat that
        commits proves that the first did not, and one that conflicts is looked up by its id.
        """
        outcome = await self._store.append(append)
        for _ in range(_RESENDS_MAX - 1):
            if not isinstance(outcome, Unknown):
                break
            outcome = await self._resend(append, stream, outcome)
        return outcome

    async def _resend(self, append: Append, stream: str, unknown: Unknown) -> Appended:
        try:
            outcome = await self._store.append(append)
            if isinstance(outcome, Conflicted):
                return await self._store.appended(append.tenant, stream, append.id) or outcome
        except SwitchgearError:
            return unknown  # this one was not written; the one before may have been
        return outcome
