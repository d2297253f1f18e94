"""One lane of the queue: weighted deficit round robin over the lines of its tenants.

In each round a line gets `QUANTUM` times its weight to spend, and has its turn as long as there is some left; what it
overdraws with a last, dear ticket it owes, and it sits out as many rounds as that takes [Shreedhar and Varghese 1996,
in the form that overdraws]. Rounds in which nobody stands are passed over, so a turn costs the same however dear
tickets are. A line that runs empty keeps no credit. So while two tenants wait both, what they got, each divided by
its weight, differs by no more than two quanta and the dearest ticket of each, divided by its weight.

A line that may not go now stands in no round until it is woken. Pure; `FairQueue` says whose turn it is among lanes.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container
from itertools import islice
from math import inf

from switchgear.execution.lines import Line, Ticket
from switchgear.execution.shares import Paces
from switchgear.execution.wakes import Wakes

LINES_KEPT = 256
"""So many lines are kept in a lane also when nothing is in them, for the next ticket of their tenant."""
PROBES_LOOK_MAX = 256
"""Among so many lines a safe ticket is looked for, while a dependency is not trusted yet."""
_COST_MIN = 1  # what costs nothing takes a turn all the same


class Lane:
    """What waits for one dependency. `places` bounds how much of it runs at once, `taken` is how much does."""

    __slots__ = (
        "_current",
        "_far",
        "_far_rounds",
        "_following",
        "_paces",
        "_round",
        "_wakes",
        "lines",
        "name",
        "offered",
        "paused_for",
        "paused_until",
        "places",
        "taken",
        "unsafe",
        "waiting",
    )

    def __init__(self, name: str, places: int, wakes: Wakes, paces: Paces) -> None:
        """Start empty. `wakes` and `paces` are those of the whole queue."""
        self.name = name
        self.places = places
        self.taken = 0
        self.paused_until = -inf
        self.paused_for = ""
        self.offered = False
        """Whether the queue has it on its list of those to take from."""
        self.lines: dict[str, Line] = {}
        self.waiting = 0
        """Tickets in all lines."""
        self.unsafe = 0
        """Those of them that are not safe."""
        self._wakes = wakes
        self._paces = paces
        self._round = 1
        self._current: deque[Line] = deque()
        self._following: deque[Line] = deque()
        self._far: dict[int, deque[Line]] = {}
        self._far_rounds: list[int] = []

    def put(self, line: Line, ticket: Ticket, moment: float, number: int) -> None:
        """Let a ticket that came at `moment` stand at the end of its class in `line`, which stands from now on."""
        line.append(ticket, moment, number)
        self.waiting += 1
        if not ticket.safe:
            self.unsafe += 1
        if not line.round:
            self.stand(line)

    def put_back(self, line: Line, ticket: Ticket, number: int) -> None:
        """Let a ticket that was taken and did not leave stand first in its class; it has cost its tenant nothing."""
        line.append_left(ticket, number)
        line.credit += max(ticket.cost, _COST_MIN)
        if line.rate is not None:
            self._paces.refund(line.tenant, line.rate)
        self.waiting += 1
        self.unsafe += not ticket.safe
        if line.round > self._round:
            self._stand_again(line)
        elif not line.round:
            self.stand(line)

    def forget(self, ticket: Ticket) -> None:
        """Note that `ticket` has gone out of its line."""
        self.waiting -= 1
        if not ticket.safe:
            self.unsafe -= 1

    def stand(self, line: Line) -> None:
        """Let a line that stands in no round stand behind all others in the next one, or once its debt is paid."""
        line.round = self._round
        if line.credit:  # a debt, or what was given back
            self._stand_again(line)
        else:
            line.credit = line.step
            line.round += 1
            self._following.append(line)

    def take(self, now: float, places: Container[str]) -> Ticket | None:
        """Return the next ticket whose intent is among `places`; None when no line may go."""
        while self.waiting:
            if not self._current and not self._next_round():
                return None
            line = self._current[0]
            if line.round != self._round or self._sits_out(line, now):
                self._current.popleft()
                continue
            ticket = line.pop()
            self.waiting -= 1
            if not ticket.safe:
                self.unsafe -= 1
            if ticket.intent_id in places:
                self._serve(line, ticket, now)
                return ticket
        self._rest()
        return None

    def take_at_once(self, line: Line, now: float) -> bool:
        """Take a place for a ticket of `line` that was never queued, where nothing waits and nothing is in its way."""
        if self.waiting or self.taken >= self.places or self.paused_until > now:
            return False
        if line.running >= line.slots or line.paused_until > now:
            return False
        if line.rate is not None:
            if self._blocked_until(line, now) is not None:
                return False
            self._paces.charge(line.tenant, line.rate, now)
        line.running += 1
        self.taken += 1
        return True

    def refund(self, ticket: Ticket) -> None:
        """Take back what `take_at_once` charged for a ticket."""
        line = self.lines[ticket.tenant]
        if line.rate is not None:
            self._paces.refund(line.tenant, line.rate)

    def take_safe(self, now: float, places: Container[str]) -> Ticket | None:
        """Return a safe ticket of one of the first lines, None when there is none."""
        for line in islice(self.lines.values(), PROBES_LOOK_MAX if self.waiting > self.unsafe else 0):
            if not line.round or not self._may_go(line, now):
                continue
            while (ticket := line.pop_safe()) is not None:
                self.forget(ticket)
                if ticket.intent_id in places:
                    self._serve(line, ticket, now)
                    return ticket
        return None

    def wake_at(self, line: Line, moment: float) -> None:
        """Have a line that stands in no round looked at again from `moment` on."""
        if moment < line.wakes_at:
            line.wakes_at = moment
            self._wakes.ask(moment, self.name, line.tenant)

    def wake(self, line: Line, now: float) -> None:
        """Look at a line again: it stands if it may, and is forgotten if nobody would miss it."""
        line.wakes_at = inf
        if line.paused_until > now:
            self.wake_at(line, line.paused_until)
        else:
            self.look(line)

    def look(self, line: Line) -> None:
        """Let a line that stands in no round stand if anything is in it; forget it if nobody would miss it."""
        if line.waiting:
            if not line.round:
                self.stand(line)
        elif len(self.lines) > LINES_KEPT:
            self.leave(line)

    def drop_placeless(self, places: Container[str]) -> None:
        """Forget the tickets of intents that have no place any more."""
        if not self.waiting:
            return  # and a line that runs empty is forgotten when its last ticket is done
        for line in list(self.lines.values()):
            line.drop_placeless(places)
            self.leave(line)
        tickets = [ticket for line in self.lines.values() for ticket in line.tickets()]
        self.waiting, self.unsafe = len(tickets), sum(not ticket.safe for ticket in tickets)

    def leave(self, line: Line) -> None:
        """Forget a line that nobody would miss."""
        if len(self.lines) > LINES_KEPT and line.idle:
            self.lines.pop(line.tenant, None)

    def _serve(self, line: Line, ticket: Ticket, now: float) -> None:
        """Charge a line for a ticket, and let it stand where it has its next turn."""
        line.running += 1
        self.taken += 1
        if line.rate is not None:
            self._paces.charge(line.tenant, line.rate, now)
        line.credit -= max(ticket.cost, _COST_MIN)
        ahead = line.round - self._round
        if not ahead:
            if line.credit > 0 and line.waiting:
                return  # its turn goes on
            if self._current and self._current[0] is line:
                self._current.popleft()
        if not line.waiting and line.credit - ahead * line.step >= 0:
            line.round, line.credit = 0, 0.0
        else:
            self._stand_again(line)

    def _stand_again(self, line: Line) -> None:
        """Let a line stand in the first round from the next one on in which its credit is above 0."""
        before, step = line.round, line.step
        credit = line.credit - (before - self._round) * step
        rounds = 1 if credit > -step else int(-credit // step) + 1
        line.credit = credit + rounds * step
        line.round = self._round + rounds
        if line.round == before:
            return
        if rounds == 1:
            self._following.append(line)
            return
        if line.round not in self._far:
            self._far[line.round] = deque()
            heapq.heappush(self._far_rounds, line.round)
        self._far[line.round].append(line)

    def _next_round(self) -> bool:
        """Go on to the next round in which anybody stands. Return False when there is none."""
        if self._following:
            self._round += 1
            self._current, self._following = self._following, self._current
        elif self._far_rounds:
            self._round = heapq.heappop(self._far_rounds)
            self._current = self._far.pop(self._round)
        else:
            return False
        if self._far_rounds and self._far_rounds[0] == self._round + 1:
            self._following = self._far.pop(heapq.heappop(self._far_rounds))
        return True

    def _may_go(self, line: Line, now: float) -> bool:
        return line.waiting > 0 and line.running < line.slots and self._blocked_until(line, now) is None

    def _sits_out(self, line: Line, now: float) -> bool:
        """Return whether a line whose turn it is may not go. Then it stands in no round, and keeps no credit."""
        until: float | None = None
        if line.waiting and line.running < line.slots:
            if line.paused_until <= now and line.rate is None:
                return False
            if (until := self._blocked_until(line, now)) is None:
                return False
        line.round, line.credit = 0, 0.0
        if until is not None:
            self.wake_at(line, until)
        else:
            self.leave(line)
        return True

    def _blocked_until(self, line: Line, now: float) -> float | None:
        """Return when a pause, or the rate, lets a line go on; None when it may go now."""
        if line.paused_until > now:
            return line.paused_until
        if line.rate is None:
            return None
        moment = self._paces.moment(line.tenant, line.rate)
        return moment if moment > now else None

    def _rest(self) -> None:
        """Forget what tenants owe: nobody waits."""
        for bucket in (self._current, self._following, *self._far.values()):
            for line in bucket:
                line.round, line.credit = 0, 0.0
                self.leave(line)
            bucket.clear()
        self._far.clear()
        self._far_rounds.clear()
