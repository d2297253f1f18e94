"""What the driver asks of an engine, and how a blocking engine is driven from the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS = 64


class Engine(Protocol):
    """An opened engine. Numbers are never used twice."""

    variant: str

    @property
    def effects(self) -> int:
        """How often the action's function has run."""

    def act(self, number: int) -> Awaitable[float]:
        """Submit one action, wait for its result, and return the seconds between."""

    def burst(self, numbers: range) -> Awaitable[None]:
        """Submit all of `numbers` at once and wait for every result."""

    def syncs(self) -> int | None:
        """Return how many times the engine has asked the disk to sync, None when it does not say."""


class BlockingEngine:
    """An engine whose calls block: each action in flight has a thread. The latency is taken inside the thread."""

    def __init__(
        self, variant: str, act: Callable[[int], object], burst: Callable[[range], object], effects: list[int]
    ) -> None:
        """Drive `act` and `burst`; `effects` is what the action's function appends to."""
        self.variant = variant
        self._act = act
        self._burst = burst
        self._effects = effects
        self._pool = ThreadPoolExecutor(THREADS)

    @property
    def effects(self) -> int:
        """How often the action's function has run."""
        return len(self._effects)

    def act(self, number: int) -> Awaitable[float]:
        """Submit and wait in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, self._timed, number)

    async def burst(self, numbers: range) -> None:
        """Submit all in one thread, then wait for all."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._burst, numbers)

    def syncs(self) -> int | None:
        """Return None: these engines do not count."""
        return None

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _timed(self, number: int) -> float:
        start = time.perf_counter()
        self._act(number)
        return time.perf_counter() - start
