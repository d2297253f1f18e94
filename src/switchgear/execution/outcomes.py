"""Lets callers wait until an intent is settled. Waiting holds nothing: whoever stops waiting only stops waiting."""

from __future__ import annotations

import asyncio

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Overloaded
from switchgear.execution.intent import Intent


class Outcomes:
    """Futures of those who wait for intents. At most `waiters_max` at once."""

    def __init__(self, clock: Clock, *, waiters_max: int = 10_000) -> None:
        """Start with nobody waiting."""
        self._clock = clock
        self._waiters_max = waiters_max
        self._waiting: dict[str, list[asyncio.Future[Intent]]] = {}
        self._count = 0

    def announce(self, intent: Intent) -> None:
        """Wake those who wait for `intent`, which is settled for now."""
        for waiter in self._waiting.get(intent.id, ()):
            if not waiter.done():
                waiter.set_result(intent)

    async def wait(self, intent_id: str, seconds: float) -> Intent | None:
        """Return the intent once it is announced as settled, or None after `seconds`.

        Raises `Overloaded` when too many wait already.
        """
        if self._count >= self._waiters_max:
            raise Overloaded(
                "too many callers wait for outcomes",
                code=Code.SHED_OVERLOAD,
                policy="waiters",
                retry_after=1.0,
            )
        waiter: asyncio.Future[Intent] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(intent_id, [])
        line.append(waiter)
        self._count += 1
        timer = self._clock.call_at(self._clock.monotonic() + seconds, waiter.cancel)
        try:
            await asyncio.wait({waiter})
        finally:
            timer.cancel()
            self._count -= 1
            line.remove(waiter)
            if not line:
                self._waiting.pop(intent_id, None)
        return None if waiter.cancelled() else waiter.result()
