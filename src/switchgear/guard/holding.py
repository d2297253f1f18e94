"""What one call holds of a member, from its admission to its settlement; given back once, whatever interrupts it.

A signal handler, or somebody with the thread's id, may raise at the start of any function and after any call: that is
where CPython asks. So nothing here trusts to getting as far as its next line. A `Hold` is made before the call is let
in, and learns in the section under the mutex what was taken and what was given back. Where a section itself is torn,
`Sight` tells how the member stood when it began, and the rest is done, or undone, before the mutex is free. So the
driver, who looks at `held` at the very end, knows whether there is anything to give back.

Not for waiting to be let in (`switchgear.guard.admission`), nor for deciding what an outcome means (`attempts`).
"""

from __future__ import annotations

from typing import Literal, Protocol

from switchgear.core.mutexes import is_own
from switchgear.core.outcome import Verdict
from switchgear.guard.member import DRY_RUN_TICKET, Member, Ticket
from switchgear.guard.terms import Terms
from switchgear.guard.waiter import Pause, Turn, Waiter
from switchgear.policies.breaker import Phase
from switchgear.policies.breaker.phases import HalfOpenPhase
from switchgear.policies.places import Places
from switchgear.policies.refusal import Refusal

IGNORED = Verdict.IGNORED

Back = Literal["nothing", "cost", "call"]
"""What a call that ends gives back beside its place: its cost, or all, as if it had never been let in."""


