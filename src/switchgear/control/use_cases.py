"""The use cases that every surface offers, each with its authorisation. Surfaces translate; nothing else decides here.

Every method takes the verified principal first. Another tenant's thing looks like a thing that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from switchgear.control.translate import (
    breaker_view,
    event_view,
    head_view,
    intent_view,
    tool_view,
    verification_view,
)
from switchgear.control.views import (
    BreakerView,
    EventPage,
    HeadView,
    IntentView,
    Page,
    ReadinessView,
    ToolView,
    VerificationView,
)
from switchgear.core.errors import Invalid, StoreError
from switchgear.core.scope import Principal
from switchgear.execution.admission import Submission
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent, State
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.refold import Refold
from switchgear.guard import Guard
from switchgear.ledger.export import export_lines
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import Entry, Store

TENANT_PERMISSIONS = (
    "intents:submit",
    "intents:read",
    "intents:cancel",
    "tools:read",
    "breakers:read",
    "ledger:read",
)
"""What a principal may be allowed within its own tenant."""

PERMISSIONS = (*TENANT_PERMISSIONS, "platform:read")
"""Every permission that a token can carry today. ``platform:read`` shows counts over all tenants."""

PAGE_MAX = 200
_CURSOR = re.compile(r"int_[0-9a-f]{32}\Z")
LIFETIME_MAX = 30 * 86_400.0


class Control:
    """Everything that can be asked of one gear."""

    def __init__(self, *, engine: Engine, store: Store, guards: Callable[[], Iterable[Guard]]) -> None:
        """Work on one engine, its store and its guards."""
        self._engine = engine
        self._store = store
        self._guards = guards

    async def submit(
        self,
        principal: Principal,
        *,
        tool: str,
        arguments: dict[str, Any],
        account: str,
        key: str | None = None,
        deadline: float | None = None,
        trace: str | None = None,
        correlation: str | None = None,
    ) -> IntentView:
        """Accept an action durably. `deadline` is seconds from now, above 0 and at most 30 days.

        Raises a `Rejected` that says why it was refused, `StoreError` when it could not be recorded.
        """
        principal.require("intents:submit")
        if deadline is not None and not 0 < deadline <= LIFETIME_MAX:
            raise Invalid(f"deadline is seconds from now, above 0 and at most {LIFETIME_MAX:.0f}")
        submission = Submission(
            scope=principal.scope(account),
            tool=tool,
            arguments=arguments,
            key=key,
            lifetime=deadline,
            trace=trace or "",
            correlation=correlation or "",
        )
        admitted = await self._engine.submit(submission)
        return self._view(admitted.intent, replayed=admitted.replayed)

    async def wait(self, principal: Principal, intent_id: str, seconds: float) -> IntentView:
        """Return the intent as soon as it is settled (final or in doubt), at the latest after `seconds`."""
        principal.require("intents:read")
        return self._view(await self._engine.wait(principal.tenant, intent_id, seconds))

    async def show(self, principal: Principal, intent_id: str) -> IntentView:
        """Return one intent. Raises `Denied` (NOT_FOUND)."""
        principal.require("intents:read")
        return self._view(await self._engine.intent(principal.tenant, intent_id))

    async def intents(
        self, principal: Principal, *, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Return intents, newest first: `limit` of them (1 to 200), of one state if given, after `cursor`."""
        principal.require("intents:read")
        _check_page(state, cursor, limit)
        rows = await self._store.page(INTENTS, principal.tenant, facet=state, before=cursor, limit=limit + 1)
        views = [self._view(intent_of(row)) for row in rows[:limit]]
        return Page(views, views[-1].id if len(rows) > limit else None)

    async def events(self, principal: Principal, intent_id: str, *, after: int = 0, limit: int = PAGE_MAX) -> EventPage:
        """Return the ledger's entries of one intent in order: `limit` (1 to 200) above the sequence `after`."""
        principal.require("intents:read")
        _check_page(None, None, limit)
        intent = await self._engine.intent(principal.tenant, intent_id)
        entries = stream_entries(self._store, principal.tenant, intent.id)
        found = [entry async for entry in _some(entries, after, limit + 1)]
        return _event_page(found, limit)

    async def cancel(self, principal: Principal, intent_id: str, *, reason: str = "") -> IntentView:
        """Cancel what has not left; ask for it when it has. Raises `Conflict` when it has ended otherwise."""
        principal.require("intents:cancel")
        cancelled = await self._engine.cancel(principal.tenant, intent_id, reason=reason, actor=principal.actor)
        return self._view(cancelled)

    def tools(self, principal: Principal) -> list[ToolView]:
        """Return the registered tools by name."""
        principal.require("tools:read")
        return [tool_view(tool) for tool in self._engine.registry]

    def breakers(self, principal: Principal) -> list[BreakerView]:
        """Return every dependency's guard by name.

        State and `retry_after` are for every tenant. Counts are over all tenants, so they need ``platform:read``.
        """
        principal.require("breakers:read")
        whole = "platform:read" in principal.permissions
        guards = sorted(self._guards(), key=lambda guard: guard.name)
        return [breaker_view(guard, self._engine.queue.waiting(guard.name) if whole else None) for guard in guards]

    async def ledger(self, principal: Principal, *, after: int = 0, limit: int = 100) -> EventPage:
        """Return the tenant's ledger in order: `limit` entries (1 to 200) above sequence `after`."""
        principal.require("ledger:read")
        _check_page(None, None, limit)
        if after < 0:
            raise Invalid("after is a sequence number of at least 0")
        entries = await self._store.entries(principal.tenant, after_seq=after, limit=limit + 1)
        return _event_page(entries, limit)

    async def ledger_head(self, principal: Principal) -> HeadView:
        """Return the end of the tenant's chain."""
        principal.require("ledger:read")
        return head_view(await self._store.head(principal.tenant))

    async def ledger_verify(self, principal: Principal) -> VerificationView:
        """Verify the tenant's chain, fold it again, and compare with what is stored."""
        principal.require("ledger:read")
        refold = Refold(self._store)
        chain = await refold.chain(principal.tenant)
        fold = await refold.intents(principal.tenant)
        return verification_view(principal.tenant, chain, fold)

    async def ledger_export(self, principal: Principal) -> AsyncIterator[bytes]:
        """Return the tenant's chain as JSON Lines that `ledger verify` checks offline."""
        principal.require("ledger:read")
        return _encoded(export_lines(self._store, principal.tenant))

    async def readiness(self) -> ReadinessView:
        """Say whether this process can accept and record work. Never asks anybody else's service."""
        parts = {
            "admission": "stopping" if self._engine.admission.stopping else "ok",
            "engine": "ok" if self._engine.defect is None else "a loop has ended; see the log",
            "queue": "full" if self._engine.queue.full else "ok",
            "ledger": "ok",
        }
        try:
            await self._store.check()
        except StoreError as error:
            parts["ledger"] = str(error.code)
        return ReadinessView(ready=all(state == "ok" for state in parts.values()), parts=parts)

    def _view(self, intent: Intent, *, replayed: bool = False) -> IntentView:
        return intent_view(intent, self._waiting_for(intent), replayed=replayed)

    def _waiting_for(self, intent: Intent) -> str | None:
        if intent.state is not State.READY or intent.waiting_for is not None:
            return intent.waiting_for
        return self._engine.lane_paused_for(intent.tool)


async def _some(entries: AsyncIterator[Entry], after: int, count: int) -> AsyncIterator[Entry]:
    async for entry in entries:
        if entry.seq > after:
            yield entry
            count -= 1
        if not count:
            return


def _event_page(entries: Sequence[Entry], limit: int) -> EventPage:
    items = [event_view(entry) for entry in entries[:limit]]
    return EventPage(items=items, next_after=items[-1].seq if len(entries) > limit else None)


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield f"{line}\n".encode()


def _check_page(state: str | None, cursor: str | None, limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise Invalid(f"limit is 1 to {PAGE_MAX}, not {limit}")
    known = [str(s) for s in State if s is not State.PROPOSED]
    if state is not None and state not in known:
        raise Invalid(f"there is no state {state[:50]!r}; states are {', '.join(known)}")
    if cursor is not None and not _CURSOR.match(cursor):
        raise Invalid("that cursor did not come from next_cursor of an earlier page")
