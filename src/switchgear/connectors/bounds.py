"""Ends an attempt at its deadline, whatever it is waiting for. It decides nothing about what the attempt did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused

_T = TypeVar("_T")
TOO_LATE = Refused(
    Code.DEADLINE_EXCEEDED,
    "its deadline passed before anything began",
    retryable=True,
    verdict=Verdict.IGNORED,
)
"""What is known of an attempt whose deadline had passed before it began."""

_TICK = 0.001  # timers may fire this many seconds early


class DeadlinePassed(Exception):
    """The deadline of the attempt passed before it ended."""


async def bounded(deadline: Deadline, work: Awaitable[_T]) -> _T:
    """Await `work`, at the latest until `deadline`.

    Raises `DeadlinePassed` once the deadline has passed, also when somebody else watches the same deadline and
    cancels us at the same moment. Any other cancellation, and the work's own errors, pass unchanged.
    """
    scope = asyncio.timeout(None)
    loop = asyncio.get_running_loop()
    timer = deadline.clock.call_at(deadline.expires_at, lambda: scope.reschedule(loop.time()))
    try:
        async with scope:
            return await work
    except (TimeoutError, asyncio.CancelledError) as error:
        cancelled_then = isinstance(error, asyncio.CancelledError) and deadline.remaining() <= _TICK
        if scope.expired() or cancelled_then:
            raise DeadlinePassed from None
        raise
    finally:
        timer.cancel()
