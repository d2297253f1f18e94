"""The shedding machine: the places of a guard, who gets one, who waits and who is refused.

It stands where a bulkhead would. It keeps places and queue and wakes nobody: the guard does, and it takes those
waiters out that give up.
"""

from __future__ import annotations

from math import inf
from typing import Generic

from switchgear.core.codes import FACTS, Code
from switchgear.core.outcome import Verdict
from switchgear.policies.places import FIRST_GUESS_SECONDS, MEMORY, Priority, Waiter
from switchgear.policies.refusal import Refusal
from switchgear.policies.shedding.gradient import GradientLimit
from switchgear.policies.shedding.options import Shedding
from switchgear.policies.shedding.queue import FairQueue
from switchgear.policies.shedding.throttling import Throttle

_ROUNDING = 1e-9
_STATES = {Code.SHED_OVERLOAD: "overloaded", Code.QUEUE_FULL: "full", Code.QUEUE_EXPIRED: "stale"}


class SheddingMachine(Generic[Waiter]):
    """The places of one dependency: how many there are now, how many are `taken`, and who waits for one.

    A place passes from call to waiter, never by the side. After each step nobody waits who may have a place.
    """

    __slots__ = ("_gradient", "_heard", "_mean_seconds", "_options", "_queue", "_rooms", "_throttle", "taken")

    def __init__(self, options: Shedding) -> None:
        """Start with every place of the initial limit free."""
        self._options = options
        self._gradient = GradientLimit(options)
        self._throttle = _throttle_for(options)
        self._queue: FairQueue[Waiter] | None = None
        self._mean_seconds = FIRST_GUESS_SECONDS
        self._rooms = self._rooms_now()
        self._heard = -inf
        self.taken = 0

    @property
    def limit(self) -> int:
        """How many calls may run at once now, from `minimum` to `maximum`."""
        return self._gradient.limit

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._queue) if self._queue is not None else 0

    # -- In --------------------------------------------------------------------------------------------------

    def admit(self, now: float, priority: Priority, _tenant: str | None, draw: float) -> Refusal | None:
        """Take a place, or hold nothing and return why not. `draw` is in [0, 1).

        Whose call it is makes a difference only in the queue. `queues` says whether it may wait instead.
        """
        throttle = self._throttle
        if throttle is not None and throttle.turns_away(now, priority, draw):
            return _refused(Code.SHED_OVERLOAD, "throttled", throttle.bucket_seconds)
        if self.taken >= self._rooms[priority]:
            return self._turned_away(now, priority)
        self.taken += 1
        return None

    def queues(self, refusal: Refusal) -> bool:
        """Return whether a call that `admit` refused so may stand in the queue."""
        return self._options.queue > 0 and refusal.policy == "shedding" and refusal.state == "overloaded"

    def enqueue(self, waiter: Waiter, now: float) -> tuple[bool, Waiter | None]:
        """Let `waiter` stand in the queue. Return whether it does, and who was pushed out for it.

        A full queue makes room for a higher class: the newest waiter of the lowest class has to go, and is to be
        refused with QUEUE_FULL. Its `expires_at` is at most `patience` of its class after `enqueued_at`.
        """
        if self._is_stale(now, waiter.priority):
            return False, None
        if self._queue is None:
            self._queue = FairQueue(self._options)
        queue, displaced = self._queue, None
        if len(queue) >= self._options.queue:
            displaced = queue.newest_below(waiter.priority)
            if displaced is None:
                return False, None
            queue.remove(displaced)
        queue.add(waiter)
        return True, displaced

    def leave(self, waiter: Waiter) -> bool:
        """Take `waiter` out of the queue. Return False when it no longer stood there."""
        return self._queue is not None and self._queue.remove(waiter)

    # -- Out -------------------------------------------------------------------------------------------------

    def release(self, now: float, duration: float, verdict: Verdict) -> list[Waiter]:
        """End one call. Return the waiters that hold a place now: none, one, or several when the limit has grown."""
        self.record(now, duration, verdict)
        self.taken -= 1
        return self.grant(now)

    def record(self, now: float, duration: float, verdict: Verdict) -> None:
        """Take the outcome of a call that keeps its place, as an abandoned one does until `refund`.

        `duration` is in seconds. An infinite one says nothing about how long calls take, but of a failure it is a
        timeout, which lowers the limit. An ignored verdict never moves the limit.
        """
        self._heard = now
        if 0.0 <= duration < inf:
            self._mean_seconds += MEMORY * (duration - self._mean_seconds)
        if self._throttle is not None:
            self._throttle.settle(now, verdict)
        if self._gradient.settle(now, duration, verdict, self.taken):
            self._rooms = self._rooms_now()

    def refund(self, now: float) -> list[Waiter]:
        """Take back a place that no call used. Return the waiters that hold one now."""
        self.taken -= 1
        return self.grant(now)

    def grant(self, now: float) -> list[Waiter]:
        """Pass free places to those whose turn it is, and return them. Those whose time is over are dropped."""
        granted: list[Waiter] = []
        queue = self._queue
        if queue is None:
            return granted
        while (waiter := queue.next(now)) is not None and self.taken < self._rooms[waiter.priority]:
            queue.serve(waiter)
            self.taken += 1
            granted.append(waiter)
        return granted

    # -- Beside ----------------------------------------------------------------------------------------------

    def refusal(self, code: Code = Code.SHED_OVERLOAD) -> Refusal:
        """Say no (SHED_OVERLOAD), pushed out (QUEUE_FULL), or that the wait took too long (QUEUE_EXPIRED).

        `retry_after` is an estimate in seconds: the queue ahead, at recent pace.
        """
        return _refused(code, _STATES[code], self._advice())

    def is_clean(self, now: float) -> bool:
        """Return whether forgetting it is safe: nobody is in or waits, and nothing is held back, or not lately."""
        if self.taken or self.waiting:
            return False
        if now - self._heard >= self._options.long_window:
            return True  # what was learned so long ago means nothing any more
        clean = self._gradient.limit >= self._options.start
        return clean and (self._throttle is None or self._throttle.share(now) == 0.0)

    def reconfigure(self, options: Shedding) -> None:
        """Go by other options from now on. What was learned stays, within the new bounds.

        Who waits keeps waiting, and who runs keeps running. When there are more places now, `grant` passes them on.
        """
        self._options = options
        self._gradient.reconfigure(options)
        if self._throttle is None or options.throttle is None:
            self._throttle = _throttle_for(options)
        else:
            self._throttle.reconfigure(options.throttle, options.throttle_window)
        if self._queue is not None:
            self._queue.reconfigure(options)
        self._rooms = self._rooms_now()

    # -- Inside ----------------------------------------------------------------------------------------------

    def _turned_away(self, now: float, priority: Priority) -> Refusal:
        """Return why there is no place: the limit, the age of the queue, or its length."""
        self._gradient.press()
        queue = self._queue
        if self._is_stale(now, priority):
            return _refused(Code.SHED_OVERLOAD, "stale", self._advice())
        if queue and len(queue) >= self._options.queue and queue.newest_below(priority) is None:
            return self.refusal(Code.QUEUE_FULL)
        return self.refusal()

    def _is_stale(self, now: float, priority: Priority) -> bool:
        return self._queue is not None and self._queue.is_stale(now, priority)

    def _advice(self) -> float:
        return self._mean_seconds / self._gradient.limit * (self.waiting + 1)

    def _rooms_now(self) -> dict[Priority, int]:
        """Return how many places may be taken in all for a call of each class to get one."""
        limit = self._gradient.limit
        return {priority: max(1, int(share * limit + _ROUNDING)) for priority, share in self._options.shares.items()}


def _throttle_for(options: Shedding) -> Throttle | None:
    return None if options.throttle is None else Throttle(options.throttle, options.throttle_window)


def _refused(code: Code, state: str, retry_after: float) -> Refusal:
    return Refusal("shedding", code, state, retry_after, FACTS[code].decision)
