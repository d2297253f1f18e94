"""Wait for one thing until something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from switchgear.surfaces.rest.traffic import Traffic

T = TypeVar("T")

LISTEN_AFTER = 0.25
"""How long a wait lasts, in seconds, before it is asked whether its client is still there. Most have ended by then."""


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


async def while_wanted(
    work: Awaitable[T], request: Request, traffic: Traffic, *, listen_after: float = LISTEN_AFTER
) -> T | None:
    """Return what `work` returns, or None once the client has gone or the server is asked to stop.

    `work` runs in the task of the caller and is cancelled when it is not wanted any more; raises what it raises. The
    client is listened for after `listen_after` seconds, with a task of its own; before that a wait costs none. The
    request's body must have been read.
    """
    wanted = asyncio.timeout(None)

    def end() -> None:
        if not wanted.expired():
            wanted.reschedule(asyncio.get_running_loop().time())

    try:
        async with wanted:
            with traffic.at_stop(end), _Listening(request, end, listen_after):
                return await work
    except TimeoutError:
        if not wanted.expired():
            raise
        return None


class _Listening:
    """Calls `gone` when the client goes away while the block runs."""

    __slots__ = ("_gone", "_request", "_task", "_timer")

    def __init__(self, request: Request, gone: Callable[[], None], after: float) -> None:
        self._request = request
        self._gone = gone
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(after, self._listen)

    def __enter__(self) -> None:
        """Begin: the timer runs already."""

    def __exit__(self, *_raised: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.remove_done_callback(self._ended)
            self._task.cancel()

    def _listen(self) -> None:
        self._task = asyncio.create_task(_wait_disconnected(self._request))
        self._task.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._gone()


async def _wait_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
