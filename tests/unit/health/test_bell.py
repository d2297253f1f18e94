"""A wait that anybody may end."""

from __future__ import annotations

import asyncio
import threading

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.health.bell import Bell
from switchgear.testing import SimulatedClock, VirtualClock, run_simulated


def test_rung_before_it_ends_the_next_wait() -> None:
    """Whoever rings a moment too early is heard; the wait after that is a whole one."""
    bell, clock = Bell(), VirtualClock(start=0.0)
    bell.ring()
    bell.wait(clock, 5.0)
    assert clock.monotonic() == 0.0
    bell.wait(clock, 5.0)
    assert clock.monotonic() == 5.0


def test_it_wakes_a_thread() -> None:
    """A thread that waits for long goes on at once."""
    bell = Bell()
    thread = threading.Thread(target=bell.wait, args=(SYSTEM_CLOCK, 30.0))
    thread.start()
    bell.ring()
    thread.join(60.0)
    assert not thread.is_alive()


def test_it_wakes_every_task_and_bounds_each_wait() -> None:
    """All who wait go on; who is not woken goes on when the time is over."""
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        bell = Bell()
        waiting = [asyncio.create_task(bell.wait_async(clock, 30.0)) for _ in range(3)]
        await clock.sleep_async(1.0)
        bell.ring()
        await asyncio.gather(*waiting)
        assert clock.monotonic() == 1.0
        await bell.wait_async(clock, 2.0)
        assert clock.monotonic() == 3.0

    run_simulated(main(), clock=clock)


def test_a_cancelled_wait_leaves_nothing() -> None:
    """Ringing after a task was cancelled ends the next wait, as if nobody had waited."""
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        bell = Bell()
        waiting = asyncio.create_task(bell.wait_async(clock, 30.0))
        await clock.sleep_async(1.0)
        waiting.cancel()
        await asyncio.wait([waiting])
        bell.ring()
        await bell.wait_async(clock, 30.0)
        assert clock.monotonic() == 1.0

    run_simulated(main(), clock=clock)
