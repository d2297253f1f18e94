"""Time-ordered identifiers: a prefix and 32 hex digits that sort by creation, as UUIDv7 (RFC 9562) does.

Ids of one source never repeat and always rise, also when the wall clock steps back.
"""

from __future__ import annotations

import os
import random

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.mutexes import ONE_THREAD_AT_A_TIME, new_mutex

_RANDOM_BITS = 80
_DRAWN_BITS = _RANDOM_BITS - 1
"""One fewer, so that there is room to rise within a millisecond."""
_STEP_BITS = 24
_BYTES = 16
_DIGITS = 2 * _BYTES


class IdSource:
    """Makes ids from a clock and a source of randomness; both injected, so a simulation repeats."""

    __slots__ = ("_draw", "_last", "_lock", "_time")

    def __init__(self, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None) -> None:
        """Draw time from `clock` and randomness from `rng` (a generator seeded by the system when None)."""
        self._time = clock.time
        rng = rng or random.Random(os.urandom(32))  # noqa: S311 - ids name things, they keep no secret
        self._draw = rng.getrandbits
        self._last = 0
        self._lock = new_mutex()

    def next(self, prefix: str) -> str:
        """Return a new id such as ``int_019a…``: `prefix`, underscore, 12 hex digits of ms, 20 of randomness."""
        if ONE_THREAD_AT_A_TIME:
            made = self._made()
        else:
            with self._lock:
                made = self._made()
        return f"{prefix}_{made.to_bytes(_BYTES).hex()}"

    def _made(self) -> int:
        """Return a number above all before. Another thread, or a signal handler of this one, may come in between."""
        floor = int(self._time() * 1000) << _RANDOM_BITS
        while True:
            last = self._last
            made = floor | self._draw(_DRAWN_BITS) if floor > last else last + 1 + self._draw(_STEP_BITS)
            # straight section
            if self._last is last:
                self._last = made
                return made
            # end of section


def created_at(identifier: str) -> float:
    """Return the creation time in an id, in seconds since the epoch.

    Raises `ValueError` when `identifier` is not one of ours.
    """
    prefix, _, digits = identifier.rpartition("_")
    if not prefix or len(digits) != _DIGITS:
        raise ValueError(f"not a Switchgear id: {identifier!r}")
    return (int(digits, 16) >> _RANDOM_BITS) / 1000
