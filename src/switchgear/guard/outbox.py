"""Outbox: what a section under the mutex leaves to be done outside of it: waking who waits, telling listeners."""

from __future__ import annotations

from collections import deque

from switchgear.guard.meter import Event
from switchgear.guard.waiter import Waiter

EVENTS_MAX = 1_000
"""Events of a member that wait for slow listeners at most; what is above that is dropped and counted."""


class Outbox:
    """Waiters to wake and events to tell, of one member; used under its mutex.

    `delivering` says that some thread is telling listeners, so that they hear one event after the other, in order.
    """

    __slots__ = ("_woken", "delivering", "dropped", "events")

    def __init__(self) -> None:
        """Start empty."""
        self.events: deque[Event] = deque()
        self.dropped = 0
        self.delivering = False
        self._woken: list[Waiter] = []

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

    def take_event(self) -> Event | None:
        """Return the next event for this thread to tell, or None when there is none or another thread is at it."""
        if self.delivering or not self.events:
            return None
        self.delivering = True
        return self.events.popleft()
