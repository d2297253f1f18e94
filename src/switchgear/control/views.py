"""What every surface shows of an intent, a page, an event, a tool, a breaker: plain values that fit into JSON.

Times are seconds since the epoch. None means unknown or not applicable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentView:
    """An intent as its tenant may see it."""

    id: str
    tool: str
    account: str
    actor: str
    state: str
    effect: str
    key: str | None
    arguments: dict[str, Any]
    attempts: int
    attempts_max: int
    created_at: float
    updated_at: float
    deadline_at: float
    not_before: float | None
    value: Any
    code: str | None
    message: str
    waiting_for: str | None
    """Why it does not run now: a code such as CIRCUIT_OPEN, TOOL_UNREGISTERED; None when nothing holds it."""
    cancel_requested: bool
    final: bool
    trace: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Intents, newest first. `next_cursor` continues the list; None at its end."""

    items: list[IntentView]
    next_cursor: str | None


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
class ToolView:
    """A registered tool and its contract."""

    name: str
    description: str
    effect: str
    requires: list[str]
    version: str
    contract: str
    timeout: float
    attempts: int
    cost: int
    needs_key: bool
    arguments_schema: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerView:
    """A dependency's guard: breaker state, and what is left of its cooldown.

    The counts are over all tenants: None where the caller may not see them.
    """

    dependency: str
    state: str
    retry_after: float | None
    failure_rate: float | None = None
    calls: int | None = None
    successes: int | None = None
    failures: int | None = None
    refused: int | None = None
    opened: int | None = None
    in_flight: int | None = None
    queued: int | None = None


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
    state_hash: str
    """SHA-256 of the folded intents, newest first: folding again gives the same (law 11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessView:
    """Whether this process can accept and record work, part by part: name -> "ok" or what is wrong."""

    ready: bool
    parts: dict[str, str]
