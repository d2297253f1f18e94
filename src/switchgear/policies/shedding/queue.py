"""The queue: classes in strict order; the tenants of a class by weighted deficit round robin.

Deficit round robin is that of Shreedhar and Varghese (SIGCOMM 1995), with a call as the unit. A tenant whose turn
comes is served as often as its weight says, then the next one is. Weights are at least 1, so each turn serves
somebody and every step is O(1). A tenant is known only while one of its calls waits, so the places of the queue
bound all of it. Time is an argument, and nobody is woken here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic

from switchgear.policies.places import PRIORITIES, Priority, Waiter
from switchgear.policies.shedding.options import SHEDDABLE, Shedding


class FairQueue(Generic[Waiter]):
    """Who waits, and whose turn is next."""

    __slots__ = ("_classes", "_options")

    def __init__(self, options: Shedding) -> None:
        """Start with nobody."""
        self._options = options
        self._classes: dict[Priority, _Class[Waiter]] = {priority: _Class() for priority in PRIORITIES}

    def reconfigure(self, options: Shedding) -> None:
        """Go by other options from now on. Who waits stays, even when the queue has fewer places now."""
        self._options = options

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(len(waiting.arrivals) for waiting in self._classes.values())

    def add(self, waiter: Waiter) -> None:
        """Let `waiter` stand behind those of its tenant."""
        self._classes[waiter.priority].add(waiter)

    def remove(self, waiter: Waiter) -> bool:
        """Take `waiter` out. Return False when it does not stand here."""
        return self._classes[waiter.priority].remove(waiter)

    def next(self, now: float) -> Waiter | None:
        """Return whose turn it is, or None. Those whose time is over are dropped on the way."""
        for waiting in self._classes.values():
            while (waiter := waiting.first()) is not None:
                if not self._is_over(waiter, now):
                    return waiter
                waiting.remove(waiter)
        return None

    def serve(self, waiter: Waiter) -> None:
        """Take out `waiter`, whose turn it is, and charge its tenant with it."""
        self._classes[waiter.priority].serve(waiter, self._options.weights)

    def newest_below(self, priority: Priority) -> Waiter | None:
        """Return the newest waiter of the lowest class that waits, if that class is below `priority`."""
        for lowest in reversed(PRIORITIES[PRIORITIES.index(priority) + 1 :]):
            arrivals = self._classes[lowest].arrivals
            if arrivals:
                return next(reversed(arrivals))
        return None

    def is_stale(self, now: float, priority: Priority) -> bool:
        """Return whether a waiter of that class or above is older than `queue_age`."""
        age = self._options.queue_age
        if age is None:
            return False
        reach = PRIORITIES[: PRIORITIES.index(priority) + 1]
        oldest = (next(iter(self._classes[higher].arrivals), None) for higher in reach)
        return any(waiter is not None and now - waiter.enqueued_at > age for waiter in oldest)

    def _is_over(self, waiter: Waiter, now: float) -> bool:
        age = self._options.queue_age
        if now >= waiter.expires_at:
            return True
        return age is not None and waiter.priority in SHEDDABLE and now - waiter.enqueued_at > age


class _Class(Generic[Waiter]):
    """The waiters of one class: all in the order in which they came, and by tenant, the tenant in turn first."""

    __slots__ = ("_lanes", "arrivals")

    def __init__(self) -> None:
        self.arrivals: OrderedDict[Waiter, None] = OrderedDict()
        self._lanes: OrderedDict[str | None, _Lane[Waiter]] = OrderedDict()

    def add(self, waiter: Waiter) -> None:
        """Let `waiter` stand behind those of its tenant; a tenant that is new here stands behind the others."""
        lane = self._lanes.get(waiter.tenant)
        if lane is None:
            lane = self._lanes[waiter.tenant] = _Lane()
        lane.waiters[waiter] = None
        self.arrivals[waiter] = None

    def first(self) -> Waiter | None:
        """Return whose turn it is."""
        lane = next(iter(self._lanes.values()), None)
        return None if lane is None else next(iter(lane.waiters))

    def remove(self, waiter: Waiter) -> bool:
        """Take `waiter` out, and its tenant with the last of its waiters."""
        if waiter not in self.arrivals:
            return False
        del self.arrivals[waiter]
        lane = self._lanes[waiter.tenant]
        del lane.waiters[waiter]
        if not lane.waiters:
            del self._lanes[waiter.tenant]
        return True

    def serve(self, waiter: Waiter, weights: Mapping[str, float]) -> None:
        """Take `waiter` out; its tenant goes to the end when it has used up its turn."""
        tenant = waiter.tenant
        lane = self._lanes[tenant]
        if lane.deficit < 1.0:
            lane.deficit += 1.0 if tenant is None else weights.get(tenant, 1.0)
        lane.deficit -= 1.0
        self.remove(waiter)
        if lane.waiters and lane.deficit < 1.0:
            self._lanes.move_to_end(tenant)


class _Lane(Generic[Waiter]):
    """The waiters of one tenant in one class, and how many more of them this turn may serve."""

    __slots__ = ("deficit", "waiters")

    def __init__(self) -> None:
        self.deficit = 0.0
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
