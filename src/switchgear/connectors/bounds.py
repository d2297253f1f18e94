"""Ends an attempt at its deadline, whatever it is waiting for. It decides nothing about what the attempt did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from switchgear.core.clock import TIMER_EARLY_MAX
from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused
from switchgear.execution.watched import is_watched
from switchgear.guard.expiry import Armed, Timers

_T = TypeVar("_T")
TOO_LATE = Refused(
    Code.DEADLINE_EXCEEDED,
    "its deadline passed before anything began",
    retryable=True,
    verdict=Verdict.IGNORED,
)
"""What is known of an attempt whose deadline had passed before it began."""


class DeadlinePassed(Exception):
    """The deadline of the attempt passed before it ended."""


def has_come(deadline: Deadline) -> bool:
    """Return whether a cancellation now may be that of the deadline: a timer may fire a little before its moment."""
    return deadline.remaining() <= TIMER_EARLY_MAX


async def bounded(deadline: Deadline, work: Awaitable[_T]) -> _T:
    """Await `work`, at the latest until `deadline`.

    Where whoever makes the attempt cancels us then, no timer is set, and only what that means is told here.
    Raises `DeadlinePassed` once the deadline has passed, also when somebody else watches the same deadline and
    cancels us at the same moment. Any other cancellation, and the work's own errors, pass unchanged.
    """
    armed = None if is_watched(deadline) else Armed(Timers(deadline.clock), deadline.expires_at)
    try:
        return await work
    except asyncio.CancelledError:
        if (armed is not None and armed.disarm()) or has_come(deadline):
            raise DeadlinePassed from None
        raise
    finally:
        if armed is not None:
            armed.disarm()
