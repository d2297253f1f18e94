"""Engines that share a store: they stand still for a while and wake up late, or the store ends under them."""

from __future__ import annotations

from switchgear.core.scope import Scope
from switchgear.execution.admission import Submission
from switchgear.lab.simulation.catalogue import ACTOR
from switchgear.lab.simulation.life import Nap
from switchgear.lab.simulation.machinery import LEASES
from switchgear.lab.simulation.world import World

_SECONDS = tuple(share * LEASES.ttl for share in (0.05, 0.5, 0.8, 1.0, 1.5, 3.0, 10.0))
_DOZES = tuple(share * LEASES.ttl for share in (0.4, 0.5, 0.6))
_POINTS = ("append", "acknowledged", "dispatched")
_LEFT = (0, 0, 1, 2, 5, 12)


async def stand_still(world: World) -> None:
    """Let nothing of an engine run for a while, from this very moment."""
    world.one().stand_still(world.chance.choice(_SECONDS))
    world.note("life", "stands_still")


async def nap(world: World) -> None:
    """Let nothing of an engine run for a while, from one of its next appends on: before it is sent, or right after.

    The worst moment is right after a dispatch: it is on record, and its call has not left yet.
    """
    world.one().nap = Nap(world.chance.choice(_POINTS), world.chance.choice(_LEFT), world.chance.choice(_SECONDS))
    world.note("life", "nap")


async def oversleep(world: World) -> None:
    """Have an engine act, and stand still between the record of that and its call, until others have settled it."""
    await _sleep_over(world, world.chance.choice(("crm.order", "crm.opaque")), "oversleeps", 10.0 * LEASES.ttl)


async def doze(world: World) -> None:
    """Have an engine destroy, and stand still before the call until nothing vouches for it, but is not lost."""
    await _sleep_over(world, "crm.purge", "dozes", world.chance.choice(_DOZES))


async def _sleep_over(world: World, tool: str, how: str, seconds: float) -> None:
    """Have an engine act by `tool`, and stand still for `seconds` right after the record of that."""
    life, number = world.one(), world.coverage.counts[f"life:{how}"]
    life.nap = Nap("dispatched", 0, seconds)
    world.note("life", how)
    scope = Scope(world.tenant(), "main", ACTOR)
    wish = Submission(scope=scope, tool=tool, arguments={"contact": number}, key=f"{how}{number}")
    admitted = await life.ask(life.machinery.engine.submit(wish))
    world.witness.accepted(admitted.intent)


async def restart_store(world: World) -> None:
    """End the store and open it again: of what is in flight some is durable, and nobody is told."""
    world.store.crash()
    world.note("disk", "restarted")
