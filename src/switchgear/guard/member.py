"""The state of one guard, or of one key of it: one mutex, the machines, the counters.

This is the only place where machines of different policies meet. Admission checks breaker, bulkhead and rate
limit, and charges all of them or none. Methods ending in ``_locked`` are called with `lock` held, never across
an await; what they leave to be done outside sets `news`, and `deliver` does it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from math import inf

from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, QueueFull, RateLimited, Rejected
from switchgear.core.outcome import Verdict
from switchgear.guard.meter import Event, EventKind, Statistics
from switchgear.guard.plan import Plan
from switchgear.guard.waiter import Pause, Turn, Waiter
from switchgear.policies.breaker import BreakerMachine, BreakerState, Phase
from switchgear.policies.bulkhead import BulkheadMachine
from switchgear.policies.rate_limit import limiter_for
from switchgear.policies.refusal import Refusal

Ticket = Phase | None
"""The breaker's phase in which a call was let in; None without a breaker."""

_DROP_WAIT_SECONDS = 0.1
EVENTS_MAX = 1_000
"""Events of a member that wait for slow listeners at most; what is above that is dropped and counted."""

_KINDS: dict[BreakerState, EventKind] = {"open": "opened", "half_open": "half_opened", "closed": "closed"}
_ERRORS: dict[str, type[Rejected]] = {"breaker": CircuitOpen, "rate_limit": RateLimited, "bulkhead": QueueFull}


