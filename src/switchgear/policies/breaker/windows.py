"""The closed states of a breaker: what it remembers of recent calls, and when that is enough to open.

Each window answers `settle` with a move (or None) and decides nothing else. Rates trip at **or above** their
threshold, and are undefined below the minimum of calls. Slow means strictly longer than `slow_after`. The
windows behave as those of resilience4j; time windows keep only the buckets that saw calls, so an idle key costs
little.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, NamedTuple, cast

from switchgear.core.outcome import Verdict
from switchgear.policies.refusal import Refusal

BreakerState = Literal["closed", "open", "half_open", "forced_open", "disabled"]
Move = Literal["trip", "relapse", "lapse", "probe", "recover"]
"""What a phase asks of its breaker: open, open again, give up the round, let probes in, close."""

_SUCCESS = Verdict.SUCCESS
_FAILURE = Verdict.FAILURE
_IGNORED = Verdict.IGNORED


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When calls are too many bad ones, with every default resolved. An unused rate is infinite."""

    failures: int = 0
    failure_rate: float = inf
    slow_rate: float = inf
    slow_after: float = inf
    minimum_calls: int = 1
    window_calls: int = 0
    bucket_seconds: float = 0.0
    buckets: int = 0

    def exceeded(self, calls: int, failed: int, slow: int) -> bool:
        """Return whether either rate has reached its threshold over `calls` (above 0)."""
        return failed / calls >= self.failure_rate or slow / calls >= self.slow_rate


class Rates(NamedTuple):
    """What a window holds: recorded calls, how many failed, how many were slow."""

    calls: int
    failed: int
    slow: int


class ClosedPhase:
    """What all closed phases have in common: every call is let in, and time alone changes nothing.

    Before the monotonic second `edge` a success that is not slow changes one number and nothing else. A driver in a
    hurry adds it to `hits` by itself instead of calling `settle`.
    """

    blocked: ClassVar[int] = 0
    __slots__ = ("_thresholds", "edge", "generation", "hits")

    def __init__(self, thresholds: Thresholds, generation: int) -> None:
        """Remember nothing yet."""
        self._thresholds = thresholds
        self.generation = generation
        self.edge = -inf
        self.hits = 0

    def under(self, thresholds: Thresholds) -> Window:
        """Return the window to go on with under other thresholds: this one if it can, else an empty one."""
        if not self._goes_on(thresholds):
            return window_for(thresholds, self.generation + 1)
        self._thresholds = thresholds
        self.edge = -inf  # the next outcome is judged, whatever it is
        return cast("Window", self)

    def _goes_on(self, thresholds: Thresholds) -> bool:
        """Return whether what is remembered means the same under other thresholds."""
        ours = self._thresholds
        return (bool(ours.failures), ours.window_calls, ours.bucket_seconds) == (
            bool(thresholds.failures),
            thresholds.window_calls,
            thresholds.bucket_seconds,
        )

    def state(self, _now: float) -> BreakerState:
        """Return "closed"."""
        return "closed"

    def due(self, _now: float) -> Move | None:
        """Time changes nothing."""
        return None

    def admit(self, _now: float) -> Refusal | None:
        """Let the call in."""
        return None

    def retry_after(self, _now: float) -> float | None:
        """Return 0: a call may come at once."""
        return 0.0


class ConsecutiveWindow(ClosedPhase):
    """Counts failures in a row."""

    __slots__ = ("failed",)

    def __init__(self, thresholds: Thresholds, generation: int) -> None:
        """Start clean."""
        super().__init__(thresholds, generation)
        self.edge = inf
        self.failed = 0

    def settle(self, verdict: Verdict, _duration: float, _now: float) -> Move | None:
        """Record one outcome; a success ends the row."""
        if verdict is _SUCCESS:
            self.failed = 0
            self.edge = inf
        elif verdict is _FAILURE:
            self.failed += 1
            self.edge = -inf
            if self.failed >= self._thresholds.failures:
                return "trip"
        return None

    def rates(self, _now: float) -> Rates:
        """Return the row as it stands."""
        return Rates(self.failed, self.failed, 0)


