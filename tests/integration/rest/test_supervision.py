"""What a service manager is told of a server: when it has started, whether it lives, and how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from switchgear.adapters.systemd import Notifier, NotifyOptions
from switchgear.assembly import Switchgear
from switchgear.control.self_test import Trial
from switchgear.core.codes import Code
from switchgear.surfaces.rest import RestLimits, Traffic
from switchgear.surfaces.rest.supervision import STATUS_EVERY, Supervision
from switchgear.testing import VirtualClock


class Told(Notifier):
    """A notifier that remembers what it was told, and sends nothing."""

    def __init__(self, watchdog_every: float | None = None) -> None:
        """Start with nothing told."""
        super().__init__(NotifyOptions("@nowhere", watchdog_every))
        self.said: list[str] = []

    def _send(self, assignment: str, status: str = "") -> None:
        self.said.append(f"{assignment} {status}".strip())


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock()


@pytest.fixture
async def gear(clock: VirtualClock) -> AsyncIterator[Switchgear]:
    """Open a gear in memory."""
    async with Switchgear.open(store="memory://", start=False, clock=clock) as opened:
        yield opened


@pytest.fixture
async def traffic() -> Traffic:
    """Return the traffic of a server that runs."""
    return Traffic(RestLimits(grace=7.0))


async def test_a_start_has_ended_once_requests_are_answered(
    gear: Switchgear, traffic: Traffic, clock: VirtualClock
) -> None:
    """READY=1 comes once, STOPPING=1 at the first word of a stop."""
    with Told() as told:
        supervision = Supervision(gear, traffic, told)
        async with supervision.telling():
            await clock.elapse(10.0)
            assert told.said == []
            supervision.listening()
            await clock.elapse(20.0)
            assert told.said == ["READY=1 ready"]
            traffic.stop()
            await clock.elapse(0.0)
    assert told.said == ["READY=1 ready", "STOPPING=1 stopping, for at most 7 s"]


async def test_a_guard_that_did_not_fire_is_never_started(
    gear: Switchgear, traffic: Traffic, clock: VirtualClock
) -> None:
    """A manager that waits for READY=1 ends such a process and says so; the status says why."""

    async def let_through() -> Code | None:
        return None

    gear.control.readiness.self_test.add([Trial("rest", "kill_switch", Code.KILL_SWITCH_ACTIVE, let_through)])
    with Told() as told:
        supervision = Supervision(gear, traffic, told)
        supervision.listening()
        async with supervision.telling():
            await clock.elapse(30.0)
    assert told.said == ["not ready: self_test GUARD_DID_NOT_FIRE: rest kill_switch"]


async def test_what_is_not_ready_for_another_reason_has_started_and_says_so(
    gear: Switchgear, traffic: Traffic, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person may have to reach it: a restored store is thawed over REST. Each change is told once."""
    monkeypatch.setattr(gear.engine.recorder, "rests_before", 1.0)
    with Told() as told:
        supervision = Supervision(gear, traffic, told)
        supervision.listening()
        async with supervision.telling():
            await clock.elapse(3 * STATUS_EVERY)
            monkeypatch.undo()
            await clock.elapse(3 * STATUS_EVERY)
    assert told.said == ["READY=1 not ready: restore RESTORE_PENDING", "ready"]


async def test_the_watchdog_hears_of_it_while_the_engine_lives(
    gear: Switchgear, traffic: Traffic, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a loop of the engine has ended nothing is said any more, so the manager starts it again."""
    with Told(watchdog_every=2.0) as told:
        async with Supervision(gear, traffic, told).telling():
            await clock.elapse(5.0)
            assert told.said == ["WATCHDOG=1"] * 3
            monkeypatch.setattr(gear.engine, "defect", "RuntimeError: gone")
            await clock.elapse(20.0)
    assert told.said == [*["WATCHDOG=1"] * 3, "a loop of the engine has ended; see the log"]


async def test_without_a_manager_nothing_runs(gear: Switchgear, traffic: Traffic) -> None:
    """Most servers have none."""
    before = len(asyncio.all_tasks())
    async with Supervision(gear, traffic, None).telling():
        assert len(asyncio.all_tasks()) == before
