"""`Ageing`: seconds that go on while the machine sleeps, so that what was said before its sleep is not fresh after it.

A monotonic clock stands still while a machine is suspended (Linux: CLOCK_MONOTONIC, clock_gettime(2)), and the wall
clock does not. When the wall clock is suddenly ahead of the monotonic one, the machine slept or somebody set the clock;
nobody can tell which, so evidence grows older by that much. Going back makes nothing younger.

What may not live here: any rule of what old evidence is worth.
"""

from __future__ import annotations

from switchgear.core.clock import Clock
from switchgear.core.mutexes import new_mutex

NOTICED_SECONDS = 0.5
"""A leap of the wall clock is noticed above this; smaller ones add up until they are."""


class Ageing:
    """The seconds by which evidence ages. Safe from any thread; it takes a lock only when the clock has leapt."""

    __slots__ = ("_clock", "_mutex", "_seen")

    def __init__(self, clock: Clock) -> None:
        """Begin at the monotonic second of `clock`."""
        self._clock = clock
        self._mutex = new_mutex()
        self._seen = (clock.time() - clock.monotonic(), 0.0)

    def now(self) -> float:
        """Return the monotonic seconds, and those that the machine seems to have slept since this began."""
        clock, (distance, slept) = self._clock, self._seen  # one read: the two belong together
        now = clock.monotonic()
        if -NOTICED_SECONDS <= clock.time() - now - distance <= NOTICED_SECONDS:
            return now + slept
        return self._after_leap()

    def _after_leap(self) -> float:
        """Add what the wall clock has leapt ahead. Another thread may have done it by now."""
        with self._mutex:
            distance, slept = self._seen
            now = self._clock.monotonic()
            leapt = self._clock.time() - now - distance
            if abs(leapt) > NOTICED_SECONDS:
                slept += max(0.0, leapt)
                self._seen = (distance + leapt, slept)
            return now + slept
