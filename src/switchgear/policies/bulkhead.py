"""Bulkhead: at most so many calls at once, and a bounded first-in first-out queue for the rest.

The machine keeps places and queue; it wakes nobody. What waits is any object with `expires_at`; the guard
brings waiters that know how to wake a thread or a task.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf
from typing import Generic

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.checks import require_count, require_seconds
from switchgear.policies.places import FIRST_GUESS_SECONDS, MEMORY, Priority, Waiter
from switchgear.policies.refusal import Refusal
from switchgear.policies.signatures import options


@options("Bulkhead(32, queue=64)")
@dataclass(frozen=True, slots=True)
class Bulkhead:
    """Let `limit` calls run at once; let `queue` more wait for a place, each at most `max_wait` seconds.

    limit     calls in flight, at least 1. An abandoned blocking call counts until it ends.
    queue     waiters, at least 0; default 0: refuse at once.
    max_wait  seconds, above 0; default 30. The deadline of the call may end the wait sooner.

    Threads and tasks of all loops stand in one queue. Raises `OptionError` for options that cannot work.
    """

    limit: int
    queue: int = field(default=0, kw_only=True)
    max_wait: float = field(default=30.0, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("Bulkhead(limit)", self.limit, example=32)
        require_count("Bulkhead(queue)", self.queue, least=0, write="Bulkhead(32, queue=64)")
        require_seconds("Bulkhead(max_wait)", self.max_wait, write="Bulkhead(32, max_wait=5.0)")


class BulkheadMachine(Generic[Waiter]):
    """The places of one bulkhead, `taken` of which are in use, and who waits for them.

    `mean_seconds` is a running mean of durations. A driver in a hurry takes a place, and frees one that nobody waits
    for, by itself.
    """

    __slots__ = ("_waiters", "mean_seconds", "options", "taken")

    def __init__(self, options: Bulkhead) -> None:
        """Start with every place free."""
        self.options = options
        self._waiters: OrderedDict[Waiter, None] | None = None
        self.mean_seconds = FIRST_GUESS_SECONDS
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._waiters) if self._waiters else 0

    def admit(self, _now: float, _priority: Priority, _tenant: str | None, _draw: float) -> Refusal | None:
        """Take a place if one is free. Who waits comes first: places pass from call to waiter, never by the side."""
        if self.taken < self.options.limit:
            self.taken += 1
            return None
        return self.refusal()

    def queues(self, _refusal: Refusal) -> bool:
        """Every call may stand in the queue."""
        return True

    def enqueue(self, waiter: Waiter, _now: float) -> tuple[bool, Waiter | None]:
        """Let `waiter` stand at the end of the queue unless it is full. Nobody is pushed out."""
        if self.waiting >= self.options.queue:
            return False, None
        if self._waiters is None:
            self._waiters = OrderedDict()
        self._waiters[waiter] = None
        return True, None

    def leave(self, waiter: Waiter) -> bool:
        """Take `waiter` out of the queue. Return False when it no longer stood there."""
        if self._waiters is None or waiter not in self._waiters:
            return False
        del self._waiters[waiter]
        return True

    def release(self, now: float, duration: float, _verdict: Verdict) -> tuple[Waiter, ...]:
        """End one call. Return the waiter that now holds its place, if any.

        A finite `duration` in seconds improves the advice given in refusals.
        """
        self.record(now, duration, _verdict)
        return self.refund(now)

    def record(self, _now: float, duration: float, _verdict: Verdict) -> None:
        """Take the duration of a call that keeps its place."""
        if duration < inf:
            self.mean_seconds += MEMORY * (duration - self.mean_seconds)

    def refund(self, now: float) -> tuple[Waiter, ...]:
        """End a call that tells nothing, as `release` does. Waiters whose time is over are dropped on the way."""
        self.taken -= 1
        return self.grant(now)

    def grant(self, now: float) -> tuple[Waiter, ...]:
        """Pass free places to those who wait, in order."""
        granted: list[Waiter] = []
        while self._waiters and self.taken < self.options.limit:
            waiter, _ = self._waiters.popitem(last=False)
            if now < waiter.expires_at:
                self.taken += 1
                granted.append(waiter)
        return tuple(granted)

    def is_clean(self, _now: float) -> bool:
        """Return whether nobody is in or waits."""
        return not self.taken and not self.waiting

    def reconfigure(self, options: Bulkhead) -> None:
        """Go on by other options. Calls above a smaller limit run to their end."""
        self.options = options

    def refusal(self, code: Code = Code.BULKHEAD_FULL) -> Refusal:
        """Say no, or that the wait took too long. `retry_after` is an estimate: the queue ahead, at recent pace."""
        pace = self.mean_seconds / self.options.limit
        return Refusal("bulkhead", code, "full", pace * (self.waiting + 1))
