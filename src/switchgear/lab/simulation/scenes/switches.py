"""Kill switches: people trip them, others release them."""

from __future__ import annotations

from switchgear.core.errors import SwitchgearError
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.kill_switches.switches import GLOBAL, SPACE, Mode, decoded, release, trip
from switchgear.lab.simulation.catalogue import SUBMITTED
from switchgear.lab.simulation.life import Gone
from switchgear.lab.simulation.world import World

_TRIPS, _RELEASES = "person:ada", "person:zoe"
_TRIES_MAX = 50
_AGAIN = 15.0


async def trip_one(world: World) -> None:
    """Trip a switch of the platform or of a tenant, and release it some time later."""
    chance = world.chance
    tenant = world.tenant()
    scope = chance.choice((PLATFORM_TENANT, tenant))
    targets = [f"tenant:{tenant}", "connector:crm", f"tool:{chance.choice(SUBMITTED)}"]
    target = chance.choice([*targets, GLOBAL] if scope == PLATFORM_TENANT else targets)
    mode, seconds = (
        chance.choice((Mode.FREEZE, Mode.FREEZE, Mode.STOP_NEW)),
        chance.choice((0.5, 5.0, 5.0, 30.0, 150.0)),
    )
    by = Scope(scope, "main", _TRIPS)
    await world.ask_machinery(
        lambda made: made.kill_switches.change(
            by, lambda now, at: trip(now, target, mode, reason="drill", by=_TRIPS, at=at)
        )
    )
    await world.clock.sleep_async(seconds)
    await release_one(world, scope, target)


async def release_one(world: World, scope: str, target: str) -> None:
    """Release a switch, by somebody else."""
    by = Scope(scope, "main", _RELEASES)
    await world.ask_machinery(
        lambda made: made.kill_switches.change(
            by, lambda now, _at: release(now, target, reason="drill", by=_RELEASES, single_operator=False)
        )
    )


async def release_all(world: World) -> None:
    """Release everything that is on."""
    for row in await world.store.scan(SPACE, ("on",)):
        for target in sorted(decoded(row.value).on):
            await _released(world, row.tenant, target)


async def _released(world: World, scope: str, target: str) -> None:
    """Release a switch, and try again when the engine that was asked knows of something older, or has ended."""
    for _ in range(_TRIES_MAX):
        try:
            return await release_one(world, scope, target)
        except (SwitchgearError, Gone) as error:
            world.say(f"a release was refused: {error}")
            await world.clock.sleep_async(_AGAIN)
            await world.live()
    world.witness.wrong(f"{target} cannot be released, after {_TRIES_MAX} tries")
    return None