class CountWindow(ClosedPhase):
    """Remembers the last calls, one byte each."""

    __slots__ = ("_at", "_calls", "_failed", "_ring", "_slow")

    def __init__(self, thresholds: Thresholds, generation: int) -> None:
        """Start empty."""
        super().__init__(thresholds, generation)
        self._ring = bytearray()
        self._at = 0
        self._calls = self._failed = self._slow = 0

    def settle(self, verdict: Verdict, duration: float, _now: float) -> Move | None:
        """Record one outcome in place of the oldest; check both rates."""
        if verdict is _IGNORED:
            return None
        thresholds = self._thresholds
        mark = (verdict is _FAILURE) | (duration > thresholds.slow_after) << 1
        self._replace_oldest(mark)
        self._failed += mark & 1
        self._slow += mark >> 1
        if (self._failed or self._slow) and self._calls >= thresholds.minimum_calls:
            return "trip" if thresholds.exceeded(self._calls, self._failed, self._slow) else None
        return None

    def rates(self, _now: float) -> Rates:
        """Return what the window holds."""
        return Rates(self._calls, self._failed, self._slow)

    def _replace_oldest(self, mark: int) -> None:
        if self._calls < self._thresholds.window_calls:
            self._ring.append(mark)
            self._calls += 1
            return
        oldest = self._ring[self._at]
        self._failed -= oldest & 1
        self._slow -= oldest >> 1
        self._ring[self._at] = mark
        self._at = (self._at + 1) % self._calls


class TimeWindow(ClosedPhase):
    """Remembers the calls of the last seconds, in buckets; the totals are kept, so every record is O(1).

    `hits` are the calls of the running bucket, which ends at `_ends`. Finished buckets stand in `_past`, and their
    calls in `_calls`; `_failed` and `_slow` are of the whole window. While bad calls are below the minimum of calls,
    one more success may be the call that makes their rate count, so then the `edge` is passed.
    """

    __slots__ = ("_calls", "_ends", "_failed", "_failed_before", "_past", "_running", "_slow", "_slow_before")

    def __init__(self, thresholds: Thresholds, generation: int) -> None:
        """Start empty."""
        super().__init__(thresholds, generation)
        self._past: list[tuple[int, int, int, int]] = []
        self._running = 0
        self._ends = -inf
        self._calls = self._failed = self._slow = 0
        self._failed_before = self._slow_before = 0

    def settle(self, verdict: Verdict, duration: float, now: float) -> Move | None:
        """Record one outcome in the bucket of `now`; check both rates."""
        if verdict is _IGNORED:
            return None
        if now >= self._ends:
            self._turn(now)
        self.hits += 1
        thresholds = self._thresholds
        if verdict is _FAILURE:
            self._failed += 1
        if duration > thresholds.slow_after:
            self._slow += 1
        return self._check(self._calls + self.hits)

    def _check(self, calls: int) -> Move | None:
        """Check both rates over `calls`."""
        clean = not self._failed and not self._slow
        counts = calls >= self._thresholds.minimum_calls
        self.edge = self._ends if clean or counts else -inf
        return "trip" if not clean and counts and self._thresholds.exceeded(calls, self._failed, self._slow) else None

    def rates(self, now: float) -> Rates:
        """Return what the window holds at `now`, changing nothing."""
        first = int(now / self._thresholds.bucket_seconds) - self._thresholds.buckets + 1
        live = [bucket for bucket in (*self._past, self._finished()) if bucket[0] >= first]
        return Rates(sum(b[1] for b in live), sum(b[2] for b in live), sum(b[3] for b in live))

    def _finished(self) -> tuple[int, int, int, int]:
        """Return the running bucket as a finished one: number, calls, failed, slow."""
        return self._running, self.hits, self._failed - self._failed_before, self._slow - self._slow_before

    def _turn(self, now: float) -> None:
        """Begin the bucket of `now` and forget those that have left the window."""
        thresholds = self._thresholds
        if self.hits:
            self._past.append(self._finished())
            self._calls += self.hits
            self.hits = 0
        self._running = int(now / thresholds.bucket_seconds)
        self._ends = (self._running + 1) * thresholds.bucket_seconds
        self._forget(self._running - thresholds.buckets)
        self._failed_before, self._slow_before = self._failed, self._slow

    def _forget(self, newest: int) -> None:
        """Forget the buckets up to the number `newest`."""
        gone = 0
        for number, calls, failed, slow in self._past:
            if number > newest:
                break
            gone += 1
            self._calls -= calls
            self._failed -= failed
            self._slow -= slow
        del self._past[:gone]


Window = ConsecutiveWindow | CountWindow | TimeWindow


def window_for(thresholds: Thresholds, generation: int) -> Window:
    """Return the empty window that `thresholds` ask for."""
    if thresholds.buckets:
        return TimeWindow(thresholds, generation)
    if thresholds.window_calls:
        return CountWindow(thresholds, generation)
    return ConsecutiveWindow(thresholds, generation)
