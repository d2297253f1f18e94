"""hyx: every policy as a decorator, asyncio only. Its `attempts` counts repeats, so 2 makes at most 3 calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hyx.bulkhead import bulkhead
from hyx.circuitbreaker import consecutive_breaker
from hyx.ratelimit import tokenbucket
from hyx.retry import retry
from hyx.timeout import timeout

from benchmarks.contenders import Build, Contender, Contenders
from benchmarks.targets import answer_async, answer_suspending


def _limit(function: Callable[..., Any]) -> Callable[..., Any]:
    guarded: Callable[..., Any] = tokenbucket(1e9, 1.0, 1e12)(function)
    return guarded


def _breaker(function: Callable[..., Any]) -> Callable[..., Any]:
    guarded: Callable[..., Any] = consecutive_breaker(Exception, 5, 60)(function)
    return guarded


def _retry(function: Callable[..., Any]) -> Callable[..., Any]:
    guarded: Callable[..., Any] = retry(on=OSError, attempts=2, backoff=0.1)(function)
    return guarded


def _timeout(function: Callable[..., Any]) -> Callable[..., Any]:
    guarded: Callable[..., Any] = timeout(5.0)(function)
    return guarded


def _pipeline(function: Callable[..., Any]) -> Callable[..., Any]:
    inner = bulkhead(64, 128)(_timeout(function))
    return _retry(_breaker(_limit(inner)))


def _contender(variant: str, build: Build, *, thread_safe: bool | None = False) -> tuple[Contender]:
    return (Contender(library="hyx", variant=variant, thread_safe=thread_safe, build=build),)


CONTENDERS: Contenders = {
    "breaker_async": _contender("consecutive", lambda: _breaker(answer_async)),
    "limit_async": _contender("token bucket", lambda: _limit(answer_async)),
    "retry": _contender("decorator", lambda: _retry(answer_async), thread_safe=None),
    "timeout": _contender("decorator", lambda: _timeout(answer_suspending)),
    "pipeline": _contender("five decorators", lambda: _pipeline(answer_async)),
    "pipeline_suspending": _contender("five decorators", lambda: _pipeline(answer_suspending)),
}
