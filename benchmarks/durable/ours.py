"""Switchgear on SQLite through its Python API, with everything at its default: WAL, synchronous=FULL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from switchgear.assembly import Switchgear
from switchgear.execution.contract import Call

_TOOL = "bench.act"


class _Ours:
    """One gear with one tool that returns at once."""

    variant = "SQLite, defaults, `dedicate_process()`"

    def __init__(self, gear: Switchgear) -> None:
        self.effects = 0
        self._gear = gear
        self._acting = gear.acting_as(tenant="bench", account="main", actor="service:bench")
        gear.tool(_TOOL, effect="keyed")(self._tool)

    async def _tool(self, call: Call, number: int) -> int:
        self.effects += 1
        return number + call.attempt

    async def act(self, number: int) -> float:
        """Submit, wait, and make sure that it succeeded."""
        start = time.perf_counter()
        intent = await self._acting.submit(_TOOL, {"number": number}, key=f"key-{number}")
        outcome = await intent.result(timeout=60.0)
        if not outcome.succeeded:
            raise RuntimeError(f"action {number} ended {outcome.state}: {outcome.message}")
        return time.perf_counter() - start

    async def burst(self, numbers: range) -> None:
        """Submit all as tasks of their own and wait for all."""
        await asyncio.gather(*map(self.act, numbers))

    def syncs(self) -> int:
        """Return the syncs so far: one a commit group, and those of checkpoints."""
        return self._gear.store.statistics().syncs


@asynccontextmanager
async def opening(folder: Path) -> AsyncIterator[_Ours]:
    """Open a gear on a new file in `folder`."""
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}") as gear:
        gear.dedicate_process()
        yield _Ours(gear)
