"""Clients: they submit, repeat what they are not sure of, cancel, and wait for outcomes."""

from __future__ import annotations

from typing import Any

from switchgear.core.scope import Scope
from switchgear.execution.admission import Admitted, Submission
from switchgear.execution.intent import Intent
from switchgear.lab.simulation.catalogue import ACTOR, BY_NAME, SUBMITTED
from switchgear.lab.simulation.witness import Key
from switchgear.lab.simulation.world import World

_KEYS = 10
_CONTACTS = 3
_DELAYS = (None, None, None, 0.5, 40.0)
_PRIORITIES = (None, None, None, "sheddable", "critical_plus")
_LIFETIMES = (None, None, None, 30.0)
_WAITS = (0.5, 20.0)
_BURST = 12


async def submit(world: World) -> None:
    """Submit one action, sometimes one that was submitted before."""
    chance = world.chance
    tool = chance.choice(SUBMITTED)
    key = f"k{chance.randrange(_KEYS)}" if BY_NAME[tool].effect.writes else None
    lifetime = chance.choice(_LIFETIMES)
    await submitted(
        world,
        Submission(
            scope=Scope(world.tenant(), "main", ACTOR),
            tool=tool,
            arguments=arguments_of(key, world),
            key=key,
            lifetime=lifetime,
            delay=None if lifetime else chance.choice(_DELAYS),
            priority=chance.choice(_PRIORITIES),
        ),
    )


async def repeat(world: World) -> None:
    """Submit once more what was submitted before, under the same key."""
    known = [key for key in world.witness.keys if key.tool in SUBMITTED]
    if not known:
        return
    tenant, tool, key = world.chance.choice(known)
    arguments = arguments_of(key, world)
    await submitted(world, Submission(scope=Scope(tenant, "main", ACTOR), tool=tool, arguments=arguments, key=key))


async def burst(world: World) -> None:
    """Submit many at once."""
    for _ in range(world.chance.randrange(2, _BURST)):
        world.client(submit)


async def submitted(world: World, submission: Submission) -> Intent:
    """Submit, remember what was acknowledged, and sometimes wait for the outcome."""
    waits = world.chance.choice(_WAITS) if world.chance.random() < 1 / 2 else 0.0
    admitted = await world.ask(lambda engine: engine.submit(submission))
    _remember(world, submission, admitted)
    if waits:
        intent = admitted.intent
        world.witness.heard(await world.ask(lambda engine: engine.wait(intent.tenant, intent.id, waits)))
    return admitted.intent


async def cancel(world: World) -> None:
    """Cancel something that was acknowledged, if it can still be."""
    tenant, intent_id = some_intent(world)
    cancelled = await world.ask(lambda engine: engine.cancel(tenant, intent_id, reason="drill", actor="person:kim"))
    world.witness.heard(cancelled)


def some_intent(world: World) -> tuple[str, str]:
    """Return tenant and id of one of the newest that were acknowledged; of none that is, when there is none."""
    known = list(world.witness.acknowledged.items())[-40:]
    if not known:
        return world.tenant(), "int_none"
    intent_id, tenant = world.chance.choice(known)
    return tenant, intent_id


def _remember(world: World, submission: Submission, admitted: Admitted) -> None:
    intent = admitted.intent
    world.witness.accepted(intent)
    if submission.key is None:
        return
    key = Key(intent.tenant, submission.tool, submission.key)
    earlier = world.witness.keys.get(key)
    world.witness.keys[key] = intent.id
    if earlier is not None and earlier != intent.id:
        world.witness.rebound.append((earlier, intent.id))


def arguments_of(key: str | None, world: World) -> dict[str, Any]:
    """Return the arguments of a key: always the same, so that a repeat is one."""
    number = world.chance.randrange(_CONTACTS) if key is None else int(key[1:]) % _CONTACTS
    return {"contact": number}
