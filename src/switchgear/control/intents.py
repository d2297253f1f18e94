"""Use cases about intents: submit, wait, show, list, events, cancel."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from switchgear.control.accounts import scope_for
from switchgear.control.belongings import ALONE, Belongings, belongings_of, belongs
from switchgear.control.damage import readable
from switchgear.control.intent_views import IntentView, Page, outcome_of
from switchgear.control.ledger_views import EventPage, stream_page
from switchgear.control.paging import PAGE_MAX, check_cursor, check_limit, check_state, page_of
from switchgear.control.permissions import Permissions
from switchgear.control.showing import all_shown_whole, shown_at_once, shown_whole
from switchgear.control.tools import suggest_tool
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid
from switchgear.core.outcome import Outcome
from switchgear.core.scope import Principal
from switchgear.execution.admission import Submission
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.schedule import check_number
from switchgear.execution.transitions import State
from switchgear.ledger.reasons import check_remark
from switchgear.storage.abilities import Store

LIFETIME_MAX = 30 * 86_400.0
"""The longest deadline of a submission, in seconds from now."""
_READY = State.READY
STATES = tuple(str(state) for state in State if state is not State.PROPOSED)
"""The states that an intent can be listed by."""
_SAFE_TO_SUBMIT = "; submitting it with this key is safe, but where the store came from a backup, ask the remote first"


class Seen(msgspec.Struct, eq=False):
    """An intent as it was when a principal looked at it. What is shown of it is made when it is first asked for.

    `replayed` says that an earlier request had made it; `starts_in` is in how many seconds it may leave, where it only
    waits for that, else None.
    """

    _engine: Engine
    _principal: Principal
    intent: Intent
    _belongings: Belongings = ALONE
    replayed: bool = False
    starts_in: float | None = None
    _view: IntentView | None = None

    @property
    def view(self) -> IntentView:
        """What is shown of it."""
        if self._view is None:
            self._view = shown_at_once(
                self._engine, self._principal, self.intent, self._belongings, replayed=self.replayed
            )
        return self._view

    @property
    def outcome(self) -> Outcome:
        """How it stood."""
        return outcome_of(self.intent, self.intent.attempt, replayed=self.replayed)


class Intents:
    """What can be asked about the intents of the caller's tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("intents:submit", "intents:read", "intents:cancel"))

    def __init__(self, engine: Engine, store: Store) -> None:
        """Ask `engine`; read pages from its `store`."""
        self._engine = engine
        self._store = store

    async def submit(  # noqa: PLR0913 - what a caller may say of an action, each by name
        self,
        principal: Principal,
        *,
        tool: str,
        arguments: dict[str, Any],
        account: str | None = None,
        key: str | None = None,
        deadline: float | None = None,
        revert_after: float | None = None,
        not_before: float | None = None,
        delay: float | None = None,
        priority: str | None = None,
        trace: str | None = None,
        correlation: str | None = None,
    ) -> Seen:
        """Accept an action durably. `deadline` is seconds from now, above 0 and at most 30 days.

        With `revert_after` it has a time-box: it is reverted so many seconds after it left, above 0 and at most 31
        days. It does not leave before `not_before`, seconds since the epoch, or `delay`, seconds from now: before its
        deadline. `priority` is "critical_plus", "critical" (default), "sheddable_plus" or "sheddable": what goes first
        of this tenant's own. Without `account` it is for the only one of the principal.

        Raises a `Rejected` that says why it was refused, `StoreError` when it could not be recorded. Where there is no
        such tool it names the nearest one, to who may see the tools.
        """
        principal.require("intents:submit")
        if deadline is not None:
            _check_lifetime(deadline)
        submission = Submission(
            scope=scope_for(principal, account),
            tool=tool,
            arguments=arguments,
            key=key,
            lifetime=deadline,
            time_box=revert_after,
            not_before=not_before,
            delay=delay,
            priority=priority,
            trace=trace or "",
            correlation=correlation or "",
        )
        try:
            admitted = await self._engine.submit(submission)
        except Denied as refusal:
            suggest_tool(refusal, tool, principal, self._engine.registry)
            raise
        intent = admitted.intent
        belongings = await belongings_of(self._engine, intent) if belongs(intent) else ALONE
        return Seen(self._engine, principal, intent, belongings, admitted.replayed)

    async def wait(self, principal: Principal, intent_id: str, seconds: float) -> Seen:
        """Return the intent once it is settled (final or in doubt) or needs approval, at the latest after `seconds`."""
        principal.require("intents:read")
        intent = await self._engine.wait(principal.tenant, intent_id, seconds)
        belongings = await belongings_of(self._engine, intent) if belongs(intent) else ALONE
        starts_in = self._starts_in(intent) if intent.state is _READY else None
        return Seen(self._engine, principal, intent, belongings, starts_in=starts_in)

    async def show(self, principal: Principal, intent_id: str) -> IntentView:
        """Return one intent. Raises `Denied` (NOT_FOUND)."""
        principal.require("intents:read")
        return await shown_whole(self._engine, principal, await self._engine.intent(principal.tenant, intent_id))

    async def show_by_key(self, principal: Principal, *, tool: str, key: str, account: str | None = None) -> IntentView:
        """Return the intent that an idempotency key of `tool` is bound to in `account`; None means the only one.

        A key whose retention is over is still found, until it is bound again; then it is the newest. Raises `Denied`
        (NOT_FOUND) when nothing was accepted with it, `Conflict` (IDEMPOTENCY_IN_PROGRESS) while that is not sure.
        """
        principal.require("intents:read")
        scope = scope_for(principal, account)
        intent = await self._engine.intent_by_key(scope, tool, key)
        if intent is None:
            words = f"nothing was accepted with the key {key!r} for {tool!r} in the account {scope.account!r}"
            refusal = Denied(words, code=Code.NOT_FOUND, policy="tenant")
            if not suggest_tool(refusal, tool, principal, self._engine.registry):
                refusal.message += _SAFE_TO_SUBMIT
            raise refusal
        return await shown_whole(self._engine, principal, intent)

    async def list(
        self, principal: Principal, *, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Return intents, newest first: `limit` of them (1 to 200), of one state if given, after `cursor`."""
        principal.require("intents:read")
        check_limit(limit)
        check_state(state, STATES)
        check_cursor(cursor)
        rows, after = await page_of(self._store, INTENTS, principal.tenant, facet=state, cursor=cursor, limit=limit)
        found, damaged = readable(rows, intent_of)
        return Page(await all_shown_whole(self._engine, principal, found), after, damaged)

    async def events(self, principal: Principal, intent_id: str, *, after: int = 0, limit: int = PAGE_MAX) -> EventPage:
        """Return the ledger's entries of one intent in order: `limit` (1 to 200) above the sequence `after`."""
        principal.require("intents:read")
        check_limit(limit)
        intent = await self._engine.intent(principal.tenant, intent_id)
        return await stream_page(self._store, principal.tenant, intent.id, after=after, limit=limit)

    async def cancel(self, principal: Principal, intent_id: str, *, reason: str = "") -> IntentView:
        """Cancel what has not left; ask for it when it has.

        Raises `Conflict` when it has ended otherwise, `Invalid` for a reason of more than 500 characters.
        """
        principal.require("intents:cancel")
        check_remark(reason)
        cancelled = await self._engine.cancel(principal.tenant, intent_id, reason=reason, actor=principal.actor)
        return await shown_whole(self._engine, principal, cancelled)

    def _starts_in(self, intent: Intent) -> float | None:
        if intent.not_before is None or intent.waiting_for is not None:
            return None
        seconds = self._engine.seconds_until(intent.not_before)
        return seconds if seconds > 0 else None


def _check_lifetime(deadline: float) -> None:
    check_number("deadline", deadline, policy="schedule")
    if not 0 < deadline <= LIFETIME_MAX:
        raise Invalid(f"deadline is seconds from now, above 0 and at most {LIFETIME_MAX:.0f}")
