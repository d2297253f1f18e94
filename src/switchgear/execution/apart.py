"""Runs work in the running task, but in a context of its own, as a task of its own would.

What the work sets there is seen by nobody else: no span, deadline or logged name outlives it. It is cancelled as the
task is, for there is only the one.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Apart(Generic[T]):
    """Awaits work, each step of it in a context. Awaited once."""

    __slots__ = ("_context", "_work")

    def __init__(self, context: Context, work: Coroutine[Any, Any, T]) -> None:
        """Run `work` in `context`, which nothing else has entered."""
        self._context = context
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        """Hand to and fro what the loop and the work tell each other, as ``await work`` does."""
        run, work = self._context.run, self._work
        try:
            waited_for = run(work.send, None)
            while True:
                try:
                    given = yield waited_for
                except GeneratorExit:
                    run(work.close)
                    raise
                except BaseException as error:  # noqa: BLE001 - not handled here: the work is told, as by an await
                    waited_for = run(work.throw, error)
                else:
                    waited_for = run(work.send, given)
        except StopIteration as end:
            value: T = end.value
            return value
