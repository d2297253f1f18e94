"""A tenant's line in one lane of the queue: what it has waiting, by priority, and where it stands in the turns.

Within a line the more important ticket goes first. Each class of `Priority` that a ticket is below another costs it
`AGEING` seconds: it is passed by what came up to so much later, and by nothing that came after that. So the least
important one waits, and is never forgotten. Within a class, first come is first served. Pure; `Lane` decides whose
line has its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from math import inf

import msgspec

from switchgear.execution.shares import Share
from switchgear.policies.places import PRIORITIES, Priority

AGEING = 30.0
"""Seconds by which a ticket of one class may come later than one of the next lower class, and still pass it."""
SHEDDABLE: frozenset[Priority] = frozenset({"sheddable_plus", "sheddable"})
"""The classes that may expire in the queue."""
QUANTUM = 1.0
"""Cost units that a tenant of weight 1 gets in each round."""

_KINDS: dict[Priority, tuple[int, float]] = {
    priority: (2 * level, level * AGEING) for level, priority in enumerate(PRIORITIES)
}
_SHEDDABLE_FROM = min(_KINDS[priority][0] for priority in SHEDDABLE)


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """An intent's place in a lane. It may run from `due` on, in monotonic seconds.

    `safe` says that it may serve as a probe of a recovering dependency: a read, or a write that the remote can tell
    from its repeat. `cost` is what it takes of its tenant's share: at least 1 is charged.
    """

    intent_id: str
    tenant: str
    lane: str
    due: float
    safe: bool = True
    cost: int = 1
    priority: Priority = "critical"


Entry = tuple[float, int, Ticket]
"""A ticket with its rank and its number: the least goes first."""


class Line:
    """What one tenant has waiting in one lane.

    `round` is the round in which it stands for its turn, 0 when in none. `credit` is what it may spend then, in cost
    units, `step` what each round adds to it. `waiting` counts its tickets, `running` those that are out. `wakes_at`
    is when somebody looks whether it may stand again; infinite when nobody does.
    """

    __slots__ = (
        "_queues",
        "credit",
        "paused_for",
        "paused_until",
        "rate",
        "round",
        "running",
        "slots",
        "step",
        "tenant",
        "waiting",
        "wakes_at",
    )

    def __init__(self, tenant: str, share: Share) -> None:
        """Start empty."""
        self.tenant = tenant
        self.step = QUANTUM * share.weight
        self.slots = inf if share.slots is None else share.slots
        self.rate = share.rate
        self.credit = 0.0
        self.waiting = 0
        self.running = 0
        self.round = 0
        self.paused_until = -inf
        self.paused_for = ""
        self.wakes_at = inf
        self._queues: dict[int, deque[Entry]] = {}

    @property
    def idle(self) -> bool:
        """Whether forgetting it changes nothing."""
        return not (self.waiting or self.round or self.running) and self.wakes_at == inf

    def append(self, ticket: Ticket, moment: float, number: int) -> None:
        """Let a ticket stand at the end of its class. It came at `moment`."""
        kind, handicap = _KINDS[ticket.priority]
        if not ticket.safe:
            kind += 1
        queue = self._queues.get(kind)
        if queue is None:
            queue = self._added(kind)
        queue.append((moment + handicap, number, ticket))
        self.waiting += 1

    def append_left(self, ticket: Ticket, number: int) -> None:
        """Let a ticket stand at the front of its class again. `number` is below that of every other."""
        kind, handicap = _KINDS[ticket.priority]
        kind += not ticket.safe
        queue = self._queues[kind] if kind in self._queues else self._added(kind)
        queue.appendleft((ticket.due + handicap, number, ticket))
        self.waiting += 1

    def pop(self) -> Ticket:
        """Return the ticket that is first. There must be one."""
        queues = self._queues
        if len(queues) > 1:
            return self._popped(min(queues.items(), key=_first_of))
        self.waiting -= 1
        return next(iter(queues.values())).popleft()[2]

    def pop_safe(self) -> Ticket | None:
        """Return the first ticket that is safe, or None when none is."""
        safe = [item for item in self._queues.items() if item[1] and not item[0] % 2]
        return self._popped(min(safe, key=_first_of)) if safe else None

    def tickets(self) -> Iterator[Ticket]:
        """Return what waits, in no order."""
        return (entry[2] for queue in self._queues.values() for entry in queue)

    def first_due(self, places: Container[str]) -> float:
        """Return when the earliest of the tickets was due that are first in their class; infinite when none is."""
        firsts = (
            next((entry[2].due for entry in queue if entry[2].intent_id in places), inf)
            for queue in self._queues.values()
        )
        return min(firsts, default=inf)

    def drop_placeless(self, places: Container[str]) -> None:
        """Forget the tickets of intents that have no place any more."""
        for kind in list(self._queues):
            self._keep(kind, deque(entry for entry in self._queues[kind] if entry[2].intent_id in places))

    def pop_sheddable(self, due_before: float) -> tuple[list[Ticket], bool]:
        """Take out what may expire and was due before that moment; say whether more is there that may once."""
        taken: list[Ticket] = []
        for kind in [kind for kind in self._queues if kind >= _SHEDDABLE_FROM]:
            queue = self._queues[kind]
            taken += [entry[2] for entry in queue if entry[2].due < due_before]
            self._keep(kind, deque(entry for entry in queue if entry[2].due >= due_before))
        return taken, any(kind >= _SHEDDABLE_FROM for kind in self._queues)

    def _added(self, kind: int) -> deque[Entry]:
        """Add a class. Where there are several none is empty; a single one is kept, for the next ticket."""
        if not self.waiting:
            self._queues.clear()
        queue = self._queues[kind] = deque()
        return queue

    def _popped(self, item: tuple[int, deque[Entry]]) -> Ticket:
        """Take the first of one class, and forget the class when it was the last and another one is there."""
        kind, queue = item
        ticket = queue.popleft()[2]
        self.waiting -= 1
        if not queue and len(self._queues) > 1:
            del self._queues[kind]
        return ticket

    def _keep(self, kind: int, kept: deque[Entry]) -> None:
        self.waiting -= len(self._queues[kind]) - len(kept)
        if kept:
            self._queues[kind] = kept
        else:
            del self._queues[kind]


def _first_of(item: tuple[int, deque[Entry]]) -> Entry:
    return item[1][0]
