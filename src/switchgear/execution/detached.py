"""Finishes what was begun, also when whoever waits for it goes away: a disconnect never leaves a record half made."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
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
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, ended))
        await ended
        if task.cancelled():
            message = "the engine stopped before the ledger acknowledged; repeat with the same key"
            raise StoreError(message, code=Code.TIMEOUT_JOURNAL_APPEND)
        return task.result()

    def _ended(self, ended: asyncio.Future[None], task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not ended.done():
            ended.set_result(None)
        elif not task.cancelled():
            task.exception()  # nobody waits for it any more; what went wrong is on record or was refused

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
