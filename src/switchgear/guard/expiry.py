"""Deadlines of tasks: coarse buckets behind one timer of the loop, instead of one timer a call.

A task that is in a bucket when its moment comes is cancelled; the driver finds its entry gone and knows that it
was us. Expiry is never early and at most 10 ms late; on a clock other than the system's it is exact. Used from
the thread of its loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import ceil, inf, nextafter
from typing import Any, NoReturn, Protocol

from switchgear.core.clock import Clock, SystemClock, Timer
from switchgear.core.mutexes import new_mutex

_GRAINS = 128
"""Buckets in a second: below 10 ms each. A power of two, so that their bounds are exact and none ends too early."""


class Cancellable(Protocol):
    """What can be cancelled at its moment: a task, or something that knows better what to do."""

    def cancel(self) -> object:
        """Do so."""


Bucket = dict[int, Cancellable]


class Expiries:
    """The deadlines of one loop on one clock.

    `low` and `high` bound `recent`, which `bucket` returned last; `serial` names entries. The drivers read them in
    line.
    """

    __slots__ = ("_buckets", "_clock", "_coarse", "_due", "_timer", "high", "loop", "low", "recent", "serial")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        """Start without a timer; the first deadline sets it."""
        self.loop = loop
        self._clock = clock
        self._coarse = isinstance(clock, SystemClock)
        self._buckets: dict[float, Bucket] = {}
        self._timer: Timer | None = None
        self._due = inf
        self.low = self.high = -inf
        self.recent: Bucket = {}
        self.serial = 0

    def bucket(self, when: float) -> Bucket:
        """Return the bucket whose tasks are cancelled at `when` or up to a grain later, and make it the recent one."""
        self.high = high = ceil(when * _GRAINS) / _GRAINS if self._coarse else when
        self.low = high - 1 / _GRAINS if self._coarse else nextafter(high, -inf)
        bucket = self._buckets.get(high)
        if bucket is None:
            bucket = self._open(high)
        self.recent = bucket
        return bucket

    def watch(self, when: float, what: Cancellable) -> Callable[[], object]:
        """Cancel `what` at `when`, or up to a grain later. Calling what is returned forgets that; again has no effect.

        The recent bucket stays: what is watched has other lengths than the calls of a guard.
        """
        high = ceil(when * _GRAINS) / _GRAINS if self._coarse else when  # in line: each attempt comes here
        bucket = self._buckets.get(high)
        if bucket is None:
            bucket = self._open(high)
        self.serial = serial = self.serial + 1
        bucket[serial] = what
        return partial(bucket.pop, serial, None)

    @property
    def armed(self) -> int:
        """How many deadlines are running."""
        return sum(map(len, self._buckets.values()))

    def _open(self, high: float) -> Bucket:
        bucket = self._buckets[high] = {}
        self._watch(high)
        return bucket

    def _watch(self, high: float) -> None:
        if high < self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._due = high
            self._timer = self._clock.call_at(high, self._fire)

    def _fire(self) -> None:
        """Cancel what is due, forget empty buckets, and set the timer for the next."""
        now = self._clock.monotonic()
        self._timer = None
        self._due = inf
        for high in [high for high, bucket in self._buckets.items() if high <= now or not bucket]:
            self._expire(self._buckets.pop(high))
        self.low = self.high = -inf
        if self._buckets:
            self._watch(min(self._buckets))

    def _expire(self, bucket: Bucket) -> None:
        due = list(bucket.values())
        bucket.clear()
        for what in due:
            what.cancel()


_BY_LOOP: dict[tuple[asyncio.AbstractEventLoop, int], Expiries] = {}
_BY_LOOP_LOCK = new_mutex()


def _expiries_of(loop: asyncio.AbstractEventLoop, clock: Clock) -> Expiries:
    """Return the one `Expiries` of a loop and a clock. Those of closed loops are forgotten on the way."""
    with _BY_LOOP_LOCK:
        found = _BY_LOOP.get((loop, id(clock)))
        if found is None:
            for closed in [key for key in _BY_LOOP if key[0].is_closed()]:
                del _BY_LOOP[closed]
            found = _BY_LOOP[loop, id(clock)] = Expiries(loop, clock)
        return found


class Timers:
    """The way of one guard to the deadlines of whatever loop it is called from; `recent` are those asked for last."""

    __slots__ = ("_clock", "recent")

    def __init__(self, clock: Clock) -> None:
        """Time runs on `clock`."""
        self._clock = clock
        self.recent: Expiries | None = None

    def expiries(self) -> Expiries:
        """Return the deadlines of the running loop."""
        loop = asyncio.get_running_loop()
        recent = self.recent
        if recent is None or recent.loop is not loop:
            recent = self.recent = _expiries_of(loop, self._clock)
        return recent


class Armed:
    """A deadline set for the running task: cancel it at `when` unless disarmed before."""

    __slots__ = ("_bucket", "_cancelling", "_serial", "_task")

    def __init__(self, timers: Timers, when: float) -> None:
        """Set the deadline. Raises `RuntimeError` outside of a task."""
        expiries = timers.expiries()
        task = asyncio.current_task(expiries.loop) or task_needed()
        self._task = task
        self._cancelling = task.cancelling()
        bucket = expiries.recent if expiries.low < when <= expiries.high else expiries.bucket(when)
        self._bucket: Bucket | None = bucket
        self._serial = expiries.serial = expiries.serial + 1
        bucket[self._serial] = task

    def disarm(self) -> bool:
        """End the deadline, once; again is of no effect.

        Return whether it fired and nobody else asked for the cancellation as well.
        """
        bucket, self._bucket = self._bucket, None
        return has_fired(bucket, self._serial, self._task, self._cancelling)


def has_fired(bucket: Bucket | None, serial: int, task: asyncio.Task[Any], cancelling: int) -> bool:
    """End a deadline, if one was set in `bucket`. Return whether it fired and nobody else cancelled the task as well.

    `cancelling` is how often the task had been cancelled when the deadline was set.
    """
    if bucket is None or bucket.pop(serial, None) is not None:
        return False
    return task.uncancel() <= cancelling


def task_needed() -> NoReturn:
    """Raise the `RuntimeError` for a deadline outside of a task."""
    raise RuntimeError("a timeout or deadline needs a running task")
