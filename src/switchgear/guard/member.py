"""The state of one guard, or of one key of it: one mutex, the machines, the counters.

This is the only place where machines of different policies meet. Admission checks breaker, places and rate limit,
and charges all of them or none. ``with member.mutex, member:`` is a section, never across a call or an await; methods
ending in ``_locked`` are called inside. What they leave to be done outside sets `news`, and `deliver` does it.

While `straight_plan` is set, drivers made for it may pass by without the mutex: see `switchgear.guard.straight`. A
member starts asleep, with no more than what is looked at from outside, so that a key which is never used costs next to
nothing. Its first section wakes it: see `Member.__enter__`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import inf
from types import TracebackType

from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, Overloaded, QueueFull, RateLimited, Rejected
from switchgear.core.mutexes import Mutex, is_own
from switchgear.core.outcome import Verdict
from switchgear.guard.meter import Event, EventKind
from switchgear.guard.outbox import Outbox, Teller
from switchgear.guard.plan import Plan
from switchgear.guard.tally import Tally
from switchgear.guard.terms import Terms
from switchgear.guard.waiter import Pause, Turn, Waiter
from switchgear.policies.breaker import BreakerMachine, BreakerState, Phase
from switchgear.policies.places import Places
from switchgear.policies.rate_limit import RateLimitMachine, limiter_for
from switchgear.policies.refusal import Refusal


class DryRunTicket:
    """The ticket of a call that a dry run lets in though it would have been refused: it holds nothing."""

    __slots__ = ()


DRY_RUN_TICKET = DryRunTicket()


Ticket = Phase | DryRunTicket | None
"""What a call was let in with: the breaker's phase at that moment, None without a breaker's word, or that it holds
nothing at all."""

ASLEEP = -1
_DROP_WAIT_SECONDS = 0.1
_KINDS: dict[BreakerState, EventKind] = {
    "open": "opened",
    "forced_open": "opened",
    "half_open": "half_opened",
    "closed": "closed",
}
_ERRORS: dict[str, type[Rejected]] = {
    "breaker": CircuitOpen,
    "rate_limit": RateLimited,
    "bulkhead": QueueFull,
    "shedding": Overloaded,
}
_OF_A_QUEUE = (Code.QUEUE_FULL, Code.QUEUE_EXPIRED)


class Member:
    """One guarded dependency, or one key of it.

    What `__init__` sets is there from birth. The rest is there once it is `awake`, which it is in every section, and
    wherever a call has been let in. `depth` says how many sections of itself the thread is in that holds the mutex.
    """

    __slots__ = (
        "_tally",
        "breaker",
        "depth",
        "entered",
        "key",
        "limiter",
        "mutex",
        "news",
        "places",
        "plan",
        "retired",
        "straight_plan",
        "successes",
    )
    limiter: RateLimitMachine | None
    places: Places[Waiter] | None
    entered: int
    successes: int
    news: bool
    retired: bool
    _tally: Tally | None

    def __init__(self, plan: Plan, key: str | None, mutex: Mutex) -> None:
        """Start asleep, as `Keys.make` does as well. A few members share a mutex, since no section waits."""
        self.plan = plan
        self.key = key
        self.mutex = mutex
        self.straight_plan: Plan | None = None
        self.breaker: BreakerMachine | None = None
        self.depth = ASLEEP

    def __enter__(self) -> None:
        """Keep those out who pass by without the mutex. It is held by then: ``with member.mutex, member:``.

        So taking and giving it back is the interpreter's own, and no signal can come in between.
        """
        if self.depth < 0:
            self._wake_up()
        self.straight_plan = None
        self.depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others pass by again, while there is nothing to look after."""
        breaker, places = self.breaker, self.places
        self.depth -= 1
        if self.depth or self.retired:
            return
        passing = (breaker is None or breaker.passing) and (places is None or not places.waiting)
        if passing and not self.news and self.plan.passes:
            self.straight_plan = self.plan

    @property
    def label(self) -> str:
        """The name that errors and log lines use."""
        key = self.key
        if key is None:
            return self.plan.name
        return f"{self.plan.name}[{key if key.isprintable() else ascii(key)[1:-1]}]"

    # -- The two sections of a call --------------------------------------------------------------------------

    def admit_locked(
        self, now: float, terms: Terms, *, paid: bool = False, place_held: bool = False
    ) -> Ticket | Refusal:
        """Let a call in and return its ticket, or hold nothing and return why not.

        `paid` says that the rate limit has been charged before a wait, `place_held` that a place was granted in one.
        A refusal gives the held place back, not the cost.
        """
        admitted = self._ask(now, terms, paid=paid, place_held=place_held)
        if isinstance(admitted, Refusal):
            if not self.plan.dry_run:
                return admitted
            self._observe(admitted, now)
            admitted = DRY_RUN_TICKET
        self.entered += 1
        return admitted

    def settle_locked(self, ticket: Ticket, verdict: Verdict, duration: float, now: float, tenant: str | None) -> None:
        """Take the outcome of a call of `duration` seconds, infinite for a timeout, and free its place."""
        self._judge(ticket, verdict, duration, now, tenant)
        places = self.places
        if places is not None and ticket is not DRY_RUN_TICKET:
            self._grant(places.release(now, duration, verdict))

    # -- Rarer ends of a call --------------------------------------------------------------------------------

    def refund_locked(self, ticket: Ticket, cost: float, now: float, held: float) -> None:
        """Take back a call of `held` seconds that never left: charges and places are returned, without a verdict."""
        self.entered -= 1
        if ticket is DRY_RUN_TICKET:
            return
        self._return_probe(ticket, now)
        self.free_place_locked(now)
        self.refund_cost_locked(cost, held)

    def refund_cost_locked(self, cost: float, held: float = 0.0) -> None:
        """Give the rate limit back what a call took that never left, but for what has drained in `held` seconds."""
        if self.limiter is not None:
            self.limiter.refund(cost, held)

    def abandon_locked(self, ticket: Ticket, verdict: Verdict, duration: float, now: float, tenant: str | None) -> None:
        """Take the verdict on a blocking call that is left behind. It keeps its place until it ends."""
        self._judge(ticket, verdict, duration, now, tenant)
        if self.places is not None and ticket is not DRY_RUN_TICKET:
            self.places.record(now, duration, verdict)
        self.tally.abandoned += 1
        self.tally.abandoned_total += 1

    def end_abandoned(self, ticket: Ticket) -> None:
        """Free the place of a call that was left behind and has now ended."""
        with self.mutex, self:
            self.tally.abandoned -= 1
            if ticket is not DRY_RUN_TICKET:
                self.free_place_locked(self.plan.monotonic())
        self.deliver()

    def drop(self, ticket: Ticket, duration: float) -> None:
        """Settle, as ignored, a call that its caller dropped; without fail, and at any moment.

        The garbage collector may call this from inside a section that this very thread is in. Then the mutex
        never comes free here, and whoever delivers next settles.
        """
        self.plan.dropped.append((self, ticket, duration))
        self._settle_dropped()

    def count_timeout_locked(self) -> None:
        """Count an attempt that ran into its `Timeout`."""
        self.tally.timeouts += 1
        if self.plan.slow_after == inf or self.breaker is None:
            self.tally.slow += 1

    def reconfigure(self, plan: Plan) -> None:
        """Go on under another plan, with everything that is known."""
        now = plan.monotonic()
        with self.mutex:
            if not self.awake:  # so there is nothing known, and nothing to tell
                self.plan = plan
                return
            with self:
                self.plan = plan
                self._reconfigure_machines(plan, now)
        self.deliver()

    def _reconfigure_machines(self, plan: Plan, now: float) -> None:
        if plan.breaker is None or self.breaker is None:
            self.breaker = None if plan.breaker is None else BreakerMachine(plan.breaker)
        else:
            self.breaker.reconfigure(plan.breaker, now)
            self._note_changes(self.breaker, now)
        if plan.rate_limit is None or self.limiter is None:
            self.limiter = None if plan.rate_limit is None else limiter_for(plan.rate_limit)
        else:
            self.limiter = self.limiter.under(plan.rate_limit, now)
        if self.places is not None:
            self.places.reconfigure(plan.shedding or plan.bulkhead)
            self._grant(self.places.grant(now))
        if self._tally is not None:
            self._tally.reconfigure(plan.retry, plan.hedge)

    # -- Waiting to be let in --------------------------------------------------------------------------------

    def is_final(self, refusal: Refusal, terms: Terms) -> bool:
        """Return whether neither a queue, nor a turn, nor a retry can change `refusal`."""
        return (self.plan.retry is None or terms.once) and not self.waits_for(refusal)

    def waits_for(self, refusal: Refusal) -> bool:
        """Return whether a call may wait instead of being refused so."""
        plan = self.plan
        if refusal.policy == "rate_limit":
            return plan.wait_max > 0 and refusal.retry_after is not None
        if refusal.policy == "breaker" or self.places is None:
            return False
        return plan.queue > 0 and self.places.queues(refusal)

    def pause_locked(
        self, refusal: Refusal, now: float, terms: Terms, expires_at: float, ends: float
    ) -> Pause | Refusal:
        """Return how to wait instead of being refused so, or why there is no waiting.

        Waits in the queue end at `expires_at`; nothing waits beyond the deadline `ends`.
        """
        if self.limiter is not None and refusal.policy == "rate_limit":
            longest = min(self.plan.wait_max, ends - now)
            wait = self.limiter.reserve(now, terms.cost, longest)
            return Turn(wait) if wait <= longest else refusal
        if self.places is None or not self.waits_for(refusal):
            return refusal
        waiter = Waiter(min(expires_at, ends), now, terms)
        stands, pushed_out = self.places.enqueue(waiter, now)
        if pushed_out is not None:
            self._push_out(pushed_out)
        return waiter if stands else refusal

    def leave_locked(self, waiter: Waiter, now: float, *, keep: bool) -> bool:
        """End the wait of `waiter`. Return whether it had been granted a place, which only `keep` holds on to."""
        if waiter.granted:
            if not keep:
                self.free_place_locked(now)
            return True
        if self.places is not None:
            self.places.leave(waiter)
        return False

    def free_place_locked(self, now: float) -> None:
        """Free a place of which no call has anything to tell, or pass it to who waits first."""
        if self.places is not None:
            self._grant(self.places.refund(now))

    # -- Refusing --------------------------------------------------------------------------------------------

    def refuse(self, refusal: Refusal, now: float) -> Rejected:
        """Count a refusal, tell listeners, and return the error for it. Every error is a new one."""
        with self.mutex, self:
            self.tally.refuse(refusal.code)
            if self.plan.meter.listeners:
                self._note(self._event("refused", now, refusal.retry_after, refusal.code))
        if self.news:
            self.deliver()
        kind = QueueFull if refusal.code in _OF_A_QUEUE else _ERRORS[refusal.policy]
        return kind(
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

    # -- Outside the mutex -----------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Wake who was granted a place, then tell listeners, one event after the other and in order.

        Not more than `EVENTS_AT_ONCE` at a time, so that no call has to tell slow listeners what many others did. What
        is left over comes first in the next calls; until it is told, every call comes here.
        """
        with self.mutex, self:
            self.news = False
            outbox = None if self._tally is None else self._tally.outbox
            woken = () if outbox is None else outbox.take_woken()
        for waiter in woken:
            if not waiter.wake():
                self._pass_on(waiter)
        if self.plan.dropped:
            self._settle_dropped()
        if outbox is not None:
            self._tell_listeners(outbox)

    def log(self, topic: str, text: str) -> None:
        """Write a throttled warning about this member."""
        self.plan.meter.log(logging.WARNING, topic, self.plan.monotonic(), f"{self.label}: {text}")

    def count_retry(self) -> None:
        """Count an attempt after the first of a call."""
        with self.mutex, self:
            self.tally.retries += 1

    def count_hedge(self) -> None:
        """Count another copy of a call."""
        with self.mutex, self:
            self.tally.hedges += 1
            self._tell("hedged")
        if self.news:
            self.deliver()

    def count_fallback(self) -> None:
        """Count a call that ended with the answer of its fallback."""
        with self.mutex, self:
            self.tally.fallbacks += 1
            self._tell("fell_back")
        if self.news:
            self.deliver()

    # -- Reading ---------------------------------------------------------------------------------------------

    @property
    def awake(self) -> bool:
        """Whether anything has been asked of it, so that it has machines and counters."""
        return self.depth >= 0

    @property
    def tally(self) -> Tally:
        """The counters beside plain successes."""
        if self._tally is None:
            self._tally = Tally()
        return self._tally

    @property
    def counted(self) -> Tally | None:
        """The counters beside plain successes, if any was needed."""
        return self._tally

    @property
    def events_dropped(self) -> int:
        """Events that no listener got."""
        outbox = None if self._tally is None else self._tally.outbox
        return 0 if outbox is None else outbox.dropped

    @property
    def outbox(self) -> Outbox:
        """What is to be done outside the mutex."""
        tally = self.tally
        if tally.outbox is None:
            tally.outbox = Outbox()
        return tally.outbox

    @property
    def holding(self) -> int:
        """How many calls are let in and have not ended; abandoned ones are not among them."""
        ended = 0 if self._tally is None else sum(self._tally.ended)
        return self.entered - self.successes - ended

    # -- Inside ----------------------------------------------------------------------------------------------

    def _wake_up(self) -> None:
        """Make machines and counters, in the first section.

        Between the marks there is no call, so CPython runs no signal handler and no object's end there. One that comes
        before and calls the guard has woken the member itself, or given it another plan.
        """
        while self.depth < 0:
            plan = self.plan
            breaker = None if plan.breaker is None else BreakerMachine(plan.breaker)
            limiter = None if plan.rate_limit is None else limiter_for(plan.rate_limit)
            places = plan.new_places()
            # straight section
            if self.depth < 0 and self.plan is plan:
                self.breaker = breaker
                self.limiter = limiter
                self.places = places
                self.entered = self.successes = 0
                self.news = self.retired = False
                self._tally = None
                self.depth = 0
            # end of section

    def _ask(self, now: float, terms: Terms, *, paid: bool, place_held: bool) -> Ticket | Refusal:
        """Ask breaker, places and rate limit in turn, and hold nothing when one says no."""
        ticket: Ticket = None
        breaker = self.breaker
        if breaker is not None:
            refusal = None if breaker.passing else self._ask_breaker(breaker, now)
            if refusal is None:
                ticket = breaker.phase
            elif not breaker.observes:  # one that does goes on without the breaker's ticket: it is no probe
                if place_held:
                    self.free_place_locked(now)
                return refusal
        places = self.places
        if places is not None and not place_held:
            refusal = places.admit(now, terms.priority, terms.tenant, self.plan.draw())
            if refusal is not None:
                self._return_probe(ticket, now)
                return refusal
        limiter = self.limiter
        if limiter is not None and not paid and (wait := limiter.charge(now, terms.cost)) > 0.0:
            self._return_probe(ticket, now)
            self.free_place_locked(now)
            return limiter.refusal(wait)
        return ticket

    def _ask_breaker(self, breaker: BreakerMachine, now: float) -> Refusal | None:
        """Ask a breaker that does not let everything pass. What one says that only observes is noted, and not meant."""
        refusal = breaker.admit(now, self.plan.draw())
        if breaker.changes:
            self._note_changes(breaker, now)
        if refusal is not None and breaker.observes:
            self._observe(refusal, now)
        return refusal

    def _judge(self, ticket: Ticket, verdict: Verdict, duration: float, now: float, tenant: str | None) -> None:
        """Count an outcome and tell the breaker."""
        if verdict is Verdict.SUCCESS:
            self.successes += 1
        else:
            self.tally.ended[verdict] += 1
        breaker = self.breaker
        if breaker is None or ticket is None or isinstance(ticket, DryRunTicket):
            return
        if duration > self.plan.slow_after:
            self.tally.slow += 1
        if ticket is breaker.phase:
            breaker.settle(ticket, verdict, duration, now, self.plan.draw(), tenant)
            if breaker.changes:
                self._note_changes(breaker, now)

    def _return_probe(self, ticket: Ticket, now: float) -> None:
        if self.breaker is not None and ticket is not None and not isinstance(ticket, DryRunTicket):
            self.breaker.settle(ticket, Verdict.IGNORED, 0.0, now, self.plan.draw())

    def _grant(self, waiters: Sequence[Waiter]) -> None:
        for waiter in waiters:
            waiter.granted = True
            self.outbox.wake(waiter)
            self.news = True

    def _push_out(self, waiter: Waiter) -> None:
        """Have a waiter refused whose place in the queue goes to a call of a higher class."""
        assert self.places is not None  # it stood in its queue
        waiter.refusal = self.places.refusal(Code.QUEUE_FULL)
        self.outbox.wake(waiter)
        self.news = True

    def _settle_dropped(self) -> None:
        """Settle the calls, of any key, that their callers dropped."""
        dropped = self.plan.dropped
        for _ in range(len(dropped)):
            try:
                member, ticket, duration = dropped.popleft()
            except IndexError:  # another thread was quicker
                return
            taken = False
            try:
                taken = not is_own(member.mutex) and member.mutex.acquire(timeout=_DROP_WAIT_SECONDS)
            finally:
                if not taken:  # not to be had now, or an interrupt came: whoever delivers next tries again
                    dropped.append((member, ticket, duration))
                    member.news = True
                    member.straight_plan = None
            if not taken:
                return
            try:
                with member:
                    member.settle_locked(ticket, Verdict.IGNORED, duration, self.plan.monotonic(), None)
            finally:
                member.mutex.release()
            if member.news:
                member.deliver()

    def _pass_on(self, waiter: Waiter) -> None:
        """Free the place of a waiter whose event loop is gone."""
        with self.mutex, self:
            if waiter.granted:
                waiter.granted = False
                self.free_place_locked(self.plan.monotonic())
        self.deliver()

    def _observe(self, refusal: Refusal, now: float) -> None:
        """Count a refusal that is not carried out."""
        self.tally.would_refuse(refusal.code)
        if self.plan.meter.listeners:
            self._note(self._event("would_refuse", now, refusal.retry_after, refusal.code))

    def _tell(self, kind: EventKind) -> None:
        if self.plan.meter.listeners:
            self._note(self._event(kind, self.plan.monotonic(), None, None))

    def _note_changes(self, breaker: BreakerMachine, now: float) -> None:
        for change in breaker.changes:
            self._note(self._event(_KINDS[change.state], now, change.retry_after, None))
        breaker.changes = ()

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
        """Keep an event for `deliver`."""
        self.outbox.tell(event)
        self.news = True

    def _tell_listeners(self, outbox: Outbox) -> None:
        """Tell listeners what they have not heard, unless another thread is at it. Leave the rest to the next calls."""
        teller = Teller()
        try:
            while (event := self._next_event(outbox, teller)) is not None:
                self.plan.meter.publish(event)
        finally:
            if outbox.teller is teller:
                with self.mutex, self:
                    outbox.teller = None
                    self.news = True

    def _next_event(self, outbox: Outbox, teller: Teller) -> Event | None:
        with self.mutex, self:
            return outbox.take_event(teller)
