"""Degraded modes: pollers and background loops that slow down, pause and come back with their dependencies.

Each loop registers, and takes its turns from its poller. How fast it may go is decided in `pace`.
"""

from __future__ import annotations

import random as randomness
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Self

from switchgear.core.clock import Clock
from switchgear.core.errors import OptionError
from switchgear.core.mutexes import new_mutex
from switchgear.guard.jitter import JITTER
from switchgear.health.bell import Bell
from switchgear.health.board import HealthBoard
from switchgear.health.pace import WRONG, Mode, Pacing, Rhythm, leave_of
from switchgear.health.standing import Standing
from switchgear.health.telling import HealthChanged
from switchgear.policies.checks import refused

POLLERS_MAX = 1_000
"""Pollers that are registered at once at most."""
_WRITE = 'modes.register("sessions.sync", depends_on=("redis",), every=5.0)'


@dataclass(frozen=True, slots=True)
class PollerStatistics:
    """How a poller stands.

    mode       "running", "slowed", "ramping", "paused" or "closed".
    mode_age   seconds it has been in that mode.
    next_turn  seconds until its next turn, 0 when it is due; None while it is paused or closed.
    turns      turns it has taken.
    because    the dependency that slows or pauses it, and why; for a heavy one that waits for its ramp, how much of it
               has passed; empty when nothing does.
    """

    name: str
    mode: Mode
    mode_age: float
    next_turn: float | None
    turns: int
    because: str = ""


class Modes:
    """The pollers of a process, which follow the dependencies on `board`. Close it when the process ends."""

    __slots__ = ("_board", "_closed", "_draw", "_mutex", "_pollers", "_stop")

    def __init__(self, board: HealthBoard, *, random: randomness.Random | None = None) -> None:
        """Start without pollers."""
        self._board = board
        self._draw = (random or JITTER).random
        self._mutex = new_mutex()
        self._pollers: dict[str, Poller] = {}
        self._closed = False
        self._stop = board.subscribe(self._hear)

    def register(
        self,
        name: str,
        *,
        depends_on: Sequence[str],
        every: float,
        heavy: bool = False,
        slowdown: float = 4.0,
        ramp: float = 30.0,
    ) -> Poller:
        """Return the poller for a loop; iterate it, with ``for`` or ``async for``, and do the work of a turn inside.

        name        unique among the pollers of a process, and not empty.
        depends_on  names of declared dependencies, at least one. They need a probe or other traffic: while nothing is
                    known of them, the poller is paused.
        every       seconds from the start of one turn to that of the next, above 0. A turn that is late is taken at
                    once, one that is missed is not made up for.
        heavy       whether it pauses first, as soon as a dependency is not well, and comes back last.
        slowdown    how many times slower it goes while a dependency is degraded or recovering, at least 1; default 4.
        ramp        seconds after a pause in which it gets up to speed, at least 0; default 30. A heavy one stays
                    paused that long before. At the start it goes at full speed as soon as everything is healthy, unless
                    something was found to be wrong.

        Raises `OptionError` for what cannot work, a name that is taken, and above `POLLERS_MAX` or after `close`.
        """
        if isinstance(depends_on, str) or not depends_on:
            raise refused("Modes.register(depends_on)", "needs the names of dependencies", depends_on, _WRITE)
        for dependency in depends_on:
            self._board.dependency(dependency)
        pacing = Pacing(every=every, heavy=heavy, slowdown=slowdown, ramp=ramp)
        with self._mutex:
            self._check_room(name)
            poller = Poller(name, tuple(depends_on), pacing, self._board, self._draw)
            self._pollers[name] = poller
        return poller

    def statistics(self) -> tuple[PollerStatistics, ...]:
        """Return how every poller stands that is not closed, by name."""
        return tuple(poller.statistics() for _, poller in sorted(self._pollers.copy().items()))

    def close(self) -> None:
        """End every poller, paused ones at once: their loops end before the next turn. Nothing registers any more."""
        self._stop()
        with self._mutex:
            self._closed = True
            pollers, self._pollers = list(self._pollers.values()), {}
        for poller in pollers:
            poller.close()

    def _check_room(self, name: str) -> None:
        if not name:
            raise refused("Modes.register(name)", "needs a text", name, _WRITE)
        if self._closed:
            raise OptionError(f"the modes are closed, and {name!r} would never have a turn")
        self._pollers = {known: poller for known, poller in self._pollers.items() if not poller.is_closed}
        if name in self._pollers:
            raise OptionError(f"a poller {name!r} is registered already; close it first, or name this one otherwise")
        if len(self._pollers) >= POLLERS_MAX:
            raise OptionError(f"a process has at most {POLLERS_MAX} pollers; {name!r} is above")

    def _hear(self, event: HealthChanged) -> None:
        """Have those look again who depend on what has changed."""
        for poller in tuple(self._pollers.values()):
            if event.name in poller.depends_on:
                poller.look_again()


