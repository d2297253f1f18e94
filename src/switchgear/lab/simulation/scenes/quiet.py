"""The end of every run: nothing fails any more, people do their work, and all has to come to rest within a bound."""

from __future__ import annotations

from switchgear.core.errors import SwitchgearError
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.sagas.book import SAGAS
from switchgear.execution.sagas.transitions import OPEN as SAGAS_OPEN
from switchgear.execution.time_boxes.box import LASTING, SPACE, BoxState, TimeBox, decoded_box
from switchgear.execution.time_boxes.driver import TimeBoxes
from switchgear.execution.transitions import FINAL, State
from switchgear.lab.simulation.catalogue import ESCALATE_AFTER, LIFETIME, TENANTS
from switchgear.lab.simulation.life import Gone
from switchgear.lab.simulation.machinery import LEASES
from switchgear.lab.simulation.scenes.delays import wait_for_their_time
from switchgear.lab.simulation.scenes.fate import LEAP_MAX, register
from switchgear.lab.simulation.scenes.people import PEOPLE, found_out
from switchgear.lab.simulation.scenes.switches import release_all
from switchgear.lab.simulation.scenes.together import help_sagas
from switchgear.lab.simulation.world import World

SETTLED_WITHIN = 2 * LIFETIME + 5 * ESCALATE_AFTER + 2 * LEAP_MAX
"""Seconds in which everything that was under way must have come to an end, or wait for a person by name."""
HELPED_WITHIN = 2 * SETTLED_WITHIN
"""Seconds in which people and engine together bring everything to its end."""
_STEP = 15.0
_HEARD_WITHIN = 2.0 * LEASES.ttl
"""Seconds in which an engine learns of what others have done."""
_AT_REST = frozenset({*FINAL, State.DEAD_LETTERED})
_WAITING_FOR_PEOPLE = frozenset({State.NEEDS_OPERATOR, State.IN_DOUBT})


async def settle(world: World) -> None:
    """Let everything work from now on, and wait until all has come to rest. What does not is a broken law."""
    world.calm = world.remote.calm = world.outages.calm = True
    world.quiet_disk()
    for life in world.there:
        life.nap = None
    await world.clients_gone()
    await world.live()
    world.jump(-world.wall.leapt)
    for life in world.there:
        life.doom = life.nap = None
    await register(world)
    if world.shared:
        await world.clock.sleep_async(_HEARD_WITHIN)  # of switches that others have tripped
    await release_all(world)
    await _wait(world, SETTLED_WITHIN, {*_AT_REST, *_WAITING_FOR_PEOPLE}, helping=False)
    await _wait(world, HELPED_WITHIN, set(_AT_REST), helping=True)
    if world.shared:
        await _all_awake(world)
        await _wait(world, HELPED_WITHIN, set(_AT_REST), helping=True)
        await world.clock.sleep_async(_HEARD_WITHIN)  # of what others have gone on with
    await wait_for_their_time(world)
    await _wait(world, HELPED_WITHIN, set(_AT_REST), helping=True)


async def _all_awake(world: World) -> None:
    """Wait until every engine that stands still has woken up, and those that are lost by then are replaced."""
    while any(life.stands_still for life in world.there):
        await world.clock.sleep_async(_STEP)
    await world.clock.sleep_async(_HEARD_WITHIN)
    await world.live()


async def _wait(world: World, seconds: float, states: set[State], *, helping: bool) -> None:
    ends_at = world.clock.monotonic() + seconds
    restless: list[str] = []
    while world.clock.monotonic() < ends_at:
        await world.live()  # a doom of before may still strike
        restless = await _restless(world, states, helped=helping)
        if not restless:
            return
        if helping:
            await _help(world)
        await world.clock.sleep_async(_STEP)
    for one in restless[:5]:
        world.witness.wrong(f"{one}, after {seconds:g} seconds in which everything worked")


async def _restless(world: World, states: set[State], *, helped: bool) -> list[str]:
    """Return what is not at rest. Sagas and boxes that wait for people count once these have helped."""
    facets = sorted(set(State) - states)
    found = [f"intent {row.key} is {row.facet}" for row in await world.store.scan(INTENTS, facets)]
    if helped:
        found += [f"saga {row.key} is {row.facet}" for row in await world.store.scan(SAGAS, sorted(SAGAS_OPEN))]
        found += [f"time-box {row.key} is {row.facet}" for row in await world.store.scan(SPACE, sorted(LASTING))]
    return found


async def _help(world: World) -> None:
    for tenant in TENANTS:
        try:
            await _resolve_all(world, tenant)
            await help_sagas(world, tenant)
            await _help_boxes(world, tenant)
        except (SwitchgearError, Gone) as error:
            world.say(f"help was refused: {error}")


async def _resolve_all(world: World, tenant: str) -> None:
    for state in sorted(_WAITING_FOR_PEOPLE):
        for row in await world.store.page(INTENTS, tenant, facet=state, limit=200):
            await found_out(world, intent_of(row), world.chance.choice(PEOPLE))


async def _help_boxes(world: World, tenant: str) -> None:
    """Have what a person was called for reverted now; let it stay where nobody knows whether it happened."""
    for row in await world.store.page(SPACE, tenant, facet=BoxState.NEEDS_OPERATOR, limit=200):
        box = decoded_box(row.key, row.value)
        row_of = await world.store.get(INTENTS, tenant, box.intent)
        given_up = row_of is not None and intent_of(row_of).ended is State.ABANDONED
        if given_up or not box.unsettled:
            await _end(world, box, close=given_up)


async def _end(world: World, box: TimeBox, *, close: bool) -> None:
    async def ended(boxes: TimeBoxes) -> TimeBox:
        how = boxes.close if close else boxes.revert
        return await how(box.tenant, box.id, by="person:kim", reason="by hand")

    await world.ask(lambda engine: ended(engine.time_boxes))
