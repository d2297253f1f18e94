"""Outages: what destructive tools rest on goes down and comes back, and people force what is held for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from switchgear.core.codes import Code
from switchgear.core.scope import Scope
from switchgear.execution.admission import Submission
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.forcing import Forcing, forced
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.transitions import State
from switchgear.lab.simulation.catalogue import ACTOR, DEPENDENCIES
from switchgear.lab.simulation.outages import Outage
from switchgear.lab.simulation.scenes.clients import arguments_of, submitted
from switchgear.lab.simulation.scenes.people import PEOPLE
from switchgear.lab.simulation.world import World

_SECONDS = (2.0, 10.0, 30.0, 90.0)
_SOON = (0.0, 0.5, 3.0, 12.0)
_KEYS_FROM = 100
_GOOD_FOR = (0.01, 5.0, 120.0)


async def fail(world: World) -> None:
    """Let a dependency be down for a while, in one of its ways."""
    with _down(world):
        await world.clock.sleep_async(world.chance.choice(_SECONDS))


async def destroy(world: World) -> None:
    """Have something destroyed about the time at which a dependency goes down, and perhaps forced."""
    key = f"k{_KEYS_FROM + world.coverage.counts['scene:destroy']}"
    scope, arguments = Scope(world.tenant(), "main", ACTOR), arguments_of(key, world)
    wish = Submission(scope=scope, tool="crm.purge", arguments=arguments, key=key)
    with _down(world):
        await world.clock.sleep_async(world.chance.choice(_SOON))
        await submitted(world, wish)
        await world.clock.sleep_async(world.chance.choice(_SECONDS))
        await force(world)
        await world.clock.sleep_async(world.chance.choice(_SECONDS))


async def force(world: World) -> None:
    """Force what the destructive gate holds; not always somebody who may, and not always for long enough."""
    rows = [intent_of(row) for row in await world.store.scan(INTENTS, (State.HELD,))]
    held = [intent for intent in rows if intent.code == Code.DESTRUCTIVE_BLOCKED]
    if not held:
        return
    intent = world.chance.choice(held)
    by = world.chance.choice((*PEOPLE, *PEOPLE, intent.actor, "agent:bot"))
    seconds = world.chance.choice(_GOOD_FOR)
    world.witness.heard(await world.ask(lambda engine: _said(engine, intent, by, seconds)))


async def _said(engine: Engine, intent: Intent, by: str, seconds: float) -> Intent:
    asked_by, at = await engine.consents.askers(intent), engine.consents.now()
    forcing = Forcing(by=by, reason="drill", seconds=seconds, asked_by=asked_by, at=at)

    def decision(now: Intent) -> Decided:
        known = engine.registry.get(now.tool)
        tool = None if known is None else known.tool
        return Decided(forced(now, forcing, tool, engine.hindering(tool)))

    return await engine.change(intent.tenant, intent.id, decision, actor=by)


@contextmanager
def _down(world: World) -> Iterator[None]:
    """Let a dependency be down for as long as this lasts."""
    name = world.chance.choice(sorted(DEPENDENCIES))
    world.outages.down[name] = world.chance.choice(tuple(Outage))
    try:
        yield
    finally:
        world.outages.down.pop(name, None)
