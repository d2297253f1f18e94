"""Clocks, deadlines and ids."""

import asyncio
import random
import threading

import pytest

from switchgear.core.clock import SYSTEM_CLOCK, Timer
from switchgear.core.deadline import Deadline, current_deadline, deadline
from switchgear.core.errors import OptionError
from switchgear.core.ids import IdSource, created_at
from switchgear.testing import VirtualClock


def test_a_virtual_clock_stands_still_until_told() -> None:
    """Time moves by `advance` and by blocking sleeps; the wall clock may jump alone; nothing goes backwards."""
    clock = VirtualClock(start=5.0, wall=100.0)
    clock.advance(2.0)
    clock.sleep(3.0)
    clock.sleep(-1.0)
    assert (clock.monotonic(), clock.time()) == (10.0, 105.0)
    clock.jump_wall(-50.0)
    assert (clock.monotonic(), clock.time()) == (10.0, 55.0)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="cannot advance"):
            clock.advance(wrong)


def test_timers_fire_in_the_order_of_their_moments() -> None:
    """`advance` fires what is due, in order, at its own moment; cancelled timers stay silent."""
    clock = VirtualClock(start=0.0)
    fired: list[tuple[str, float]] = []
    for name, when in (("late", 3.0), ("early", 1.0), ("never", 9.0)):
        clock.call_at(when, lambda name=name: fired.append((name, clock.monotonic())))  # type: ignore[misc]  # binds now
    clock.call_at(2.0, lambda: fired.append(("cancelled", 0.0))).cancel()
    clock.advance(5.0)
    assert fired == [("early", 1.0), ("late", 3.0)]


async def test_tasks_wake_when_their_moment_passes() -> None:
    """`elapse` wakes sleepers one after the other and lets them run in between."""
    clock = VirtualClock(start=0.0)
    woken: list[float] = []

    async def sleeper() -> None:
        for _ in range(3):
            await clock.sleep_async(1.0)
            woken.append(clock.monotonic())

    task = asyncio.create_task(sleeper())
    await clock.elapse(2.5)
    assert woken == [1.0, 2.0]
    await clock.elapse(0.5)
    await task
    await clock.sleep_async(0.0)


def test_waiting_for_an_event_takes_virtual_time_only_if_needed() -> None:
    """A set event returns at once; an unset one costs the whole wait."""
    clock = VirtualClock(start=0.0)
    event = threading.Event()
    assert not clock.wait(event, 2.0)
    event.set()
    assert clock.wait(event, 2.0)
    assert clock.monotonic() == 2.0


async def test_the_system_clock_keeps_its_promises() -> None:
    """Nothing blocks for 0 or less, and timers are timers."""
    SYSTEM_CLOCK.sleep(0)
    await SYSTEM_CLOCK.sleep_async(-1)
    assert not SYSTEM_CLOCK.wait(threading.Event(), 0)
    fired = asyncio.Event()
    timer = SYSTEM_CLOCK.call_at(SYSTEM_CLOCK.monotonic(), fired.set)
    assert isinstance(timer, Timer)
    await fired.wait()


def test_the_tightest_deadline_wins() -> None:
    """Nested scopes tighten, never loosen, and end where they began."""
    clock = VirtualClock()
    with deadline(10.0, clock=clock) as outer:
        with deadline(5.0, clock=clock) as inner:
            assert current_deadline() is inner
            assert inner.remaining() == 5.0
        with deadline(20.0, clock=clock) as loose:
            assert loose is outer
        clock.advance(11.0)
        assert outer.remaining() == -1.0
    assert current_deadline() is None


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_deadline_is_finite_seconds(seconds: float) -> None:
    """What cannot be a deadline is refused."""
    with pytest.raises(OptionError, match="deadline"):
        deadline(seconds)


def test_a_deadline_can_be_read_on_another_clock() -> None:
    """What remains is carried over once and stays fixed from then on."""
    here, there = VirtualClock(start=0.0), VirtualClock(start=500.0)
    limit = Deadline(4.0, here)
    assert limit.moment_on(there) == 504.0
    here.advance(3.0)
    assert limit.moment_on(there) == 504.0
    assert limit.moment_on(here) == 4.0


def test_ids_rise_also_when_the_wall_clock_steps_back() -> None:
    """Ids of one source sort by creation, never repeat, and tell their time; the same seed gives the same ids."""

    def some(seed: int) -> list[str]:
        clock = VirtualClock()
        source = IdSource(clock, random.Random(seed))
        ids = [source.next("int") for _ in range(100)]
        clock.jump_wall(-3600.0)
        return ids + [source.next("int") for _ in range(100)]

    ids = some(1)
    assert ids == sorted(set(ids)) == some(1) != some(2)
    assert created_at(ids[0]) == 1_700_000_000.0


def test_ids_of_many_threads_never_repeat() -> None:
    """One source may be used by all threads."""
    source, made = IdSource(), []

    def work() -> None:
        made.extend([source.next("int") for _ in range(500)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(made)) == 2_000


@pytest.mark.parametrize("text", ["", "int_", "0" * 32, "int_12", "int_" + "x" * 32])
def test_what_is_no_id_has_no_time(text: str) -> None:
    """Foreign text is refused."""
    with pytest.raises(ValueError, match=r"id|literal"):
        created_at(text)
