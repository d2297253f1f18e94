"""Lets callers wait until an intent or a saga is settled. Waiting holds nothing: whoever stops only stops waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Overloaded
from switchgear.guard.expiry import Timers

WAIT_MAX = 31 * 86_400.0
"""The longest that anybody waits, in seconds: who wants to wait for ever asks again."""

LOOK_EVERY = 5.0
"""Seconds between two looks at the record, for what another engine may settle: nobody tells of that."""


def looks(seconds: float, *, shared: bool) -> Iterator[float]:
    """Yield for how long to wait before each look at the record, `seconds` in all: at least once.

    Only where several engines share a store is there more than one look.
    """
    left = min(seconds, WAIT_MAX)
    while True:
        step = min(left, LOOK_EVERY) if shared else left
        yield step
        left -= step
        if not left > 0:
            return


class Named(Protocol):
    """What can be waited for."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Named)


class Outcomes(Generic[T]):
    """Futures of those who wait for what has an id. At most `waiters_max` at once."""

    def __init__(self, clock: Clock, *, waiters_max: int = 10_000) -> None:
        """Start with nobody waiting."""
        self._clock = clock
        self._timers = Timers(clock)
        self._waiters_max = waiters_max
        self._waiting: dict[str, dict[asyncio.Future[T | None], None]] = {}
        self._count = 0

    def announce(self, settled: T) -> None:
        """Wake those who wait for what is settled for now."""
        for waiter in self._waiting.pop(settled.id, ()):
            if not waiter.done():
                waiter.set_result(settled)

    async def wait(self, name: str, seconds: float) -> T | None:
        """Return what has the id `name` once it is announced as settled, or None after `seconds`.

        More than `WAIT_MAX` seconds are that many, and what is no number of them above 0 is none.

        Raises `Overloaded` when too many wait already.
        """
        if not seconds > 0:
            return None
        if self._count >= self._waiters_max:
            raise Overloaded(
                "too many callers wait for outcomes",
                code=Code.SHED_OVERLOAD,
                policy="waiters",
                retry_after=1.0,
            )
        expiries = self._timers.expiries()
        waiter: asyncio.Future[T | None] = expiries.loop.create_future()
        self._waiting.setdefault(name, {})[waiter] = None
        self._count += 1
        forget = expiries.watch(self._clock.monotonic() + min(seconds, WAIT_MAX), _Late(waiter))
        try:
            return await waiter
        finally:
            forget()
            self._count -= 1
            if name in self._waiting:
                self._leave(name, waiter)

    def _leave(self, name: str, waiter: asyncio.Future[T | None]) -> None:
        """Take a waiter that was told nothing out of its line, and the line away with the last."""
        line = self._waiting[name]
        line.pop(waiter, None)
        if not line:
            del self._waiting[name]


class _Late(msgspec.Struct, eq=False):
    """What answers a waiter with None when its time is over."""

    waiter: asyncio.Future[Any]

    def cancel(self) -> None:
        if not self.waiter.done():
            self.waiter.set_result(None)
