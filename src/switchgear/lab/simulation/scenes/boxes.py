"""Time-boxes: an action for a while, reverted in time, early, or later than planned."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from switchgear.core.scope import Scope
from switchgear.execution.admission import Submission
from switchgear.execution.time_boxes.box import SPACE, TimeBox, decoded_box
from switchgear.execution.time_boxes.driver import TimeBoxes
from switchgear.lab.simulation.catalogue import ACTOR, BOXED
from switchgear.lab.simulation.scenes.clients import submitted
from switchgear.lab.simulation.world import World

Tended = Coroutine[Any, Any, TimeBox]
_SECONDS = (5.0, 30.0, 120.0)


async def open_box(world: World) -> None:
    """Submit an action that is to hold for a while."""
    key = f"box{world.chance.randrange(12)}"
    arguments = {"user": key}
    seconds = _SECONDS[int(key[3:]) % len(_SECONDS)]  # always the same for a key, so that a repeat is one
    scope = Scope(world.tenant(), "main", ACTOR)
    await submitted(world, Submission(scope=scope, tool=BOXED, arguments=arguments, key=key, time_box=seconds))


async def tend_box(world: World) -> None:
    """Revert a box early, extend it, or let the action stay."""
    rows = await world.store.page(SPACE, world.tenant(), limit=10)
    if not rows:
        return
    row = world.chance.choice(rows)
    box, kind = decoded_box(row.key, row.value), world.chance.choice(("revert", "extend", "extend", "close"))
    await world.ask(lambda engine: _TEND[kind](engine.time_boxes, box))


def _revert(boxes: TimeBoxes, box: TimeBox) -> Tended:
    return boxes.revert(box.tenant, box.id, by="person:kim", reason="drill")


def _extend(boxes: TimeBoxes, box: TimeBox) -> Tended:
    return boxes.extend(box.tenant, box.id, 20.0, by="person:kim", reason="drill")


def _close(boxes: TimeBoxes, box: TimeBox) -> Tended:
    return boxes.close(box.tenant, box.id, by="person:kim", reason="drill")


_TEND = {"revert": _revert, "extend": _extend, "close": _close}
