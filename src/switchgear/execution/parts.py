"""What the parts of one engine share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from switchgear.core.clock import Clock
from switchgear.core.ids import IdSource
from switchgear.execution.decide import Moment
from switchgear.execution.queue import FairQueue
from switchgear.execution.recorder import Recorder
from switchgear.execution.registry import Registry
from switchgear.storage.abilities import Store

ACTOR = "switchgear"
"""Who acts when the engine itself does."""


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

    def moment(self) -> Moment:
        """Return now, with a fresh random draw."""
        return Moment(self.clock.time(), self.rng.random())
