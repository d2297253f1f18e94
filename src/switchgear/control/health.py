"""The use case of health: everything that is known of how this process stands, for people and monitors.

Anybody may ask, and sees nothing of a tenant. `health_parts` has the thresholds, `switchgear.health.report` makes the
document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from switchgear.control.breakers import breaker_view
from switchgear.control.health_parts import (
    HealthLimits,
    Machine,
    breaker_parts,
    doubt_parts,
    machine_parts,
    proof_part,
    queue_parts,
    readiness_parts,
    uptime_part,
)
from switchgear.control.health_views import HealthReport, health_view
from switchgear.control.kill_switches import KillSwitches
from switchgear.control.permissions import Permissions
from switchgear.control.readiness import Readiness
from switchgear.core.clock import Clock
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.guard import Guard
from switchgear.health.report import Component

MEASURED_EVERY = 1.0
"""Seconds for which a measurement is shown again, so that many who ask cost no more than one."""

Measure = Callable[[], Awaitable[Machine]]
"""Measures the machine. It is bounded in time, and raises nothing."""
Source = Callable[[], Iterable[Component]]
"""Says how further components stand. It reads memory only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """How the health of a gear is measured: what measures the machine, the clock, and the thresholds."""

    measure: Measure
    clock: Clock
    limits: HealthLimits = field(default_factory=HealthLimits)


class Health:
    """What can be asked about how this process stands."""

    permissions: ClassVar[Permissions] = Permissions(platform=("platform:read",))

    def __init__(
        self,
        engine: Engine,
        guards: Callable[[], Iterable[Guard]],
        kill_switches: KillSwitches,
        readiness: Readiness,
        monitoring: Monitoring,
    ) -> None:
        """Ask the parts of one gear, and about the machine as `monitoring` says."""
        self._engine = engine
        self._guards = guards
        self._kill_switches = kill_switches
        self._readiness = readiness
        self._measure = monitoring.measure
        self._clock = monitoring.clock
        self._limits = monitoring.limits
        self._opened_at = self._clock.monotonic()
        self._sources: list[Source] = []
        self._measuring = asyncio.Lock()
        self._found: tuple[Component, ...] = ()
        self._found_at: float | None = None
        self._wall = 0.0

    def include(self, source: Source) -> None:
        """Have the components of `source` in every report from now on."""
        self._sources.append(source)
        self._found_at = None

    async def report(self, principal: Principal | None = None) -> HealthReport:
        """Return how this process stands, as it was at most a second ago.

        Without a principal, or without ``platform:read``, nothing that counts over tenants or names a dependency is
        in it: only how that stands.
        """
        whole = principal is not None and "platform:read" in principal.permissions
        async with self._measuring:
            now = self._clock.monotonic()
            if self._found_at is None or now - self._found_at >= MEASURED_EVERY:
                self._found = tuple(await self._measured())
                self._found_at, self._wall = now, self._clock.time()
        return health_view(self._found, at=self._wall, whole=whole)

    async def _measured(self) -> list[Component]:
        ready = await self._readiness.check()
        machine = await self._measure()
        found = [*readiness_parts(ready.parts), uptime_part(self._clock.monotonic() - self._opened_at)]
        found += [proof_part(self._kill_switches.proven_ago, self._limits), *machine_parts(machine, self._limits)]
        return [*found, *self._counted(), *(one for source in self._sources for one in source())]

    def _counted(self) -> Iterable[Component]:
        queue, doubts = self._engine.queue, self._engine.doubts
        yield from queue_parts(len(queue), queue.places_max, queue.ages(self._clock.monotonic()), self._limits)
        yield from doubt_parts(doubts.report(), doubts.options.escalate_after)
        guards = sorted(self._guards(), key=lambda guard: guard.name)
        yield from breaker_parts(breaker_view(guard, None) for guard in guards)
