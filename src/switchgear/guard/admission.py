"""How a call gets in that was refused at first: what it waits for, and when it gives up.

Admission is repeated after every wait, since the breaker may have opened meanwhile. The steps are the same for
threads and tasks; the two functions at the end only wait differently. What the call has reserved stands in its `Hold`.
"""

from __future__ import annotations

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded, Rejected
from switchgear.guard.holding import Hold
from switchgear.guard.waiter import Pause, Waiter
from switchgear.policies.refusal import Refusal


class Entry:
    """One call on its way in. After `step` has returned None, its hold is `held`."""

    __slots__ = ("_ends", "_expires_at", "_hold", "_sent")

    def __init__(self, hold: Hold, now: float, ends: float, *, sent: bool) -> None:
        """Try to get in before the deadline `ends`; `sent` says whether an earlier attempt has left."""
        self._hold = hold
        self._ends = ends
        self._sent = sent
        self._expires_at = now + hold.member.plan.patience(hold.terms.priority)

    @classmethod
    def after(cls, refusal: Refusal, hold: Hold, now: float, ends: float, *, sent: bool) -> Entry:
        """Return an entry that may wait, or raise `refusal` when there is nothing to wait for."""
        if not hold.member.waits_for(refusal):
            raise hold.member.refuse(refusal, now)
        return cls(hold, now, ends, sent=sent)

    @property
    def clock(self) -> Clock:
        """The clock to wait on."""
        return self._hold.member.plan.clock

    def step(self, waited: Pause | None) -> Pause | None:
        """Go on after having `waited`. Return the next thing to wait for, or None once let in.

        Raises `Rejected` or `DeadlineExceeded`; what is reserved then is the caller's to give back.
        """
        member = self._hold.member
        now = member.plan.monotonic()
        if isinstance(waited, Waiter) and not self._hold.take_granted(now):
            raise self._expired(waited, now)
        if now >= self._ends:
            raise member.too_late(sent=self._sent)
        refusal, pause = self._hold.admit_or_pause(now, self._expires_at, self._ends)
        if member.news:
            member.deliver()
        if refusal is not None and pause is None:
            self._hold.withdraw()
            raise member.refuse(refusal, now)
        return pause

    def _expired(self, waiter: Waiter, now: float) -> Rejected | DeadlineExceeded:
        member = self._hold.member
        if waiter.refusal is not None:
            return member.refuse(waiter.refusal, now)
        if self._ends <= self._expires_at:
            return member.too_late(sent=self._sent)
        assert member.places is not None  # somebody waited in its queue
        return member.refuse(member.places.refusal(Code.QUEUE_EXPIRED), now)


def enter(hold: Hold, refusal: Refusal, now: float, ends: float, *, sent: bool) -> float:
    """Get in after a first `refusal`, blocking this thread while there is something to wait for.

    Return the moment at which the call may start.
    """
    hold.on_its_way = True
    try:
        entry = Entry.after(refusal, hold, now, ends, sent=sent)
        pause: Pause | None = None
        while (pause := entry.step(pause)) is not None:
            pause.wait(entry.clock)
        return entry.clock.monotonic()
    except BaseException:
        hold.withdraw()
        raise


async def enter_async(hold: Hold, refusal: Refusal, now: float, ends: float, *, sent: bool) -> float:
    """Get in after a first `refusal`, suspending this task while there is something to wait for, as `enter` does."""
    hold.on_its_way = True
    try:
        entry = Entry.after(refusal, hold, now, ends, sent=sent)
        pause: Pause | None = None
        while (pause := entry.step(pause)) is not None:
            await pause.wait_async(entry.clock)
        return entry.clock.monotonic()
    except BaseException:
        hold.withdraw()
        raise
