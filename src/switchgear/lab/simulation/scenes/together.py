"""Sagas: several actions that are all done, or all undone."""

from __future__ import annotations

from switchgear.core.scope import Scope
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.sagas.book import SAGAS, saga_of
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import SagaSubmission
from switchgear.execution.sagas.saga import Saga, after_word
from switchgear.execution.transitions import DOUBTFUL
from switchgear.lab.simulation.catalogue import ACTOR, SAGA_LAST, SAGA_TOOLS
from switchgear.lab.simulation.draws import draws
from switchgear.lab.simulation.scenes.people import PEOPLE, found_out
from switchgear.lab.simulation.world import World

_KEYS = 6


async def submit_saga(world: World) -> None:
    """Submit a saga; what its key stands for is always the same."""
    key, tenant = f"saga{world.chance.randrange(_KEYS)}", world.tenant()
    wish = SagaSubmission(scope=Scope(tenant, "main", ACTOR), steps=_steps(world.seed, key), key=key)
    admitted = await world.ask(lambda engine: engine.sagas.submit(wish))
    world.witness.sagas[admitted.saga.id] = tenant


async def cancel_saga(world: World) -> None:
    """Cancel a saga that was acknowledged."""
    if not world.witness.sagas:
        return
    saga_id, tenant = world.chance.choice(list(world.witness.sagas.items()))
    await world.ask(lambda engine: engine.sagas.cancel(tenant, saga_id, reason="drill", actor="person:kim"))


async def help_sagas(world: World, tenant: str) -> None:
    """Let every saga of a tenant that is stuck go on: say what became of its action, or what to do."""
    for row in await world.store.page(SAGAS, tenant, facet="stuck", limit=200):
        await _help(world, saga_of(row))


async def _help(world: World, saga: Saga) -> None:
    row = await world.store.get(INTENTS, saga.tenant, saga.under_way) if saga.under_way is not None else None
    if row is not None and (intent := intent_of(row)).state in DOUBTFUL:
        await found_out(world, intent, world.chance.choice(PEOPLE))
    elif saga.stuck is not None:
        retry = after_word(saga, How.RETRY) is not None
        how = How.RETRY if retry else How.DONE
        world.coverage.note("saga", f"resumed_{how}")
        if not retry:
            world.witness.by_hand.add(saga.id)
        await world.ask(
            lambda engine: engine.sagas.resume(saga.tenant, saga.id, how, reason="drill", actor="person:kim")
        )


def _steps(seed: int, key: str) -> tuple[StepDefinition, ...]:
    chance = draws(seed, key)
    tools = [*chance.choices(SAGA_TOOLS, k=chance.randrange(1, 4)), *((SAGA_LAST,) if chance.random() < 1 / 2 else ())]
    return tuple(
        StepDefinition(tool=tool, name=f"{key}.{position}", arguments={"contact": position})
        for position, tool in enumerate(tools)
    )
