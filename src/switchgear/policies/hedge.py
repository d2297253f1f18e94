"""Hedge: when to send another copy of a call that takes long, so that the first answer counts. Options and machine.

After "The Tail at Scale" (Dean and Barroso, 2013): a copy sent at a high percentile of the latency costs a few per
cent more calls and cuts off the slow tail. The percentile is estimated in logarithmic buckets, as in DDSketch (Masson,
Rim and Lee, 2019), over the recent calls. Starting the copies, and ending those that lost, is the guard's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log

from switchgear.core.errors import OptionError, Rejected
from switchgear.policies.checks import require_count, require_seconds, require_share
from switchgear.policies.errors import ErrorFilter, matches, require_filter
from switchgear.policies.signatures import options

_ATTEMPTS_MAX = 5
_WIDTH = 1.1  # from the lower to the upper end of a bucket; the middle is then off by 4.8 % at most
_LOG_WIDTH = log(_WIDTH)
_MIDDLE = 2.0 / (1.0 + _WIDTH)  # times the upper end: as far off for both ends
_SHORTEST_SECONDS = 1e-6
_LONGEST_SECONDS = 3600.0
_ROUNDING = 1e-9  # of a call, so that 7 % of 100 calls are 7


@options("Hedge(after=0.2)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Send another copy of a call that has not answered yet; take the first answer, end the other copies.

    after          seconds until the next copy, above 0. Either this or `percentile`.
    percentile     share above 0 and below 1, such as 0.95: wait as long as this share of the recent calls took,
                   known to 5 % between a microsecond and an hour.
    minimum        seconds that a wait by `percentile` lasts at least, at least 0; default None: no bound.
    maximum        seconds that it lasts at most, above 0 and at least `minimum`; default None: no bound.
    minimum_calls  calls to know of before there is a percentile, at least 1; default 20. Until then, no copies.
    window         seconds of calls that `percentile` looks back at least, above 0; default 60. It looks back up to
                   twice as far, or further for as long as there are fewer than `minimum_calls`.
    attempts       copies of a call in all, the first included, 2 to 5; default 2. Each waits as long for the next.
    on             failures that start the next copy at once; default None: a failure waits for the copies under way.

    Only for calls that are declared safe to repeat: two copies may both take effect. Each copy but the first draws on
    the retry budget, where there is one, and passes admission for itself. Raises `OptionError` for options that
    cannot work.
    """

    after: float | None = None
    percentile: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    minimum_calls: int = 20
    window: float = 60.0
    attempts: int = 2
    on: ErrorFilter | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        if (self.after is None) == (self.percentile is None):
            raise OptionError(
                f"Hedge takes either seconds or a percentile, not {'neither' if self.after is None else 'both'}; "
                "write for example Hedge(after=0.2) or Hedge(percentile=0.95)"
            )
        write = "Hedge(after=0.2, attempts=2)"
        require_count("Hedge(attempts)", self.attempts, least=2, most=_ATTEMPTS_MAX, write=write)
        if self.on is not None:
            require_filter("Hedge(on)", self.on, write="Hedge(after=0.2, on=(ConnectionError,))")
        require_count("Hedge(minimum_calls)", self.minimum_calls, write="Hedge(percentile=0.95, minimum_calls=20)")
        require_seconds("Hedge(window)", self.window, write="Hedge(percentile=0.95, window=60.0)")
        if self.percentile is None:
            self._check_fixed()
        else:
            self._check_bounds(self.percentile)

    def _check_fixed(self) -> None:
        require_seconds("Hedge(after)", self.after, example=0.2)
        if self.minimum is not None or self.maximum is not None:
            raise OptionError(
                "Hedge(minimum) and Hedge(maximum) bound a percentile, and say nothing beside after=; "
                "write for example Hedge(after=0.2) or Hedge(percentile=0.95, maximum=1.0)"
            )

    def _check_bounds(self, percentile: float) -> None:
        require_share("Hedge(percentile)", percentile, example=0.95)
        if percentile == 1:
            raise OptionError(
                "Hedge(percentile=1) waits for the slowest call of all; write for example Hedge(percentile=0.95)"
            )
        if self.minimum is not None:
            require_seconds("Hedge(minimum)", self.minimum, zero=True, write="Hedge(percentile=0.95, minimum=0.01)")
        if self.maximum is None:
            return
        require_seconds("Hedge(maximum)", self.maximum, write="Hedge(percentile=0.95, maximum=1.0)")
        if self.minimum is not None and self.maximum < self.minimum:
            raise OptionError(
                f"Hedge(maximum={self.maximum!r}) is below minimum={self.minimum!r}; "
                "write for example "
                f"Hedge(percentile={percentile!r}, minimum={self.minimum!r}, maximum={self.minimum!r})"
            )

    def starts_next(self, error: BaseException) -> bool:
        """Return whether `error` of one copy starts the next at once. Cancellation and refusals of ours never do."""
        return isinstance(error, Exception) and not isinstance(error, Rejected) and matches(self.on, error)