class Member:
    """One guarded dependency, or one key of it."""

    __slots__ = (
        "_abandoned",
        "_abandoned_total",
        "_delivering",
        "_draw",
        "_ended",
        "_events",
        "_events_dropped",
        "_in_flight",
        "_refused",
        "_retries",
        "_slow",
        "_timeouts",
        "_woken",
        "breaker",
        "bulkhead",
        "key",
        "limiter",
        "lock",
        "news",
        "plan",
    )

    def __init__(self, plan: Plan, key: str | None = None) -> None:
        """Start as new: closed, nothing charged, nothing counted."""
        self.plan = plan
        self.key = key
        self.lock = threading.Lock()
        self.breaker = None if plan.breaker is None else BreakerMachine(plan.breaker)
        self.limiter = None if plan.rate_limit is None else limiter_for(plan.rate_limit)
        self.bulkhead: BulkheadMachine[Waiter] | None = (
            None if plan.bulkhead is None else BulkheadMachine(plan.bulkhead)
        )
        self.news = False
        self._events: deque[Event] | None = None
        self._events_dropped = 0
        self._woken: list[Waiter] | None = None
        self._delivering = False
        self._draw = plan.random.random()
        self._ended = [0, 0, 0]
        self._in_flight = self._retries = self._slow = self._timeouts = 0
        self._abandoned = self._abandoned_total = 0
        self._refused: dict[Code, int] | None = None

    @property
    def label(self) -> str:
        """The name that errors and log lines use."""
        return self.plan.name if self.key is None else f"{self.plan.name}[{self.key}]"

    # -- The two sections of a call --------------------------------------------------------------------------

    def admit_locked(self, now: float, cost: float | None, *, place_held: bool = False) -> Ticket | Refusal:
        """Let a call in and return its ticket, or hold nothing and return why not.

        `cost` is None when the rate limit has been charged before a wait, `place_held` when a place was granted
        in one. A refusal gives the held place back, not the cost.
        """
        breaker = self.breaker
        ticket: Ticket = None
        if breaker is not None:
            if not breaker.passing and (refusal := self._ask_breaker(breaker, now)) is not None:
                if place_held:
                    self.free_place_locked(now)
                return refusal
            ticket = breaker.phase
        bulkhead = self.bulkhead
        if bulkhead is not None and not place_held and not bulkhead.take():
            self._return_probe(ticket, now)
            return bulkhead.refusal()
        limiter = self.limiter
        if limiter is not None and cost is not None and (wait := limiter.charge(now, cost)) > 0.0:
            self._return_probe(ticket, now)
            self.free_place_locked(now)
            return limiter.refusal(wait)
        self._in_flight += 1
        return ticket

    def settle_locked(self, ticket: Ticket, verdict: Verdict, duration: float, now: float) -> None:
        """Take the outcome of a call of `duration` seconds, infinite for a timeout, and free its place."""
        self._in_flight -= 1
        self._ended[verdict] += 1
        breaker = self.breaker
        if ticket is not None and breaker is not None:
            if duration > self.plan.slow_after:
                self._slow += 1
            if ticket is breaker.phase and (move := ticket.settle(verdict, duration, now)) is not None:
                breaker.move(move, now, self._draw)
                self._note_changes(breaker, now)
        bulkhead = self.bulkhead
        if bulkhead is not None:
            waiter = bulkhead.release(now, duration)
            if waiter is not None:
                self._grant(waiter)

    # -- Rarer ends of a call --------------------------------------------------------------------------------

    def refund_locked(self, ticket: Ticket, cost: float, now: float) -> None:
        """Take back a call that never left: charges and places are returned, and there is no verdict."""
        self._in_flight -= 1
        self._return_probe(ticket, now)
        self.free_place_locked(now)
        self.refund_cost_locked(cost)

    def refund_cost_locked(self, cost: float) -> None:
        """Give the rate limit back what a call took that never left."""
        if self.limiter is not None:
            self.limiter.refund(cost)

    def abandon_locked(self, ticket: Ticket, verdict: Verdict, duration: float, now: float) -> None:
        """Take the verdict on a blocking call that is left behind. It keeps its place until it ends."""
        self._abandoned += 1
        self._abandoned_total += 1
        self._ended[verdict] += 1
        if ticket is not None and self.breaker is not None:
            self.breaker.settle(ticket, verdict, duration, now, self._draw)
            self._note_changes(self.breaker, now)

    def end_abandoned(self) -> None:
        """Free the place of a call that was left behind and has now ended."""
        with self.lock:
            self._abandoned -= 1
            self._in_flight -= 1
            self.free_place_locked(self.plan.clock.monotonic())
        self.deliver()

    def drop(self, ticket: Ticket, duration: float) -> None:
        """Settle, as ignored, a call that its caller dropped; without fail, and at any moment.

        The garbage collector may call this from inside a section that this very thread is in. Then the lock
        never comes free here, and whoever delivers next settles.
        """
        self.plan.dropped.append((self, ticket, duration))
        self._settle_dropped()

    def count_timeout_locked(self) -> None:
        """Count an attempt that ran into its `Timeout`."""
        self._timeouts += 1
        if self.plan.slow_after == inf or self.breaker is None:
            self._slow += 1

    def count_retry(self) -> None:
        """Count an attempt after the first of a call."""
        with self.lock:
            self._retries += 1

    # -- Waiting to be let in --------------------------------------------------------------------------------

    def is_final(self, refusal: Refusal) -> bool:
        """Return whether neither a queue, nor a turn, nor a retry can change `refusal`."""
        return self.plan.retry is None and not self.waits_for(refusal)

    def waits_for(self, refusal: Refusal) -> bool:
        """Return whether a call may wait instead of being refused so."""
        plan = self.plan
        if refusal.policy == "bulkhead":
            return plan.bulkhead is not None and plan.bulkhead.queue > 0
        return refusal.policy == "rate_limit" and plan.wait_max > 0 and refusal.retry_after is not None

    def pause_locked(self, refusal: Refusal, now: float, cost: float, expires_at: float, ends: float) -> Pause | None:
        """Return how to wait instead of being refused, or None when there is no waiting.

        Waits in the queue end at `expires_at`; nothing waits beyond the deadline `ends`.
        """
        if self.bulkhead is not None and refusal.policy == "bulkhead":
            waiter = Waiter(min(expires_at, ends))
            return waiter if self.bulkhead.enqueue(waiter) else None
        if self.limiter is not None and refusal.policy == "rate_limit":
            longest = min(self.plan.wait_max, ends - now)
            wait = self.limiter.reserve(now, cost, longest)
            return Turn(wait) if wait <= longest else None
        return None

    def leave_locked(self, waiter: Waiter, now: float, *, keep: bool) -> bool:
        """End the wait of `waiter`. Return whether it had been granted a place, which only `keep` holds on to."""
        if waiter.granted:
            if not keep:
                self.free_place_locked(now)
            return True
        if self.bulkhead is not None:
            self.bulkhead.leave(waiter)
        return False

    def free_place_locked(self, now: float) -> None:
        """Free a place, or pass it to who waits first."""
        if self.bulkhead is not None and (waiter := self.bulkhead.release(now)) is not None:
            self._grant(waiter)

    # -- Refusing --------------------------------------------------------------------------------------------

    def refuse(self, refusal: Refusal, now: float) -> Rejected:
        """Count a refusal, tell listeners, and return the error for it. Every error is a new one."""
        with self.lock:
            refused = self._refused
            if refused is None:
                refused = self._refused = {}
            refused[refusal.code] = refused.get(refusal.code, 0) + 1
            if self.plan.meter.listeners:
                self._note(self._event("refused", now, refusal.retry_after, refusal.code))
        if self.news:
            self.deliver()
        return _ERRORS[refusal.policy](
            refusal.reason,
            code=refusal.code,
            policy=refusal.policy,
            dependency=self.label,
            state=refusal.state,
            retry_after=refusal.retry_after,
            decision=refusal.decision,
        )

    def too_late(self, *, sent: bool, during: str = "before the call could start") -> DeadlineExceeded:
        """Return the error for a deadline that ran out."""
        return DeadlineExceeded(f"the deadline ran out {during}", sent=sent, dependency=self.label)

    # -- Outside the lock ------------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Wake who was granted a place, then tell listeners, one event after the other and in order."""
        with self.lock:
            self.news = False
            woken, self._woken = self._woken, None
        for waiter in woken or ():
            if not waiter.wake():
                self._pass_on(waiter)
        if self.plan.dropped:
            self._settle_dropped()
        while (event := self._next_event()) is not None:
            try:
                self.plan.meter.publish(event)
            finally:
                self._delivering = False

    def log(self, topic: str, text: str) -> None:
        """Write a throttled warning about this member."""
        self.plan.meter.log(logging.WARNING, topic, self.plan.clock.monotonic(), f"{self.label}: {text}")

    # -- Reading ---------------------------------------------------------------------------------------------

    def state(self) -> BreakerState:
        """Return the breaker's state, "closed" without one. Takes no probe."""
        if self.breaker is None:
            return "closed"
        with self.lock:
            return self.breaker.state(self.plan.clock.monotonic())

    def is_forgettable(self, now: float) -> bool:
        """Return whether a fresh member would behave the same: closed, idle, clean, its bucket drained."""
        with self.lock:
            if self._in_flight or self._events or (self.bulkhead is not None and self.bulkhead.waiting):
                return False
            if self.limiter is not None and not self.limiter.is_clean(now):
                return False
            return self.breaker is None or self.breaker.is_clean(now)

    def statistics(self) -> Statistics:
        """Return how this member stands. Changes nothing."""
        now = self.plan.clock.monotonic()
        with self.lock:
            refused = dict(self._refused or {})
            breaker = self.breaker
            successes, failures, ignored = self._ended
            failure_rate, slow_rate = (None, None) if breaker is None else breaker.shares(now)
            return Statistics(
                name=self.plan.name,
                key=self.key,
                calls=successes + failures + ignored + self._in_flight - self._abandoned,
                successes=successes,
                failures=failures,
                ignored=ignored,
                refused=refused,
                retries=self._retries,
                slow=self._slow,
                timeouts=self._timeouts,
                in_flight=self._in_flight,
                waiting=0 if self.bulkhead is None else self.bulkhead.waiting,
                abandoned=self._abandoned,
                abandoned_total=self._abandoned_total,
                state="closed" if breaker is None else breaker.state(now),
                retry_after=0.0 if breaker is None else breaker.retry_after(now),
                failure_rate=failure_rate,
                slow_rate=slow_rate,
                circuit_breaker_opened=0 if breaker is None else breaker.opened,
                circuit_breaker_closed=0 if breaker is None else breaker.closed,
                circuit_breaker_blocked=refused.get(Code.CIRCUIT_OPEN, 0),
                listener_errors=self.plan.meter.listener_errors,
                events_dropped=self._events_dropped,
            )

    # -- Inside ----------------------------------------------------------------------------------------------

    def _ask_breaker(self, breaker: BreakerMachine, now: float) -> Refusal | None:
        refusal = breaker.admit(now, self._draw)
        if breaker.changes:
            self._note_changes(breaker, now)
        return refusal

    def _return_probe(self, ticket: Ticket, now: float) -> None:
        if ticket is not None and self.breaker is not None:
            self.breaker.settle(ticket, Verdict.IGNORED, 0.0, now, self._draw)

    def _grant(self, waiter: Waiter) -> None:
        waiter.granted = True
        self._woken = [*(self._woken or ()), waiter]
        self.news = True

    def _settle_dropped(self) -> None:
        """Settle the calls, of any key, that their callers dropped."""
        dropped = self.plan.dropped
        for _ in range(len(dropped)):
            try:
                member, ticket, duration = dropped.popleft()
            except IndexError:  # another thread was quicker
                return
            if not member.lock.acquire(timeout=_DROP_WAIT_SECONDS):
                dropped.append((member, ticket, duration))
                member.news = True
                return
            try:
                member.settle_locked(ticket, Verdict.IGNORED, duration, self.plan.clock.monotonic())
            finally:
                member.lock.release()
            if member.news:
                member.deliver()

    def _pass_on(self, waiter: Waiter) -> None:
        """Free the place of a waiter whose event loop is gone."""
        with self.lock:
            if waiter.granted:
                waiter.granted = False
                self.free_place_locked(self.plan.clock.monotonic())
        self.deliver()

    def _note_changes(self, breaker: BreakerMachine, now: float) -> None:
        for change in breaker.changes:
            self._note(self._event(_KINDS[change.state], now, change.retry_after, None))
        breaker.changes = ()
        self._draw = self.plan.random.random()

    def _event(self, kind: EventKind, now: float, retry_after: float | None, code: Code | None) -> Event:
        breaker = self.breaker
        return Event(
            kind=kind,
            guard=self.plan.name,
            key=self.key,
            state="closed" if breaker is None else breaker.state(now),
            generation=0 if breaker is None else breaker.phase.generation,
            at=self.plan.clock.time(),
            monotonic=now,
            retry_after=retry_after,
            code=code,
        )

    def _note(self, event: Event) -> None:
        """Keep an event for `deliver`. When there are too many, transitions outlast refusals, and new ones old ones."""
        if self._events is None:
            self._events = deque()
        self.news = True
        if len(self._events) >= EVENTS_MAX:
            self._events_dropped += 1
            if event.kind == "refused":
                return
            self._events.popleft()
        self._events.append(event)

    def _next_event(self) -> Event | None:
        with self.lock:
            if self._delivering or not self._events:
                return None
            self._delivering = True
            return self._events.popleft()
