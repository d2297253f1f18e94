"""Turns of the event loop: how a test lets other tasks run without any time passing.

For time to pass, advance a `VirtualClock`. Nothing here waits for something to happen: await that instead.
"""

from __future__ import annotations

import asyncio
import sys

import pytest


async def turns(count: int = 1) -> None:
    """Let other tasks run for `count` turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def begin_tasks_at_once() -> None:
    """Have the running loop run each new task up to its first wait at once, as `asyncio.eager_task_factory` does.

    Skips the test below CPython 3.12, which has no such tasks.
    """
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    else:
        pytest.skip("tasks begin at once from CPython 3.12 on")
