"""stamina: retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import stamina

from benchmarks.contenders import Contender, Contenders
from benchmarks.targets import answer_async


def _retry() -> Callable[..., Any]:
    stamina.instrumentation.set_on_retry_hooks(())
    decorate: Callable[..., Any] = stamina.retry(on=OSError, attempts=3)
    guarded: Callable[..., Any] = decorate(answer_async)
    return guarded


CONTENDERS: Contenders = {
    "retry": (Contender(library="stamina", variant="decorator", thread_safe=True, build=_retry),),
}
