"""Replays: people have something verified, resumed, or executed anew."""

from __future__ import annotations

from switchgear.execution.engine import Engine
from switchgear.execution.recorder import INTENTS
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.replays import Replayed
from switchgear.execution.transitions import State
from switchgear.lab.simulation.scenes.clients import some_intent
from switchgear.lab.simulation.world import World


async def replay(world: World) -> None:
    """Replay something that was acknowledged."""
    tenant, intent_id = some_intent(world)
    await _replay(world, tenant, intent_id, world.chance.choice(tuple(Mode)))


async def resume(world: World) -> None:
    """Have everything of a tenant that is in doubt go on."""
    await resume_doubts(world, world.tenant())


async def resume_doubts(world: World, tenant: str) -> None:
    """Have everything of `tenant` that is in doubt go on, where its effect allows it."""
    for row in await world.store.page(INTENTS, tenant, facet=State.IN_DOUBT):
        await _replay(world, tenant, row.key, Mode.RESUME)


async def _replay(world: World, tenant: str, intent_id: str, mode: Mode) -> None:
    async def asked(engine: Engine) -> Replayed:
        request = ReplayRequest(mode=mode, reason="drill", by="person:kim", trace=engine.replays.trace())
        return await engine.replays.replay(await engine.intent(tenant, intent_id), request)

    world.witness.heard((await world.ask(asked)).intent)
