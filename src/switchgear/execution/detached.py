"""Finishes what was begun, also when whoever waits for it goes away: a disconnect never leaves a record half made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.execution.bounded import within

T = TypeVar("T")

_TASK_NAME = "switchgear-detached"
_CUT_OFF = "cut off before the ledger acknowledged, as by a stop of the engine; repeat with the same key"


class Answer(msgspec.Struct, Generic[T], eq=False):
    """What somebody waits for, through a future. Whoever works on it gives it once, and may go on from there.

    It keeps itself among those that are under way, with their tasks, until it is given or broken off.
    """

    _future: asyncio.Future[T]
    _under_way: dict[Answer[Any], asyncio.Task[None]]

    def give(self, value: T) -> None:
        """Answer with `value`: from here on the work is its own, and the engine that stops does not wait for it."""
        self._under_way.pop(self, None)
        if not self._future.done():
            self._future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Answer with an error. Once somebody was answered, or nobody waits any more, it is told to nobody."""
        if not self._future.done():
            self._future.set_exception(error)

    def break_off(self) -> None:
        """Be under way no more, and say to whoever still waits that the work was cut off: its end is not known."""
        self._under_way.pop(self, None)
        if not self._future.done():
            self.fail(StoreError(_CUT_OFF, code=Code.TIMEOUT_JOURNAL_APPEND))


Work = Callable[[Answer[T]], Coroutine[Any, Any, None]]
"""Begins what ends by giving an answer, or goes on after it."""


class Detached:
    """Work that its callers only wait for. One per engine."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: dict[Answer[Any], asyncio.Task[None]] = {}

    async def finished(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` comes to at its end, as `answered` does."""
        return await self.answered(partial(_to_its_end, work))

    async def answered(self, work: Work[T]) -> T:
        """Return the answer of `work`, which goes on in a task of its own. A caller that goes away only stops waiting.

        Raises what `work` raises before it has answered, and `StoreError` (TIMEOUT_JOURNAL_APPEND) when the engine
        stops before, or the work is cut off by anything else.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        answer = Answer(future, self._under_way)
        task = loop.create_task(self._work(work, answer), name=_TASK_NAME)  # one for all: numbered names cost time
        if not (task.done() or future.done()):  # a loop with eager tasks has run it up to its first wait by now
            self._under_way[answer] = task
        return await future

    async def _work(self, work: Work[T], answer: Answer[T]) -> None:
        try:
            await work(answer)
        except Exception as error:  # noqa: BLE001 - outermost driver: whoever waits for the answer is told
            answer.fail(error)
        finally:
            answer.break_off()

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Let what is under way end within `seconds`."""
        if self._under_way:
            await within(clock, seconds, _all_done(set(self._under_way.values())))

    async def cancel(self) -> None:
        """Cut off whatever is still under way, wait for its end, and tell those who wait for it."""
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await _all_done(tasks)
        finally:
            self.cut_off()

    def cut_off(self) -> None:
        """Cut off whatever is still under way, and tell those who wait for it. Nobody waits for its end."""
        for answer, task in list(self._under_way.items()):
            task.cancel()
            answer.break_off()


async def _to_its_end(work: Callable[[], Coroutine[Any, Any, T]], answer: Answer[T]) -> None:
    answer.give(await work())


async def _all_done(tasks: set[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
