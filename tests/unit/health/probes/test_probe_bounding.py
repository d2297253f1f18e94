"""Bounds of an answer: by the clock, and in threads that hang without harm."""

from __future__ import annotations

import asyncio
import threading

import pytest

from switchgear.core.clock import SYSTEM_CLOCK, VirtualClock
from switchgear.health.probes.bounding import LEFT_BEHIND_MAX, Countdown, Threads, within
from tests.turns import turns


async def test_silence_ends_at_the_bound() -> None:
    """What does not answer in its seconds has not answered."""
    clock = VirtualClock()
    waiting = asyncio.ensure_future(within(2.0, asyncio.Event().wait(), clock=clock))
    await clock.elapse(1.9)
    assert not waiting.done()
    await clock.elapse(0.2)
    with pytest.raises(TimeoutError, match="no answer within 2 s"):
        await waiting


async def test_another_timeout_and_a_cancellation_pass_unchanged() -> None:
    """Only our own expiry is worded by us."""

    async def failing() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await within(2.0, failing(), clock=VirtualClock())
    waiting = asyncio.ensure_future(within(2.0, asyncio.Event().wait(), clock=VirtualClock()))
    await turns()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_countdown_has_an_end() -> None:
    """Several steps share one bound."""
    clock = VirtualClock()
    countdown = Countdown(2.0, clock)
    clock.advance(1.5)
    assert countdown.left() == 0.5
    clock.advance(0.5)
    with pytest.raises(TimeoutError):
        countdown.left()


async def test_a_thread_gives_its_answer_or_its_error() -> None:
    """What the question gives or raises arrives, also what is no `Exception`."""
    threads = Threads()
    assert await threads.ask(lambda: "yes", seconds=5.0, clock=SYSTEM_CLOCK) == "yes"

    def failing() -> None:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        await threads.ask(failing, seconds=5.0, clock=SYSTEM_CLOCK)


async def test_what_hangs_is_left_behind_and_bounded() -> None:
    """Some questions may hang, so that a new one finds out that it is back. Then no more are asked until one ends."""
    clock, threads, released = VirtualClock(), Threads(), threading.Event()
    asked = threading.Semaphore(0)

    def hanging() -> None:
        asked.release()
        released.wait(30.0)

    for _ in range(LEFT_BEHIND_MAX):
        waiting = asyncio.ensure_future(threads.ask(hanging, seconds=2.0, clock=clock))
        await turns()
        assert asked.acquire(timeout=10.0)
        await clock.elapse(2.0)
        with pytest.raises(TimeoutError, match="no answer"):
            await waiting
    with pytest.raises(TimeoutError, match=f"{LEFT_BEHIND_MAX} earlier questions still hang"):
        await threads.ask(hanging, seconds=2.0, clock=clock)
    assert not asked.acquire(blocking=False)
    released.set()
    assert await answer_once_free(threads) == "back"


async def answer_once_free(threads: Threads) -> str:
    """Ask until a thread is free."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await threads.ask(lambda: "back", seconds=5.0, clock=SYSTEM_CLOCK)
            except TimeoutError:
                await turns()


def test_a_loop_that_is_gone_does_not_break_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Who asked may be gone with its loop when the answer comes: nothing is raised, and the place is free again."""
    threads, begun, released, ended = Threads(), threading.Event(), threading.Event(), threading.Event()

    def late() -> str:
        begun.set()
        released.wait(30.0)
        ended.set()
        return "late"

    async def ask() -> None:
        waiting = asyncio.ensure_future(threads.ask(late, seconds=60.0, clock=SYSTEM_CLOCK))
        await turns()
        assert begun.wait(60.0)
        waiting.cancel()

    asyncio.run(ask())
    released.set()
    assert ended.wait(60.0)
    assert asyncio.run(answer_once_free(threads)) == "back"
    assert caplog.text == ""
