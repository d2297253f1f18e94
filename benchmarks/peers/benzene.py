"""benzene-resilience: breaker, limiter and bulkhead round calls that return its own Result, asyncio only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benzene.resilience import CircuitBreaker, RateLimiter
from benzene.results import Result

from benchmarks.contenders import Build, Contender, Contenders

_OK = Result.ok()


async def _answer() -> object:
    """Return a result of the peer's own kind, made beforehand."""
    return _OK


def _breaker() -> Callable[..., Any]:
    return partial(CircuitBreaker(failure_threshold=5, reset_timeout=60.0).execute, _answer)


def _limiter() -> Callable[..., Any]:
    return partial(RateLimiter(refill_rate=1e9, burst=1_000_000_000).execute, _answer)


def _keyed() -> Callable[[int], Any]:
    members: dict[str, tuple[object, object]] = {}

    def member(key: int) -> object:
        made = (CircuitBreaker(), RateLimiter(refill_rate=10, burst=20))
        return members.setdefault(f"tenant-{key}", made)

    return member


def _contender(variant: str, build: Build) -> tuple[Contender]:
    return (Contender(library="benzene-resilience", variant=variant, thread_safe=False, build=build),)


CONTENDERS: Contenders = {
    "breaker_async": _contender("consecutive", _breaker),
    "limit_async": _contender("token bucket, one key", _limiter),
    "keyed_bytes": _contender("breaker and limiter in a dict", _keyed),
    "keyed_created": _contender("breaker and limiter in a dict", _keyed),
}
