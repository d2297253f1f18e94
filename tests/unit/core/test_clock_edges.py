"""The clocks at their edges: what waits, what wakes, and what never happens."""

import asyncio
import threading
import time
from typing import Any

import pytest

from switchgear.core.clock import SYSTEM_CLOCK, TIMER_EARLY_MAX, SystemClock, Timer, VirtualClock
from tests.turns import turns


def test_a_virtual_clock_starts_where_everybody_expects_it() -> None:
    """Second 1,000 of the machine, and 1,700,000,000 since the epoch, so that records of tests can be compared."""
    clock = VirtualClock()
    assert (clock.monotonic(), clock.time()) == (1_000.0, 1_700_000_000.0)


@pytest.mark.parametrize("seconds", [-0.5, float("nan")])
def test_time_never_goes_backwards(seconds: float) -> None:
    """The message shows what was asked for; standing still is allowed."""
    clock = VirtualClock()
    with pytest.raises(ValueError, match=r"^a monotonic clock") as refused:
        clock.advance(seconds)
    assert str(refused.value) == f"a monotonic clock cannot advance by {seconds!r}"
    clock.advance(0)
    assert clock.monotonic() == 1_000.0


def test_waiting_for_nothing_costs_nothing() -> None:
    """Negative and no seconds leave the clock where it is, for sleep and for wait."""
    clock = VirtualClock(start=0.0)
    clock.sleep(-1.0)
    clock.sleep(0.0)
    assert clock.wait(threading.Event(), -1.0) is False
    assert clock.wait(threading.Event(), 0.0) is False
    assert clock.monotonic() == 0.0


def test_a_wait_takes_its_time_unless_the_event_is_set() -> None:
    """An unset event costs the whole wait, a set one nothing."""
    clock, event = VirtualClock(start=0.0), threading.Event()
    assert clock.wait(event, 2.0) is False
    assert clock.monotonic() == 2.0
    event.set()
    assert clock.wait(event, 5.0) is True
    assert clock.monotonic() == 2.0


def test_a_timer_is_due_at_its_very_moment_and_at_none_before() -> None:
    """A callback sees the moment it asked for; one in the past runs at the next step, without turning time back."""
    clock, fired = VirtualClock(start=5.0), []
    clock.call_at(6.0, lambda: fired.append(clock.monotonic()))
    clock.call_at(1.0, lambda: fired.append(clock.monotonic()))
    clock.advance(0.5)
    assert fired == [5.0]
    clock.advance(0.5)
    assert fired == [5.0, 6.0]


def test_timers_of_one_moment_fire_in_the_order_they_were_set() -> None:
    """Nothing else decides between them."""
    clock, fired = VirtualClock(start=0.0), []
    for name in ("first", "second", "third"):
        clock.call_at(1.0, lambda name=name: fired.append(name))  # type: ignore[misc]  # binds now
    clock.advance(1.0)
    assert fired == ["first", "second", "third"]


def test_a_callback_may_move_the_clock() -> None:
    """Blocking code that sleeps inside a timer moves time on, and the step that woke it does not take it back."""
    clock = VirtualClock(start=0.0)
    clock.call_at(1.0, lambda: clock.sleep(5.0))
    clock.advance(2.0)
    assert clock.monotonic() == 6.0


