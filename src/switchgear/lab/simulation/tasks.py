"""Tasks that know to whose life they belong, so that a crash ends all of them and nothing else.

Whatever a task starts belongs to the same owner. Tasks are hashed by their number: where code walks a set of tasks,
it walks them in the same order in every run.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Coroutine, Generator
from typing import Any, Protocol, TypeVar

R = TypeVar("R")


class Owner(Protocol):
    """Whoever tasks belong to."""

    @property
    def stands_still(self) -> bool:
        """Whether nothing of it runs now."""

    def own(self, task: asyncio.Task[Any]) -> None:
        """Learn of a task that was started."""


OWNER: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("switchgear_lab_owner", default=None)
"""To whom what is started here belongs; None is the world outside."""


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number in the order of starting."""

    def __init__(
        self,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        number: int,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
        **options: Any,
    ) -> None:
        """Start `work`; `options` are those of a task of asyncio."""
        self._number = number  # before the rest: asyncio keeps every task in a set
        super().__init__(work, loop=loop, context=context, **options)

    def __hash__(self) -> int:
        """Return the number."""
        return self._number

    def __eq__(self, other: object) -> bool:
        """Only a task itself is equal to it."""
        return self is other


class TaskFactory:
    """Makes the tasks of a loop: ``loop.set_task_factory(TaskFactory())``."""

    def __init__(self) -> None:
        """Count from 1."""
        self._numbers = itertools.count(1)

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Future[Any]:
        """Start a task, and tell its owner. From CPython 3.13.3 on the loop hands over all that it was given."""
        task = NumberedTask(work, number=next(self._numbers), loop=loop, context=context, **options)
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is not None:
            owner.own(task)
        return task


def start_for(owner: Owner, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    """Start `work` as a task that belongs to `owner`, with everything that it starts."""
    context = contextvars.copy_context()
    context.run(OWNER.set, owner)
    return asyncio.get_running_loop().create_task(work, context=context)
