"""What destructive tools rest on: dependencies that go down and come back, and what they have answered to whom.

They outlive every engine. Each life of an engine asks them by probes of its own, and its `Sight` remembers what it was
told. By that a law judges what it destroys; what its board made of the answers is not asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import NamedTuple

from switchgear.core.clock import Clock
from switchgear.execution.contract import Call
from switchgear.health.probe import ProbeFailed
from switchgear.lab.simulation.catalogue import BY_NAME, DEPENDENCIES, PROBE_TIMEOUT
from switchgear.lab.simulation.coverage import Coverage

_ANSWERS_KEPT = 200
_FOR_EVER = 3_600.0
_SECONDS_WHEN_UP = (0.0, 0.01, 0.3, 0.9)
_SLOW_CHANCE = 0.03


class Outage(StrEnum):
    """How a dependency is down."""

    REFUSES = "refuses"
    SILENT = "silent"
    WRONG = "wrong"
    FLICKERS = "flickers"
    """It is right now and then."""
    UNSPEAKABLE = "unspeakable"
    """It breaks the client in a way that cannot be put into words."""


class Moment(NamedTuple):
    """A moment on both faces of the clock."""

    at: float
    wall: float


class Answer(NamedTuple):
    """What a probe came to: when it was asked, when it was told, and whether it was right and in time."""

    asked: Moment
    told: float
    right: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A destructive attempt that has left, and what the life that sent it had been told by then, by dependency."""

    intent: str
    tool: str
    attempt: int
    moment: Moment
    told: Mapping[str, Sequence[Answer]]


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise LookupError("no words")

    __repr__ = __str__


class Outages:
    """The dependencies of a world."""

    def __init__(self, clock: Clock, chance: Random, coverage: Coverage) -> None:
        """Begin with all of them up."""
        self._clock = clock
        self._chance = chance
        self._coverage = coverage
        self.down: dict[str, Outage] = {}
        self.calm = False
        """While it is, everything is up and answers at once."""
        self.left: list[Left] = []

    def sight(self) -> Sight:
        """Return what a new life sees of them: nothing yet."""
        return Sight(self)

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(self._clock.monotonic(), self._clock.time())

    async def ask(self, name: str) -> None:
        """Answer a probe of `name`, or fail as that fails now."""
        how = None if self.calm else self.down.get(name)
        await self._clock.sleep_async(self._seconds(how))
        if self.calm or how is None or (how is Outage.FLICKERS and self._chance.random() < 1 / 2):
            return
        self._coverage.note("outage", how)
        if how is Outage.REFUSES:
            raise ConnectionRefusedError(name)
        raise _Unspeakable if how is Outage.UNSPEAKABLE else ProbeFailed("down")

    def leaves(self, left: Left) -> None:
        """Take note of a destructive attempt that leaves."""
        self._coverage.note("destroyed", left.tool)
        self.left.append(left)

    def _seconds(self, how: Outage | None) -> float:
        if self.calm:
            return 0.01
        if how is Outage.SILENT or self._chance.random() < _SLOW_CHANCE:
            return _FOR_EVER
        return self._chance.choice(_SECONDS_WHEN_UP)


class Sight:
    """What one life of an engine was told by its dependencies."""

    def __init__(self, outages: Outages) -> None:
        """See nothing yet."""
        self._outages = outages
        self._answers: dict[str, deque[Answer]] = {name: deque(maxlen=_ANSWERS_KEPT) for name in DEPENDENCIES}

    @property
    def probes(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The probes of this life, by dependency."""
        return {name: self._probe(name) for name in DEPENDENCIES}

    def leaves(self, call: Call) -> None:
        """Take note of an attempt that leaves now, if it is destructive."""
        tool = BY_NAME[call.tool]
        if tool.destructive:
            told = {name: tuple(self._answers[name]) for name in tool.requires}
            self._outages.leaves(Left(call.intent_id, call.tool, call.attempt, self._outages.now(), told))

    def _probe(self, name: str) -> Callable[[], Awaitable[None]]:
        async def probe() -> None:
            asked, right = self._outages.now(), False
            try:
                await self._outages.ask(name)
                right = self._outages.now().at - asked.at <= PROBE_TIMEOUT
            finally:
                self._answers[name].append(Answer(asked, self._outages.now().at, right))

        return probe
