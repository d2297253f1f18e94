"""Time-boxes as one principal sees them in Python. Everything goes through `control`."""

from __future__ import annotations

from collections.abc import Sequence

from switchgear.assembly.handles import every_event
from switchgear.control.ledger_views import EventView
from switchgear.control.time_box_views import TimeBoxView
from switchgear.control.time_boxes import TimeBoxPage
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal


class TimeBoxDesk:
    """The time-boxes of one principal's tenant: ``acme.time_boxes``. `submit` opens one with ``revert_after=``."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    async def list(self, *, state: str | None = None, before: str | None = None, limit: int = 50) -> TimeBoxPage:
        """Return time-boxes, newest first: `limit` (1 to 200) of one state, older than the id `before`.

        The ids of those that are damaged are in `unreadable` of the page.
        """
        return await self._control.time_boxes.list(self._principal, state=state, cursor=before, limit=limit)

    async def show(self, box_id: str) -> TimeBoxView:
        """Return one time-box; its id is that of the intent. Raises `Denied` (NOT_FOUND)."""
        return await self._control.time_boxes.show(self._principal, box_id)

    async def events(self, box_id: str) -> Sequence[EventView]:
        """Return the ledger's entries of one time-box, in order; its action and its revert have their own."""
        return await every_event(lambda after: self._control.time_boxes.events(self._principal, box_id, after=after))

    async def revert(self, box_id: str, *, reason: str) -> TimeBoxView:
        """Begin the revert now. Raises `Conflict` while action or revert are in doubt, and once it has ended."""
        return await self._control.time_boxes.revert(self._principal, box_id, reason=reason)

    async def extend(self, box_id: str, *, seconds: float, reason: str) -> TimeBoxView:
        """Move its end by `seconds`, to at most 31 days from now. Raises `Conflict` when it is not open."""
        return await self._control.time_boxes.extend(self._principal, box_id, seconds=seconds, reason=reason)

    async def close(self, box_id: str, *, reason: str) -> TimeBoxView:
        """End it without a revert, so that the action stays. Raises `Denied` for agents, `Conflict` as `revert`."""
        return await self._control.time_boxes.close(self._principal, box_id, reason=reason)
