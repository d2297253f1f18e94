"""When a part of the queue is to be looked at again: a lane, or one tenant's line in it. Pure."""

from __future__ import annotations

import heapq
import itertools
from math import inf


class Wakes:
    """Moments in monotonic seconds, soonest first. Looking once too often does no harm."""

    def __init__(self) -> None:
        """Start with none."""
        self.first = inf
        """The soonest moment; infinite when nothing is to be looked at."""
        self._moments: list[tuple[float, int, str, str | None]] = []
        self._order = itertools.count()

    def ask(self, moment: float, lane: str, tenant: str | None = None) -> None:
        """Have the lane, or the tenant's line in it, looked at from `moment` on."""
        heapq.heappush(self._moments, (moment, next(self._order), lane, tenant))
        self.first = self._moments[0][0]

    def pop(self) -> tuple[str, str | None]:
        """Return what is to be looked at first: a lane, and a tenant if it is about one line. There must be one."""
        _, _, lane, tenant = heapq.heappop(self._moments)
        self.first = self._moments[0][0] if self._moments else inf
        return lane, tenant
