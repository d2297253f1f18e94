"""Use cases about time-boxes: list, show, events, revert early, extend, close. Opening one is `intents.submit`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.damage import readable
from switchgear.control.ledger_views import EventPage, stream_page
from switchgear.control.paging import PAGE_MAX, check_cursor, check_limit, check_state, page_of
from switchgear.control.permissions import Permissions
from switchgear.control.time_box_views import TimeBoxView, time_box_view
from switchgear.core.codes import Code
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.family import REVERT
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.time_boxes.box import SPACE, STREAM_PREFIX, BoxState, TimeBox, decoded_box
from switchgear.storage.abilities import Store

BOX_STATES = tuple(str(state) for state in BoxState)
"""The states that a time-box can be listed by."""
BOX_CURSOR = r"int_[0-9a-f]{32}(\.[0-9]{1,9})?"
"""What the id of a time-box looks like."""
_BOX_ID = re.compile(BOX_CURSOR)


@dataclass(frozen=True, slots=True)
class TimeBoxPage:
    """Time-boxes, newest first. `next_cursor` continues the list; None at its end.

    `unreadable` are the ids of those on this page that are damaged, so that they cannot be shown.
    """

    items: Sequence[TimeBoxView]
    next_cursor: str | None
    unreadable: list[str]


class TimeBoxes:
    """What can be asked about the time-boxes of the caller's tenant, and done with them."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("time_boxes:read", "time_boxes:change"))

    def __init__(self, engine: Engine, store: Store) -> None:
        """Ask `engine`; read pages from its `store`."""
        self._engine = engine
        self._boxes = engine.time_boxes
        self._store = store

    async def list(
        self, principal: Principal, *, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> TimeBoxPage:
        """Return time-boxes, newest first: `limit` of them (1 to 200), of one state if given, after `cursor`."""
        principal.require("time_boxes:read")
        check_limit(limit)
        check_state(state, BOX_STATES)
        check_cursor(cursor, _BOX_ID)
        rows, after = await page_of(self._store, SPACE, principal.tenant, facet=state, cursor=cursor, limit=limit)
        found, damaged = readable(rows, lambda row: decoded_box(row.key, row.value))
        return TimeBoxPage([await self._view(principal, box) for box in found], after, damaged)

    async def show(self, principal: Principal, box_id: str) -> TimeBoxView:
        """Return one time-box; its id is that of the intent. Raises `Denied` (NOT_FOUND)."""
        principal.require("time_boxes:read")
        async with self._told_what_it_is(principal, box_id):
            return await self._view(principal, await self._boxes.get(principal.tenant, box_id))

    async def events(self, principal: Principal, box_id: str, *, after: int = 0, limit: int = PAGE_MAX) -> EventPage:
        """Return the ledger's entries of one time-box in order: `limit` (1 to 200) above the sequence `after`.

        What happened to its action and to its revert is in theirs. Raises `Denied` (NOT_FOUND).
        """
        principal.require("time_boxes:read")
        check_limit(limit)
        async with self._told_what_it_is(principal, box_id):
            box = await self._boxes.get(principal.tenant, box_id)
        return await stream_page(self._store, principal.tenant, STREAM_PREFIX + box.id, after=after, limit=limit)

    async def revert(self, principal: Principal, box_id: str, *, reason: str) -> TimeBoxView:
        """Begin the revert now: before its time, or again after a person was called. Again changes nothing.

        Raises `Conflict` when the action or an earlier revert is not settled, and further as the engine does.
        """
        principal.require("time_boxes:change")
        async with self._told_what_it_is(principal, box_id):
            reverting = await self._boxes.revert(principal.tenant, box_id, by=principal.actor, reason=reason)
        return await self._view(principal, reverting)

    async def extend(self, principal: Principal, box_id: str, *, seconds: float, reason: str) -> TimeBoxView:
        """Move the end by `seconds`, to at most 31 days from now. Raises `Conflict` when the box is not open."""
        principal.require("time_boxes:change")
        async with self._told_what_it_is(principal, box_id):
            extended = await self._boxes.extend(principal.tenant, box_id, seconds, by=principal.actor, reason=reason)
        return await self._view(principal, extended)

    async def close(self, principal: Principal, box_id: str, *, reason: str) -> TimeBoxView:
        """End a box without a revert, so that the action stays. Not for agents; `Conflict` once a revert runs."""
        principal.require("time_boxes:change")
        if principal.actor.startswith(AGENT):
            raise Denied("an agent cannot decide that an action stays; a person can", policy="time_box")
        async with self._told_what_it_is(principal, box_id):
            closed = await self._boxes.close(principal.tenant, box_id, by=principal.actor, reason=reason)
        return await self._view(principal, closed)

    @asynccontextmanager
    async def _told_what_it_is(self, principal: Principal, box_id: str) -> AsyncIterator[None]:
        """Let a refusal of a box that is not there say of which action the id is, to whoever may read actions."""
        try:
            yield
        except Denied as refusal:
            if refusal.code is not Code.NOT_FOUND or "intents:read" not in principal.permissions:
                raise
            intent = await self._engine.recorder.latest(principal.tenant, box_id)
            if intent is None:
                raise
            raise Denied(_without_a_box(intent), code=Code.NOT_FOUND, policy="time_box", state="none") from refusal

    async def _view(self, principal: Principal, box: TimeBox) -> TimeBoxView:
        """Return what `principal` may see of a box: what its action has captured is for who may read intents."""
        return await time_box_view(self._engine, box, values="intents:read" in principal.permissions)


def _without_a_box(intent: Intent) -> str:
    """Say that an action has no time-box, and what it is instead."""
    if intent.purpose == REVERT:
        return f"{intent.id} has no time-box: it is what reverts {intent.parent}"
    if intent.time_box is not None and not intent.final:
        return f"{intent.id} has no time-box yet: it begins when the action leaves"
    began = "was submitted without one" if intent.time_box is None else "began none"
    return f"{intent.id} has no time-box: it is an action of {intent.tool}, which is {intent.state} and {began}"
