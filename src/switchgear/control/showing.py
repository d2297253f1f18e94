"""Shows an intent whole: what is on record of it, what holds it now, and what it belongs to. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from switchgear.control.belongings import ALONE, Belongings, belongings_of, belongs
from switchgear.control.intent_views import IntentView, intent_view
from switchgear.control.obstacles import obstacle_view
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent


def shown_at_once(
    engine: Engine, principal: Principal, intent: Intent, belongings: Belongings, *, replayed: bool = False
) -> IntentView:
    """Return what `principal` may see of `intent`, whose `belongings` are read already."""
    return intent_view(
        intent,
        engine.lane_paused_for,
        obstacle=obstacle_view(engine, principal, intent),
        belongings=belongings,
        replayed=replayed,
    )


async def shown_whole(engine: Engine, principal: Principal, intent: Intent) -> IntentView:
    """Return what `principal` may see of `intent`. Raises `StoreError` when the store cannot be read."""
    return shown_at_once(engine, principal, intent, await belongings_of(engine, intent))


async def all_shown_whole(engine: Engine, principal: Principal, intents: Sequence[Intent]) -> list[IntentView]:
    """Return what `principal` may see of each of `intents`, a page at most: what they belong to is read together."""
    read = iter(await asyncio.gather(*(belongings_of(engine, intent) for intent in intents if belongs(intent))))
    return [shown_at_once(engine, principal, intent, next(read) if belongs(intent) else ALONE) for intent in intents]
