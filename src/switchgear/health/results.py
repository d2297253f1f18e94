"""Results that are not there yet: what a blocking function must not return where the moment of its effect matters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, GeneratorType

from switchgear.guard.callables import PLAIN, is_awaitable

_LAZY = (GeneratorType, AsyncGeneratorType, map, filter)


def refuse_lazy(function: Callable[..., object], result: object) -> None:
    """Raise `TypeError` when a blocking `function` returned an awaitable, a generator or the like: it would run later.

    A coroutine is closed, so that it never runs.
    """
    kind = result.__class__
    if kind not in _LAZY and (kind in PLAIN or not is_awaitable(result)):
        return
    if inspect.iscoroutine(result):
        result.close()
    name = getattr(function, "__qualname__", None) or repr(type(function))  # not its object, which may show a secret
    raise TypeError(
        f"{name} is a blocking function, yet what it returned runs later, outside of what is checked here; "
        "give the async function or generator function itself, or wrap it in one: "
        "async def asked(*args): return await client.method(*args)"
    )
