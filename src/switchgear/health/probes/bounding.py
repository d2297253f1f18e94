"""Bounds of a probe: an answer within seconds, and blocking questions in threads that may hang without harm.

A thread cannot be stopped. One whose question hangs is left behind, and its late answer counts for nothing. A few may
be left behind by each probe, so that a question asked anew can find out that the dependency is back. No more than
those: a dependency that hangs for ever never eats the threads of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from switchgear.core.clock import Clock
from switchgear.core.mutexes import Mutex
from switchgear.guard.workers import start_in_worker
from switchgear.policies.checks import require_seconds

R = TypeVar("R")

LEFT_BEHIND_MAX = 4
"""Questions of one probe that may hang in threads at once. Then the probe asks no more until one of them ends."""


async def within(seconds: float, work: Awaitable[R], *, clock: Clock) -> R:
    """Wait for `work` at most `seconds`. Raises `TimeoutError` that says so; what `work` raises passes unchanged."""
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(None)
    try:
        async with scope:
            timer = clock.call_at(clock.monotonic() + seconds, lambda: scope.reschedule(loop.time()))
            try:
                return await work
            finally:
                timer.cancel()
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise _late(seconds) from error


class Countdown:
    """The seconds that are left of a question with several steps, all of them in one thread."""

    __slots__ = ("_clock", "_ends", "_seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        """Start now."""
        self._clock = clock
        self._seconds = seconds
        self._ends = clock.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, above 0. Raises `TimeoutError` when there are none."""
        seconds = self._ends - self._clock.monotonic()
        if seconds <= 0:
            raise _late(self._seconds)
        return seconds


class Threads:
    """Asks the blocking questions of one probe, each in a worker thread of its own."""

    __slots__ = ("_asking", "_lock")

    def __init__(self) -> None:
        """Start with no thread."""
        self._asking = 0
        self._lock = Mutex()

    async def ask(self, question: Callable[[], R], *, seconds: float, clock: Clock) -> R:
        """Call `question` in a thread and return its answer.

        Raises what it raises, `TimeoutError` when it takes longer than `seconds` or too many still hang, and
        `Overloaded` when this process has no thread left.
        """
        answer: Future[R] = Future()
        self._begin()
        try:
            start_in_worker(lambda: self._answer(question, answer), clock)
        except BaseException:
            self._end()
            raise
        return await within(seconds, asyncio.wrap_future(answer), clock=clock)

    def _answer(self, question: Callable[[], R], answer: Future[R]) -> None:
        """Put into `answer` what the question gives, unless nobody waits any more before it was asked."""
        try:
            if answer.set_running_or_notify_cancel():
                answer.set_result(question())
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked, where it is raised
            answer.set_exception(error)
        finally:
            self._end()

    def _begin(self) -> None:
        with self._lock:
            if self._asking >= LEFT_BEHIND_MAX:
                raise TimeoutError(f"{self._asking} earlier questions still hang")
            self._asking += 1

    def _end(self) -> None:
        with self._lock:
            self._asking -= 1


def require_timeout(probe: object, seconds: float) -> None:
    """Raise `OptionError` unless `seconds` can bound a probe."""
    require_seconds(f"{type(probe).__name__}(timeout)", seconds, example=2.0)


def _late(seconds: float) -> TimeoutError:
    return TimeoutError(f"no answer within {seconds:g} s")
