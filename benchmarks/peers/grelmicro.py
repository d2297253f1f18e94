"""grelmicro: breaker for one event loop, and in-process token bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grelmicro.resilience import CircuitBreaker, MemoryTokenBucket, RateLimiter
from grelmicro.resilience.memory import MemoryRateLimiterBackend

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer_async


def _breaker() -> Callable[..., Any]:
    guarded: Callable[..., Any] = CircuitBreaker("bench", error_threshold=5, reset_timeout=60.0)(answer_async)
    return guarded


def _bucket() -> Callable[..., Any]:
    bucket = MemoryTokenBucket(capacity=1_000_000_000, refill_rate=1e9)

    def limited() -> int:
        return 42 if bucket.try_acquire("tenant") else 0

    return limited


def _limiter() -> Callable[..., Any]:
    limiter = RateLimiter.token_bucket(
        "bench", capacity=1_000_000_000, refill_rate=1e9, backend=MemoryRateLimiterBackend()
    )

    async def limited() -> int:
        await limiter.acquire_or_raise(key="tenant")
        return 42

    return limited


CONTENDERS: Contenders = {
    "breaker_async": (Contender(library="grelmicro", variant="consecutive", thread_safe=False, build=_breaker),),
    "limit_sync": (Contender(library="grelmicro", variant="token bucket, keyed", thread_safe=True, build=_bucket),),
    "limit_async": (Contender(library="grelmicro", variant="token bucket, keyed", thread_safe=True, build=_limiter),),
}
