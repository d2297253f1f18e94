"""Lets a restored store go on: records what follows for every open intent, saga and time-box, each alone.

What follows is decided in `restoring`. A crash in the middle loses nothing: the store stays frozen, and doing it again
goes on with what is left. Nothing is executed here; recovery comes after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import INTENTS, StaleError, intent_of
from switchgear.execution.restoring import Lost, after_thaw, box_after_thaw, saga_after_thaw
from switchgear.execution.sagas.book import Book, saga_of
from switchgear.execution.time_boxes.box import decoded_box
from switchgear.execution.time_boxes.desk import BoxDesk
from switchgear.execution.transitions import DOUBTFUL, LIVE
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Row

_log = logging.getLogger("switchgear.thawing")
_PAGE = 1000
_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Thawed:
    """What a thaw came to: intents in doubt because of the restore, sagas and time-boxes that wait for a person.

    `unreadable` rows were left as they are; each is named in the log.
    """

    in_doubt: int
    sagas: int
    time_boxes: int
    unreadable: int


class Thawing:
    """One per engine. Used while nothing of the store's past is carried out."""

    def __init__(self, parts: Parts, desk: BoxDesk, encoder: EventEncoder) -> None:
        """Work with the parts of one engine, and with the `desk` of its time-boxes."""
        self._parts = parts
        self._desk = desk
        self._book = Book(parts, encoder)

    async def run(self, lost: Lost, *, actor: str = ACTOR) -> Thawed:
        """Record what follows for all that is open. Raises `StoreError` when the ledger cannot be written."""
        unreadable: set[str] = set()

        async def intent(row: Row) -> bool:
            return await self._intent(row, lost, actor)

        async def saga(row: Row) -> bool:
            return await self._saga(row, actor)

        async def box(row: Row) -> bool:
            return await self._box(row, lost, actor)

        with self._parts.recorder.thawing():
            await self._each(self._intents(LIVE | DOUBTFUL), intent, unreadable)
            sagas = await self._each(self._sagas(), saga, unreadable)
            boxes = await self._each(self._desk.lasting(), box, unreadable)
        in_doubt = await self._each(self._intents(DOUBTFUL), _restored, unreadable)
        return Thawed(in_doubt=in_doubt, sagas=sagas, time_boxes=boxes, unreadable=len(unreadable))

    async def _each(
        self,
        pages: AsyncIterator[Sequence[Row]],
        settle: Callable[[Row], Awaitable[bool]],
        unreadable: set[str],
    ) -> int:
        """Settle every row alone, and return how many of them it was about."""
        count = 0
        async for rows in pages:
            for start in range(0, len(rows), _AT_ONCE):
                batch = rows[start : start + _AT_ONCE]
                count += sum(await asyncio.gather(*(_alone(row, settle, unreadable) for row in batch)))
        return count

    async def _intents(self, states: frozenset[str]) -> AsyncIterator[Sequence[Row]]:
        after: tuple[str, str] | None = None
        while rows := await self._parts.store.scan(INTENTS, sorted(states), after=after, limit=_PAGE):
            after = (rows[-1].tenant, rows[-1].key)
            yield rows

    async def _sagas(self) -> AsyncIterator[Sequence[Row]]:
        async for row in self._book.open_rows():
            yield (row,)

    async def _intent(self, row: Row, lost: Lost, actor: str) -> bool:
        intent = intent_of(row)
        if intent.owner == self._parts.recorder.owner or intent.id in self._parts.recorder.live:
            return False  # a read that was accepted since
        changes = after_thaw(intent, lost)
        if changes:
            await self._parts.recorder.record(intent, changes, actor=actor)
        return bool(changes)

    async def _saga(self, row: Row, actor: str) -> bool:
        saga = saga_of(row)
        waits_for = None
        if saga.under_way is not None:
            waits_for = await self._parts.recorder.latest(saga.tenant, saga.under_way)
        changes = saga_after_thaw(saga, waits_for)
        if changes:
            saga = await self._book.record(saga, changes, actor=actor)
        return saga.stuck is not None

    async def _box(self, row: Row, lost: Lost, actor: str) -> bool:
        box = decoded_box(row.key, row.value)
        step = box_after_thaw(box, lost)
        if step is not None and await self._desk.record(box, step, actor=actor) is None:
            raise StoreError(f"time-box {box.id} keeps changing; thaw again", code=Code.LEDGER_UNAVAILABLE)
        return step is not None


async def _restored(row: Row) -> bool:
    return intent_of(row).restored


async def _alone(row: Row, settle: Callable[[Row], Awaitable[bool]], unreadable: set[str]) -> bool:
    """Settle one row. What cannot be read is named and left; what cannot be written is raised."""
    try:
        return await settle(row)
    except StaleError as error:
        message = f"{row.space} {row.key} changed meanwhile; thaw again"
        raise StoreError(message, code=Code.LEDGER_UNAVAILABLE) from error
    except StoreError as error:
        if error.code is not Code.LEDGER_CORRUPT:
            raise
        unreadable.add(row.key)
        _log.error("%s %s of tenant %s cannot be let go on: %s", row.space, row.key, row.tenant, error)
        return False
