"""Levels: limits that stand above each other, checked together and charged together.

A call passes the global limit, its tenant's, its connector's and its tool's, as far as they are set. Either all of
them are charged or none is. Only the arithmetic lives here: which names have a bucket, and for how long, is the
business of the guard floor (`switchgear.guard.limiter`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal, get_args

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.policies.checks import refused
from switchgear.policies.rate_limit import RateLimit, RateLimitMachine, limiter_for
from switchgear.policies.refusal import Refusal

Level = Literal["global", "tenant", "connector", "tool"]
"""What a limit stands over, widest first."""

LEVELS: tuple[Level, ...] = get_args(Level)
OTHERS = "*"
"""The name that stands for every name without a limit of its own, in the limits of a level."""
NAME_LENGTH_MAX = 200
"""The longest name that can have a limit of its own."""

CODES: Mapping[Level, Code] = {
    "global": Code.RATE_LIMITED_GLOBAL,
    "tenant": Code.RATE_LIMITED_TENANT,
    "connector": Code.RATE_LIMITED_CONNECTOR,
    "tool": Code.RATE_LIMITED_TOOL,
}

_EXAMPLE = 'RateLimiter({"global": RateLimit(1000), "tenant": RateLimit(10)})'
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class LevelLimits:
    """The limits of one level: `named` ones, and `others` for each other name; None leaves those free.

    The global level has one name, the empty one.
    """

    level: Level
    named: Mapping[str, RateLimit]
    others: RateLimit | None

    def of(self, name: str) -> RateLimit | None:
        """Return the limit of a name, or None when it has none at this level."""
        return self.named.get(name, self.others)


class Bucket:
    """The meter of one name at one level."""

    __slots__ = ("level", "machine", "name")

    def __init__(self, level: Level, name: str, limit: RateLimit) -> None:
        """Start empty."""
        self.level: Level = level
        self.name = name
        self.machine: RateLimitMachine = limiter_for(limit)

    def refusal(self, wait: float) -> Refusal:
        """Say no in the name of this level, for `wait` seconds; infinity for ever."""
        refusal = self.machine.refusal(wait)
        refusal.code = CODES[self.level]
        return refusal


@dataclass(frozen=True, slots=True)
class Standing:
    """How one level stands for a caller.

    limit      the options of the limit.
    remaining  cost units that would be let in now, at least 0.
    reset      seconds until one more whole unit is there; 0 when the bucket holds nothing.
    """

    level: Level
    limit: RateLimit
    remaining: float
    reset: float


class Taken:
    """What a call took of each of its buckets at the monotonic second `at`, and how full they were then."""

    __slots__ = ("_amounts", "_buckets", "at", "cost")

    def __init__(self, buckets: Sequence[Bucket], cost: float, at: float) -> None:
        """Remember what a charge or reservation has just taken."""
        self._buckets = buckets
        self._amounts = [bucket.machine.amount for bucket in buckets]
        self.cost = cost
        self.at = at

    def give_back(self, now: float) -> None:
        """Return what has not drained meanwhile. What was there first drains first, so the rest may be others'."""
        for bucket, amount in zip(self._buckets, self._amounts, strict=True):
            machine = bucket.machine
            undrained = amount - (now - self.at) * machine.options.per_second
            machine.refund(min(self.cost, max(0.0, undrained)))


def read_levels(limits: object) -> tuple[LevelLimits, ...]:
    """Return the limits of each level, widest first. Raises `OptionError` for limits that cannot work."""
    if not isinstance(limits, Mapping) or not limits:
        raise refused("RateLimiter", "needs limits by level", limits, _EXAMPLE)
    unknown = [level for level in limits if level not in LEVELS]
    if unknown:
        raise refused("RateLimiter", f"knows the levels {', '.join(LEVELS)}", unknown[0], _EXAMPLE)
    return tuple(_read_level(level, limits[level]) for level in LEVELS if level in limits)


def charge_all(buckets: Sequence[Bucket], now: float, cost: float) -> Refusal | None:
    """Take `cost` from every bucket and return None; or take nothing and name the longest wait and its level."""
    return _settle(buckets, [bucket.machine.charge(now, cost) for bucket in buckets], cost, 0.0)


def reserve_all(buckets: Sequence[Bucket], now: float, cost: float, wait_max: float) -> float | Refusal:
    """Take `cost` from every bucket ahead of its time, and return the seconds to wait, at most `wait_max`.

    Or take nothing and name the longest wait and its level. Every level counts the call from now on, also the
    ones whose turn comes sooner: calls that waited for different things may then leave together.
    """
    waits = [bucket.machine.reserve(now, cost, wait_max) for bucket in buckets]
    return _settle(buckets, waits, cost, wait_max) or max(waits, default=0.0)


def standing_of(bucket: Bucket, now: float) -> Standing:
    """Return how a bucket stands, without changing it."""
    machine = bucket.machine
    limit = machine.options
    remaining = max(0.0, round(limit.bucket - machine.level(now), _DIGITS))
    more = min(floor(remaining) + 1.0, limit.bucket)
    return Standing(bucket.level, limit, remaining, 0.0 if more <= remaining else _seconds_until(machine, now, more))


def _settle(buckets: Sequence[Bucket], waits: Sequence[float], cost: float, wait_max: float) -> Refusal | None:
    """Undo what was taken when one of the waits is too long."""
    longest = max(waits, default=0.0)
    if longest <= wait_max:
        return None
    for bucket, wait in zip(buckets, waits, strict=True):
        if wait <= wait_max:
            bucket.machine.refund(cost)
    return buckets[waits.index(longest)].refusal(longest)


def _seconds_until(machine: RateLimitMachine, now: float, cost: float) -> float:
    """Return the wait for `cost`: asking takes nothing unless it fits, and that is given back."""
    wait = machine.charge(now, cost)
    if wait == 0.0:
        machine.refund(cost)
    return wait


def _read_level(level: Level, limits: object) -> LevelLimits:
    if isinstance(limits, RateLimit):
        limit = _checked(level, limits)
        return LevelLimits(level, {"": limit}, None) if level == "global" else LevelLimits(level, {}, limit)
    if level == "global" or not isinstance(limits, Mapping) or not limits:
        wants = "takes one RateLimit" if level == "global" else "takes one RateLimit for all names, or one by name"
        raise refused(f"RateLimiter at level {level!r}", wants, limits, _line(level))
    named = {_checked_name(level, name): _checked(level, limit) for name, limit in limits.items()}
    others = named.pop(OTHERS, None)
    return LevelLimits(level, named, others)


def _checked_name(level: Level, name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH_MAX:
        wants = f"names each {level} by a text of 1 to {NAME_LENGTH_MAX} characters"
        raise refused("RateLimiter", wants, name, f'RateLimiter({{"{level}": {{"acme": RateLimit(10)}}}})')
    return name


def _checked(level: Level, limit: object) -> RateLimit:
    if not isinstance(limit, RateLimit):
        raise refused(f"RateLimiter at level {level!r}", "takes limits that are each a RateLimit", limit, _line(level))
    if limit.wait:
        raise OptionError(
            f"RateLimit(wait={limit.wait!r}) waits inside a guard only; at level {level!r} ask with "
            f"reserve(wait_max={limit.wait!r}), and write for example {_line(level)}"
        )
    return limit


def _line(level: Level) -> str:
    """Return a line to write for the limit of a level."""
    return f'RateLimiter({{"{level}": RateLimit(10)}})'
