"""Writes breaker transitions to the platform's own chain, without ever holding up a call.

A guard's listener may not wait, so transitions are noted in a bounded buffer and appended by a task. What does not
fit is counted and the count is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.errors import SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Store

_log = logging.getLogger("switchgear.transitions")
_SCOPE = Scope(PLATFORM_TENANT, "platform", "switchgear")
_BUFFER_MAX = 1000


class TransitionLog:
    """Notes transitions and records them in order."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Start with nothing noted."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._noted: deque[tuple[str, str, float, dict[str, Any]]] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to record what is noted."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    def note(self, dependency: str, kind: str, facts: dict[str, Any]) -> None:
        """Note one transition of a dependency's breaker. Safe from any thread; never waits."""
        if len(self._noted) >= _BUFFER_MAX:
            self._dropped += 1
            return
        self._noted.append((dependency, kind, self._clock.time(), facts))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """Record what is still noted, then end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._record_noted()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._record_noted()

    async def _record_noted(self) -> None:
        while self._noted:
            dependency, kind, at, facts = self._noted.popleft()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                facts = {**facts, "dropped_before": dropped}
            event = self._encoder.encode(kind, stream=f"breaker:{dependency}", scope=_SCOPE, at=at, facts=facts)
            try:
                await self._store.append(Append(self._ids.next("apd"), PLATFORM_TENANT, (event,)))
            except SwitchgearError as error:
                self._dropped += 1 + dropped
                _log.warning("transition %s of %s was not recorded: %s", kind, dependency, error)
                return
