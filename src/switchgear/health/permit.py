"""The permit of a destructive block: good inside its ``with`` only, and asked again after every wait."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar, overload

from switchgear.health.findings import Confirmed
from switchgear.health.inventory import Operation

Item = TypeVar("Item")


class Checks(Protocol):
    """Whoever can say no: the gate."""

    def check(self, operation: Operation, reason: object, *, done: int = 0) -> None:
        """Raise `DestructiveBlocked` unless `operation` may go on now because of `reason`."""


class Permit:
    """Lets one operation happen in its ``with`` block. The gate is asked when the block begins, before any of it runs.

    `done` is how many items `each` has seen done.
    """

    __slots__ = ("_gate", "_open", "_operation", "_reason", "done")

    def __init__(self, gate: Checks, operation: Operation, reason: Confirmed[Any]) -> None:
        """Prepare; nothing is asked before the block begins."""
        self._gate = gate
        self._operation = operation
        self._reason = reason
        self._open: bool | None = None
        self.done = 0

    def __enter__(self) -> Self:
        """Begin the block. Raises `DestructiveBlocked` when it may not be."""
        if self._open is not None:
            raise RuntimeError("a permit can be used once; ask the gate for a new one")
        self._gate.check(self._operation, self._reason)
        self._operation.passed += 1
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        """End the block, and with it the permit."""
        self._open = False
        return False

    def check(self) -> None:
        """Ask the gate again: after every wait, right before what cannot be undone.

        Raises `DestructiveBlocked` when it may not go on, `RuntimeError` outside the block.
        """
        if not self._open:
            raise RuntimeError(
                "a permit is good inside its with block only; write: with gate.destructive(...) as permit"
            )
        self._gate.check(self._operation, self._reason, done=self.done)

    @overload
    def each(self, items: Iterable[Item]) -> Iterator[Item]: ...
    @overload
    def each(self, items: AsyncIterable[Item]) -> AsyncIterator[Item]: ...
    def each(self, items: Iterable[Item] | AsyncIterable[Item]) -> Iterator[Item] | AsyncIterator[Item]:
        """Give `items` one by one, blocking or async, asking the gate before each.

        Raises `DestructiveBlocked`, whose `done` is how many were done before, between two items and never within one.
        """
        return self._each_async(items) if isinstance(items, AsyncIterable) else self._each(items)

    def _each(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self.check()
            yield item
            self.done += 1

    async def _each_async(self, items: AsyncIterable[Item]) -> AsyncIterator[Item]:
        async for item in items:
            self.check()
            yield item
            self.done += 1
