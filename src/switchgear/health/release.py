"""Releasing held work after an outage: behind live traffic, at a bounded rate, and not all at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.policies.checks import require_number, require_seconds

_FIRST_SHARES = (0.1, 0.25, 0.5)
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class ReleaseRate:
    """Release at most `limit` held items a second.

    limit   items a second once it is up to speed, above 0.
    ramp    seconds after recovery in which it is 10, 25, then 50 % of that, at least 0; default 30.

    Raises `OptionError` for options that cannot work.
    """

    limit: float
    ramp: float = 30.0

    def __post_init__(self) -> None:
        """Check the options."""
        require_number("ReleaseRate(limit)", self.limit, above=0.0, example=10.0)
        require_seconds("ReleaseRate(ramp)", self.ramp, zero=True, write="ReleaseRate(10.0, ramp=30.0)")


class Release:
    """Says when the next held item may go. One for each dependency that something is held for."""

    __slots__ = ("_next_at", "_options", "_recovered_at")

    def __init__(self, options: ReleaseRate) -> None:
        """Start in an outage: nothing is released before `recovered`."""
        self._options = options
        self._recovered_at: float | None = None
        self._next_at = 0.0

    def recovered(self, now: float, draw: float) -> None:
        """Begin at `now`, but not every process at the same moment: `draw` is in [0, 1)."""
        self._recovered_at = now
        self._next_at = now + draw * self._seconds(now)

    def lost(self) -> None:
        """Hold everything: the dependency is not well any more."""
        self._recovered_at = None

    def take(self, now: float, live: int, draw: float) -> float | None:
        """Return 0 when an item may go now, else the seconds until one may; None for not before `recovered`.

        `live` is how much live work waits for the same dependency: it goes first, and what is held does not catch up
        afterwards. `draw` in [0, 1) spreads the items.
        """
        if self._recovered_at is None:
            return None
        if now < self._next_at:
            return self._next_at - now
        seconds = self._seconds(now) * (1 + _JITTER * (2 * draw - 1))
        self._next_at = now + seconds
        return seconds if live > 0 else 0.0

    def _seconds(self, now: float) -> float:
        """Return the seconds between two items."""
        since = now - (now if self._recovered_at is None else self._recovered_at)
        if since >= self._options.ramp:
            return 1 / self._options.limit
        step = min(len(_FIRST_SHARES) - 1, int(since / self._options.ramp * len(_FIRST_SHARES)))
        return 1 / (self._options.limit * _FIRST_SHARES[step])
