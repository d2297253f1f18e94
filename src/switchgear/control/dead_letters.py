"""Use cases about dead letters: list them, set them going again, put them away. Showing one is `intents.show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.damage import readable
from switchgear.control.intent_views import IntentView, Page
from switchgear.control.paging import check_cursor, check_limit, page_of
from switchgear.control.permissions import Permissions
from switchgear.control.showing import all_shown_whole, shown_whole
from switchgear.core.errors import Invalid, Rejected, StoreError
from switchgear.core.scope import Principal
from switchgear.execution.dead_letters import discarded
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Row, Store

RATE_MAX = 1_000.0
"""The most dead letters a second that a bulk requeue lets run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRequeued:
    """A dead letter that stays one, and why."""

    id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """What a bulk requeue did, each item alone. `next_cursor` goes on with older ones; None when there are none."""

    requeued: list[str]
    refused: list[NotRequeued]
    next_cursor: str | None


class DeadLetters:
    """What can be asked about the dead letters of the caller's tenant, and done with them."""

    permissions: ClassVar[Permissions] = Permissions(
        tenant=("deadletters:read", "deadletters:requeue", "deadletters:discard")
    )

    def __init__(self, engine: Engine, store: Store) -> None:
        """Ask `engine`; read pages from its `store`."""
        self._engine = engine
        self._store = store

    async def list(
        self, principal: Principal, *, tool: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Return dead letters, newest first, after `cursor`: those of `tool` among the next `limit` (1 to 200)."""
        principal.require("deadletters:read")
        rows, after = await self._page(principal.tenant, cursor, limit)
        found, damaged = readable(rows, intent_of)
        letters = [letter for letter in found if tool in (None, letter.tool)]
        return Page(await all_shown_whole(self._engine, principal, letters), after, damaged)

    async def requeue(self, principal: Principal, intent_id: str) -> IntentView:
        """Let one run again, with the same keys and with fresh attempts and time.

        Raises `Conflict` when it is no dead letter, or while an attempt of it may have been applied.
        """
        principal.require("deadletters:requeue")
        return await shown_whole(self._engine, principal, await self._requeue(principal, intent_id, 0.0))

    async def requeue_all(
        self,
        principal: Principal,
        *,
        tool: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        per_second: float = 10.0,
    ) -> Requeued:
        """Let those run again that `list` would return, newest first, at most `per_second` of them a second.

        Each is taken alone: one that is refused stays a dead letter and is named with its reason.
        """
        principal.require("deadletters:requeue")
        if not 0 < per_second <= RATE_MAX:
            raise Invalid(f"per_second is above 0 and at most {RATE_MAX:g}, not {per_second:g}")
        rows, after = await self._page(principal.tenant, cursor, limit)
        done: list[str] = []
        refused: list[NotRequeued] = []
        for row in rows:
            try:
                if tool in (None, intent_of(row).tool):
                    done.append((await self._requeue(principal, row.key, len(done) / per_second)).id)
            except (Rejected, StoreError) as error:
                refused.append(NotRequeued(id=row.key, code=str(error.code), message=str(error)))
        return Requeued(requeued=done, refused=refused, next_cursor=after)

    async def discard(self, principal: Principal, intent_id: str, *, reason: str) -> IntentView:
        """Put one away for good, with a reason. Raises `Conflict` when it is no dead letter."""
        principal.require("deadletters:discard")

        def decision(intent: Intent) -> Decided:
            return Decided(discarded(intent, by=principal.actor, reason=reason))

        after = await self._engine.change(principal.tenant, intent_id, decision, actor=principal.actor)
        return await shown_whole(self._engine, principal, after)

    async def _requeue(self, principal: Principal, intent_id: str, delay: float) -> Intent:
        def decision(intent: Intent) -> Decided:
            return Decided(self._engine.dead_letters.requeued(intent, by=principal.actor, delay=delay))

        return await self._engine.change(principal.tenant, intent_id, decision, actor=principal.actor)

    async def _page(self, tenant: str, cursor: str | None, limit: int) -> tuple[Sequence[Row], str | None]:
        """Return the rows of dead letters, and the cursor that goes on after them."""
        check_limit(limit)
        check_cursor(cursor)
        return await page_of(self._store, INTENTS, tenant, facet=State.DEAD_LETTERED, cursor=cursor, limit=limit)
