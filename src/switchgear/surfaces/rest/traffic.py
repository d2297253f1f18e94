"""What one server is doing right now: requests, waits, detached writes, and whether it is stopping.

Everything here is a count or an event of one event loop. It holds no request and knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

from switchgear.core.codes import Code
from switchgear.core.errors import Overloaded
from switchgear.surfaces.rest.limits import RestLimits

_RETRY_AFTER = 1.0
_LOG = structlog.get_logger("switchgear.rest")

T = TypeVar("T")


class Traffic:
    """Counts against `RestLimits`, and the two steps of stopping. Belongs to one event loop."""

    def __init__(self, limits: RestLimits, *, documentation: str | None = None) -> None:
        """Start idle and running. `documentation` is where refusals send people; None when nothing is published."""
        self.limits = limits
        self.documentation = documentation
        self.working = 0
        self.waiting = 0
        self._waiting_of: Counter[str] = Counter()
        self._detached: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._at_stop: set[Callable[[], None]] = set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask for a graceful stop; asked a second time, for a stop at once."""
        if self.stopping:
            self._stop_now.set()
            return
        self._stopping.set()
        for call in tuple(self._at_stop):
            call()

    @contextmanager
    def at_stop(self, call: Callable[[], None]) -> Iterator[None]:
        """Call `call` when a stop is asked for while the block runs; at once when one was asked for before."""
        self._at_stop.add(call)
        try:
            if self.stopping:
                call()
            yield
        finally:
            self._at_stop.discard(call)

    async def wait_stopping(self) -> None:
        """Return once a stop was asked for."""
        await self._stopping.wait()

    async def wait_stop_now(self) -> None:
        """Return once a stop was asked for a second time."""
        await self._stop_now.wait()

    def check_accepting(self) -> None:
        """Raise `Overloaded` (SHUTTING_DOWN) once a stop was asked for."""
        if self.stopping:
            raise Overloaded(code=Code.SHUTTING_DOWN, policy="shutdown", state="stopping", retry_after=_RETRY_AFTER)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Count one request while the block runs. Raises `Overloaded` (SHED_OVERLOAD) when all are taken."""
        if self.working >= self.limits.requests_max:
            raise Overloaded(policy="requests_max", state="full", retry_after=_RETRY_AFTER)
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1

    @contextmanager
    def wait(self, tenant: str) -> Iterator[bool]:
        """Trade the request's place for one to wait, while the block runs. Give False when there is none."""
        full = self.waiting >= self.limits.waits_max
        if full or self._waiting_of[tenant] >= self.limits.waits_tenant_max or self.stopping:
            yield False
            return
        self._count_wait(tenant, 1)
        try:
            yield True
        finally:
            self._count_wait(tenant, -1)

    def _count_wait(self, tenant: str, change: int) -> None:
        self.waiting += change
        self.working -= change
        self._waiting_of[tenant] += change
        if not self._waiting_of[tenant]:
            del self._waiting_of[tenant]

    @property
    def detached(self) -> int:
        """How many writes are running on their own."""
        return len(self._detached)

    async def detach(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, also when the caller is cancelled meanwhile. Return what it returns."""
        task = asyncio.create_task(work)
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report)
            raise

    async def wait_settled(self, seconds: float) -> None:
        """Return once the detached work of this moment has ended, at the latest after `seconds`."""
        if self._detached:
            await asyncio.wait(self._detached, timeout=seconds)


def _report(task: asyncio.Task[Any]) -> None:
    """Say how work ended that nobody waits for any more."""
    if task.cancelled():
        _LOG.warning("detached work was cancelled")
    elif (error := task.exception()) is not None:
        _LOG.warning("detached work was refused or failed", error=str(error))
