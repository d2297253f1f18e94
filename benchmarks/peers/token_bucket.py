"""token-bucket: keyed limiter without a lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from token_bucket import Limiter, MemoryStorage

from benchmarks.contenders import Contender, Contenders


def _limiter() -> Callable[..., Any]:
    limiter = Limiter(1e9, 1_000_000_000, MemoryStorage())

    def limited() -> int:
        return 42 if limiter.consume("tenant") else 0

    return limited


CONTENDERS: Contenders = {
    "limit_sync": (
        Contender(library="token-bucket", variant="token bucket, keyed", thread_safe=False, build=_limiter),
    ),
}
