"""The names of budget counters and the calendar periods in them: pure text and dates. Nothing is counted here.

A key is ``NAME/PERIOD`` and then, for each thing that has counters of its own, ``/DIMENSION=VALUE``. So the counters of
one budget and period stand together in a store. Costs have lines of their own under the name ``*``, one a day for each
account, connector and tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote

USED = "budget.used"
"""The space of the counters of what is used, reserved units included."""
HELD = "budget.held"
"""The space of the counters of what is reserved and not settled. The keys are the same."""
DIMENSIONS = ("account", "connector", "tool")
"""What a budget, and a report, can tell apart within a tenant."""
COSTS = "*"
"""The name that lines of costs stand under. No budget is called so."""

_LABELS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m", "total": "total"}
_DECEMBER = 12
_HOUR_SECONDS = 3600
_KEYS_CACHED = 8192
"""Keys are made for every action, and mostly the same ones again."""


class Period(StrEnum):
    """For how long a limit holds: calendar periods in UTC, or for ever."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"

    def label(self, at: float) -> str:
        """Return the name of the period that `at`, seconds since the epoch, lies in: ``2026-11``, or ``total``."""
        return _label(self, int(at // _HOUR_SECONDS))

    def starts_at(self, at: float) -> float | None:
        """Return when the period of `at` began, in seconds since the epoch; None for ``total``."""
        begun = self._begun(at)
        return None if begun is None else begun.timestamp()

    def ends_at(self, at: float) -> float | None:
        """Return when the next period begins, in seconds since the epoch; None for ``total``."""
        begun = self._begun(at)
        if begun is None:
            return None
        if self is Period.MONTH:
            years, month = divmod(begun.month, _DECEMBER)
            return begun.replace(year=begun.year + years, month=month + 1).timestamp()
        return (begun + timedelta(**{f"{self.value}s": 1})).timestamp()

    def _begun(self, at: float) -> datetime | None:
        if self is Period.TOTAL:
            return None
        hour = datetime.fromtimestamp(at, UTC).replace(minute=0, second=0, microsecond=0)
        if self is Period.HOUR:
            return hour
        return hour.replace(hour=0) if self is Period.DAY else hour.replace(hour=0, day=1)


@dataclass(frozen=True, slots=True)
class CounterName:
    """What the key of a counter says. A dimension that is None has no counters of its own there."""

    budget: str
    period: str
    account: str | None = None
    connector: str | None = None
    tool: str | None = None


def counter_key(budget: str, period: str, within: Mapping[str, str]) -> str:
    """Return the key of the counters of a budget, in a period, for the dimensions in `within`."""
    return "/".join([budget, period, *(_part(word, value) for word, value in within.items())])


def counter_name(key: str) -> CounterName:
    """Return what `key`, made by `counter_key`, says."""
    budget, period, *parts = key.split("/")
    within = {word: unquote(value) for word, _, value in (part.partition("=") for part in parts)}
    return CounterName(budget, period, *(within.get(word) for word in DIMENSIONS))


def cost_key(at: float, account: str, connector: str, tool: str) -> str:
    """Return the key of the line of costs that an action at `at`, seconds since the epoch, belongs to."""
    return _cost_key(Period.DAY.label(at), account, connector, tool)


@lru_cache(maxsize=_KEYS_CACHED)
def _cost_key(day: str, account: str, connector: str, tool: str) -> str:
    return counter_key(COSTS, day, dict(zip(DIMENSIONS, (account, connector, tool), strict=True)))


@lru_cache(maxsize=_KEYS_CACHED)
def _part(word: str, value: str) -> str:
    return f"{word}={quote(value, safe=':@+')}"


@lru_cache(maxsize=64)
def _label(period: Period, hour: int) -> str:
    """Return the name of the period that an hour since the epoch lies in: every period begins with one."""
    return datetime.fromtimestamp(hour * _HOUR_SECONDS, UTC).strftime(_LABELS[period])
