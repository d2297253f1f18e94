"""Finishes what was begun, also when whoever waits for it goes away: a disconnect never leaves a record half made."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.execution.bounded import within

T = TypeVar("T")


class Detached:
    """Work that its callers only wait for. One per engine."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` comes to. A caller that goes away only stops waiting.

        Raises `StoreError` (TIMEOUT_JOURNAL_APPEND) when the engine stops before it is known.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            message = "the engine stopped before the ledger acknowledged; repeat with the same key"
            raise StoreError(message, code=Code.TIMEOUT_JOURNAL_APPEND) from None

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Let what is under way end within `seconds`."""
        if self._tasks:
            await within(clock, seconds, _all_done(set(self._tasks)))

    async def cancel(self) -> None:
        """Cut off whatever is still under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all_done(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)
