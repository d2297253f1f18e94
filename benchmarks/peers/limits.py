"""limits: keyed limiter with pluggable storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import limits

from benchmarks.contenders import Contender, Contenders


def _limiter() -> Callable[..., Any]:
    limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    item = limits.RateLimitItemPerSecond(1_000_000_000)

    def limited() -> int:
        return 42 if limiter.hit(item, "tenant") else 0

    return limited


CONTENDERS: Contenders = {
    "limit_sync": (Contender(library="limits", variant="fixed window, keyed", thread_safe=True, build=_limiter),),
}
