"""What one seed draws: dependencies and how they are watched, outages with their moments, janitors, switches, people.

Values only. The same seed draws the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from switchgear.health.dependency import Dependency, Kind
from tools.outage_drills.facts import Asker, Outage, Span
from tools.outage_drills.faults import BOUND_SECONDS_MAX, FAULTS, faults_of
from tools.outage_drills.paths import PATHS

DEPENDENCIES_MAX = 3
JANITORS_MAX = 6
_ALWAYS = 3_600.0
_GAP_SECONDS = 3.0
_KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class Janitor:
    """Somebody who destroys over one path, again and again, `gap` seconds apart on average."""

    path: str
    requires: tuple[str, ...]
    source: str
    gap: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One drill.

    seconds     how long it lasts.
    calls_every seconds between calls through a guard, by the dependencies whose calls are evidence.
    switched    when the kill switch is on, and `unreadable` whether it raises then.
    held        when a person has taken which dependency out.
    unwatched   when no prober runs.
    blocks      whether janitors block the loop while they work, and the prober with it.
    ages        seconds that a reason is good for.
    calm        nothing goes wrong, and janitors begin once everything is known to be well.
    """

    seed: int
    seconds: float
    dependencies: tuple[Dependency, ...]
    outages: tuple[Outage, ...]
    janitors: tuple[Janitor, ...]
    calls_every: Mapping[str, float]
    switched: tuple[Span, ...]
    unreadable: bool
    held: tuple[tuple[str, Span], ...]
    unwatched: tuple[Span, ...]
    blocks: bool
    ages: float
    calm: bool = False

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        """Draw a plan."""
        draws = _Draws(Random(f"plan {seed}"))
        dependencies = draws.dependencies()
        names = [one.name for one in dependencies]
        calls_every = {name: draws.rng.uniform(0.3, 1.5) for name in names if draws.happens(0.4)}
        held = tuple((draws.rng.choice(names), draws.span()) for _ in range(draws.happens(0.15)))
        return cls(
            seed=seed,
            seconds=draws.seconds,
            dependencies=dependencies,
            outages=tuple(
                outage for one in dependencies for outage in draws.outages(one, called=one.name in calls_every)
            ),
            janitors=draws.janitors(names),
            calls_every=calls_every,
            switched=tuple(draws.span() for _ in range(draws.happens(0.2))),
            unreadable=draws.happens(0.5),
            held=held,
            unwatched=tuple(draws.span() for _ in range(draws.happens(0.25))),
            blocks=draws.happens(0.2),
            ages=draws.rng.choice((10.0, 30.0, 120.0)),
        )

    def calmed(self) -> Plan:
        """Return the same plan without anything that goes wrong."""
        known = tuple(_roomy(one) for one in self.dependencies)
        calm = replace(self, dependencies=known, outages=(), switched=(), held=(), unwatched=(), blocks=False)
        return replace(calm, ages=_ALWAYS, calm=True)


def _roomy(one: Dependency) -> Dependency:
    """Return a dependency that traffic may leave at any moment: what it knows lasts until probes have taken over."""
    return replace(one, freshness=one.freshness + 2 * one.probe_every + one.up_after + BOUND_SECONDS_MAX)


class _Draws:
    """Draws the parts of a plan."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.seconds = rng.uniform(30.0, 60.0)

    def happens(self, share: float) -> bool:
        return self.rng.random() < share

    def span(self) -> Span:
        begin = self.rng.uniform(0.0, self.seconds)
        return Span(begin, begin + self.rng.uniform(0.5, self.seconds / 3))

    def dependencies(self) -> tuple[Dependency, ...]:
        kinds = self.rng.sample(_KINDS, self.rng.randint(1, DEPENDENCIES_MAX))
        return tuple(self._dependency(kind) for kind in kinds)

    def _dependency(self, kind: Kind) -> Dependency:
        rng = self.rng
        every, timeout = rng.choice((1.0, 2.0, 5.0)), rng.choice((0.4, BOUND_SECONDS_MAX))
        jitter = rng.choice((0.0, 0.1, 0.5))
        return Dependency(
            str(kind),
            kind=kind,
            down_after=rng.randint(1, 4),
            up_after=rng.randint(2, 3),
            probe_every=every,
            probe_timeout=timeout,
            jitter=jitter,
            freshness=(every * (1 + jitter) + timeout) * rng.choice((1.05, 1.5, 4.0)),
            backoff_max=every * rng.choice((1.0, 4.0)),
            degraded_after=rng.choice((None, 0.2)),
            flap_changes=rng.choice((6, 100)),
        )

    def outages(self, dependency: Dependency, *, called: bool) -> list[Outage]:
        """Draw up to three outages of a dependency, some seconds apart."""
        found, free = [], 0.0
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            begin = self.rng.uniform(free, self.seconds)
            end = begin + self._lasting()
            if end < self.seconds:
                found.append(self._outage(dependency, begin, end, called=called))
                free = end + _GAP_SECONDS
        return found

    def _lasting(self) -> float:
        """Most outages are long enough to be noticed; some are over before anybody can."""
        return self.rng.choice((self.rng.uniform(0.05, 2.0), self.rng.uniform(2.0, self.seconds / 2)))

    def _outage(self, dependency: Dependency, begin: float, end: float, *, called: bool) -> Outage:
        name = self.rng.choice(faults_of(Kind(dependency.kind)))
        only: Asker | None = "calls" if called and self.happens(0.25) else None
        fault = FAULTS[name]
        return Outage(dependency.name, name, begin, end, fault.breaks, only, fault.stubborn)

    def janitors(self, names: list[str]) -> tuple[Janitor, ...]:
        paths = self.rng.sample(list(PATHS), self.rng.randint(3, JANITORS_MAX))
        return tuple(self._janitor(path, names) for path in paths)

    def _janitor(self, path: str, names: list[str]) -> Janitor:
        requires = tuple(self.rng.sample(names, self.rng.randint(1, len(names))))
        return Janitor(path, requires, self.rng.choice(requires), self.rng.uniform(0.2, 1.5))