class Poller:
    """The turns of one loop. Several loops may share one: each turn is taken once."""

    __slots__ = ("_bell", "_board", "_closed", "_draw", "_mutex", "_rhythm", "_turns", "depends_on", "name")

    def __init__(
        self,
        name: str,
        depends_on: tuple[str, ...],
        pacing: Pacing,
        board: HealthBoard,
        draw: Callable[[], float],
    ) -> None:
        """Start now; the first turn is due at once where everything is well."""
        self.name = name
        self.depends_on = depends_on
        self._board, self._draw = board, draw
        self._mutex = new_mutex()
        self._rhythm = Rhythm(pacing, board.clock.monotonic())
        self._bell = Bell()
        self._turns = 0
        self._closed = False

    def close(self) -> None:
        """End it. A loop that waits, however long its pause would be, ends at once."""
        self._closed = True
        self._bell.ring()

    def look_again(self) -> None:
        """Have a loop that waits look at its dependencies again."""
        self._bell.ring()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def statistics(self) -> PollerStatistics:
        """Return how it stands now. Changes nothing."""
        now = self._clock.monotonic()
        worst = self._worst()
        with self._mutex:
            mode: Mode = "closed" if self._closed else self._rhythm.mode
            due = self._rhythm.due
            waits = None if self._closed or due == inf else max(0.0, due - now)
            mode_age = max(0.0, now - self._rhythm.since)
            because = self._rhythm.healthy_so_far(worst) or f"{worst.name} is {worst.state}: {worst.reason}"
            because = because if mode in {"slowed", "paused"} else ""
            return PollerStatistics(self.name, mode, mode_age, waits, self._turns, because)

    def __iter__(self) -> Iterator[int]:
        """Take turns in this thread."""
        return self

    def __next__(self) -> int:
        """Block until the next turn, and return its number, from 1 on. Ends when it is closed."""
        while (seconds := self._step()) > 0:
            self._bell.wait(self._clock, seconds)
        if self._closed:
            raise StopIteration
        return self._turns

    def __aiter__(self) -> Self:
        """Take turns in this task."""
        return self

    async def __anext__(self) -> int:
        """Suspend until the next turn, and return its number, from 1 on. Ends when it is closed."""
        while (seconds := self._step()) > 0:
            await self._bell.wait_async(self._clock, seconds)
        if self._closed:
            raise StopAsyncIteration
        return self._turns

    @property
    def _clock(self) -> Clock:
        return self._board.clock

    def _step(self) -> float:
        """Take a turn if one is due and return 0, as when it is closed; else return the seconds to wait at most."""
        worst, now = self._worst(), self._clock.monotonic()
        with self._mutex:
            if self._closed:
                return 0.0
            seconds = self._rhythm.step(worst, now, self._draw)
            self._turns += seconds <= 0
            return seconds

    def _worst(self) -> Standing:
        standings = [self._board.standing(name) for name in self.depends_on]
        return max(
            standings, key=lambda standing: (leave_of(standing.state), standing.state in WRONG, -standing.state_age)
        )
