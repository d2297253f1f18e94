"""circuitbreaker: consecutive breaker, without a lock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import circuitbreaker

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer, answer_async, fail

_LIBRARY = "circuitbreaker"


def _around(function: Callable[..., Any]) -> Callable[..., Any]:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=5, recovery_timeout=60)
    guarded: Callable[..., Any] = breaker.decorate(function)
    return guarded


def _open() -> Callable[..., Any]:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=3600)
    with suppress(ConnectionError):
        breaker.decorate(fail)()
    guarded = breaker.decorate(answer)

    def refused() -> None:
        with suppress(circuitbreaker.CircuitBreakerError):
            guarded()

    return refused


_CLOSED = Contender(library=_LIBRARY, variant="consecutive", thread_safe=False, build=lambda: _around(answer))
CONTENDERS: Contenders = {
    "breaker_async": (
        Contender(library=_LIBRARY, variant="consecutive", thread_safe=False, build=lambda: _around(answer_async)),
    ),
    "breaker_sync": (_CLOSED,),
    "scaling": (_CLOSED,),
    "refused": (Contender(library=_LIBRARY, variant="no retry_after", thread_safe=False, build=_open),),
}
