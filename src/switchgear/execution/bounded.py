"""Bounds a wait on an injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from switchgear.core.clock import Clock


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, Any]) -> bool:
    """Run `work` for at most `seconds` and return whether it ended by itself. Its exception is raised.

    Work that does not end in time is cancelled. So it is when the caller is.
    """
    task = asyncio.get_running_loop().create_task(work)
    timer = clock.call_at(clock.monotonic() + seconds, task.cancel)
    try:
        await asyncio.wait({task})
    finally:
        timer.cancel()
        task.cancel()
    if task.cancelled():
        return False
    task.result()
    return True
