"""interlock-cb: breaker with a window, slow calls and bounded probes; pipeline of strategies. It has no limiter.

Its retry is tenacity, its limiter here is aiolimiter's, since that is what somebody would put beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiolimiter import AsyncLimiter
from interlock import CircuitBreaker, CircuitOpenError, Config, Pipeline, Registry, TimeoutStrategy
from interlock.window import WindowType

from benchmarks.contenders import Build, Contender, Contenders
from benchmarks.targets import answer, answer_async, answer_suspending, fail

_CONFIG = Config(
    failure_rate_threshold=0.5,
    minimum_number_of_calls=10,
    slow_call_duration_threshold=2.0,
    slow_call_rate_threshold=0.5,
    wait_duration_in_open=60.0,
    window_type=WindowType.TIME_BASED,
    window_size=60,
)


def _breaker() -> Any:  # noqa: ANN401 - the peer is not installed where types are checked
    return CircuitBreaker(name="bench", config=_CONFIG)


def _open() -> Callable[..., Any]:
    breaker = CircuitBreaker(name="bench", config=Config(minimum_number_of_calls=1, wait_duration_in_open=3600.0))
    with suppress(ConnectionError):
        breaker.call_sync(fail)

    def refused() -> float | None:
        try:
            breaker.call_sync(answer)
        except CircuitOpenError as error:
            seconds: float | None = error.retry_after
            return seconds
        return None

    return refused


def _timeout() -> Callable[..., Any]:
    return partial(Pipeline(TimeoutStrategy(5.0)).call, answer_suspending)


def _pipeline(function: Callable[..., Any]) -> Callable[..., Any]:
    limiter = AsyncLimiter(1e12, 1.0)

    async def limited() -> int:
        async with limiter:
            value: int = await function()
            return value

    built = Pipeline.builder().retry(attempts=3).circuit_breaker(_breaker()).bulkhead(64).timeout(5.0).build()
    return partial(built.call, limited)


def _keyed() -> Callable[[int], Any]:
    registry = Registry(config=_CONFIG)

    def member(key: int) -> object:
        return registry.get(f"tenant-{key}")

    return member


def _contender(variant: str, build: Build) -> tuple[Contender]:
    return (Contender(library="interlock-cb", variant=variant, thread_safe=True, build=build),)


_WINDOW = "window of 60 s, slow calls, bounded probes"
_SYNC = _contender(_WINDOW, lambda: partial(_breaker().call_sync, answer))
CONTENDERS: Contenders = {
    "breaker_async": _contender(_WINDOW, lambda: partial(_breaker().call_async, answer_async)),
    "breaker_sync": _SYNC,
    "scaling": _SYNC,
    "refused": _contender("with retry_after", _open),
    "timeout": _contender("strategy", _timeout),
    "pipeline": _contender("with tenacity and aiolimiter", lambda: _pipeline(answer_async)),
    "pipeline_suspending": _contender("with tenacity and aiolimiter", lambda: _pipeline(answer_suspending)),
    "keyed_bytes": _contender("breaker only", _keyed),
    "keyed_created": _contender("breaker only", _keyed),
}
