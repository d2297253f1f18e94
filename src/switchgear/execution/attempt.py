"""Runs one attempt of a connector, bounded by its deadline, and always comes back with a result.

The attempt runs in a task of its own, so that its cancellation and the kernel's never mix. One that does not
react to cancellation is abandoned after a grace and counted; nothing waits for it any longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.deadline import CURRENT
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Connector, Result, Uncertain

CANCEL_GRACE = 1.0
"""Seconds that a cancelled attempt has to end."""


@dataclass(slots=True)
class AttemptCounts:
    """How many attempts timed out, and how many of them had to be abandoned."""

    timed_out: int = 0
    abandoned: int = 0


class Attempts:
    """Runs attempts on a clock and keeps hold of those that are running."""

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._running: set[asyncio.Task[Result]] = set()
        self._cut_off: set[asyncio.Task[Result]] = set()
        self.counts = AttemptCounts()

    async def run(self, connector: Connector, call: Call) -> Result:
        """Make one attempt and return what is known of it, at the latest a grace after its deadline."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(_attempt(connector, call))
        self._running.add(task)
        task.add_done_callback(lambda _: _resolve(ended))
        timer = self._clock.call_at(call.deadline.moment_on(self._clock), lambda: self._expire(task, ended))
        try:
            await ended
        finally:
            timer.cancel()
            self._running.discard(task)
        return self._result_of(task)

    def cut_off(self) -> None:
        """Cancel every running attempt: this process is ending."""
        for task in list(self._running):
            self._cut_off.add(task)
            task.cancel()

    def _expire(self, task: asyncio.Task[Result], ended: asyncio.Future[None]) -> None:
        if not task.done():
            self.counts.timed_out += 1
            task.cancel()
            self._clock.call_at(self._clock.monotonic() + CANCEL_GRACE, lambda: _resolve(ended))

    def _result_of(self, task: asyncio.Task[Result]) -> Result:
        if task in self._cut_off:
            self._cut_off.discard(task)
            return Uncertain(Code.SHUTTING_DOWN, "the engine stopped before an answer came", Verdict.IGNORED)
        if not task.done():
            self.counts.abandoned += 1
            return Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time; the attempt ignored its cancellation")
        if task.cancelled():
            return Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time")
        return task.result()


async def _attempt(connector: Connector, call: Call) -> Result:
    CURRENT.set(call.deadline)
    try:
        return await connector.execute(call)
    except Exception as error:  # noqa: BLE001 - outermost driver: whatever a connector raises, something may have left
        return Uncertain(Code.DEPENDENCY_FAILED, f"{type(error).__name__}: {error}"[:500])


def _resolve(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
