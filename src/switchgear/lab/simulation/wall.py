"""The wall clock of the simulated machine: how it leaps, where it stands when an engine starts, and what was when.

While an engine is there, the clock may leap anywhere: the engine sees it against its monotonic clock. What happens
while none is there nobody sees, so no clock is worth more across a start than it can be trusted. Two things are
granted. A start finds the clock at least as far ahead as any engine before it had; or it finds it set back, but soon
after something was recorded, so that the newest entries show by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from switchgear.execution.leases.rows import ENGINES
from switchgear.storage.abilities import Append
from switchgear.testing import SimulatedClock

_SEEN_WITHIN = 4.0
"""Seconds after the newest record, at most, in which a start may find the clock set back: less than an engine's
slack, which is how much of a step back the record does not show."""
_SET_BACK = (40.0, 80.0, 1_200.0)
_SET_BACK_CHANCE = 1 / 3


@dataclass(frozen=True, slots=True)
class Written:
    """When an append was handed in: `at` in virtual seconds, with the wall clock `leapt` seconds from its due.

    `engine` counts the engines so far, and `began` is how far the clock had leapt when that one began. `owner` is whose
    append it was, where several engines are there at once.
    """

    at: float
    leapt: float
    engine: int
    began: float
    owner: str


class WallClock:
    """The wall face of the clock of a world."""

    def __init__(self, clock: SimulatedClock) -> None:
        """Begin where the clock is due."""
        self._clock = clock
        self.leapt = 0.0
        """How far it is from where it would be, in seconds."""
        self.written: dict[str, Written] = {}
        """When each append was first handed in, by its id."""
        self._engine = 0
        self._began = 0.0
        self._ahead = 0.0
        self._shown = float("-inf")
        self._planned = 0.0

    def jump(self, seconds: float) -> None:
        """Leap while an engine is there."""
        self._move(seconds)
        self._ahead = max(self._ahead, self.leapt)

    def begin(self, chance: Random) -> float:
        """Find the clock anew when an engine starts. Return by how many seconds it was set since the last one."""
        back = self._planned
        if not back and chance.random() < _SET_BACK_CHANCE:
            back = chance.choice(_SET_BACK)
        soon = self._clock.monotonic() - self._shown <= _SEEN_WITHIN
        wanted = self._ahead - back if back and soon else max(self.leapt, self._ahead)
        moved = wanted - self.leapt
        self._move(moved)
        self._engine, self._began, self._planned = self._engine + 1, self.leapt, 0.0
        return moved

    def plan(self, seconds: float) -> None:
        """Have the next start, if it is soon enough for that, find the clock set back by `seconds`."""
        self._planned = seconds

    def writing(self, append: Append) -> None:
        """Remember when `append` was handed in first: its records are of that moment, however often it is repeated."""
        owner = next((expect.key for expect in append.expects if expect.space == ENGINES), "")
        written = Written(self._clock.monotonic(), self.leapt, self._engine, self._began, owner)
        self.written.setdefault(append.id, written)

    def wrote(self, append: Append) -> None:
        """Take note that `append` is on record: it shows how far ahead the clock was."""
        when = self.written[append.id]
        if append.events and when.leapt >= self._ahead:
            self._shown = when.at

    def _move(self, seconds: float) -> None:
        self.leapt += seconds
        self._clock.jump_wall(seconds)
