"""One HTTP request through a guard, for every client: a blocking driver and an asynchronous one.

    request ──► guard ──► attempt 1 ──► answer 503 ──► an error for breaker and retry; the answer is held
                  └─────► attempt 2 ──► (503 is closed) ──► answer 200 ──► handed out

Inside the guard a failing status is an error. Outside it is the plain answer again, when no attempt is left.
Everything that decides is in `http_exchange`; the drivers only wait differently.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from switchgear.adapters.http_exchange import Exchange, Unsent
from switchgear.adapters.http_rules import AsyncWire, BlockingWire, Rules
from switchgear.core.errors import SwitchgearError

Q = TypeVar("Q")
R = TypeVar("R")


def call_blocking(rules: Rules[Q], wire: BlockingWire[Q, R], request: Q, send: Callable[[float | None], R]) -> R:
    """Make one guarded request. `send` makes an attempt; its argument, in seconds or None, bounds its waits.

    Raises the client's errors and those of the guard. A failing status is returned like any other.
    """
    exchange = Exchange(rules, wire, request)
    kept: R | None = None
    unsent: Exception | None = None
    try:
        kept = exchange.guard.call(_attempt, exchange, wire, send)
    except Unsent as carrier:
        unsent = carrier.error
    except (SwitchgearError, wire.status_error) as error:
        kept = exchange.answer_to(error)
        if kept is None:
            raise
    finally:
        for left in exchange.end(kept):
            wire.close(left)
    return _handed_out(kept, unsent)


async def call_async(
    rules: Rules[Q], wire: AsyncWire[Q, R], request: Q, send: Callable[[float | None], Awaitable[R]]
) -> R:
    """Make one guarded request, as `call_blocking` does."""
    exchange = Exchange(rules, wire, request)
    kept: R | None = None
    unsent: Exception | None = None
    try:
        kept = await exchange.guard.call(_attempt_async, exchange, wire, send)
    except Unsent as carrier:
        unsent = carrier.error
    except (SwitchgearError, wire.status_error) as error:
        kept = exchange.answer_to(error)
        if kept is None:
            raise
    finally:
        for left in exchange.end(kept):
            await wire.close(left)
    return _handed_out(kept, unsent)


def _attempt(exchange: Exchange[Q, R], wire: BlockingWire[Q, R], send: Callable[[float | None], R]) -> R:
    while (stale := exchange.stale()) is not None:
        wire.close(stale)
    try:
        response = send(exchange.seconds())
        body = wire.keep(response) if exchange.frees(response) else None
    except wire.errors as error:
        exchange.judge(error)
        raise
    failure = exchange.take(response, body)
    for left in exchange.late():
        wire.close(left)
    if failure is not None:
        raise failure
    return response


async def _attempt_async(
    exchange: Exchange[Q, R], wire: AsyncWire[Q, R], send: Callable[[float | None], Awaitable[R]]
) -> R:
    while (stale := exchange.stale()) is not None:
        await wire.close(stale)
    try:
        response = await send(exchange.seconds())
        body = await wire.keep(response) if exchange.frees(response) else None
    except wire.errors as error:
        exchange.judge(error)
        raise
    failure = exchange.take(response, body)
    for left in exchange.late():
        await wire.close(left)
    if failure is not None:
        raise failure
    return response


def _handed_out(kept: R | None, unsent: Exception | None) -> R:
    """Return the answer, or raise the client's error that kept the request from leaving."""
    if unsent is not None:
        raise unsent
    assert kept is not None  # the guard gave an answer or an error
    return kept
