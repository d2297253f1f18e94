"""`Bell`: a bounded wait that anybody may end, from any thread, for whoever waits in a thread or in a task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from switchgear.core.clock import Clock
from switchgear.core.mutexes import new_mutex


class Bell:
    """Wakes all who wait for it. Rung while nobody waits, it ends the next wait at once."""

    __slots__ = ("_mutex", "_rung", "_waiting")

    def __init__(self) -> None:
        """Start silent."""
        self._mutex = new_mutex()
        self._rung = False
        self._waiting: list[Callable[[], object]] = []

    def ring(self) -> None:
        """Wake all who wait."""
        with self._mutex:
            woken, self._waiting = self._waiting, []
            self._rung = not woken
        for wake in woken:
            with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to wake
                wake()

    def wait(self, clock: Clock, seconds: float) -> None:
        """Block this thread until it is rung, at most `seconds`."""
        woken = threading.Event()
        if self._enter(woken.set):
            try:
                clock.wait(woken, seconds)
            finally:
                self._leave(woken.set)

    async def wait_async(self, clock: Clock, seconds: float) -> None:
        """Suspend this task until it is rung, at most `seconds`."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        if self._enter(wake):
            timer = clock.call_at(clock.monotonic() + seconds, woken.set)
            try:
                await woken.wait()
            finally:
                timer.cancel()
                self._leave(wake)

    def _enter(self, wake: Callable[[], object]) -> bool:
        """Stand among those who wait. Return False when it was rung already."""
        with self._mutex:
            rung, self._rung = self._rung, False
            if not rung:
                self._waiting.append(wake)
            return not rung

    def _leave(self, wake: Callable[[], object]) -> None:
        with self._mutex:
            if wake in self._waiting:
                self._waiting.remove(wake)