async def test_elapse_ends_at_its_end_and_never_before() -> None:
    """Time stands at the end of the step, or later when a callback moved it on; tasks run before, between and after."""
    clock = VirtualClock(start=0.0)
    order: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep_async(seconds)
        order.append(clock.monotonic())
        clock.call_at(clock.monotonic() + 0.5, lambda: order.append(clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (2.0, 1.0)]
    await clock.elapse(2.0)
    assert order == [1.0, 1.5, 2.0]
    assert clock.monotonic() == 2.0
    await asyncio.gather(*tasks)
    clock.call_at(3.0, lambda: clock.advance(4.0))
    await clock.elapse(1.5)
    assert clock.monotonic() == 7.0


async def test_elapse_gives_a_task_twenty_turns_of_the_loop() -> None:
    """A task that needs as many turns before it sleeps still has its timer in time; fewer can be asked for."""
    clock = VirtualClock(start=0.0)
    taken: list[int] = []

    async def walker() -> None:
        for turn in range(100):
            taken.append(turn)
            await turns()

    task = asyncio.create_task(walker())
    await clock.elapse(1.0, turns=3)
    assert len(taken) == 6
    await clock.elapse(1.0)
    assert len(taken) == 46
    task.cancel()


async def test_sleeping_for_nothing_lets_others_run_once() -> None:
    """A yield is a yield: a ready task comes first, and no timer is left behind."""
    clock = VirtualClock()
    ran: list[float] = []
    for seconds in (0.0, -1.0):
        asyncio.get_running_loop().call_soon(ran.append, seconds)
        await clock.sleep_async(seconds)
        assert ran[-1] == seconds


async def test_a_cancelled_sleeper_leaves_no_timer_behind() -> None:
    """What nobody waits for any more does not fire, so a step does not stop at its moment."""
    clock = VirtualClock(start=0.0)
    task = asyncio.create_task(clock.sleep_async(5.0))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock._pop_due(10.0) is None  # noqa: SLF001 - a cancelled timer shows in no other way
    assert clock.monotonic() == 0.0


async def test_a_timer_that_is_cancelled_on_its_way_to_the_loop_stays_silent() -> None:
    """Between the step that fires it and the loop that runs it, a timer can still be taken back."""
    clock, fired = VirtualClock(start=0.0), []
    timer = clock.call_at(1.0, lambda: fired.append("fired"))
    clock.advance(1.0)
    timer.cancel()
    timer.cancel()
    await turns()
    assert fired == []


def test_a_timer_of_a_closed_loop_is_let_go() -> None:
    """Time may move on after the loop that waited for it has ended."""
    clock, fired = VirtualClock(start=0.0), []

    async def set_a_timer() -> None:
        clock.call_at(1.0, lambda: fired.append("fired"))

    asyncio.run(set_a_timer())
    clock.advance(2.0)
    assert fired == []


async def test_two_wakes_of_one_sleeper_are_one() -> None:
    """A sleeper that was woken and cancelled at once does not break the loop."""
    clock = VirtualClock(start=0.0)
    task = asyncio.create_task(clock.sleep_async(1.0))
    await turns()
    clock.advance(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await turns()


class Slept:
    """Notes for how long the system would have slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the system's ways to wait."""
        self.seconds: list[float] = []
        self.too_soon = 0.0
        monkeypatch.setattr(time, "sleep", self.seconds.append)
        monkeypatch.setattr(asyncio, "sleep", self.later)
        monkeypatch.setattr(
            SystemClock, "monotonic", lambda _clock: sum(self.seconds) - self.too_soon * len(self.seconds)
        )

    async def later(self, seconds: float) -> None:
        """Stand for the sleep of a task."""
        self.seconds.append(seconds)


async def test_the_system_clock_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are passed on; nothing and less than nothing never reach the system as such."""
    slept = Slept(monkeypatch)
    for seconds in (2.5, 0.5, 0.0, -1.0):
        SYSTEM_CLOCK.sleep(seconds)
    assert slept.seconds == [2.5, 0.5]
    for seconds in (2.5, 0.5, 0.0, -1.0):
        await SYSTEM_CLOCK.sleep_async(seconds)
    assert slept.seconds[2:] == [2.5, 0.5, 0.0, 0.0]


async def test_a_virtual_sleep_for_nothing_takes_no_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the loop for a turn and for no second."""
    slept = Slept(monkeypatch)
    await VirtualClock().sleep_async(0.0)
    assert slept.seconds == [0]


def test_the_system_clock_waits_for_an_event_as_long_as_it_is_told() -> None:
    """The wait of the event is asked with the seconds, at least 0, and its answer is returned."""
    asked: list[float | None] = []

    class Noted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.append(timeout)
            return self.is_set()

    event = Noted()
    assert SYSTEM_CLOCK.wait(event, 2.5) is False
    event.set()
    assert SYSTEM_CLOCK.wait(event, -1.0) is True
    assert asked == [2.5, 0.0]


async def test_the_system_clock_hands_timers_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment becomes a delay from now; one that has passed becomes no delay."""
    asked: list[float] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def noted(delay: float, callback: Any, *args: Any) -> Timer:  # noqa: ANN401 - the loop's own signature
        asked.append(delay)
        return later(0, callback, *args)

    monkeypatch.setattr(loop, "call_later", noted)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    SYSTEM_CLOCK.call_at(102.5, list).cancel()
    SYSTEM_CLOCK.call_at(99.0, list).cancel()
    monkeypatch.undo()
    assert asked == [2.5, 0.0]


def test_the_system_clock_reads_the_machine() -> None:
    """Both readings are those of the time module."""
    clock = SystemClock()
    assert clock.monotonic is time.monotonic
    assert clock.time is time.time


async def test_a_sleep_on_the_system_clock_is_never_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops may fire timers too soon, as uvloop's do: who was told to come back in a second does not come before."""
    slept = Slept(monkeypatch)
    slept.too_soon = 0.001
    await SYSTEM_CLOCK.sleep_async(2.5)
    assert slept.seconds == [2.5, pytest.approx(0.001 + TIMER_EARLY_MAX)]
