"""Which task is cancelled at which deadline by whoever makes the attempt: it need set no timer for that itself.

Only the very task in which the attempt is made, and only for the deadline of its call. A task that a connector starts,
as behind a shield, inherits the context and is cancelled by nobody; nor is anything at another deadline.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import msgspec

from switchgear.core.deadline import Deadline


class Watched(msgspec.Struct, frozen=True):
    """A task that is cancelled at a deadline."""

    task: asyncio.Task[Any] | None
    deadline: Deadline


WATCHED: ContextVar[Watched | None] = ContextVar("switchgear_watched", default=None)
"""Set by whoever watches, in the context of the attempt, which ends with it."""


def is_watched(deadline: Deadline) -> bool:
    """Return whether the running task is cancelled at `deadline` by whoever makes the attempt."""
    watched = WATCHED.get()
    return watched is not None and watched.deadline is deadline and watched.task is asyncio.current_task()
