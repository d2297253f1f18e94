"""Turns of the event loop: how a test lets other tasks run without any time passing.

For time to pass, advance a `VirtualClock`. Nothing here waits for something to happen: await that instead.
"""

from __future__ import annotations

import asyncio


async def turns(count: int = 1) -> None:
    """Let other tasks run for `count` turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)
