"""Fate: engines crash and are stopped, disks stumble, clocks leap, tools come late, breakers trip."""

from __future__ import annotations

import contextlib

from switchgear.core.errors import Rejected
from switchgear.lab.simulation.catalogue import KEY_RETENTION, LATE_MAX, TENANTS, TIMEOUT
from switchgear.lab.simulation.scenes.replaying import resume_doubts
from switchgear.lab.simulation.world import CALM, World
from switchgear.testing import Fate, StoreFaults

LEAP_MAX = 1_200.0
_OVER_DOUBTS = 120.0
_RESUMED_WITHIN = 20.0
_LEAPS = (-LEAP_MAX, -80.0, -60.0, -2.0, 2.0, 60.0, 80.0, LEAP_MAX)
"""By less than an engine's slack, by less than a remote remembers keys, and by more."""
_FAULTY = StoreFaults(
    slow=0.05,
    overdue=0.02,
    unacknowledged=0.06,
    lost=0.04,
    disk_full=0.03,
    read_only=0.01,
    queue_full=0.02,
    sync_seconds=(0.0005, 0.02),
)
_REFUSALS = (Fate.DISK_FULL, Fate.READ_ONLY)


async def crash(world: World) -> None:
    """End the engine at once, while whatever is under way is under way."""
    world.crash()


async def stop(world: World) -> None:
    """Stop the engine in order."""
    await world.stop(world.chance.choice((0.0, 3.0)))


async def stumble(world: World) -> None:
    """Let the disk fail by chance for a while."""
    world.store.faults = _FAULTY
    await world.clock.sleep_async(world.chance.choice((1.0, 10.0, 40.0)))
    world.store.faults = CALM


async def fill_disk(world: World) -> None:
    """Let the disk refuse everything for a while."""
    world.store.refusing = world.chance.choice(_REFUSALS)
    await world.clock.sleep_async(world.chance.choice((0.5, 5.0)))
    world.store.refusing = None


async def leap(world: World) -> None:
    """Let the wall clock leap. It never strays further than one leap at a time."""
    world.jump(-world.wall.leapt if world.wall.leapt else world.chance.choice(_LEAPS))


async def leap_over_doubts(world: World) -> None:
    """Set the wall clock back over what is in doubt, and have people resume that when the remote has forgotten it.

    It is set while an engine is there, or before the next one starts.
    """
    if world.chance.random() < 1 / 2:
        world.jump(-_OVER_DOUBTS - world.wall.leapt)
    else:
        world.wall.plan(_OVER_DOUBTS)
        world.crash()
    await world.clock.sleep_async(KEY_RETENTION + LATE_MAX + TIMEOUT)
    for tenant in TENANTS:
        await resume_doubts(world, tenant)
    await world.clock.sleep_async(_RESUMED_WITHIN)


async def register(world: World) -> None:
    """Register the tools that were missing at start."""
    for life in world.there:
        life.machinery.register(life.line, 1.0, world.chance)


async def trip_breaker(world: World) -> None:
    """Have the breaker of a dependency see a failure, if it lets a call in."""
    with contextlib.suppress(Rejected):
        world.one().machinery.guards[world.chance.choice(("crm", "mail"))].permit_nowait().fail()
