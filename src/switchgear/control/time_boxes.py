"""Use cases about time-boxes: list, show, revert early, extend, close. Opening one is `intents.submit`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.paging import check_cursor, check_limit, check_state, page_of
from switchgear.control.permissions import Permissions
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.resolving import AGENT
from switchgear.execution.time_boxes.box import SPACE, BoxState, TimeBox, decoded_box
from switchgear.storage.abilities import Store

BOX_STATES = tuple(str(state) for state in BoxState)
"""The states that a time-box can be listed by."""
BOX_CURSOR = r"int_[0-9a-f]{32}(\.[0-9]{1,9})?"
"""What the id of a time-box looks like."""
_BOX_ID = re.compile(BOX_CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBoxView:
    """How long an action holds. Times are seconds since the epoch, `extensions` is how often its end was moved.

    The action is the intent `intent`, done with `tool`; `undo` is the tool that reverts it, and `revert` the newest
    intent that does, None before it begins. `overdue` says that the end has passed and the action still holds.
    `begun_by` is who began the revert, the engine once the time was over; `begun_early` says that it was before that.
    """

    id: str
    intent: str
    tool: str
    undo: str
    account: str
    state: str
    seconds: float
    opened_at: float
    reverts_at: float
    overdue: bool
    extensions: int
    revert: str | None
    revert_state: str | None
    """In which state the revert is; None before it begins."""
    begun_by: str | None
    begun_early: bool
    waiting_for: str | None
    """Why the revert does not run now: a code such as KILL_SWITCH_ACTIVE; None when nothing holds it."""
    code: str | None
    """Why a person was called, or why it is void."""
    message: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class TimeBoxPage:
    """Time-boxes, newest first. `next_cursor` continues the list; None at its end."""

    items: Sequence[TimeBoxView]
    next_cursor: str | None


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
        return TimeBoxPage([await time_box_view(self._engine, decoded_box(row.key, row.value)) for row in rows], after)

    async def show(self, principal: Principal, box_id: str) -> TimeBoxView:
        """Return one time-box; its id is that of the intent. Raises `Denied` (NOT_FOUND)."""
        principal.require("time_boxes:read")
        return await time_box_view(self._engine, await self._boxes.get(principal.tenant, box_id))

    async def revert(self, principal: Principal, box_id: str, *, reason: str) -> TimeBoxView:
        """Begin the revert now: before its time, or again after a person was called. Again changes nothing.

        Raises `Conflict` when the action or an earlier revert is not settled, and further as the engine does.
        """
        principal.require("time_boxes:change")
        return await time_box_view(
            self._engine, await self._boxes.revert(principal.tenant, box_id, by=principal.actor, reason=reason)
        )

    async def extend(self, principal: Principal, box_id: str, *, seconds: float, reason: str) -> TimeBoxView:
        """Move the end by `seconds`, to at most 31 days from now. Raises `Conflict` when the box is not open."""
        principal.require("time_boxes:change")
        extended = await self._boxes.extend(principal.tenant, box_id, seconds, by=principal.actor, reason=reason)
        return await time_box_view(self._engine, extended)

    async def close(self, principal: Principal, box_id: str, *, reason: str) -> TimeBoxView:
        """End a box without a revert, so that the action stays. Not for agents; `Conflict` once a revert runs."""
        principal.require("time_boxes:change")
        if principal.actor.startswith(AGENT):
            raise Denied("an agent cannot decide that an action stays; a person can", policy="time_box")
        return await time_box_view(
            self._engine, await self._boxes.close(principal.tenant, box_id, by=principal.actor, reason=reason)
        )


async def time_box_view(engine: Engine, box: TimeBox) -> TimeBoxView:
    """Return a time-box as its tenant may see it."""
    revert = await engine.time_boxes.revert_of(box)
    waiting = None
    if revert is not None and not revert.settled:
        waiting = revert.waiting_for or engine.lane_paused_for(box.undo)
    return TimeBoxView(
        id=box.id,
        intent=box.intent,
        tool=box.tool,
        undo=box.undo,
        account=box.account,
        state=str(box.state),
        seconds=box.seconds,
        opened_at=box.opened_at,
        reverts_at=box.reverts_at,
        overdue=engine.time_boxes.is_over(box),
        extensions=box.extensions,
        revert=box.revert,
        revert_state=None if revert is None else str(revert.state),
        begun_by=box.begun_by,
        begun_early=box.begun_early,
        waiting_for=waiting,
        code=box.code,
        message=box.message,
        updated_at=box.updated_at,
    )
