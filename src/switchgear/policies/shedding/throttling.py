"""Client throttling: when a dependency turns calls away, let out only so many more than it accepts.

The formula is that of the SRE book, "Handling Overload": of what is asked for, turn away with the probability

    max(0, (requests - K * accepts) / (requests + 1))

over the last two minutes. Requests are calls that succeeded or failed, and those turned away here; accepts are
calls that succeeded. A call counts when it has ended, so a first burst is not held against itself.

The book keeps these figures for each criticality. Here the figures are kept once and the share that has to go is
taken from the lowest class first: a class loses calls only when all below it lose every call, as the book asks of
backends. In all, the same share of calls is turned away. Since that share is below 1, some call of the highest
class that was asked for lately always gets through, and finds out about the recovery.
"""

from __future__ import annotations

from switchgear.core.outcome import Verdict
from switchgear.policies.places import PRIORITIES, Priority

_BUCKETS = 12
_REQUESTS, _ACCEPTS, _ARRIVALS = 0, 1, 2
_COUNTS = _ARRIVALS + len(PRIORITIES)
_COLUMNS: dict[Priority, int] = {priority: _ARRIVALS + rank for rank, priority in enumerate(PRIORITIES)}


class Throttle:
    """What was asked for and accepted of late, in twelve buckets, and what to turn away because of it."""

    __slots__ = ("_at", "_buckets", "_factor", "_totals", "bucket_seconds")

    def __init__(self, factor: float, window: float) -> None:
        """Let out `factor` (K) requests for each one accepted in the last `window` seconds."""
        self._factor = factor
        self.bucket_seconds = window / _BUCKETS
        self._at = 0
        self._buckets = _empty_buckets()
        self._totals = [0] * _COUNTS

    def reconfigure(self, factor: float, window: float) -> None:
        """Go by other options from now on. The counts stay, unless the window has another length."""
        self._factor = factor
        if self.bucket_seconds != window / _BUCKETS:
            self.bucket_seconds = window / _BUCKETS
            self._forget(0)

    def turns_away(self, now: float, priority: Priority, draw: float) -> bool:
        """Return whether a call of that class is held back, for a `draw` in [0, 1). Counts it as asked for."""
        column = _COLUMNS[priority]
        self._roll(now)
        self._count(column)
        share = self._share()
        if share <= 0.0:
            return False
        totals = self._totals
        excess = share * sum(totals[_ARRIVALS:]) - sum(totals[column + 1 :])
        if draw * totals[column] >= excess:
            return False
        self._count(_REQUESTS)
        return True

    def settle(self, now: float, verdict: Verdict) -> None:
        """Take the outcome of a call. An ignored one says nothing."""
        if verdict is not Verdict.IGNORED:
            self._roll(now)
            self._count(_REQUESTS)
            if verdict is Verdict.SUCCESS:
                self._count(_ACCEPTS)

    def share(self, now: float) -> float:
        """Return the share of all calls to turn away, 0 to below 1."""
        self._roll(now)
        return self._share()

    def _share(self) -> float:
        requests, accepts = self._totals[_REQUESTS], self._totals[_ACCEPTS]
        excess = requests - self._factor * accepts
        return excess / (requests + 1) if excess > 0.0 else 0.0

    def _count(self, column: int) -> None:
        self._buckets[self._at % _BUCKETS][column] += 1
        self._totals[column] += 1

    def _roll(self, now: float) -> None:
        """Forget what has left the window: one bucket at a time, and all of it after a long silence."""
        at = int(now / self.bucket_seconds)
        if at - self._at >= _BUCKETS:
            self._forget(at)
        while self._at < at:
            self._at += 1
            oldest = self._buckets[self._at % _BUCKETS]
            self._totals = [total - count for total, count in zip(self._totals, oldest, strict=True)]
            self._buckets[self._at % _BUCKETS] = [0] * _COUNTS

    def _forget(self, at: int) -> None:
        self._at = at
        self._buckets = _empty_buckets()
        self._totals = [0] * _COUNTS


def _empty_buckets() -> list[list[int]]:
    return [[0] * _COUNTS for _ in range(_BUCKETS)]
