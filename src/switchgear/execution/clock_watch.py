"""Watches how far the wall clock can be trusted: by how much may the seconds between two recorded moments be wrong?

Records keep the wall clock, which people and other machines share, and which somebody may set. The clock that never
goes back tells when that happens. Nothing here corrects a time: whoever compares two moments on record asks how
unsure that is, and takes the side that is safe.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from switchgear.core.clock import Clock

_log = logging.getLogger("switchgear.clock")
_TOLD = 1.0
"""Seconds by which the doubt about the wall clock must have grown to be told of again; less is a slew."""


class Reading(NamedTuple):
    """Now, in seconds since the epoch, and by how many seconds (0 or more) the time since a record may be wrong."""

    now: float
    unsure: float


class ClockWatch:
    """Compares the wall clock of one engine with its monotonic clock, each time that it is asked. One per engine.

    Their distance changes when the wall clock is set, and in nothing else that matters. Two moments that were both
    read here are as far apart as they say, give or take `unsure`: the largest distance seen less the smallest. That
    never shrinks while the engine runs. A machine that was suspended looks like one whose clock was set forward,
    since its monotonic clock may stand still meanwhile; and a thread that is stopped between two readings looks like
    a small leap. Both only make it more careful than it need be.
    """

    __slots__ = ("_least", "_monotonic", "_most", "_time", "_told", "unsure")

    def __init__(self, clock: Clock) -> None:
        """Begin with the distance between the two faces of `clock` now."""
        self._time = clock.time
        self._monotonic = clock.monotonic
        self._least = self._most = self._time() - self._monotonic()
        self._told = 0.0
        self.unsure = 0.0
        """By how many seconds, 0 or more, the time between two moments on record may be wrong."""

    def time(self) -> float:
        """Return seconds since the epoch, for a record that somebody may count from."""
        now = self._time()
        distance = now - self._monotonic()
        if not self._least <= distance <= self._most:
            self._widen(distance)
        return now

    def read(self) -> Reading:
        """Return now, and how unsure it is by now what has passed since a moment on record."""
        return Reading(self.time(), self.unsure)

    def on_record(self, moment: float) -> None:
        """Learn that an engine before this one has recorded `moment` (seconds since the epoch).

        One that is still to come shows that the wall clock was set back since, by at least what is left until then.
        By how much more, nobody can tell: so much as no engine was there to see.
        """
        distance = moment - self._monotonic()
        if distance > self._most:
            self._widen(distance)

    def _widen(self, distance: float) -> None:
        self._least, self._most = min(self._least, distance), max(self._most, distance)
        self.unsure = self._most - self._least
        if self.unsure >= self._told + _TOLD:
            self._told = self.unsure
            _log.warning(
                "the wall clock was set, or the machine slept: times on record may be %.1f s off. Until the engine is "
                "started again, keys are kept that much longer, and repeats in doubt end that much sooner",
                self.unsure,
            )
