"""Use cases about sagas: submit, wait, show, list, events, cancel, resume; and what every surface shows of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from switchgear.control.accounts import scope_for
from switchgear.control.damage import readable
from switchgear.control.ledger_views import EventPage, stream_page
from switchgear.control.paging import PAGE_MAX, check_cursor, check_limit, check_state, page_of
from switchgear.control.permissions import Permissions
from switchgear.control.tools import suggest_tool
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.owning import owned
from switchgear.execution.sagas.book import SAGAS, saga_of
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import SagaSubmission
from switchgear.execution.sagas.saga import Saga, Step
from switchgear.execution.sagas.transitions import SagaState
from switchgear.ledger.reasons import check_remark
from switchgear.storage.abilities import Store

STATES = tuple(str(state) for state in SagaState if state is not SagaState.PROPOSED)
"""The states that a saga can be listed by."""
_SAGA_ID = re.compile(r"sga_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step. `intent` did it and `compensation` undid it; `earlier` are intents that came to nothing before."""

    name: str
    tool: str
    phase: str
    arguments: dict[str, Any]
    compensate: str | None
    undo: dict[str, Any] | None
    pivot: bool
    intent: str | None
    compensation: str | None
    earlier: list[str]
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckView:
    """What a person has to look at: which step, and why. `intent` is the one to resolve; None: resume the saga."""

    step: str
    intent: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaView:
    """A saga as its tenant may see it. `code` and `message` say why it is undone; None when it is not."""

    id: str
    account: str
    actor: str
    key: str
    state: str
    steps: list[StepView]
    stuck: StuckView | None
    code: str | None
    message: str
    cancel_requested: bool
    final: bool
    created_at: float
    updated_at: float
    trace: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SagaPage:
    """Sagas, newest first. `next_cursor` continues the list; None at its end.

    `unreadable` are the ids of those on this page that are damaged, so that they cannot be shown.
    """

    items: list[SagaView]
    next_cursor: str | None
    unreadable: list[str]


class Sagas:
    """What can be asked about the sagas of the caller's tenant, and done with them."""

    permissions: ClassVar[Permissions] = Permissions(
        tenant=("sagas:submit", "sagas:read", "sagas:cancel", "sagas:resume")
    )

    def __init__(self, engine: Engine, store: Store) -> None:
        """Ask `engine`; read pages from its `store`."""
        self._sagas = engine.sagas
        self._registry = engine.registry
        self._store = store

    async def submit(
        self,
        principal: Principal,
        *,
        steps: Sequence[StepDefinition],
        account: str | None = None,
        key: str | None = None,
        trace: str | None = None,
        correlation: str | None = None,
    ) -> SagaView:
        """Accept a saga durably and begin its first step. The same `key` with the same steps finds the same saga.

        Without `account` it is for the only one of the principal.

        Raises a `Rejected` that says why it was refused, `StoreError` when it could not be recorded. Where there is no
        such tool it names the nearest one, to who may see the tools.
        """
        principal.require("sagas:submit")
        scope = scope_for(principal, account)
        wish = SagaSubmission(scope=scope, steps=steps, key=key, trace=trace or "", correlation=correlation or "")
        try:
            admitted = await self._sagas.submit(wish)
        except Denied as refusal:
            self._suggest_tool(refusal, principal, steps)
            raise
        return saga_view(admitted.saga, replayed=admitted.replayed)

    async def wait(self, principal: Principal, saga_id: str, seconds: float) -> SagaView:
        """Return the saga once it is at its end or stuck, at the latest after `seconds`."""
        principal.require("sagas:read")
        return saga_view(await self._sagas.wait(principal.tenant, saga_id, seconds))

    async def show(self, principal: Principal, saga_id: str) -> SagaView:
        """Return one saga. Raises `Denied` (NOT_FOUND)."""
        principal.require("sagas:read")
        return saga_view(await self._sagas.saga(principal.tenant, saga_id))

    async def list(
        self, principal: Principal, *, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> SagaPage:
        """Return sagas, newest first: `limit` of them (1 to 200), of one state if given, after `cursor`."""
        principal.require("sagas:read")
        check_limit(limit)
        check_state(state, STATES)
        check_cursor(cursor, _SAGA_ID)
        rows, after = await page_of(self._store, SAGAS, principal.tenant, facet=state, cursor=cursor, limit=limit)
        found, damaged = readable(rows, saga_of)
        return SagaPage([saga_view(saga) for saga in found], after, damaged)

    async def events(self, principal: Principal, saga_id: str, *, after: int = 0, limit: int = PAGE_MAX) -> EventPage:
        """Return the ledger's entries of one saga in order: `limit` (1 to 200) above the sequence `after`.

        What happened to its intents is in theirs.
        """
        principal.require("sagas:read")
        check_limit(limit)
        saga = await self._sagas.saga(principal.tenant, saga_id)
        return await stream_page(self._store, principal.tenant, saga.id, after=after, limit=limit)

    async def cancel(self, principal: Principal, saga_id: str, *, reason: str = "") -> SagaView:
        """Begin no further step and undo what succeeded.

        Raises `Conflict` when it has ended otherwise, or when its pivot has happened.
        """
        principal.require("sagas:cancel")
        check_remark(reason)
        return saga_view(await self._sagas.cancel(principal.tenant, saga_id, reason=reason, actor=principal.actor))

    async def resume(self, principal: Principal, saga_id: str, *, how: str, reason: str) -> SagaView:
        """Let a stuck saga go on: `how` is ``retry`` (begin anew what is missing) or ``done`` (it was done by hand).

        Raises `Denied` for agents, `Conflict` when it is not stuck, or when a retry could be a second effect.
        """
        principal.require("sagas:resume")
        try:
            meant = How(how)
        except ValueError:
            raise Invalid(f"how is one of {', '.join(How)}, not {how[:50]!r}", policy="saga") from None
        return saga_view(
            await self._sagas.resume(principal.tenant, saga_id, meant, reason=reason, actor=principal.actor)
        )

    def _suggest_tool(self, refusal: Denied, principal: Principal, steps: Sequence[StepDefinition]) -> None:
        missing = next((step.tool for step in steps if self._registry.get(step.tool) is None), None)
        if refusal.code is Code.NOT_FOUND and missing is not None:
            suggest_tool(refusal, missing, principal, self._registry)


def saga_view(saga: Saga, *, replayed: bool = False) -> SagaView:
    """Return a saga as its tenant may see it."""
    return SagaView(
        id=saga.id,
        account=saga.account,
        actor=saga.actor,
        key=saga.key,
        state=str(saga.state),
        steps=[_step_view(step) for step in saga.steps],
        stuck=_stuck_view(saga),
        code=saga.code,
        message=saga.message,
        cancel_requested=saga.cancel_requested,
        final=saga.final,
        created_at=saga.created_at,
        updated_at=saga.updated_at,
        trace=saga.trace,
        replayed=replayed,
    )


def _step_view(step: Step) -> StepView:
    return StepView(
        name=step.name,
        tool=step.tool,
        phase=str(step.phase),
        arguments=owned(step.arguments),
        compensate=step.compensate,
        undo=None if step.undo is None else owned(step.undo),
        pivot=step.pivot,
        intent=step.intent,
        compensation=step.compensation,
        earlier=list(step.earlier),
        code=step.code,
    )


def _stuck_view(saga: Saga) -> StuckView | None:
    if saga.stuck is None:
        return None
    name = saga.steps[saga.stuck.position].name
    return StuckView(step=name, intent=saga.under_way, code=saga.stuck.code, message=saga.stuck.message)
