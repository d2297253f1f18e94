"""What a careful developer writes by hand with the standard library: the reference beside ours.

No windows, no half-open probes, no statistics, no thread safety. It shows what the parts of a pipeline cost when
nobody has made them cheap, and is what `benchmarks.regression` holds ours against.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from benchmarks.contenders import Build, Contender, Contenders
from benchmarks.targets import answer, answer_async, answer_suspending, fail

T = TypeVar("T")
LIBRARY = "by hand"
_VARIANT = "asyncio.timeout, a loop, counters; no window"


class OpenError(Exception):
    """The breaker is open for `retry_after` more seconds."""

    def __init__(self, retry_after: float) -> None:
        """Keep the seconds."""
        super().__init__(retry_after)
        self.retry_after = retry_after


class HandBreaker:
    """Consecutive failures open it for a while."""

    def __init__(self, *, failures_max: int, cooldown: float) -> None:
        """Start closed."""
        self._failures_max = failures_max
        self._cooldown = cooldown
        self._failures = 0
        self._opened_at = 0.0

    def call(self, function: Callable[[], T]) -> T:
        """Call a blocking function."""
        self._admit()
        try:
            result = function()
        except Exception:
            self._failed()
            raise
        self._failures = 0
        return result

    async def call_async(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call an async function."""
        self._admit()
        try:
            result = await function()
        except Exception:
            self._failed()
            raise
        self._failures = 0
        return result

    def _admit(self) -> None:
        left = self._opened_at + self._cooldown - time.monotonic()
        if self._failures >= self._failures_max and left > 0:
            raise OpenError(left)

    def _failed(self) -> None:
        self._failures += 1
        self._opened_at = time.monotonic()


class HandLimiter:
    """A token bucket of one second."""

    def __init__(self, rate: float) -> None:
        """Start full."""
        self._rate = rate
        self._tokens = rate
        self._filled_at = time.monotonic()

    def call(self, function: Callable[[], T]) -> T:
        """Call a blocking function."""
        self._take()
        return function()

    async def call_async(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call an async function."""
        self._take()
        return await function()

    def _take(self) -> None:
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            raise RuntimeError("limited")
        self._tokens -= 1


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


async def _retried() -> int:
    for attempt in range(3):
        try:
            return await answer_async()
        except OSError:
            if attempt == 2:
                raise
            await asyncio.sleep(0.1 * 2**attempt)
    raise RuntimeError("attempts must be at least 1")


def _breaker() -> HandBreaker:
    return HandBreaker(failures_max=5, cooldown=60.0)


def _limiter() -> HandLimiter:
    return HandLimiter(1e9)


def _open() -> Callable[..., Any]:
    breaker = HandBreaker(failures_max=1, cooldown=3600.0)
    with suppress(ConnectionError):
        breaker.call(fail)

    def refused() -> float | None:
        try:
            breaker.call(answer)
        except OpenError as error:
            return error.retry_after
        return None

    return refused


def _contender(variant: str, build: Build, *, thread_safe: bool | None = False) -> Contender:
    return Contender(library=LIBRARY, variant=variant, thread_safe=thread_safe, build=build)


CONTENDERS: Contenders = {
    "breaker_async": (_contender("consecutive", lambda: partial(_breaker().call_async, answer_async)),),
    "breaker_sync": (_contender("consecutive", lambda: partial(_breaker().call, answer)),),
    "refused": (_contender("with retry_after", _open),),
    "limit_sync": (_contender("token bucket", lambda: partial(_limiter().call, answer)),),
    "limit_async": (_contender("token bucket", lambda: partial(_limiter().call_async, answer_async)),),
    "retry": (_contender("a loop", lambda: _retried, thread_safe=None),),
    "timeout": (_contender("asyncio.timeout", lambda: _timed, thread_safe=None),),
    "scaling": (_contender("nothing but the call", lambda: answer, thread_safe=None),),
    "pipeline": (_contender(_VARIANT, lambda: partial(reference().call, answer_async)),),
    "pipeline_suspending": (_contender(_VARIANT, lambda: partial(reference().call, answer_suspending)),),
}
