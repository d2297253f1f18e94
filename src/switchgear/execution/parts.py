"""What the parts of one engine share."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from switchgear.core.clock import Clock
from switchgear.core.ids import IdSource
from switchgear.execution.clock_watch import ClockWatch
from switchgear.execution.decide import Moment
from switchgear.execution.queue import FairQueue
from switchgear.execution.recorder import Recorder
from switchgear.execution.registry import Registry
from switchgear.storage.abilities import Conflicted, Store

ACTOR = "switchgear"
"""Who acts when the engine itself does."""

Refresh = Callable[[Conflicted], Awaitable[None]]
"""Reads again what a gate goes by, after an append found it changed. It raises nothing: a gate it fails for closes."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The store, what is written to it, the tools, the queue; and time, names and chance from outside."""

    store: Store
    recorder: Recorder
    registry: Registry
    queue: FairQueue
    clock: Clock
    ids: IdSource
    rng: random.Random
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    """Who reads the rows again that gates rely on, by space."""

    @property
    def watch(self) -> ClockWatch:
        """What reads the wall clock wherever seconds are counted from a record: the recorder reads the same one."""
        return self.recorder.watch

    def moment(self) -> Moment:
        """Return now, how unsure the time since a record is, and a fresh random draw."""
        watch = self.recorder.watch
        return Moment(watch.time(), self.rng.random(), watch.unsure)

    async def refresh(self, conflict: Conflicted) -> None:
        """Have the gate that relied on what has changed know of it, before it is asked again."""
        if (refresh := self.refreshes.get(conflict.space)) is not None:
            await refresh(conflict)
