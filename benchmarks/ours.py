"""Switchgear in the rows: through its public names, with the options of the row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from benchmarks.contenders import CALLED, OURS, Build, Contender, Contenders
from benchmarks.targets import answer, answer_async, answer_suspending, fail
from switchgear import Breaker, Bulkhead, CircuitOpen, Guard, RateLimit, Retry, Timeout

_UNLIMITED = RateLimit(1_000_000_000, per=1.0)
_KEYS_MAX = 1_000_000  # so that none is evicted while many are made
_RETRY = Retry(attempts=3, on=(OSError,))


def _window() -> Breaker:
    return Breaker(failure_rate=0.5, slow_rate=0.5, slow_after=2.0, minimum_calls=10, window=60.0, cooldown=60.0)


def pipeline() -> Guard:
    """Return a guard with all five policies, which never refuses at the speed of a benchmark."""
    return Guard(
        "pipeline",
        timeout=Timeout(5.0),
        retry=_RETRY,
        breaker=_window(),
        rate_limit=_UNLIMITED,
        bulkhead=Bulkhead(64),
    )


def _tripped() -> Guard:
    guard = Guard("open", breaker=Breaker(failures=1, cooldown=3600.0))
    with suppress(ConnectionError):
        guard.call(fail)
    return guard


def _refused(call: Callable[[], Any]) -> Callable[[], float | None]:
    def refused() -> float | None:
        try:
            call()
        except CircuitOpen as error:
            return error.retry_after
        return None

    return refused


def _keyed() -> Callable[[int], Any]:
    limit = RateLimit(10, per=1.0, burst=20)
    parent = Guard("keyed", breaker=Breaker(failures=5), rate_limit=limit, keys_max=_KEYS_MAX)

    def member(key: int) -> object:
        return parent.key(f"tenant-{key}")

    return member


def _contender(variant: str, build: Build) -> Contender:
    return Contender(library=OURS, variant=variant, thread_safe=True, build=build)


def _calling(guard: Callable[[], Guard], function: Callable[..., Any]) -> Build:
    return lambda: partial(guard().call, function)


def _decorated(guard: Callable[[], Guard], function: Callable[..., Any]) -> Build:
    return lambda: guard()(function)


def _both(variant: str, guard: Callable[[], Guard], function: Callable[..., Any]) -> tuple[Contender, ...]:
    """Return a decorated function, which is how the peers stand in the rows, and the same through `Guard.call`."""
    return (
        _contender(variant, _decorated(guard, function)),
        _contender(f"{variant}; {CALLED}", _calling(guard, function)),
    )


def _windowed() -> Guard:
    return Guard("window", breaker=_window())


def _consecutive() -> Guard:
    return Guard("consecutive", breaker=Breaker(failures=5))


def _retried() -> Guard:
    return Guard("retry", retry=_RETRY)


def _bounded() -> Guard:
    return Guard("timeout", timeout=Timeout(5.0))


def _limited() -> Guard:
    return Guard("limited", rate_limit=_UNLIMITED)


_WINDOW = "window of 60 s, slow calls, bounded probes"
_KEYED = "breaker and limiter, bounded registry"
CONTENDERS: Contenders = {
    "breaker_async": (
        *_both(_WINDOW, _windowed, answer_async),
        *_both("consecutive", _consecutive, answer_async),
    ),
    "breaker_sync": (
        *_both(_WINDOW, _windowed, answer),
        *_both("consecutive", _consecutive, answer),
    ),
    "scaling": (_contender(_WINDOW, _decorated(_windowed, answer)),),
    "refused": (
        _contender("with retry_after", lambda: _refused(_decorated(_tripped, answer)())),
        _contender(f"with retry_after; {CALLED}", lambda: _refused(_calling(_tripped, answer)())),
    ),
    "limit_sync": _both("GCRA", _limited, answer),
    "limit_async": _both("GCRA", _limited, answer_async),
    "retry": _both("retry", _retried, answer_async),
    "timeout": _both("timeout", _bounded, answer_suspending),
    "pipeline": _both("one guard, window of 60 s", pipeline, answer_async),
    "pipeline_suspending": _both("one guard, window of 60 s", pipeline, answer_suspending),
    "keyed_bytes": (_contender(_KEYED, _keyed),),
    "keyed_created": (_contender(_KEYED, _keyed),),
}
