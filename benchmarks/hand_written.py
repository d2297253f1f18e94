"""What a careful developer writes by hand with the standard library: the reference beside ours.

No windows, no half-open probes, no statistics, no thread safety. It shows what the parts of a pipeline cost when
nobody has made them cheap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer_async, answer_suspending

T = TypeVar("T")
LIBRARY = "by hand"
_VARIANT = "asyncio.timeout, a loop, counters; no window"


class HandWritten:
    """Timeout, retry, consecutive breaker, token bucket and semaphore round an async call."""

    def __init__(self, *, seconds: float, attempts: int, failures_max: int, rate: float, places: int) -> None:
        """Start closed, with a full bucket."""
        self._seconds = seconds
        self._attempts = attempts
        self._failures_max = failures_max
        self._failures = 0
        self._rate = rate
        self._tokens = rate
        self._filled_at = time.monotonic()
        self._places = asyncio.Semaphore(places)

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call `function` under all five."""
        for attempt in range(self._attempts):
            self._admit()
            try:
                async with self._places, asyncio.timeout(self._seconds):
                    result = await function()
            except OSError:
                self._failures += 1
                if attempt + 1 == self._attempts:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                self._failures = 0
                return result
        raise RuntimeError("attempts must be at least 1")

    def _admit(self) -> None:
        if self._failures >= self._failures_max:
            raise RuntimeError("open")
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            raise RuntimeError("limited")
        self._tokens -= 1


def reference() -> HandWritten:
    """Return one that never refuses at the speed of a benchmark."""
    return HandWritten(seconds=5.0, attempts=3, failures_max=5, rate=1e9, places=64)


async def _timed() -> int:
    async with asyncio.timeout(5.0):
        return await answer_suspending()


CONTENDERS: Contenders = {
    "timeout": (Contender(library=LIBRARY, variant="asyncio.timeout", thread_safe=None, build=lambda: _timed),),
    "pipeline": (
        Contender(
            library=LIBRARY,
            variant=_VARIANT,
            thread_safe=False,
            build=lambda: partial(reference().call, answer_async),
        ),
    ),
    "pipeline_suspending": (
        Contender(
            library=LIBRARY,
            variant=_VARIANT,
            thread_safe=False,
            build=lambda: partial(reference().call, answer_suspending),
        ),
    ),
}
