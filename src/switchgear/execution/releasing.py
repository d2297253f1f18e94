"""How fast what was held for a dependency goes on once that has recovered: behind live traffic, and not all at once.

It counts what may go, one look of the sweeper at a time. Whether something may go at all is for the gates to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from switchgear.core.codes import Code
from switchgear.health.release import Release, ReleaseRate

RATE = ReleaseRate(limit=100.0, ramp=10.0)
"""Most held intents of one dependency that go on in a second, less while it has just recovered."""
FOR_A_DEPENDENCY = frozenset({Code.DESTRUCTIVE_BLOCKED, Code.DEPENDENCY_UNKNOWN})
"""Codes for which an intent is held until a dependency is well."""

_COUNTED_SECONDS_MAX = 1.0  # what could have gone in an earlier look is not made up for


class Releasing:
    """What may go on in this look, by dependency. `recovered` may be called from any thread."""

    def __init__(self, live: Callable[[str], int], draw: Callable[[], float]) -> None:
        """`live` returns how much waits in the queue for a dependency, `draw` a number from 0 to below 1."""
        self._live, self._draw = live, draw
        self._recovered: deque[str] = deque()
        self._under_way: dict[str, _UnderWay] = {}

    def recovered(self, dependency: str) -> None:
        """Let what was held for `dependency` go on from the next look on, slowly at first."""
        self._recovered.append(dependency)

    def look(self, now: float) -> None:
        """Begin a look at the monotonic second `now`: count what may go on in it."""
        while self._recovered:
            name = self._recovered.popleft()
            self._under_way[name] = _UnderWay(now, self._draw())
        for name, one in list(self._under_way.items()):
            if one.over(now):
                del self._under_way[name]
            else:
                one.look(now, self._live(name), self._draw)

    def may_go(self, code: str | None, requires: Iterable[str]) -> bool:
        """Take the place of an intent that was held for `code`, and say whether there was one."""
        held_for = [self._under_way[name] for name in requires if name in self._under_way]
        if code not in FOR_A_DEPENDENCY or not held_for:
            return True
        for one in held_for:
            one.asked = True
        if any(one.left <= 0 for one in held_for):
            return False
        for one in held_for:
            one.left -= 1
        return True


class _UnderWay:
    """The release of what was held for one dependency: how many may go on in this look."""

    __slots__ = ("_release", "_seen_at", "_since", "asked", "left")

    def __init__(self, now: float, draw: float) -> None:
        self._release = Release(RATE)
        self._release.recovered(now, draw)
        self._since = self._seen_at = now
        self.asked = True
        self.left = 0

    def over(self, now: float) -> bool:
        """Return whether it is up to speed, and nobody asked in the last look."""
        return not self.asked and now - self._since > RATE.ramp

    def look(self, now: float, live: int, draw: Callable[[], float]) -> None:
        """Count what has become due since the last look. One may always go, so that live traffic starves nobody."""
        moment, count = max(self._seen_at, now - _COUNTED_SECONDS_MAX), 0
        while moment <= now and count < RATE.limit:
            wait = self._release.take(moment, live, draw())
            assert wait is not None  # it has recovered
            count, moment = (count + 1, moment) if wait == 0.0 else (count, moment + wait)
        self._seen_at, self.asked = now, False
        self.left = max(1, count)
