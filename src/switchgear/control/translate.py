"""Turns records of the floors below into the views that surfaces show. One place, so every surface says the same."""

from __future__ import annotations

from dataclasses import replace

from switchgear.control.views import (
    BreakerView,
    EventView,
    HeadView,
    IntentView,
    ToolView,
    VerificationView,
)
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Intent, State
from switchgear.execution.refold import FoldReport
from switchgear.guard import Guard
from switchgear.ledger.events import read
from switchgear.ledger.verify import Verification
from switchgear.storage.abilities import Entry, Head


def intent_view(intent: Intent, waiting_for: str | None, *, replayed: bool) -> IntentView:
    """Return an intent as its tenant may see it."""
    return IntentView(
        id=intent.id,
        tool=intent.tool,
        account=intent.account,
        actor=intent.actor,
        state=str(intent.state),
        effect=str(intent.effect),
        key=intent.key,
        arguments=intent.arguments,
        attempts=intent.attempt,
        attempts_max=intent.attempts_max,
        created_at=intent.created_at,
        updated_at=intent.updated_at,
        deadline_at=intent.deadline_at,
        not_before=intent.not_before if intent.state is State.READY else None,
        value=intent.value,
        code=intent.code,
        message=intent.message,
        waiting_for=waiting_for,
        cancel_requested=intent.cancel_requested,
        final=intent.final,
        trace=intent.trace,
        replayed=replayed,
    )


def event_view(entry: Entry) -> EventView:
    """Return a ledger entry, decoded. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    recorded = read(entry)
    return EventView(
        seq=entry.seq,
        stream=entry.stream,
        type=recorded.type,
        at=recorded.at,
        actor=recorded.actor,
        facts=dict(recorded.facts),
        payload=recorded.payload,
        trace=recorded.context.trace,
        hash=entry.hash.hex(),
        prev=entry.prev.hex(),
    )


def tool_view(tool: Tool) -> ToolView:
    """Return a tool and its contract."""
    return ToolView(
        name=tool.name,
        description=tool.description,
        effect=str(tool.effect),
        requires=list(tool.requires),
        version=tool.version,
        contract=tool.contract,
        timeout=tool.timeout,
        attempts=tool.attempts,
        cost=tool.cost,
        needs_key=tool.needs_key,
        arguments_schema=dict(tool.arguments_schema) if tool.arguments_schema is not None else None,
    )


def breaker_view(guard: Guard, queued: int | None) -> BreakerView:
    """Return a dependency's guard; with counts over all tenants when `queued`, how many intents wait, is given."""
    counts = guard.statistics()
    public = BreakerView(dependency=guard.name, state=guard.state, retry_after=counts.retry_after)
    if queued is None:
        return public
    return replace(
        public,
        failure_rate=counts.failure_rate,
        calls=counts.calls,
        successes=counts.successes,
        failures=counts.failures,
        refused=counts.rejected,
        opened=counts.circuit_breaker_opened,
        in_flight=counts.in_flight,
        queued=queued,
    )


def verification_view(tenant: str, chain: Verification, fold: FoldReport) -> VerificationView:
    """Return what verifying a tenant's chain and folding it again found."""
    problem = chain.problem or None
    if problem is None and fold.first_different is not None:
        problem = f"intent {fold.first_different} is not what its events say"
    return VerificationView(
        ok=problem is None,
        entries=chain.count,
        first_bad_seq=chain.first_bad_seq,
        problem=problem,
        head=HeadView(tenant=tenant, seq=chain.head.seq, hash=chain.head.hash.hex()),
        intents=fold.intents,
        fold_matches=fold.first_different is None,
        state_hash=fold.state_hash,
    )


def head_view(head: Head) -> HeadView:
    """Return the end of a chain."""
    return HeadView(tenant=head.tenant, seq=head.seq, hash=head.hash.hex())