class HedgeMachine:
    """When the next copy is due, as the recent calls have it."""

    __slots__ = ("_options", "_recent")

    def __init__(self, options: Hedge) -> None:
        """Know nothing yet."""
        self._recent: _Recent | None = None
        self.reconfigure(options)

    def delay(self, now: float) -> float | None:
        """Return the seconds to wait before the next copy, or None while too little is known to send one."""
        options, recent = self._options, self._recent
        if recent is None or options.percentile is None:
            return options.after
        recent.turn(now, options.window, options.minimum_calls)
        if recent.calls < options.minimum_calls:
            return None
        seconds = recent.percentile(options.percentile)
        return max(options.minimum or 0.0, min(seconds, options.maximum or inf))

    def record(self, duration: float) -> None:
        """Learn that a copy ran for `duration` seconds, at least 0, infinity when it was given up.

        Record a copy that was ended because another one answered, too, with the seconds it had run until then. It
        was one of the slow ones; left out, the percentile would creep down and more and more copies be sent.
        """
        if self._recent is not None:
            self._recent.add(duration)

    def reconfigure(self, options: Hedge) -> None:
        """Go on under other options. What is known of recent calls stays, where a percentile still asks for it."""
        self._options = options
        if options.percentile is None:
            self._recent = None
        elif self._recent is None:
            self._recent = _Recent()


class _Recent:
    """Durations of the recent calls, counted in buckets, and a pointer to the bucket of the percentile asked last.

    There are two generations. When the younger one is old and large enough, the elder is forgotten. The pointer moves
    by a few buckets between two questions, so an answer costs little.
    """

    __slots__ = ("_at", "_below", "_counts", "_turned", "_young", "_young_calls", "calls")

    def __init__(self) -> None:
        """Start empty."""
        self.calls = 0
        self._counts: dict[int, int] = {}
        self._young: dict[int, int] = {}
        self._young_calls = 0
        self._turned = -inf
        self._at = 0
        self._below = 0

    def add(self, duration: float) -> None:
        """Count one call."""
        seconds = min(max(duration, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        bucket = ceil(log(seconds) / _LOG_WIDTH)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._young[bucket] = self._young.get(bucket, 0) + 1
        self._young_calls += 1
        self.calls += 1
        if bucket < self._at:
            self._below += 1

    def turn(self, now: float, window: float, enough: int) -> None:
        """Forget the elder generation once the younger one spans the `window` and has `enough` calls."""
        if self._turned == -inf:
            self._turned = now
        if now - self._turned < window or self._young_calls < enough:
            return
        self._turned = now
        self._counts, self._young = self._young, {}
        self.calls, self._young_calls = self._young_calls, 0
        self._below = sum(count for bucket, count in self._counts.items() if bucket < self._at)

    def percentile(self, share: float) -> float:
        """Return the seconds that `share` (above 0, below 1) of the calls did not exceed. There must be calls."""
        rank = max(1, ceil(share * self.calls - _ROUNDING))
        while self._below >= rank:
            self._at -= 1
            self._below -= self._counts.get(self._at, 0)
        while (upto := self._below + self._counts.get(self._at, 0)) < rank:
            self._below = upto
            self._at += 1
        return _WIDTH**self._at * _MIDDLE
