"""Replays: people have something verified, resumed, or executed anew."""

from __future__ import annotations

from switchgear.execution.engine import Engine
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.replays import Replayed
from switchgear.lab.simulation.scenes.clients import some_intent
from switchgear.lab.simulation.world import World


async def replay(world: World) -> None:
    """Replay something that was acknowledged."""
    tenant, intent_id = some_intent(world)
    mode = world.chance.choice(tuple(Mode))

    async def asked(engine: Engine) -> Replayed:
        request = ReplayRequest(mode=mode, reason="drill", by="person:kim", trace=engine.replays.trace())
        return await engine.replays.replay(await engine.intent(tenant, intent_id), request)

    world.witness.heard((await world.ask(asked)).intent)
