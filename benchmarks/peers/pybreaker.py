"""pybreaker: consecutive breaker for blocking calls. Its asyncio form needs tornado, so it is not shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pybreaker

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer, fail


def _breaker() -> Callable[..., Any]:
    return partial(pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60).call, answer)


def _open() -> Callable[..., Any]:
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=3600)
    with suppress(ConnectionError, pybreaker.CircuitBreakerError):
        breaker.call(fail)

    def refused() -> None:
        with suppress(pybreaker.CircuitBreakerError):
            breaker.call(answer)

    return refused


_CLOSED = Contender(
    library="pybreaker", variant="consecutive; lock held during the call", thread_safe=True, build=_breaker
)
CONTENDERS: Contenders = {
    "breaker_sync": (_CLOSED,),
    "scaling": (_CLOSED,),
    "refused": (Contender(library="pybreaker", variant="no retry_after", thread_safe=True, build=_open),),
}
