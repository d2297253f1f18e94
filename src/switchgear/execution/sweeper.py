"""Looks over the waiting intents now and then: what has expired ends, what was held for a tool that is here goes on."""

from __future__ import annotations

import asyncio

from switchgear.core.errors import StoreError
from switchgear.execution import decide
from switchgear.execution.intent import Change, Intent, Kind, State
from switchgear.execution.kernel import Kernel
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import StaleError

SWEEP_EVERY = 1.0
"""Seconds between two looks."""
_AT_ONCE = 64


class Sweeper:
    """One per engine, beside the kernel."""

    def __init__(self, parts: Parts, kernel: Kernel) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._kernel = kernel

    async def run(self) -> None:
        """Sweep every second, for ever."""
        while True:
            await self._parts.clock.sleep_async(SWEEP_EVERY)
            await self.sweep()

    async def sweep(self) -> None:
        """Settle what is due. Each intent is settled alone: one that cannot be waits for the next time."""
        now = self._parts.clock.time()
        due = [intent for intent in self._parts.recorder.live.values() if self._change(intent, now)]
        for start in range(0, len(due), _AT_ONCE):
            await asyncio.gather(*(self._settle(intent, now) for intent in due[start : start + _AT_ONCE]))

    async def _settle(self, intent: Intent, now: float) -> None:
        changes = self._change(intent, now)  # asked again: the kernel may have begun to carry it meanwhile
        if not changes:
            return
        try:
            after = await self._parts.recorder.record(intent, changes, actor=ACTOR)
        except StoreError:
            return
        except StaleError:
            found = self._parts.recorder.live.get(intent.id)
            if found is None:
                return
            after = found
        if intent.state is State.HELD and after.state is State.READY:
            self._kernel.enqueue(after)  # also when an earlier release is on record without our having heard of it

    def _change(self, intent: Intent, now: float) -> tuple[Change, ...]:
        if intent.state not in (State.READY, State.HELD) or self._kernel.carries(intent.id):
            return ()
        if intent.deadline_at <= now:
            return decide.expiry(intent)
        if intent.state is State.HELD and self._parts.registry.get(intent.tool) is not None:
            return (Change(Kind.RELEASED),)
        return ()