class Leaves(Protocol):
    """A blocking call that may be left behind, in a thread which cannot be stopped."""

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more, though it had not ended then."""


class Hold:
    """What one call holds.

    `held` says whether there is something to settle: `ticket`, since the monotonic second `since`. `job` is the call
    itself, where it runs in a worker. On its way in the call may stand in the queue as `waiter`, have been granted a
    place (`place_held`), and have `paid` for its turn; `on_its_way` says that any of these may be.
    """

    __slots__ = ("held", "job", "member", "on_its_way", "paid", "place_held", "since", "terms", "ticket", "waiter")

    def __init__(self, member: Member, terms: Terms) -> None:
        """Start with nothing."""
        self.member = member
        self.terms = terms
        self.held = self.on_its_way = self.paid = self.place_held = False
        self.waiter: Waiter | None = None
        self.job: Leaves | None = None
        self.ticket: Ticket = None
        self.since = 0.0

    @classmethod
    def of(cls, member: Member, terms: Terms, ticket: Ticket, since: float) -> Hold:
        """Return the hold of a call that was let in with `ticket`."""
        hold = cls(member, terms)
        hold.ticket = ticket
        hold.since = since
        hold.held = True
        return hold

    @property
    def left_behind(self) -> bool:
        """Whether the call still runs somewhere, so that its place is given back when it ends."""
        return self.job is not None and self.job.left

    # -- In --------------------------------------------------------------------------------------------------

    def admit(self, now: float) -> Refusal | None:
        """Ask to be let in. Hold a ticket, or return why not.

        The member may become another one, when this one has been forgotten since somebody asked for its key.
        """
        while True:
            member = self.member
            if member.awake and member.depth:
                _mend_depth(member)
            with member.mutex, member:
                if not member.retired:
                    return self._admit_locked(now)
            assert member.key is not None  # only keyed members retire
            assert member.plan.successor is not None
            self.member = member.plan.successor(member.key)

    def admit_or_pause(self, now: float, expires_at: float, ends: float) -> tuple[Refusal | None, Pause | None]:
        """Ask to be let in, or to wait, as `Member.pause_locked` says. Return the refusal that stands, and the wait."""
        member = self.member
        with member.mutex, member:
            refusal = self._admit_locked(now)
            return (None, None) if refusal is None else self._pause_locked(refusal, now, expires_at, ends)

    def take_granted(self, now: float) -> bool:
        """End the wait in the queue. Return whether a place was granted in it."""
        member = self.member
        with member.mutex, member:
            self._stop_waiting_locked(now)
            return self.place_held

    def withdraw(self) -> None:
        """Give back everything that was reserved on the way in: the call does not come in."""
        member = self.member
        now = member.plan.monotonic()
        with member.mutex, member:
            self._stop_waiting_locked(now)
            if self.place_held:
                self._free_granted_locked(now)
            if self.paid:
                self.paid = False
                member.refund_cost_locked(self.terms.cost)
            self.on_its_way = False
        if member.news:
            member.deliver()

    def _stop_waiting_locked(self, now: float) -> None:
        if self.waiter is not None:
            self.place_held = self.member.leave_locked(self.waiter, now, keep=True)
            _WAITING.pop(self.waiter, None)
            self.waiter = None

    def _free_granted_locked(self, now: float) -> None:
        sight = Sight(self.member)
        try:
            self.member.free_place_locked(now)
            self.place_held = False
        except BaseException:
            if self.place_held:
                sight.complete_freeing(self.member, now)
                self.place_held = False
            raise

    def _admit_locked(self, now: float) -> Refusal | None:
        member, sight = self.member, Sight(self.member)
        try:
            admitted = member.admit_locked(now, self.terms, paid=self.paid, place_held=self.place_held)
            if isinstance(admitted, Refusal):
                self.place_held = False
                return admitted
            self.ticket = admitted
            self.since = now
            self.job = None
            self.paid = self.place_held = self.on_its_way = False
            self.held = True
        except BaseException:
            if not self.held:
                self._undo_locked(sight, now)
            raise
        return None

    def _pause_locked(
        self, refusal: Refusal, now: float, expires_at: float, ends: float
    ) -> tuple[Refusal | None, Pause | None]:
        member, sight = self.member, Sight(self.member)
        try:
            pause = member.pause_locked(refusal, now, self.terms, expires_at, ends)
            if pause.__class__ is Turn:
                self.paid = True
            elif pause.__class__ is Waiter:
                self.waiter = pause
                _WAITING[pause] = member
        except BaseException:
            if not self.paid:
                sight.undo_charge(member, self.terms.cost)
            raise
        return (pause, None) if isinstance(pause, Refusal) else (refusal, pause)

    def _undo_locked(self, sight: Sight, now: float) -> None:
        """Take back what a torn admission had taken so far."""
        member = self.member
        if member.holding > sight.holding:
            member.entered -= 1
        sight.undo_probe(member, now)
        if self.place_held:
            self.place_held = not sight.freed_place(member)
        elif sight.took_place(member):
            member.free_place_locked(now)
        if not self.paid:
            sight.undo_charge(member, self.terms.cost)

    # -- Out -------------------------------------------------------------------------------------------------

    def settle(
        self, verdict: Verdict, duration: float, now: float, *, back: Back = "nothing", timed_out: bool = False
    ) -> None:
        """Take the outcome of a call of `duration` seconds, infinite for a timeout, and free its place.

        A call that is left behind keeps its place until it ends. What is settled already stays as it is.
        """
        member = self.member
        leaves = False
        try:
            with member.mutex, member:
                if self.held:
                    leaves = self.job is not None and self.job.left
                    plainly = not (leaves or timed_out or back != "nothing")
                    sight = Sight(member)
                    try:
                        if plainly:
                            member.settle_locked(self.ticket, verdict, duration, now, self.terms.tenant)
                        else:
                            self._end_locked(verdict, duration, now, back, timed_out=timed_out)
                        self.held = False
                    except BaseException:
                        if self.held:
                            self._complete_locked(sight, now)
                            self.held = False
                        raise
        finally:
            if member.news:
                member.deliver()
        if leaves:
            member.log("abandoned", "a blocking call was left behind and still runs")

    def drop(self, duration: float) -> None:
        """Give back what is held without a verdict, at any moment: the garbage collector may be who calls this."""
        if self.held:
            self.held = False
            self.member.drop(self.ticket, duration)

    def give_back(self) -> None:
        """Give back what an interrupted call still holds, if anything. It says nothing about the dependency."""
        if self.on_its_way:
            self.withdraw()
        now = self.member.plan.monotonic()
        if self.left_behind:
            self.settle(IGNORED, now - self.since, now)
        else:
            self.drop(now - self.since)

    def _end_locked(self, verdict: Verdict, duration: float, now: float, back: Back, *, timed_out: bool) -> None:
        member, ticket, tenant = self.member, self.ticket, self.terms.tenant
        if timed_out:
            member.count_timeout_locked()
        if self.left_behind:
            member.abandon_locked(ticket, verdict, duration, now, tenant)
        elif back == "call":
            member.refund_locked(ticket, self.terms.cost, now, duration)
        else:
            member.settle_locked(ticket, verdict, duration, now, tenant)
            if back == "cost":
                member.refund_cost_locked(self.terms.cost, duration)

    def _complete_locked(self, sight: Sight, now: float) -> None:
        """Do what a torn settlement had not done yet: count the call, return its probe, free its place."""
        member = self.member
        if member.holding == sight.holding:
            member.tally.ended[IGNORED] += 1
        sight.complete_verdict(member, self.ticket, now)
        if self.left_behind:
            sight.complete_abandoning(member)
        elif self.ticket is not DRY_RUN_TICKET:
            sight.complete_freeing(member, now)


class Sight:
    """How a member stood when a section under its mutex began. Nobody else changes that until the section ends."""

    __slots__ = ("ended", "entered", "level", "passing", "phase", "probes", "successes", "taken", "waiting")

    def __init__(self, member: Member) -> None:
        """Look, in haste: each settlement does."""
        self.entered = member.entered
        self.successes = member.successes
        counted = member.counted
        self.ended = _NONE if counted is None else (*counted.ended, counted.abandoned)
        places, breaker, limiter = member.places, member.breaker, member.limiter
        self.taken = self.waiting = self.probes = 0
        self.phase: Phase | None = None
        self.passing = True
        if places is not None:
            self.taken = places.taken
            if member.plan.queue:
                self.waiting = places.waiting
        if breaker is not None:
            self.phase = breaker.phase
            if not breaker.passing:
                self.passing = False
                self.probes = _probes(self.phase)
        self.level = None if limiter is None else (limiter.amount, limiter.updated)

    @property
    def holding(self) -> int:
        """How many calls were let in and had not ended."""
        return self.entered - self.successes - sum(self.ended[:-1])

    @property
    def abandoned(self) -> int:
        """How many blocking calls ran on that nobody waits for."""
        return self.ended[-1]

    def took_place(self, member: Member) -> bool:
        """Return whether a place was taken since."""
        return member.places is not None and member.places.taken > self.taken

    def freed_place(self, member: Member) -> bool:
        """Return whether a place was freed since, be it that it has gone to one who waited."""
        places = member.places
        return places is not None and (places.taken < self.taken or places.waiting < self.waiting)

    def undo_probe(self, member: Member, now: float) -> None:
        """Return a probe that was let in since."""
        if member.breaker is None:
            return
        phase = member.breaker.phase
        if _probes(phase) > (self.probes if phase is self.phase else 0):
            member.breaker.settle(phase, IGNORED, 0.0, now, member.plan.draw())

    def undo_charge(self, member: Member, cost: float) -> None:
        """Give back what the rate limit took since."""
        limiter = member.limiter
        if limiter is not None and (limiter.amount, limiter.updated) != (self.level or (0.0, 0.0)):
            member.refund_cost_locked(cost)

    def complete_verdict(self, member: Member, ticket: Ticket, now: float) -> None:
        """Return the probe of a verdict that was not taken, and make a move that was decided and not made."""
        breaker = member.breaker
        if breaker is None or ticket is not breaker.phase or ticket is not self.phase:
            return
        if isinstance(ticket, HalfOpenPhase):
            if _probes(ticket) == self.probes:
                breaker.settle(ticket, IGNORED, 0.0, now, member.plan.draw())
            move = None if member.plan.breaker is None else ticket.reconfigure(member.plan.breaker)
            if move is not None and ticket is breaker.phase:
                breaker.move(move, now, member.plan.draw())
        elif self.passing and not breaker.passing:
            breaker.move("trip", now, member.plan.draw())

    def complete_abandoning(self, member: Member) -> None:
        """Count a call that is left behind, since it will be counted off at its end."""
        if member.tally.abandoned == self.abandoned:
            member.tally.abandoned += 1
            member.tally.abandoned_total += 1

    def complete_freeing(self, member: Member, now: float) -> None:
        """Free the place, and let those in who wait for one."""
        if member.places is None:
            return
        if self.freed_place(member):
            self._call_back(member, member.places, now)
            member.places.taken += 1  # it is free already, and goes round once more
        member.free_place_locked(now)

    def _call_back(self, member: Member, places: Places[Waiter], now: float) -> None:
        """Let those stand in the queue again whom a place was on its way to, and wake those who have got theirs."""
        lost = 0
        standing = [waiter for waiter, at in list(_WAITING.items()) if at is member]  # others go on meanwhile
        for waiter in [waiter for waiter in standing if not waiter.is_over]:
            lost += not places.leave(waiter)
            places.enqueue(waiter, now)
        places.taken -= min(lost, places.taken - self.taken + 1)
        for waiter in [waiter for waiter in standing if waiter.granted]:
            member.outbox.wake(waiter)
            member.news = True


_NONE = (0, 0, 0, 0)

_WAITING: dict[Waiter, Member] = {}
"""Who stands in a queue or was granted a place there, and has not come back from it, in the order of arrival."""


def _mend_depth(member: Member) -> None:
    """Mend the depth of sections, if an interrupt came at the very end of one: while nobody is in one it is none."""
    if not is_own(member.mutex):
        with member.mutex:
            member.depth = 0


def _probes(phase: object) -> int:
    """Return how many probes are in flight."""
    return phase._in_flight if isinstance(phase, HalfOpenPhase) else 0  # noqa: SLF001 - has no other way to be read
