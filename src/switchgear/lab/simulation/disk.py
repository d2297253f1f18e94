"""The store as one life of an engine sees it: every append passes points at which that life may end.

What the disk does to appends is the business of the store below it. Nothing of a life that has ended reaches it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from switchgear.execution.recorder import INTENTS
from switchgear.execution.transitions import State
from switchgear.lab.simulation.overseer import OverseenStore
from switchgear.lab.simulation.standing_still import outside
from switchgear.lab.simulation.wall import WallClock
from switchgear.storage.abilities import Append, Appended, Committed, Row


class Mortal(Protocol):
    """A life that may end at any point."""

    @property
    def owner(self) -> str:
        """The name of the engine that lives it."""

    async def pass_by(self, point: str) -> None:
        """Go past a point, or stand still there for a while."""

    def reach(self, point: str) -> None:
        """Go past a point, or end there: then `asyncio.CancelledError` is raised."""


class Disk:
    """A `Store` for one life. Reads take a turn of the loop, as those of a real store do."""

    def __init__(self, store: OverseenStore, life: Mortal, wall: WallClock) -> None:
        """Pass on to `store` while `life` lasts, and let `wall` know when what was written."""
        self._store = store
        self._life = life
        self._wall = wall

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        """Everything else is the store's own."""
        self._life.reach("reading")
        return getattr(self._store, name)

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Read a row."""
        await asyncio.sleep(0)
        self._life.reach("reading")
        return await self._store.get(space, tenant, key)

    async def append(self, append: Append) -> Appended:
        """Append, and live to hear of it, or not."""
        self._store.writers[append.id] = self._life.owner
        self._life.reach("append")
        self._wall.writing(append)
        outcome = await self._store.append(append)
        if isinstance(outcome, Committed):
            self._wall.wrote(append)
        self._life.reach("acknowledged")
        return outcome


class SharedDisk(Disk):
    """A `Store` that several engines share: what one has sent lands, whether the engine stands still or ends."""

    async def append(self, append: Append) -> Appended:
        """Append, and live to hear of it in time, or late, or not."""
        self._store.writers[append.id] = self._life.owner
        self._wall.writing(append)
        await self._life.pass_by("append")
        self._life.reach("append")
        landing = asyncio.get_running_loop().create_task(self._store.append(append), context=outside())
        outcome = await asyncio.shield(landing)
        if isinstance(outcome, Committed):
            self._wall.wrote(append)
        await self._life.pass_by("dispatched" if _dispatches(append) else "acknowledged")
        self._life.reach("acknowledged")
        return outcome


def _dispatches(append: Append) -> bool:
    """Return whether something may leave once an append has committed."""
    return any((write.space, write.facet) == (INTENTS, State.DISPATCHED) for write in append.writes)
