"""Wait for one thing until something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


async def first_of(work: Coroutine[Any, Any, T], *enders: Coroutine[Any, Any, None]) -> T | None:
    """Return what `work` returns, or None when one of `enders` returns first. The losers are cancelled.

    Raises what `work` raises.
    """
    working = asyncio.create_task(work)
    ending = [asyncio.create_task(ender) for ender in enders]
    try:
        await asyncio.wait({working, *ending}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, *ending):
            task.cancel()
        await asyncio.gather(working, *ending, return_exceptions=True)


async def wait_disconnected(request: Request) -> None:
    """Return once the client has gone. The request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
