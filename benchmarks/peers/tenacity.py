"""tenacity: retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tenacity

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer_async


def _retry() -> Callable[..., Any]:
    decorate: Callable[..., Any] = tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        retry=tenacity.retry_if_exception_type(OSError),
    )
    guarded: Callable[..., Any] = decorate(answer_async)
    return guarded


CONTENDERS: Contenders = {
    "retry": (Contender(library="tenacity", variant="decorator", thread_safe=True, build=_retry),),
}
