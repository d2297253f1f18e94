"""Which time-box is due when. Memory only, and pure: the boxes themselves are on record.

Time is that of this process: a box that was due in an hour is due in an hour, also when the wall clock steps back. When
the wall clock leaps forward beyond what it ever showed (a machine that slept), everything is due that much sooner. How
many are let through at once is bounded, the oldest first, so that neither a leap nor a long stop is a stampede.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

AT_ONCE = 32
"""The most overdue boxes that are taken up together."""
PAUSE = 0.25
"""Seconds between two such batches, up to twice as long by chance."""
LEAP = 1.0
"""Seconds by which the wall clock must run ahead to count as a leap: slewing is not."""
_STALE_MIN = 64


@dataclass(frozen=True, slots=True)
class _Kept:
    tenant: str
    turn: int
    reverts_at: float
    due: float


@dataclass(slots=True)
class DueBook:
    """The boxes that last, each with the monotonic moment at which it ends."""

    kept: dict[str, _Kept] = field(default_factory=dict)
    moments: list[tuple[float, int, str]] = field(default_factory=list)
    turns: itertools.count[int] = field(default_factory=itertools.count)
    ahead: float | None = None
    resting_until: float = 0.0

    def put(self, tenant: str, box_id: str, reverts_at: float, *, wall: float, monotonic: float) -> None:
        """Keep a box that ends at `reverts_at`, in epoch seconds. One that is known keeps its moment.

        An end that was moved moves the moment by as much, whatever the wall clock did meanwhile.
        """
        self.mind_the_wall(wall=wall, monotonic=monotonic)
        known = self.kept.get(box_id)
        if known is None:
            due = monotonic + (reverts_at - wall)
        elif known.reverts_at == reverts_at:
            return
        else:
            due = known.due + (reverts_at - known.reverts_at)
        self._keep(box_id, tenant, reverts_at, due, due)

    def again(self, box_id: str, moment: float) -> None:
        """Take a box up again at `moment`, in monotonic seconds, though it was due before."""
        if (known := self.kept.get(box_id)) is not None:
            self._keep(box_id, known.tenant, known.reverts_at, known.due, moment)

    def in_turn(self, box_id: str) -> None:
        """Take a box up in the order of the ends: now, when it is overdue."""
        if (known := self.kept.get(box_id)) is not None:
            self._keep(box_id, known.tenant, known.reverts_at, known.due, known.due)

    def forget(self, box_id: str) -> None:
        """Forget a box that has ended."""
        self.kept.pop(box_id, None)

    def is_due(self, box_id: str, monotonic: float) -> bool:
        """Return whether the time of a box is over."""
        known = self.kept.get(box_id)
        return known is not None and known.due <= monotonic

    def overdue(self, monotonic: float) -> int:
        """Return how many boxes are past their end."""
        return sum(one.due <= monotonic for one in self.kept.values())

    def mind_the_wall(self, *, wall: float, monotonic: float) -> float:
        """Bring everything forward by what the wall clock leapt ahead since the last look; return by how much."""
        ahead = wall - monotonic
        leapt = 0.0 if self.ahead is None else ahead - self.ahead
        if self.ahead is not None and leapt < LEAP:
            return 0.0
        self.ahead = ahead
        if leapt:
            for box_id, one in list(self.kept.items()):
                self._keep(box_id, one.tenant, one.reverts_at, one.due - leapt, one.due - leapt)
        return leapt

    def due(self, monotonic: float, draw: float) -> list[tuple[str, str]]:
        """Take what is due, as pairs of tenant and id, the oldest first and at most `AT_ONCE`.

        After a full batch nothing is due for a pause; `draw`, a random number in [0, 1), makes that longer.
        """
        found: list[tuple[str, str]] = []
        if monotonic < self.resting_until:
            return found
        while self.moments and self.moments[0][0] <= monotonic and len(found) < AT_ONCE:
            _, turn, box_id = heapq.heappop(self.moments)
            if self._current(box_id, turn):
                found.append((self.kept[box_id].tenant, box_id))
        if len(found) == AT_ONCE:
            self.resting_until = monotonic + PAUSE * (1.0 + draw)
        return found

    def next_moment(self) -> float | None:
        """Return the monotonic moment at which something is due, None when nothing is kept."""
        return max(self.moments[0][0], self.resting_until) if self.moments else None

    def _keep(self, box_id: str, tenant: str, reverts_at: float, due: float, moment: float) -> None:
        turn = next(self.turns)
        self.kept[box_id] = _Kept(tenant, turn, reverts_at, due)
        heapq.heappush(self.moments, (moment, turn, box_id))
        if len(self.moments) > 2 * len(self.kept) + _STALE_MIN:
            self.moments = [entry for entry in self.moments if self._current(entry[2], entry[1])]
            heapq.heapify(self.moments)

    def _current(self, box_id: str, turn: int) -> bool:
        known = self.kept.get(box_id)
        return known is not None and known.turn == turn
