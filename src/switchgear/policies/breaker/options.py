"""Breaker: when to stop calling a dependency, for how long, and how to come back. Options only."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import ceil, inf
from typing import Literal, cast, get_args

from switchgear.core.errors import OptionError
from switchgear.policies.breaker.windows import BreakerState, Thresholds
from switchgear.policies.checks import (
    refused,
    require_count,
    require_number,
    require_seconds,
    require_share,
    require_word,
)
from switchgear.policies.errors import ErrorFilter, require_filter
from switchgear.policies.signatures import options

Mode = Literal["normal", "observe", "forced_open", "disabled"]

_FINE_BUCKETS = 10
_WINDOW_MIN_SECONDS = 0.001
_SLOW = "Breaker(slow_rate=0.5, slow_after=2.0)"
_OFF = {"cooldown_factor": 1.0, "ramp": 0.0, "mode": "normal", "tenants": 1}


@options("Breaker(failures=5)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When to stop calling, for how long, and how to come back.

    Either consecutive failures (the default), or rates over a window:

    failures         failures in a row that open it; default 5.
    failure_rate     share of failed calls that opens it, above 0 to 1; default 0.5 once a rate or window is asked for.
    slow_rate        share of slow calls that opens it; default: slowness does not count. Needs `slow_after`.
    slow_after       a call is slow when it took strictly longer than this many seconds.
    minimum_calls    calls in the window below which rates mean nothing; default 10, or `window_calls` if fewer.
    window           seconds the window reaches back, in one-second buckets (ten buckets below 10 s); default 60.
    window_calls     calls the window reaches back, instead of seconds.
    on               errors that are failures; default: every `Exception`. Other errors count as success.
    ignore           errors that say nothing about the dependency.
    cooldown         seconds it stays open; default 60.
    cooldown_factor  growth of the cooldown for each failed recovery, at least 1; default 1.
    cooldown_max     seconds the cooldown never exceeds; default ten cooldowns.
    jitter           share by which each cooldown varies up and down, 0 to below 1; default 0.1.
    tenants          tenants whose calls must have failed lately for it to open, or all who called where there are
                     fewer, at least 1; default 1: the failures of one open it for all.
    probes           calls let through in half-open, in flight and in total; default 1.
    half_open_max    seconds of half-open without a verdict after which it opens again. By default only a round
                     whose probes have been out for a whole cooldown is given up.
    ramp             seconds after closing in which only 10, 25, then 50 % of calls are let in; default 0: none.
    mode             "normal"; "observe" goes through every state and never refuses; "forced_open" refuses everything;
                     "disabled" records and never opens.

    Raises `OptionError` for options that cannot work.
    """

    failures: int | None = None
    failure_rate: float | None = None
    slow_rate: float | None = None
    slow_after: float | None = None
    minimum_calls: int | None = None
    window: float | None = None
    window_calls: int | None = None
    on: ErrorFilter | None = None
    ignore: ErrorFilter | None = None
    cooldown: float = 60.0
    cooldown_factor: float = 1.0
    cooldown_max: float | None = None
    jitter: float = 0.1
    tenants: int = 1
    probes: int = 1
    half_open_max: float | None = None
    ramp: float = 0.0
    mode: Mode = "normal"
    thresholds: Thresholds = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and resolve the defaults."""
        thresholds = _by_rate(self) if _asks_for_rates(self) else _by_row(self)
        object.__setattr__(self, "thresholds", thresholds)
        _check_errors(self)
        _check_recovery(self)
        require_word("Breaker(mode)", self.mode, get_args(Mode), write='Breaker(mode="observe")')

    def __repr__(self) -> str:
        """Show what applies: the defaults of the mode that was asked for as well, and nothing that is switched off."""
        shown = {option.name: getattr(self, option.name) for option in fields(self) if option.init}
        shown |= _resolved(self.thresholds)
        said = (f"{name}={value!r}" for name, value in shown.items() if value is not None and _OFF.get(name) != value)
        return f"Breaker({', '.join(said)})"

    @property
    def evidence_seconds(self) -> float:
        """How far the evidence of tenants reaches back: the window of seconds, else the cooldown."""
        thresholds = self.thresholds
        return thresholds.bucket_seconds * thresholds.buckets or self.cooldown

    @property
    def first_state(self) -> BreakerState:
        """The state of a breaker that no call has met yet."""
        return "closed" if self.mode in {"normal", "observe"} else cast("BreakerState", self.mode)

    def cooldown_after(self, failed_recoveries: int, draw: float) -> float:
        """Return the seconds to stay open after so many failed recoveries, for a `draw` in [0, 1)."""
        longest = 10 * self.cooldown if self.cooldown_max is None else self.cooldown_max
        try:
            grown = min(self.cooldown * float(self.cooldown_factor) ** failed_recoveries, longest)
        except OverflowError:
            grown = longest
        return min(grown * (1 + self.jitter * (2 * draw - 1)), longest)


def _resolved(thresholds: Thresholds) -> dict[str, object]:
    """Return the options of a mode whose defaults depend on the others."""
    if thresholds.failures:
        return {"failures": thresholds.failures}
    window = None if thresholds.window_calls else thresholds.bucket_seconds * thresholds.buckets
    return {
        "failure_rate": thresholds.failure_rate,
        "minimum_calls": thresholds.minimum_calls,
        "window": window,
    }


def _asks_for_rates(options: Breaker) -> bool:
    asked = (
        options.failure_rate,
        options.slow_rate,
        options.window,
        options.window_calls,
        options.minimum_calls,
    )
    return any(option is not None for option in asked)


def _by_row(options: Breaker) -> Thresholds:
    if options.slow_after is not None:
        raise OptionError(f"Breaker(slow_after) needs slow_rate beside it; write for example {_SLOW}")
    failures = 5 if options.failures is None else options.failures
    require_count("Breaker(failures)", failures, example=5)
    return Thresholds(failures=failures)


def _by_rate(options: Breaker) -> Thresholds:
    _check_rates(options)
    if options.window_calls is not None:
        require_count("Breaker(window_calls)", options.window_calls, example=100)
    minimum = min(10, options.window_calls or 10) if options.minimum_calls is None else options.minimum_calls
    require_count("Breaker(minimum_calls)", minimum, example=10)
    if options.window_calls is not None and minimum > options.window_calls:
        raise OptionError(
            f"Breaker(minimum_calls={minimum}) can never be reached in window_calls={options.window_calls}; "
            "write for example "
            f"Breaker(minimum_calls={options.window_calls}, window_calls={options.window_calls})"
        )
    seconds, buckets = _buckets(options)
    return Thresholds(
        failure_rate=0.5 if options.failure_rate is None else options.failure_rate,
        slow_rate=inf if options.slow_rate is None else options.slow_rate,
        slow_after=inf if options.slow_after is None else options.slow_after,
        minimum_calls=minimum,
        window_calls=options.window_calls or 0,
        bucket_seconds=seconds,
        buckets=buckets,
    )


def _check_rates(options: Breaker) -> None:
    if options.failures is not None:
        raise OptionError(
            "Breaker takes failures= or a rate over a window, not both; drop one of them, "
            "and write for example Breaker(failures=5) or Breaker(failure_rate=0.5, window=60.0)"
        )
    if options.failure_rate is not None:
        require_share("Breaker(failure_rate)", options.failure_rate, example=0.5)
    if (options.slow_rate is None) != (options.slow_after is None):
        given = "slow_after" if options.slow_rate is None else "slow_rate"
        raise OptionError(
            f"Breaker needs slow_rate and slow_after together, not {given} alone; write for example {_SLOW}"
        )
    if options.slow_rate is not None:
        require_share("Breaker(slow_rate)", options.slow_rate, write=_SLOW)
        require_seconds("Breaker(slow_after)", options.slow_after, zero=True, write=_SLOW)


def _buckets(options: Breaker) -> tuple[float, int]:
    if options.window_calls is not None:
        if options.window is not None:
            raise OptionError(
                "Breaker takes window= seconds or window_calls=, not both; drop one of them, "
                "and write for example Breaker(window=60.0) or Breaker(window_calls=100)"
            )
        return 0.0, 0
    window = 60.0 if options.window is None else options.window
    require_number("Breaker(window)", window, least=_WINDOW_MIN_SECONDS, example=60.0)
    return (1.0, ceil(window)) if window >= _FINE_BUCKETS else (window / _FINE_BUCKETS, _FINE_BUCKETS)


def _check_errors(options: Breaker) -> None:
    for name, value in (("on", options.on), ("ignore", options.ignore)):
        if value is not None:
            require_filter(f"Breaker({name})", value)


def _check_recovery(options: Breaker) -> None:
    require_seconds("Breaker(cooldown)", options.cooldown, example=60.0)
    require_number("Breaker(cooldown_factor)", options.cooldown_factor, least=1, example=2.0)
    if options.cooldown_max is not None:
        write = f"Breaker(cooldown={options.cooldown!r}, cooldown_max={max(600.0, options.cooldown)!r})"
        require_number("Breaker(cooldown_max)", options.cooldown_max, least=options.cooldown, write=write)
    require_number("Breaker(jitter)", options.jitter, least=0, example=0.1)
    if options.jitter >= 1:
        raise refused("Breaker(jitter)", "is a share below 1", options.jitter, "Breaker(jitter=0.1)")
    require_count("Breaker(tenants)", options.tenants, example=2)
    require_count("Breaker(probes)", options.probes, example=3)
    if options.half_open_max is not None:
        require_seconds("Breaker(half_open_max)", options.half_open_max, example=30.0)
    require_seconds("Breaker(ramp)", options.ramp, zero=True, example=30.0)
