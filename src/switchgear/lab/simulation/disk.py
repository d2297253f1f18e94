"""The store as one life of an engine sees it: every append passes points at which that life may end.

What the disk does to appends is the business of the store below it. Nothing of a life that has ended reaches it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from switchgear.lab.simulation.wall import WallClock
from switchgear.storage.abilities import Append, Appended, Committed, Row
from switchgear.testing import FaultyStore


class Mortal(Protocol):
    """A life that may end at any point."""

    def reach(self, point: str) -> None:
        """Go past a point, or end there: then `asyncio.CancelledError` is raised."""


class Disk:
    """A `Store` for one life. Reads take a turn of the loop, as those of a real store do."""

    def __init__(self, store: FaultyStore, life: Mortal, wall: WallClock) -> None:
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
        self._life.reach("append")
        self._wall.writing(append)
        outcome = await self._store.append(append)
        if isinstance(outcome, Committed):
            self._wall.wrote(append)
        self._life.reach("acknowledged")
        return outcome
