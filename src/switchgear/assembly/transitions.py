"""Writes transitions of breakers and dependencies to the platform's own chain, without ever holding up a call.

Listeners may not wait, so transitions are noted in a bounded buffer and appended by a task. What does not
fit is counted and the count is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, NamedTuple

from switchgear.core.clock import Clock
from switchgear.core.errors import Invalid, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.health.telling import HealthChanged
from switchgear.ledger.appending import append_record
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Store

_log = logging.getLogger("switchgear.transitions")
_SCOPE = Scope(PLATFORM_TENANT, "platform", "switchgear")
_BUFFER_MAX = 1000


class _Noted(NamedTuple):
    """A transition that is not on record yet."""

    kind: str
    stream: str
    at: float
    facts: dict[str, Any]
    payload: dict[str, Any] | None = None


class TransitionLog:
    """Notes transitions and records them in order."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Start with nothing noted."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._noted: deque[_Noted] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to record what is noted."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    def note(self, dependency: str, kind: str, facts: dict[str, Any]) -> None:
        """Note one transition of a dependency's breaker. Safe from any thread; never waits."""
        self._note(_Noted(kind, f"breaker:{dependency}", self._clock.time(), facts))

    def note_health(self, event: HealthChanged) -> None:
        """Note that a dependency stands elsewhere. Safe from any thread; never waits."""
        facts: dict[str, Any] = {"before": str(event.before), "critical": event.critical, "flapping": event.flapping}
        if event.retry_after is not None:
            facts["retry_after"] = round(event.retry_after, 3)
        stream = f"dependency:{event.name}"
        self._note(_Noted(f"dependency.{event.after}", stream, event.at, facts, {"reason": event.reason}))

    def _note(self, noted: _Noted) -> None:
        if len(self._noted) >= _BUFFER_MAX:
            self._dropped += 1
            return
        self._noted.append(noted)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """Record what is still noted, then end. What is being recorded is not cut off: nobody would know of it."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._record_noted()

    async def _run(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            await self._record_noted()

    async def _record_noted(self) -> None:
        while self._noted:
            kind, stream, at, facts, payload = self._noted.popleft()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                facts = {**facts, "dropped_before": dropped}
            try:
                event = self._encoder.encode(kind, stream=stream, scope=_SCOPE, at=at, facts=facts, payload=payload)
            except Invalid as error:  # as of text that is none, in what a probe said
                self._dropped += 1 + dropped
                _log.warning("transition %s of %s was not recorded: %s", kind, stream, error)
                continue
            try:
                append = Append(self._ids.next("apd"), PLATFORM_TENANT, (event,))
                await append_record(self._store, append, "the ledger did not acknowledge it")
            except SwitchgearError as error:
                self._dropped += 1 + dropped
                _log.warning("transition %s of %s was not recorded: %s", kind, stream, error)
                return
