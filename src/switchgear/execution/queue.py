"""The bounded fair queue of runnable intents: lanes per dependency, turns per tenant, not-before.

A lane has as many places as its dependency may have calls at once, and can be paused, so a slow or refusing
dependency never holds up the others. Within a lane tenants take turns. Pure: `now` is a parameter, in monotonic
seconds; nothing here waits, and what is queued here is only a ticket, the intent itself is on record. A ticket whose
intent has no place any more is dropped.
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from switchgear.core.codes import Code
from switchgear.core.errors import QueueFull

_RELEASED_MIN = 64


def _never(_lane: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Ticket:
    """An intent's place in a lane. It may run from `due` on, in monotonic seconds.

    `safe` says that it may serve as a probe of a recovering dependency: a read, or a write that the remote can tell
    from its repeat.
    """

    intent_id: str
    tenant: str
    lane: str
    due: float
    safe: bool = True


@dataclass(slots=True)
class _Lane:
    places: int
    taken: int = 0
    paused_until: float = 0.0
    paused_for: str = ""
    tenants: OrderedDict[str, deque[Ticket]] = field(default_factory=OrderedDict)

    def open_at(self, now: float) -> bool:
        return bool(self.tenants) and self.taken < self.places and self.paused_until <= now


class FairQueue:
    """Holds tickets of open intents. `places_max` bounds them over all tenants, `tenant_max` for one."""

    def __init__(self, *, places_max: int, tenant_max: int, lane_places: int) -> None:
        """Start empty. `lane_places` is a lane's concurrency unless `set_places` says otherwise."""
        self._places_max = places_max
        self._tenant_max = tenant_max
        self._lane_places = lane_places
        self._places: dict[str, str] = {}
        self._released = 0
        self._tenants: dict[str, int] = {}
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._later: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Return how many places are taken, by intents that wait and by intents that run."""
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return len(self._places) >= self._places_max

    def reserve(self, intent_id: str, tenant: str, *, bounded: bool = True) -> None:
        """Take a place for an open intent; `bounded=False` for one that was accepted earlier.

        Raises `QueueFull` when the queue, or the tenant's share of it, has reached its maximum.
        """
        held = self._tenants.get(tenant, 0)
        if bounded and (self.full or held >= self._tenant_max):
            scope = "queue" if self.full else "tenant's share of the queue"
            raise QueueFull(
                f"the {scope} has reached its maximum", code=Code.QUEUE_FULL, policy="queue", retry_after=1.0
            )
        self._places[intent_id] = tenant
        self._tenants[tenant] = held + 1

    def release(self, intent_id: str) -> None:
        """Give back the place of an intent that is settled or was not accepted after all; once is enough."""
        tenant = self._places.pop(intent_id, None)
        if tenant is None:
            return
        self._tenants[tenant] -= 1
        if not self._tenants[tenant]:
            del self._tenants[tenant]
        self._released += 1
        if self._released > len(self._places) + _RELEASED_MIN:
            self._drop_placeless()

    def set_places(self, lane: str, places: int) -> None:
        """Set how many intents of a lane may run at once (at least 1)."""
        self._lane(lane).places = max(1, places)

    def put(self, ticket: Ticket, now: float) -> None:
        """Queue a ticket whose place is reserved: at the end of its tenant's line, or until it is due."""
        if ticket.due > now:
            heapq.heappush(self._later, (ticket.due, next(self._order), ticket))
        else:
            self._line(ticket).append(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Queue a ticket that was taken and refused, at the front of its tenant's line."""
        self._line(ticket).appendleft(ticket)

    def pause(self, lane: str, until: float, reason: str) -> None:
        """Let nothing out of a lane before `until`. `reason` is the code shown to those who ask."""
        paused = self._lane(lane)
        if until > paused.paused_until:
            paused.paused_until, paused.paused_for = until, reason

    def resume(self, lane: str, reason: str) -> None:
        """End a lane's pause early, if it was paused for `reason`."""
        paused = self._lane(lane)
        if paused.paused_for == reason:
            paused.paused_until = 0.0

    def paused_for(self, lane: str, now: float) -> str | None:
        """Return why a lane is paused now, or None."""
        known = self._lanes.get(lane)
        return known.paused_for if known is not None and known.paused_until > now else None

    def take(self, now: float, probing: Callable[[str], bool] = _never) -> Ticket | None:
        """Return the next ticket that may run, or None. Lanes and tenants take turns; `done` ends its turn.

        Where `probing` says that a lane's dependency is not trusted yet, a safe ticket goes first if there is one.
        """
        self._promote(now)
        for name, lane in list(self._lanes.items()):
            if lane.open_at(now):
                ticket = (self._safe_one_of(lane) if probing(name) else None) or self._next_of(lane)
                if ticket is not None:
                    lane.taken += 1
                    self._lanes.move_to_end(name)
                    return ticket
        return None

    def done(self, lane: str) -> None:
        """Give back the lane's place that `take` gave."""
        self._lanes[lane].taken -= 1

    def waiting(self, lane: str) -> int:
        """Return how many due tickets wait in a lane."""
        known = self._lanes.get(lane)
        lines = known.tenants.values() if known is not None else ()
        return sum(ticket.intent_id in self._places for line in lines for ticket in line)

    def next_moment(self, now: float) -> float | None:
        """Return when something may become runnable without anybody's doing, or None."""
        moments = [lane.paused_until for lane in self._lanes.values() if lane.tenants and lane.paused_until > now]
        if self._later:
            moments.append(self._later[0][0])
        return min(moments, default=None)

    def _promote(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            ticket = heapq.heappop(self._later)[2]
            if ticket.intent_id in self._places:
                self._line(ticket).append(ticket)

    def _drop_placeless(self) -> None:
        """Forget the tickets of intents that have ended; done once per as many releases as there are places."""
        self._released = 0
        self._later = [entry for entry in self._later if entry[2].intent_id in self._places]
        heapq.heapify(self._later)
        for lane in self._lanes.values():
            for tenant, line in list(lane.tenants.items()):
                kept = deque(ticket for ticket in line if ticket.intent_id in self._places)
                if kept:
                    lane.tenants[tenant] = kept
                else:
                    del lane.tenants[tenant]

    def _safe_one_of(self, lane: _Lane) -> Ticket | None:
        for tenant, line in lane.tenants.items():
            for index, ticket in enumerate(line):
                if ticket.safe and ticket.intent_id in self._places:
                    del line[index]
                    self._after_turn(lane, tenant, line)
                    return ticket
        return None

    def _next_of(self, lane: _Lane) -> Ticket | None:
        while lane.tenants:
            tenant, line = next(iter(lane.tenants.items()))
            ticket = line.popleft()
            self._after_turn(lane, tenant, line)
            if ticket.intent_id in self._places:
                return ticket
        return None

    def _after_turn(self, lane: _Lane, tenant: str, line: deque[Ticket]) -> None:
        if line:
            lane.tenants.move_to_end(tenant)
        else:
            del lane.tenants[tenant]

    def _line(self, ticket: Ticket) -> deque[Ticket]:
        return self._lane(ticket.lane).tenants.setdefault(ticket.tenant, deque())

    def _lane(self, name: str) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(self._lane_places)
        return lane
