"""Time as a parameter: the clock protocol, the system's clock, and a virtual clock for tests and simulation.

Every wait in Switchgear goes through a `Clock`. Decisions use `monotonic()` only; `time()` is for records that
people read. The virtual clock moves when it is told to, or when blocking code sleeps on it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from switchgear.core.mutexes import new_mutex

TIMER_EARLY_MAX = 0.0015
"""Seconds by which an event loop may fire a timer too soon, at most: uvloop does, see `SystemClock.call_at`."""


@runtime_checkable
class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Forget the callback. Cancelling twice, or after it ran, does nothing."""


class Clock(Protocol):
    """What Switchgear needs from time. All values are seconds as float."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""

    def time(self) -> float:
        """Return seconds since the Unix epoch, for records."""

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds` (0 or less returns at once)."""

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this task for `seconds`, never less (0 or less only yields)."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block until `event` is set, at most `seconds`. Return whether it is set."""

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` on the running event loop at `when`, in seconds of `monotonic()`.

        It may run a little too soon, see `SystemClock.call_at`: whoever is woken looks at the clock again.
        """


class SystemClock:
    """The clock of this machine."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        if seconds > 0:
            time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this task for `seconds`, never less: a loop that fires too soon is asked again, for a little more."""
        ends = self.monotonic() + seconds
        await asyncio.sleep(max(0.0, seconds))
        if (left := ends - self.monotonic()) > 0:
            await asyncio.sleep(left + TIMER_EARLY_MAX)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block until `event` is set, at most `seconds`."""
        return event.wait(max(0.0, seconds))

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` on the running loop at `when`, or somewhat later when the loop is busy.

        Or too soon, by up to `TIMER_EARLY_MAX`: a loop of asyncio by the resolution of its clock; one of uvloop counts
        whole milliseconds, and rounds the delay as well as the moment from which that counts.
        """
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, when - time.monotonic()), callback)


SYSTEM_CLOCK = SystemClock()


class VirtualClock:
    """A clock that stands still until `advance`, for tests that never sleep.

    In blocking code `sleep` and `wait` advance the clock themselves. Tasks that sleep, and timers, wake when
    `advance` passes their moment, in order; use `elapse` to let woken tasks run in between.
    """

    def __init__(self, start: float = 1_000.0, wall: float = 1_700_000_000.0) -> None:
        """Start at `start` seconds monotonic and `wall` seconds since the epoch."""
        self._now = start
        self._wall_offset = wall - start
        self._timers: list[tuple[float, int, _VirtualTimer]] = []
        self._order = itertools.count()
        self._lock = new_mutex()

    def monotonic(self) -> float:
        """Return the virtual seconds."""
        return self._now

    def time(self) -> float:
        """Return the virtual seconds since the epoch."""
        return self._now + self._wall_offset

    def jump_wall(self, seconds: float) -> None:
        """Move the wall clock alone, as an NTP step does. Monotonic time is untouched."""
        self._wall_offset += seconds

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` (at least 0), firing timers in order.

        Raises `ValueError` when `seconds` is negative or not a number.
        """
        if not seconds >= 0:
            raise ValueError(f"a monotonic clock cannot advance by {seconds!r}")
        end = self._now + seconds
        while (timer := self._pop_due(end)) is not None:
            timer.fire()
        self._now = max(self._now, end)

    async def elapse(self, seconds: float, *, turns: int = 20) -> None:
        """Move forward by `seconds`, giving tasks `turns` turns of the loop before and after each timer."""
        end = self._now + seconds
        await _yield_turns(turns)
        while (timer := self._pop_due(end)) is not None:
            timer.fire()
            await _yield_turns(turns)
        self._now = max(self._now, end)
        await _yield_turns(turns)

    def sleep(self, seconds: float) -> None:
        """Advance the clock itself by `seconds`."""
        self.advance(max(0.0, seconds))

    async def sleep_async(self, seconds: float) -> None:
        """Suspend until the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_at(self._now + seconds, lambda: _wake(woken))
        try:
            await woken
        finally:
            timer.cancel()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return at once when `event` is set, else advance by `seconds` and look again."""
        if not event.is_set():
            self.advance(max(0.0, seconds))
        return event.is_set()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` when the clock passes `when`: on the running loop if there is one, else at once then."""
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        timer = _VirtualTimer(callback, loop)
        with self._lock:
            heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def _pop_due(self, end: float) -> _VirtualTimer | None:
        with self._lock:
            while self._timers and self._timers[0][0] <= end:
                when, _, timer = heapq.heappop(self._timers)
                if not timer.cancelled:
                    self._now = max(self._now, when)
                    return timer
            return None


class _VirtualTimer:
    """A callback waiting on a virtual clock."""

    __slots__ = ("_callback", "_loop", "cancelled")

    def __init__(self, callback: Callable[[], object], loop: asyncio.AbstractEventLoop | None) -> None:
        self._callback = callback
        self._loop = loop
        self.cancelled = False

    def cancel(self) -> None:
        """Forget the callback."""
        self.cancelled = True

    def fire(self) -> None:
        """Run the callback in the thread of its loop."""
        if self._loop is None:
            self._callback()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        if not self.cancelled:
            self._callback()


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


async def _yield_turns(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
