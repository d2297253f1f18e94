"""Waits on an injected clock: work that is bounded, and a sleep that somebody may end."""

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


async def woken(clock: Clock, wake: asyncio.Event, moment: float | None) -> None:
    """Return once `wake` is set: by somebody, or by the clock at `moment` (monotonic seconds; None: never)."""
    timer = clock.call_at(moment, wake.set) if moment is not None else None
    try:
        await wake.wait()
    finally:
        if timer is not None:
            timer.cancel()
