"""What a board may conclude at best from what it was told: the weakest rule that a right one can follow.

It is written anew here, without the machine of `switchgear.health`, so that an error in one is not in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Source
from tools.outage_drills.facts import Happening, Observation

ROUNDING_SECONDS = 1e-6
"""Moments that are closer than this are one: who computes them otherwise rounds otherwise."""


@dataclass(slots=True)
class Line:
    """One source of one dependency. `relied` says that it has been right often enough since it was last not known."""

    good: int = 0
    bad: int = 0
    relied: bool = False
    was_down: bool = False
    positive_at: float = -inf
    seen_at: float = -inf

    def take(self, one: Observation, options: Dependency) -> None:
        """Count an observation. One that is older than another, or too old, says nothing."""
        if one.received - self.positive_at >= options.freshness + ROUNDING_SECONDS:
            self.good, self.relied = 0, False
        if one.received - self.seen_at >= options.freshness - ROUNDING_SECONDS:
            self.bad, self.was_down = 0, False
        if one.at < self.seen_at or one.received - one.at >= options.freshness:
            return
        self.seen_at = one.at
        if one.positive:
            self._good(one, options)
        else:
            self._bad(options)

    def _good(self, one: Observation, options: Dependency) -> None:
        self.good, self.bad, self.positive_at = self.good + 1, 0, one.at
        if self.good >= options.up_after:
            self.relied, self.was_down = True, False

    def _bad(self, options: Dependency) -> None:
        self.good, self.bad = 0, self.bad + 1
        if self.bad >= options.down_after:
            self.relied, self.was_down = False, True

    def speaks_against(self, now: float, options: Dependency) -> bool:
        """Return whether its youngest word is a doubt, or it has been down and is not back yet."""
        return (self.bad > 0 or self.was_down) and now - self.seen_at < options.freshness - ROUNDING_SECONDS

    def speaks_for(self, now: float, options: Dependency) -> bool:
        """Return whether it was right often enough, and lately."""
        return self.relied and self.bad == 0 and now - self.positive_at < options.freshness + ROUNDING_SECONDS


@dataclass(slots=True)
class Lines:
    """Every source of every dependency."""

    dependencies: Mapping[str, Dependency]
    _lines: dict[tuple[str, Source], Line] = field(default_factory=dict)

    def take(self, one: Observation) -> None:
        """Count an observation. People only make it worse; that is a law of its own."""
        if one.source is not Source.OPERATOR:
            line = self._lines.setdefault((one.dependency, one.source), Line())
            line.take(one, self.dependencies[one.dependency])

    def may_vouch(self, name: str, now: float) -> bool:
        """Return whether anything could justify a destruction."""
        options = self.dependencies[name]
        lines = [line for (owner, _), line in self._lines.items() if owner == name]
        against = any(line.speaks_against(now, options) for line in lines)
        return not against and any(line.speaks_for(now, options) for line in lines)


def worst_run(journal: Iterable[Happening], name: str, end: float) -> int:
    """Return how many probes of `name` that were asked before `end` had failed in a row by then."""
    run = 0
    for one in journal:
        if isinstance(one, Observation) and (one.dependency, one.source) == (name, Source.PROBE) and one.at < end:
            run = 0 if one.positive else run + 1
    return run
