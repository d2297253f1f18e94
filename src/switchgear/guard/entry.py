"""Admission of a call that may wait: what it has reserved on its way in, and how it gives that back.

Admission is repeated after every wait, since the breaker may have opened meanwhile. The steps are the same for
threads and tasks; the two functions at the end only wait differently.
"""

from __future__ import annotations

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded, Rejected
from switchgear.guard.member import Member, Ticket
from switchgear.guard.terms import Terms
from switchgear.guard.waiter import Pause, Turn, Waiter
from switchgear.policies.refusal import Refusal


class Entry:
    """One call on its way in. After `step` has returned None, `ticket` admits it."""

    __slots__ = ("_ends", "_expires_at", "_member", "_paid", "_place_held", "_sent", "_terms", "ticket")

    def __init__(self, member: Member, terms: Terms, now: float, ends: float, *, sent: bool) -> None:
        """Try to get in before the deadline `ends`; `sent` says whether an earlier attempt has left."""
        self._member = member
        self._terms = terms
        self._ends = ends
        self._sent = sent
        self._paid = False
        self._place_held = False
        self._expires_at = now + member.plan.patience(terms.priority)
        self.ticket: Ticket = None

    @classmethod
    def after(cls, refusal: Refusal, member: Member, terms: Terms, now: float, ends: float, *, sent: bool) -> Entry:
        """Return an entry that may wait, or raise `refusal` when there is nothing to wait for."""
        if not member.waits_for(refusal):
            raise member.refuse(refusal, now)
        return cls(member, terms, now, ends, sent=sent)

    @property
    def clock(self) -> Clock:
        """The clock to wait on."""
        return self._member.plan.clock

    def step(self, waited: Pause | None) -> Pause | None:
        """Go on after having `waited`. Return the next thing to wait for, or None once let in.

        Raises `Rejected` or `DeadlineExceeded`; nothing stays reserved then.
        """
        now = self._member.plan.monotonic()
        if isinstance(waited, Waiter):
            self._come_back(waited, now)
        if now >= self._ends:
            self.abandon(None)
            raise self._member.too_late(sent=self._sent)
        admitted, pause = self._try(now)
        if self._member.news:
            self._member.deliver()
        if not isinstance(admitted, Refusal):
            self.ticket = admitted
        elif pause is None:
            self.abandon(None)
            raise self._member.refuse(admitted, now)
        return pause

    def abandon(self, waited: Pause | None) -> None:
        """Give back everything: the call does not come in."""
        member = self._member
        now = member.plan.monotonic()
        with member.mutex, member:
            if isinstance(waited, Waiter):
                member.leave_locked(waited, now, keep=False)
            if self._place_held:
                member.free_place_locked(now)
            if self._paid:
                member.refund_cost_locked(self._terms.cost)
            self._paid = self._place_held = False
        if member.news:
            member.deliver()

    def _try(self, now: float) -> tuple[Ticket | Refusal, Pause | None]:
        """Ask again. Return the answer, and for a refusal what to wait for, if anything."""
        member = self._member
        with member.mutex, member:
            held, self._place_held = self._place_held, False
            admitted = member.admit_locked(now, self._terms, paid=self._paid, place_held=held)
            if not isinstance(admitted, Refusal):
                return admitted, None
            pause = member.pause_locked(admitted, now, self._terms, self._expires_at, self._ends)
            if isinstance(pause, Refusal):
                return pause, None
            self._paid = self._paid or isinstance(pause, Turn)
            return admitted, pause

    def _come_back(self, waiter: Waiter, now: float) -> None:
        """Take the granted place, or raise because the wait took too long or was ended."""
        member = self._member
        with member.mutex, member:
            self._place_held = member.leave_locked(waiter, now, keep=True)
        if not self._place_held:
            self.abandon(None)
            raise self._expired(waiter, now)

    def _expired(self, waiter: Waiter, now: float) -> Rejected | DeadlineExceeded:
        member = self._member
        if waiter.refusal is not None:
            return member.refuse(waiter.refusal, now)
        if self._ends <= self._expires_at:
            return member.too_late(sent=self._sent)
        assert member.places is not None  # somebody waited in its queue
        return member.refuse(member.places.refusal(Code.QUEUE_EXPIRED), now)


def enter(
    member: Member, refusal: Refusal, terms: Terms, now: float, ends: float, *, sent: bool
) -> tuple[Ticket, float]:
    """Get in after a first `refusal`, blocking this thread while there is something to wait for.

    Return the ticket and the moment at which the call may start.
    """
    entry = Entry.after(refusal, member, terms, now, ends, sent=sent)
    pause: Pause | None = None
    while (pause := entry.step(pause)) is not None:
        try:
            pause.wait(entry.clock)
        except BaseException:
            entry.abandon(pause)
            raise
    return entry.ticket, entry.clock.monotonic()


async def enter_async(
    member: Member, refusal: Refusal, terms: Terms, now: float, ends: float, *, sent: bool
) -> tuple[Ticket, float]:
    """Get in after a first `refusal`, suspending this task while there is something to wait for, as `enter` does."""
    entry = Entry.after(refusal, member, terms, now, ends, sent=sent)
    pause: Pause | None = None
    while (pause := entry.step(pause)) is not None:
        try:
            await pause.wait_async(entry.clock)
        except BaseException:
            entry.abandon(pause)
            raise
    return entry.ticket, entry.clock.monotonic()
