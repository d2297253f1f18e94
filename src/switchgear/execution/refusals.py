"""Counts refusals that came before an intent existed, and writes the counts to the ledger now and then.

A flood of refused requests must not become a flood of ledger entries; that there was one must still be on record.
"""

from __future__ import annotations

import asyncio

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.kill_switches.switches import SELF_PROBE
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Committed, Store

_ROWS_MAX = 10_000
_OTHERS = "(others)"
ADMISSION = "admission"


class Refusals:
    """Counts per tenant, tool and code since the last flush. Beyond 10,000 rows the tool is counted as others."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Start with nothing counted."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._counts: dict[tuple[str, str, str], int] = {}
        self._since = clock.time()
        self._flushing = asyncio.Lock()

    def count(self, tenant: str, tool: str, code: Code) -> None:
        """Count one refusal."""
        if tool == SELF_PROBE and tenant == PLATFORM_TENANT:
            return  # the self-test: nobody wanted it done, and readiness says what came of it
        row = (tenant, tool, str(code))
        if row not in self._counts and len(self._counts) >= _ROWS_MAX:
            row = (tenant, _OTHERS, str(code))
        self._counts[row] = self._counts.get(row, 0) + 1

    async def flush(self) -> None:
        """Record what was counted. What could not be recorded stays counted. One at a time: nothing counts twice.

        Raises `StoreError` when the ledger cannot be written.
        """
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        until = self._clock.time()
        for row in list(self._counts):
            count = self._counts[row]
            tenant, tool, code = row
            if await self._recorded(tenant, {"tool": tool, "code": code, "count": count, "since": self._since}):
                self._forget(row, count)
        self._since = until

    def _forget(self, row: tuple[str, str, str], count: int) -> None:
        left = self._counts[row] - count
        if left:
            self._counts[row] = left
        else:
            del self._counts[row]

    async def _recorded(self, tenant: str, facts: dict[str, object]) -> bool:
        event = self._encoder.encode(
            "admission.refused",
            stream=ADMISSION,
            scope=Scope(tenant, "admission", "switchgear"),
            at=self._clock.time(),
            facts=facts,
        )
        return isinstance(await self._store.append(Append(self._ids.next("apd"), tenant, (event,))), Committed)
