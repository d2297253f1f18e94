"""Runs work in the running task, but in a context of its own, as a task of its own would.

What the work sets there is seen by nobody else: no span, deadline or logged name outlives it. It is cancelled as the
task is, for there is only the one.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def apart(context: Context, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work`, each step of it in `context`, which nothing else has entered.

    What the loop and the work tell each other is handed to and fro, as ``await work`` does.
    """
    run = context.run
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
