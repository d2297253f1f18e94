"""How fast a poller may go, for how its dependencies stand. Pure: moments and draws are arguments.

running ──degraded, recovering──► slowed            a heavy one: paused
running, slowed ──unhealthy, unknown──► paused
paused ──recovering, degraded──► slowed             a heavy one: stays paused
paused, slowed ──healthy──► ramping ──► running     a heavy one: once it has been healthy for the ramp
paused, slowed ──healthy for the first time, and nothing was ever wrong──► running
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import Literal

from switchgear.health.standing import Health, Standing
from switchgear.policies.checks import refused, require_number, require_seconds

Mode = Literal["running", "slowed", "ramping", "paused", "closed"]

_STEPS = 3
WRONG = frozenset({Health.DEGRADED, Health.UNHEALTHY})
"""States that somebody has observed something bad in. Unknown and recovering are also how everything begins."""
_WRITE = 'modes.register("sessions.sync", depends_on=("redis",), every=5.0{})'


class Leave(IntEnum):
    """What a state of a dependency leaves to those who poll it; the greater, the less."""

    ALL = 0
    SOME = 1
    NOTHING = 2


_LEAVES: Mapping[Health, Leave] = {
    Health.HEALTHY: Leave.ALL,
    Health.DEGRADED: Leave.SOME,
    Health.RECOVERING: Leave.SOME,
    Health.UNHEALTHY: Leave.NOTHING,
    Health.UNKNOWN: Leave.NOTHING,
}


def leave_of(state: Health) -> Leave:
    """Return what `state` leaves."""
    return _LEAVES[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """The options of one poller, as `Modes.register` describes them. Raises `OptionError` for what cannot work."""

    every: float
    heavy: bool = False
    slowdown: float = 4.0
    ramp: float = 30.0

    def __post_init__(self) -> None:
        """Check the options."""
        require_seconds("Modes.register(every)", self.every, write=_WRITE.format(""))
        require_number("Modes.register(slowdown)", self.slowdown, least=1.0, write=_WRITE.format(", slowdown=4.0"))
        require_seconds("Modes.register(ramp)", self.ramp, zero=True, write=_WRITE.format(", ramp=30.0"))
        if not isinstance(self.heavy, bool):
            raise refused("Modes.register(heavy)", "is True or False", self.heavy, _WRITE.format(", heavy=True"))


class Rhythm:
    """When the next turn of one poller is.

    mode, since   how it goes, and the monotonic second from which on.
    due           the monotonic second of the next turn; inf while it is paused.
    """

    __slots__ = ("_beginning", "_last", "_not_before", "_pacing", "_ramp_from", "due", "mode", "since")

    def __init__(self, pacing: Pacing, now: float) -> None:
        """Start at `now`, with a turn that is due."""
        self._pacing = pacing
        self._last = self._ramp_from = -inf
        self._not_before = now
        self._beginning = True
        self.mode: Mode = "running"
        self.since = now
        self.due = now

    def step(self, worst: Standing, now: float, draw: Callable[[], float]) -> float:
        """Take a turn if one is due, and return 0; else return the seconds after which to look again at most."""
        beginning = self._is_beginning(worst.state)
        if self._must_pause(worst, beginning=beginning):
            self._enter("paused", now)
            self.due = inf
            return self._pacing.every
        if self.mode == "paused" and not beginning:  # come back, but not all at the same moment
            self._not_before = now + draw() * self._pacing.every
        self._go_on(worst, now, beginning=beginning)
        self.due = max(self._last + self._seconds(now), self._not_before)
        if now < self.due:
            return min(self.due - now, self._pacing.every)
        self._last, self.due = now, now + self._seconds(now)
        return 0.0

    def healthy_so_far(self, worst: Standing) -> str:
        """Say what a heavy poller waits for that is paused although its dependencies are healthy; empty when not."""
        if self.mode != "paused" or leave_of(worst.state) is not Leave.ALL:
            return ""
        return f"{worst.name} has been healthy for {worst.state_age:.3g} of the {self._pacing.ramp:g} s of its ramp"

    def _is_beginning(self, state: Health) -> bool:
        """Return whether nothing was ever wrong. It ends with the first look that finds all well, or not."""
        beginning = self._beginning and state not in WRONG
        self._beginning = beginning and state is not Health.HEALTHY
        return beginning

    def _must_pause(self, worst: Standing, *, beginning: bool) -> bool:
        leave = leave_of(worst.state)
        if leave is Leave.NOTHING or not self._pacing.heavy:
            return leave is Leave.NOTHING
        comes_back = self.mode == "paused" and not beginning
        return leave is Leave.SOME or (comes_back and worst.state_age < self._pacing.ramp)

    def _go_on(self, worst: Standing, now: float, *, beginning: bool) -> None:
        if leave_of(worst.state) is Leave.SOME:
            self._enter("slowed", now)
            return
        if beginning:
            self._enter("running", now)
        if self.mode in {"paused", "slowed"}:
            self._ramp_from = now
            self._enter("ramping", now)
        if self.mode == "ramping" and now >= self._ramp_from + self._pacing.ramp:
            self._enter("running", now)

    def _seconds(self, now: float) -> float:
        """Return the seconds between turns as it goes now."""
        every, slowdown = self._pacing.every, self._pacing.slowdown
        if self.mode != "ramping":
            return every * slowdown if self.mode == "slowed" else every
        step = int((now - self._ramp_from) / self._pacing.ramp * _STEPS)
        return float(every * slowdown ** (1 - step / _STEPS))

    def _enter(self, mode: Mode, now: float) -> None:
        if self.mode != mode:
            self.mode, self.since = mode, now
