"""Outbox: what a section under the mutex leaves to be done outside of it: waking who waits, telling listeners."""

from __future__ import annotations

from collections import deque

from switchgear.guard.meter import Event
from switchgear.guard.waiter import Waiter

EVENTS_MAX = 1_000
"""Events of a member that wait for slow listeners at most; what is above that is dropped and counted."""
EVENTS_AT_ONCE = 10
"""Events that a call tells at most at one step, such as its refusal or end: its own and those of others together."""


class Teller:
    """A thread that tells listeners, and how many events it has told: see `Outbox.take_event`."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        """Start with none."""
        self.told = 0


class Outbox:
    """Waiters to wake and events to tell, of one member; used under its mutex.

    `teller` is the one who tells listeners now, so that they hear one event after the other, in order.
    """

    __slots__ = ("_woken", "dropped", "events", "teller")

    def __init__(self) -> None:
        """Start empty."""
        self.events: deque[Event] = deque()
        self.dropped = 0
        self.teller: Teller | None = None
        self._woken: list[Waiter] = []

    @property
    def is_busy(self) -> bool:
        """Whether there are events to tell, or one is being told."""
        return bool(self.events) or self.teller is not None

    def wake(self, waiter: Waiter) -> None:
        """Have `waiter` woken."""
        self._woken.append(waiter)

    def take_woken(self) -> list[Waiter]:
        """Return who is to be woken, and forget them."""
        woken, self._woken = self._woken, []
        return woken

    def tell(self, event: Event) -> None:
        """Keep an event. When there are too many, transitions outlast the rest, and new ones old ones."""
        if len(self.events) >= EVENTS_MAX:
            self.dropped += 1
            if not event.is_transition:
                return
            self.events.popleft()
        self.events.append(event)

    def take_event(self, teller: Teller) -> Event | None:
        """Return the next event for `teller` to tell, or None: another one is at it, all is told, or it told enough.

        In the last case it stays the teller, and has to give that up: there are events left.
        """
        if self.teller is not None and self.teller is not teller:
            return None
        if not self.events:
            self.teller = None
            return None
        self.teller = teller
        if teller.told >= EVENTS_AT_ONCE:
            return None
        teller.told += 1
        return self.events.popleft()
