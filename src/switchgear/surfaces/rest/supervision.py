"""Tells the service manager, where there is one, how a server stands: started, alive, stopping.

A start has ended when requests are answered and no guard was found that does not fire; a server that is not ready for
another reason says so in its status, since a person may have to reach it. It is alive while its event loop turns and
none of the engine's own loops has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from switchgear.adapters.systemd import Notifier
from switchgear.assembly.gear import Switchgear
from switchgear.control.readiness import ReadinessView
from switchgear.surfaces.rest.traffic import Traffic

_LOG = structlog.get_logger("switchgear.rest")
STATUS_EVERY = 5.0
"""Seconds between two looks at readiness, for the status."""


class Supervision:
    """What one server tells its service manager. Without a notifier it tells nobody."""

    def __init__(self, gear: Switchgear, traffic: Traffic, notifier: Notifier | None) -> None:
        """Tell `notifier` of `gear`, and of the server that counts in `traffic`."""
        self._gear = gear
        self._traffic = traffic
        self._notifier = notifier
        self._listening = asyncio.Event()

    def listening(self) -> None:
        """Take note that requests are answered from now on."""
        self._listening.set()

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell the manager while the block runs."""
        if self._notifier is None:
            yield
            return
        tasks = [asyncio.create_task(work) for work in (self._tell_life(self._notifier), self._keep(self._notifier))]
        for task in tasks:
            task.add_done_callback(_report)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_life(self, notifier: Notifier) -> None:
        await self._listening.wait()
        told, started = "", False
        while not self._traffic.stopping:
            view = await self._gear.control.readiness.check()
            if not started and not self._gear.control.readiness.self_test.failed:
                notifier.ready(told := status_of(view))
                started = True
            elif (status := status_of(view)) != told:
                notifier.status(told := status)
            await self._stop_or(STATUS_EVERY)
        notifier.stopping(f"stopping, for at most {self._traffic.limits.grace:g} s")

    async def _stop_or(self, seconds: float) -> None:
        """Return once a stop was asked for, at the latest after `seconds`."""
        sleeping = asyncio.create_task(self._gear.clock.sleep_async(seconds))
        stopping = asyncio.create_task(self._traffic.wait_stopping())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()

    async def _keep(self, notifier: Notifier) -> None:
        """Say that it is alive as often as the manager wants to hear it, until it is not."""
        if notifier.watchdog_every is None:
            return
        while self._gear.engine.defect is None:
            notifier.alive()
            await self._gear.clock.sleep_async(notifier.watchdog_every)
        notifier.status("a loop of the engine has ended; see the log")


def _report(task: asyncio.Task[None]) -> None:
    """Say that nobody tells the manager any more; it will act on that."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("the service manager is not told any more", exc_info=error)


def status_of(view: ReadinessView) -> str:
    """Return readiness in a line."""
    wrong = [f"{name} {state}" for name, state in view.parts.items() if state != "ok"]
    return "ready" if view.ready else f"not ready: {', '.join(wrong)}"
