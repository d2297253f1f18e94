"""At the very end: what waits for its time, and for nothing else, begins when that has come.

While nothing else happens, nobody wakes an engine that has slept over something. At any other time somebody does, and
hides it.
"""

from __future__ import annotations

from switchgear.core.errors import SwitchgearError
from switchgear.core.scope import Scope
from switchgear.execution.admission import Submission
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.transitions import State
from switchgear.lab.simulation.catalogue import ACTOR
from switchgear.lab.simulation.life import Gone
from switchgear.lab.simulation.world import World

_TRIES = 3
_TOOL, _ACCOUNT = "shop.ship", "late"
"""A tool that no breaker, rate or rule holds up, and an account that has spent nothing."""
_DELAY_MAX = 0.5
_BEGUN_WITHIN = 2.0
"""Seconds in which an engine with nothing else to do begins what is due."""


async def wait_for_their_time(world: World) -> None:
    """Submit a few with a delay, one after another. One that is not begun then was slept over: a broken law."""
    for number in range(_TRIES):
        delay = world.chance.uniform(0.0, _DELAY_MAX)
        scope, key = Scope(world.tenant(), _ACCOUNT, ACTOR), f"late{number}"
        wish = Submission(scope=scope, tool=_TOOL, arguments={"contact": number}, key=key, delay=delay)
        try:
            await _begins(world, wish, delay)
        except (SwitchgearError, Gone) as error:
            world.say(f"what was to wait for its time was refused: {error!r}")


async def _begins(world: World, wish: Submission, delay: float) -> None:
    admitted = await world.ask(lambda engine: engine.submit(wish))
    world.witness.accepted(admitted.intent)
    await world.clock.sleep_async(delay + _BEGUN_WITHIN)
    row = await world.store.get(INTENTS, admitted.intent.tenant, admitted.intent.id)
    found = admitted.intent if row is None else intent_of(row)
    if found.state is State.READY and not found.waiting_for:
        world.witness.wrong(f"intent {found.id} is slept over: its time came {_BEGUN_WITHIN:g} s ago")
