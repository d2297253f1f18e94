"""What every surface shows of a ledger: plain values that fit into JSON. One place, so all of them say the same.

Times are seconds since the epoch. None means unknown or not applicable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from switchgear.core.errors import StoreError
from switchgear.execution.refold import FoldReport
from switchgear.ledger.events import read
from switchgear.ledger.folding import stream_entries
from switchgear.ledger.verify import Verification
from switchgear.storage.abilities import Entry, Head, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One entry of the ledger. `hash` and `prev` are hex. `payload` is None when there is none or it was erased."""

    seq: int
    stream: str
    type: str
    at: float
    actor: str
    facts: dict[str, Any]
    payload: Any
    trace: str
    hash: str
    prev: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Entries in order. `next_after` continues; None at the end."""

    items: list[EventView]
    next_after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadView:
    """The end of a tenant's chain."""

    tenant: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    """Result of verifying a tenant's chain, and of folding it again against the stored rows."""

    ok: bool
    entries: int
    first_bad_seq: int | None
    problem: str | None
    head: HeadView
    intents: int
    fold_matches: bool
    budgets_match: bool
    """Whether the counters of budgets are what the events make of them."""
    state_hash: str
    """SHA-256 of the folded intents, newest first: folding again gives the same (law 11)."""
    bad: int
    """How much was found in all."""
    findings: list[str]
    """The first 100 findings in words."""
    begins_after: int
    """Where the entries begin that are still here: those up to this one were archived. 0 when none was."""


UNREADABLE = "unreadable"
"""The type that is shown of an entry that cannot be read, with its code in the facts."""

FINDINGS_MAX = 100


def event_view(entry: Entry) -> EventView:
    """Return a ledger entry, decoded; one that cannot be read is shown as that, and never hides the others."""
    try:
        recorded = read(entry)
    except StoreError as error:
        return _unreadable(entry, error)
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


def _unreadable(entry: Entry, error: StoreError) -> EventView:
    return EventView(
        seq=entry.seq,
        stream=entry.stream,
        type=UNREADABLE,
        at=0.0,
        actor="",
        facts={"code": str(error.code), "problem": error.message},
        payload=None,
        trace="",
        hash=entry.hash.hex(),
        prev=entry.prev.hex(),
    )


def event_page(entries: Sequence[Entry], limit: int) -> EventPage:
    """Return the first `limit` of `entries` as a page; it goes on when there are more."""
    items = [event_view(entry) for entry in entries[:limit]]
    return EventPage(items=items, next_after=items[-1].seq if len(entries) > limit else None)


async def stream_page(journal: Journal, tenant: str, stream: str, *, after: int, limit: int) -> EventPage:
    """Return the entries of one stream in order: `limit` above the sequence `after`."""
    found: list[Entry] = []
    async for entry in stream_entries(journal, tenant, stream):
        if entry.seq > after:
            found.append(entry)
        if len(found) > limit:
            break
    return event_page(found, limit)


def head_view(head: Head) -> HeadView:
    """Return the end of a chain."""
    return HeadView(tenant=head.tenant, seq=head.seq, hash=head.hash.hex())


def verification_view(
    tenant: str, chain: Verification, fold: FoldReport, budgets: Sequence[str] = ()
) -> VerificationView:
    """Return what verifying a tenant's chain and folding it again found."""
    words = [*(finding.problem for finding in chain.findings), *fold.problems, *budgets]
    problem = chain.problem or next(iter(words), None)
    return VerificationView(
        ok=problem is None,
        entries=chain.count,
        first_bad_seq=chain.first_bad_seq,
        problem=problem,
        head=HeadView(tenant=tenant, seq=chain.head.seq, hash=chain.head.hash.hex()),
        intents=fold.intents,
        fold_matches=fold.first_different is None,
        budgets_match=not budgets,
        state_hash=fold.state_hash,
        bad=chain.bad + fold.different + len(budgets),
        findings=words[:FINDINGS_MAX],
        begins_after=chain.begins_after,
    )
