"""aiolimiter: leaky bucket for one event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiolimiter import AsyncLimiter

from benchmarks.contenders import Contender, Contenders


def _limiter() -> Callable[..., Any]:
    limiter = AsyncLimiter(1e12, 1.0)

    async def limited() -> int:
        async with limiter:
            return 42

    return limited


CONTENDERS: Contenders = {
    "limit_async": (Contender(library="aiolimiter", variant="leaky bucket, waits", thread_safe=False, build=_limiter),),
}
