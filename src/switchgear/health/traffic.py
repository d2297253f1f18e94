"""`TrafficWatch`: what the calls through a guard say of a dependency. It costs the calls nothing: it reads counters."""

from __future__ import annotations

from collections.abc import Callable

from switchgear.core.mutexes import new_mutex
from switchgear.guard.guard import Guard
from switchgear.guard.meter import Event, Statistics
from switchgear.health.board import HealthBoard
from switchgear.health.evidence import Polarity, Source
from switchgear.health.schedule import BreakerView


def _none() -> int:
    return 0


class TrafficWatch:
    """Tells a board what the calls of `guard` say of a dependency, which has the guard's name unless `name` is given.

    Each `tick` makes one observation of all attempts that ended since the last: right when one succeeded, with the
    share that failed; no answer when all that failed ran into the guard's timeout; else wrong. Refused and ignored
    calls say nothing. A breaker that opens has judged many calls, so the dependency is unhealthy at once, and as long
    as the cooldown lasts. Keys count together; it is the guard's own breaker that is watched, and that drives probes.

    What destroys does not vouch for what it requires: it may succeed without it. `destructive_successes` returns how
    many of the guard's successes were of such calls, each counted there before the guard counts it; default: none were.
    They say nothing. Their failures are failures like all others.

    Raises `OptionError` when the board knows no such dependency.
    """

    __slots__ = (
        "_board",
        "_destructive_successes",
        "_failures",
        "_guard",
        "_looked_at",
        "_mutex",
        "_name",
        "_stop",
        "_successes",
        "_timeouts",
    )

    def __init__(
        self,
        board: HealthBoard,
        guard: Guard,
        *,
        name: str | None = None,
        destructive_successes: Callable[[], int] = _none,
    ) -> None:
        """Begin to watch: what ended before says nothing."""
        self._board, self._guard = board, guard
        self._name = guard.name if name is None else name
        self._destructive_successes = destructive_successes
        self._mutex = new_mutex()
        self._successes = self._failures = self._timeouts = 0
        self._looked_at = board.now()
        self._take(guard.totals(), self._looked_at)
        board.watch_breaker(self._name, self._breaker)
        self._stop = guard.subscribe(self._hear)

    def tick(self) -> None:
        """Look at what has ended since the last time, and observe it. Once a second is often enough."""
        now, statistics = (
            self._board.now(),
            self._guard.totals(),
        )  # in this order: what ends in between is new next time
        with self._mutex:
            age = now - self._looked_at
            successes, failures, timeouts = self._take(statistics, now)
        if statistics.state == "open":
            self._observe(Polarity.NEGATIVE, "the breaker is open")
        elif successes:
            share = failures / (successes + failures)
            detail = f"{successes} of {successes + failures} calls succeeded"
            self._board.observe(self._name, Polarity.POSITIVE, Source.CALL, detail=detail, failed=share, age=age)
        elif failures:
            polarity = Polarity.ABSENT if timeouts >= failures else Polarity.NEGATIVE
            self._observe(polarity, f"{failures} of {failures} calls failed, {timeouts} by timeout")

    def close(self) -> None:
        """Watch no more. What was observed grows old like everything else."""
        self._stop()
        self._board.watch_breaker(self._name, None)

    def _observe(self, polarity: Polarity, detail: str) -> None:
        self._board.observe(self._name, polarity, Source.CALL, detail=detail)

    def _hear(self, event: Event) -> None:
        """Observe that the breaker opened. Successes before that are not counted afterwards."""
        if event.kind != "opened" or event.key is not None:
            return
        with self._mutex:
            now = self._board.now()
            self._take(self._guard.totals(), now)
        for _ in range(self._board.dependency(self._name).down_after):
            self._observe(Polarity.NEGATIVE, "the breaker opened")

    def _take(self, statistics: Statistics, now: float) -> tuple[int, int, int]:
        """Return successes, failures and timeouts since the last time, and remember this one, begun at `now`.

        Successes of what destroys are asked for after all were counted, so those that end in between make fewer, and
        what was noted too early is made up for by a later look: the sum of what counts never falls.
        """
        successes = max(self._successes, statistics.successes - self._destructive_successes())
        news = (
            successes - self._successes,
            max(0, statistics.failures - self._failures),
            max(0, statistics.timeouts - self._timeouts),
        )
        self._successes, self._failures, self._timeouts = successes, statistics.failures, statistics.timeouts
        self._looked_at = now
        return news

    def _breaker(self) -> BreakerView:
        statistics = self._guard.statistics()
        return BreakerView(statistics.state, statistics.retry_after)
