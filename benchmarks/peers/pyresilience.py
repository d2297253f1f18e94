"""pyresilience: every policy in one decorator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyresilience import (
    AsyncRateLimiter,
    BulkheadConfig,
    CircuitBreakerConfig,
    CircuitOpenError,
    RateLimiter,
    RateLimiterConfig,
    RetryConfig,
    TimeoutConfig,
    resilient,
)

from benchmarks.contenders import Build, Contender, Contenders
from benchmarks.targets import answer, answer_async, answer_suspending, fail

_BREAKER = CircuitBreakerConfig(
    sliding_window_size=100,
    minimum_calls=10,
    slow_call_duration=2.0,
    slow_call_rate_threshold=0.5,
    recovery_timeout=60.0,
)
_LIMIT = RateLimiterConfig(max_calls=1_000_000_000, period=1.0)
_RETRY = RetryConfig(max_attempts=3, delay=0.1, retry_on=(OSError,))
_TIMEOUT = TimeoutConfig(seconds=5.0)


def _around(function: Callable[..., Any], **policies: object) -> Callable[..., Any]:
    guarded: Callable[..., Any] = resilient(**policies)(function)
    return guarded


def _open() -> Callable[..., Any]:
    state = {"function": fail}
    policy = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=3600.0)

    def dependency() -> object:
        return state["function"]()

    guarded = _around(dependency, circuit_breaker=policy)
    with suppress(ConnectionError):
        guarded()
    state["function"] = answer

    def refused() -> None:
        with suppress(CircuitOpenError):
            guarded()

    return refused


def _limited() -> Callable[..., Any]:
    limiter = RateLimiter(_LIMIT)

    def limited() -> int:
        return 42 if limiter.acquire() else 0

    return limited


def _limited_async() -> Callable[..., Any]:
    limiter = AsyncRateLimiter(_LIMIT)

    async def limited() -> int:
        return 42 if await limiter.acquire() else 0

    return limited


def _pipeline(function: Callable[..., Any]) -> Callable[..., Any]:
    return _around(
        function,
        retry=_RETRY,
        timeout=_TIMEOUT,
        circuit_breaker=_BREAKER,
        bulkhead=BulkheadConfig(max_concurrent=64),
        rate_limiter=_LIMIT,
    )


def _contender(variant: str, build: Build, *, thread_safe: bool = True) -> tuple[Contender]:
    return (Contender(library="pyresilience", variant=variant, thread_safe=thread_safe, build=build),)


_WINDOW = "window of 100 calls, slow calls"
_SYNC = _contender(_WINDOW, lambda: _around(answer, circuit_breaker=_BREAKER))
CONTENDERS: Contenders = {
    "breaker_async": _contender(_WINDOW, lambda: _around(answer_async, circuit_breaker=_BREAKER)),
    "breaker_sync": _SYNC,
    "scaling": _SYNC,
    "refused": _contender("no retry_after", _open),
    "limit_sync": _contender("token bucket, one key", _limited),
    "limit_async": _contender("token bucket, one key", _limited_async, thread_safe=False),
    "retry": _contender("decorator", lambda: _around(answer_async, retry=_RETRY)),
    "timeout": _contender("decorator", lambda: _around(answer_suspending, timeout=_TIMEOUT)),
    "pipeline": _contender("one decorator", lambda: _pipeline(answer_async), thread_safe=False),
    "pipeline_suspending": _contender("one decorator", lambda: _pipeline(answer_suspending), thread_safe=False),
}
