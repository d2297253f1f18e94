"""The table of scenes: what may happen next, and how often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from switchgear.lab.simulation.scenes import (
    boxes,
    clients,
    fate,
    outages,
    people,
    replaying,
    several,
    switches,
    together,
)
from switchgear.lab.simulation.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that may happen, and its share among all."""

    play: Callable[[World], Awaitable[None]]
    weight: int


SCENES: tuple[Scene, ...] = (
    Scene(clients.submit, 34),
    Scene(clients.repeat, 8),
    Scene(clients.burst, 8),
    Scene(clients.cancel, 6),
    Scene(people.approve, 20),
    Scene(people.resolve, 8),
    Scene(people.requeue, 8),
    Scene(switches.trip_one, 3),
    Scene(replaying.replay, 7),
    Scene(replaying.resume, 4),
    Scene(boxes.open_box, 4),
    Scene(boxes.tend_box, 4),
    Scene(together.submit_saga, 6),
    Scene(together.cancel_saga, 1),
    Scene(fate.crash, 3),
    Scene(fate.stop, 2),
    Scene(fate.stumble, 6),
    Scene(fate.fill_disk, 1),
    Scene(fate.leap, 4),
    Scene(fate.leap_over_doubts, 6),
    Scene(fate.register, 3),
    Scene(fate.trip_breaker, 3),
    Scene(outages.fail, 5),
    Scene(outages.destroy, 5),
    Scene(outages.force, 4),
)

SCENES_OF_SEVERAL: tuple[Scene, ...] = (
    *SCENES,
    Scene(several.stand_still, 8),
    Scene(several.nap, 8),
    Scene(several.oversleep, 6),
    Scene(several.doze, 6),
    Scene(several.restart_store, 2),
)
"""Those of engines that share a store."""
