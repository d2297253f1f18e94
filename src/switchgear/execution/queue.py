"""The bounded fair queue of runnable intents: lanes per dependency, shares per tenant, priorities, not-before.

A lane has as many places as its dependency may have calls at once, and can be paused, so a slow or refusing
dependency never holds up the others. Within a lane tenants share by weight, and one tenant's line can be paused
alone. Within a line priorities count. Pure: `now` is a parameter, in monotonic seconds; nothing here waits, and what
is queued here is only a ticket, the intent itself is on record. A ticket whose intent has no place any more is
dropped. Taking one takes about as long whatever waits: lanes and lines that may not go now are not looked at.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Container, Mapping
from math import inf

from switchgear.core.codes import Code
from switchgear.core.errors import QueueFull
from switchgear.execution.lanes import Lane
from switchgear.execution.lines import SHEDDABLE, Line, Ticket
from switchgear.execution.shares import EQUAL_SHARE, Paces, Share
from switchgear.execution.wakes import Wakes

_RELEASED_MIN = 64


def _never(_lane: str) -> bool:
    return False


class FairQueue:
    """Holds tickets of open intents. `places_max` bounds them over all tenants, `tenant_max` for one."""

    def __init__(
        self,
        *,
        places_max: int,
        tenant_max: int,
        lane_places: int,
        age_max: float = inf,
        share: Share = EQUAL_SHARE,
        shares: Mapping[str, Share] | None = None,
    ) -> None:
        """Start empty. `lane_places` is a lane's concurrency unless `set_places` says otherwise.

        `age_max` is for how many seconds a sheddable ticket may wait from when it is due. `shares` are those of
        tenants by name, `share` that of every other.
        """
        self._places_max = places_max
        self._tenant_max = tenant_max
        self._lane_places = lane_places
        self._age_max = age_max
        self._expiring: frozenset[str] = SHEDDABLE if age_max < inf else frozenset()
        self._share = share
        self._shares = shares or {}
        self._places: dict[str, str] = {}
        self._released = 0
        self._tenants: dict[str, int] = {}
        self._lanes: dict[str, Lane] = {}
        self._offered: deque[Lane] = deque()
        self._later: list[tuple[float, int, Ticket]] = []
        self._sheddable: dict[Line, Lane] = {}
        self._order = itertools.count()
        self._front = itertools.count(-1, -1)
        self._wakes = Wakes()
        self._paces = Paces()
        self._paused_until = -inf  # when the longest pause that there ever was ends

    def __len__(self) -> int:
        """Return how many places are taken, by intents that wait and by intents that run."""
        return len(self._places)

    @property
    def places_max(self) -> int:
        """How many places there are."""
        return self._places_max

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return len(self._places) >= self._places_max

    def reserve(self, intent_id: str, tenant: str, *, bounded: bool = True) -> None:
        """Take a place for an open intent, once; `bounded=False` for one that was accepted earlier.

        Raises `QueueFull` when the queue, or the tenant's share of it, has reached its maximum.
        """
        if intent_id in self._places:
            return
        held = self._tenants.get(tenant, 0)
        if bounded and (held >= self._tenant_max or len(self._places) >= self._places_max):
            scope = "queue" if self.full else "tenant's share of the queue"
            raise QueueFull(
                f"the {scope} has reached its maximum", code=Code.QUEUE_FULL, policy="queue", retry_after=1.0
            )
        self._places[intent_id] = tenant
        self._tenants[tenant] = held + 1

    def holds(self, intent_id: str) -> bool:
        """Return whether an open intent has a place."""
        return intent_id in self._places

    def release(self, intent_id: str) -> None:
        """Give back the place of an intent that is settled or was not accepted after all; once is enough."""
        tenant = self._places.pop(intent_id, None)
        if tenant is None:
            return
        left = self._tenants[tenant] - 1
        if left:
            self._tenants[tenant] = left
        else:
            del self._tenants[tenant]
        self._released += 1
        if self._released > len(self._places) + _RELEASED_MIN:
            self._drop_placeless()

    def set_places(self, lane: str, places: int) -> None:
        """Set how many intents of a lane may run at once (at least 1)."""
        found = self._lane(lane)
        found.places = max(1, places)
        self._offer(found)

    def put(self, ticket: Ticket, now: float) -> None:
        """Queue a ticket whose place is reserved: at the end of its tenant's line, or until it is due."""
        if ticket.due > now:
            heapq.heappush(self._later, (ticket.due, next(self._order), ticket))
        else:
            self._append(ticket, now)

    def put_back(self, ticket: Ticket) -> None:
        """Queue a ticket that was taken and did not leave: first of its class, and it has cost its tenant nothing."""
        lane = self._lane(ticket.lane)
        line = self._line(lane, ticket.tenant)
        lane.put_back(line, ticket, next(self._front))
        if ticket.priority in self._expiring:
            self._sheddable[line] = lane
        self._offer(lane)

    def pause(self, lane: str, until: float, reason: str, *, tenant: str | None = None) -> None:
        """Let nothing out of a lane, or of a tenant's line in it, before `until`. `reason` is shown: a code."""
        found = self._lane(lane)
        paused = found if tenant is None else self._line(found, tenant)
        if until <= paused.paused_until:
            return
        paused.paused_until, paused.paused_for = until, reason
        self._paused_until = max(self._paused_until, until)
        if isinstance(paused, Line):
            found.wake_at(paused, until)
        else:
            self._wakes.ask(until, lane)

    def resume(self, lane: str, reason: str, *, tenant: str | None = None) -> None:
        """End a pause of a lane, or of a tenant's line in it, early if it was for `reason`."""
        found = self._lanes.get(lane)
        paused = found if found is None or tenant is None else found.lines.get(tenant)
        if found is None or paused is None or paused.paused_for != reason:
            return
        paused.paused_until, paused.paused_for = -inf, ""
        if isinstance(paused, Line):
            found.look(paused)
        self._offer(found)

    def paused_for(self, lane: str, now: float, *, tenant: str | None = None) -> str | None:
        """Return why a lane is paused now, or that tenant's line in it; None when neither is."""
        if self._paused_until <= now:
            return None  # as nearly always: nothing is paused anywhere
        known = self._lanes.get(lane)
        if known is None:
            return None
        if known.paused_until > now:
            return known.paused_for
        line = None if tenant is None else known.lines.get(tenant)
        return line.paused_for if line is not None and line.paused_until > now else None

    def take(self, now: float, probing: Callable[[str], bool] = _never) -> Ticket | None:
        """Return the next ticket that may run, or None. Lanes take turns; `done` ends its running.

        Where `probing` says that a lane's dependency is not trusted yet, a safe ticket goes first if one is found
        among the first lines.
        """
        later = self._later
        if self._wakes.first <= now or (later and later[0][0] <= now):
            self.promote(now)
        offered = self._offered
        while offered:
            lane = offered[0]
            if lane.taken < lane.places and lane.paused_until <= now:
                ticket = lane.take_safe(now, self._places) if lane.unsafe and probing(lane.name) else None
                ticket = ticket or lane.take(now, self._places)
                if ticket is not None:
                    offered.rotate(-1)
                    return ticket
            offered.popleft()
            lane.offered = False
        return None

    def take_at_once(self, ticket: Ticket, now: float) -> bool:
        """Let a ticket pass that was never queued, if it is due and nothing waits in its lane.

        `done` ends its running, or `call_off` when it did not leave after all.
        Return False when it has to queue.
        """
        if ticket.due > now:
            return False
        lane = self._lanes.get(ticket.lane) or self._lane(ticket.lane)
        line = lane.lines.get(ticket.tenant) or self._line(lane, ticket.tenant)
        if lane.take_at_once(line, now):
            return True
        lane.leave(line)  # it may never be queued, as when the ledger does not accept it
        return False

    def call_off(self, ticket: Ticket) -> None:
        """Give back what `take_at_once` gave to a ticket that did not leave: it has cost its tenant nothing."""
        self._lanes[ticket.lane].refund(ticket)
        self.done(ticket)

    def done(self, ticket: Ticket) -> None:
        """Give back the place that `take` or `take_at_once` gave to a ticket."""
        lane = self._lanes[ticket.lane]
        line = lane.lines[ticket.tenant]
        lane.taken -= 1
        line.running -= 1
        if not line.round:
            lane.look(line)
        if lane.waiting and not lane.offered:
            self._offer(lane)

    def expired(self, now: float) -> list[Ticket]:
        """Take out and return the sheddable tickets that have waited too long. Whoever asks ends their intents.

        Looks at each sheddable ticket that waits.
        """
        found: list[Ticket] = []
        for line, lane in list(self._sheddable.items()):
            taken, more = line.pop_sheddable(now - self._age_max)
            if not more:
                del self._sheddable[line]
            for ticket in taken:
                lane.forget(ticket)
            found += taken
        return [ticket for ticket in found if ticket.intent_id in self._places]

    def waiting(self, lane: str) -> int:
        """Return how many due tickets wait in a lane. Looks at each of them."""
        known = self._lanes.get(lane)
        lines = known.lines.values() if known is not None else ()
        return sum(ticket.intent_id in self._places for line in lines for ticket in line.tickets())

    def ages(self, now: float) -> dict[str, float]:
        """Return for each lane in which anything waits how many seconds the first of a line has been due, at most.

        Looks at the first ticket of each class of each line, not at those behind it.
        """
        dues = {name: _first_due(lane, self._places) for name, lane in self._lanes.items() if lane.waiting}
        return {name: max(0.0, now - due) for name, due in dues.items() if due < inf}

    def next_moment(self) -> float | None:
        """Return when something may become runnable without anybody's doing, or None.

        It is after the moment of the last `promote`. Whatever has come up since then is still ahead, so whoever sleeps
        until this moment misses nothing.
        """
        moment = min(self._later[0][0] if self._later else inf, self._wakes.first)
        return None if moment == inf else moment

    def promote(self, now: float) -> None:
        """Queue what is due by now, and look at what was to be looked at."""
        later = self._later
        while later and later[0][0] <= now:
            ticket = heapq.heappop(later)[2]
            if ticket.intent_id in self._places:
                self._append(ticket, ticket.due)
        first = self._wakes.first
        while first <= now:
            self._wake(*self._wakes.pop(), now)
            first = self._wakes.first

    def _wake(self, name: str, tenant: str | None, now: float) -> None:
        lane = self._lanes[name]
        line = None if tenant is None else lane.lines.get(tenant)
        if line is not None:
            lane.wake(line, now)
        self._offer(lane)

    def _append(self, ticket: Ticket, moment: float) -> None:
        lane = self._lanes.get(ticket.lane) or self._lane(ticket.lane)
        line = lane.lines.get(ticket.tenant) or self._line(lane, ticket.tenant)
        lane.put(line, ticket, moment, next(self._order))
        if ticket.priority in self._expiring:
            self._sheddable[line] = lane
        if not lane.offered:
            self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        """Have a lane that may have something to give looked at by `take`."""
        if not lane.offered and lane.waiting and lane.taken < lane.places:
            lane.offered = True
            self._offered.append(lane)

    def _drop_placeless(self) -> None:
        """Forget the tickets of intents that have ended; done once per as many releases as there are places."""
        self._released = 0
        self._later = [entry for entry in self._later if entry[2].intent_id in self._places]
        heapq.heapify(self._later)
        for lane in self._lanes.values():
            lane.drop_placeless(self._places)

    def _line(self, lane: Lane, tenant: str) -> Line:
        line = lane.lines.get(tenant)
        if line is None:
            line = lane.lines[tenant] = Line(tenant, self._shares.get(tenant, self._share))
        return line

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._lane_places, self._wakes, self._paces)
        return lane


def _first_due(lane: Lane, places: Container[str]) -> float:
    """Return when the first ticket of a lane was due, infinite when none has a place any more."""
    return min((line.first_due(places) for line in lane.lines.values()), default=inf)
