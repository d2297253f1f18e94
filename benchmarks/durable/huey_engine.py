"""huey on SQLite with fsync on and eight worker threads that poll every millisecond. It has no idempotency key."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from huey import SqliteHuey
from huey.consumer import Consumer

from benchmarks.durable.engine import BlockingEngine, Engine

_POLL = 0.001
_WORKERS = 4
_WAITERS_PER_POLL = 4
_RESULT_TIMEOUT = 60.0
_effects: list[int] = []


def _step(number: int) -> int:
    _effects.append(number)
    return number


class _Consumer(Consumer):  # type: ignore[misc] # the peer is not installed where types are checked
    """A consumer inside this process: leaves the process's signals alone."""

    def _set_signal_handlers(self) -> None:
        """Set none."""


@asynccontextmanager
async def opening(folder: Path) -> AsyncIterator[Engine]:
    """Start huey's consumer on a new file in `folder`."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    queue = SqliteHuey("bench", filename=str(folder / "huey.db"), fsync=True)
    task = queue.task()(_step)
    consumer = _Consumer(queue, workers=_WORKERS, periodic=False, initial_delay=_POLL, backoff=1.0, max_delay=_POLL)
    consumer.start()

    waiting: set[int] = set()

    def act(number: int) -> None:
        waiting.add(number)
        delay = _POLL * max(1, len(waiting) // _WAITERS_PER_POLL)
        task(number).get(blocking=True, timeout=_RESULT_TIMEOUT, backoff=1.0, max_delay=delay)
        waiting.discard(number)

    def burst(numbers: range) -> None:
        for result in [task(number) for number in numbers]:
            result.get(blocking=True, timeout=_RESULT_TIMEOUT, backoff=1.0, max_delay=_POLL)

    engine = BlockingEngine("SQLite, fsync on", act, burst, _effects)
    try:
        yield engine
    finally:
        engine.close()
        consumer.stop(graceful=True)
