"""Takes a request in: finds its tool, checks it, binds its key, records it. A refusal leaves no trace but a count.

Order: stopping, tool, key, arguments, repeat of a known key, a place in the queue, gates, the ledger. Only then is
it acknowledged, and a refusal on the way charges nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchgear.core.canonical import canonical_json
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, Overloaded, Rejected, StoreError
from switchgear.core.scope import Scope
from switchgear.execution.arguments import validate
from switchgear.execution.bounded import within
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Intent
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import KeyRecord, StaleError, key_name
from switchgear.execution.refusals import Refusals
from switchgear.gates.gate import Gate, GateRequest, check_all

KEY_CHARACTERS_MAX = 255
ARGUMENTS_BYTES_MAX = 1_048_576
"""The longest arguments, as canonical JSON: with them and the longest value an intent still fits its store."""
ACCEPT_WAIT = 5.0
"""Seconds that a repeat waits for the first request with its key to be accepted."""
_REBINDS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request to act. `lifetime` is how many seconds it may stay open; None means the tool's own."""

    scope: Scope
    tool: str
    arguments: Mapping[str, Any]
    key: str | None = None
    lifetime: float | None = None
    trace: str = ""
    correlation: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The intent that answers a submission. `replayed` says that an earlier request had made it."""

    intent: Intent
    replayed: bool


class Admission:
    """The door of an engine. `stopping` closes it."""

    def __init__(self, parts: Parts, *, gates: Sequence[Gate], refusals: Refusals) -> None:
        """Work with the parts of one engine."""
        self._recorder = parts.recorder
        self._registry = parts.registry
        self._queue = parts.queue
        self._clock = parts.clock
        self._ids = parts.ids
        self._gates = gates
        self._refusals = refusals
        self._accepting: dict[tuple[str, str], asyncio.Event] = {}
        self.stopping = False
        self.unacknowledged: dict[str, str] = {}
        """Intents, with their tenant, whose acceptance may be on record although the submitter was told otherwise."""

    async def submit(self, submission: Submission) -> Admitted:
        """Accept `submission` durably, or find the intent that its key is bound to.

        Raises a `Rejected` that says why it was refused, or `StoreError` when it could not be recorded.
        """
        try:
            return await self._admit(submission)
        except Rejected as refusal:
            self._refusals.count(submission.scope.tenant, self._counted_tool(submission.tool), refusal.code)
            raise

    async def _admit(self, submission: Submission) -> Admitted:
        if self.stopping:
            raise Overloaded(code=Code.SHUTTING_DOWN, policy="lifecycle", state="stopping", retry_after=1.0)
        tool = self._tool(submission.tool)
        key = _checked_key(tool, submission.key)
        payload = _checked_arguments(tool, submission.arguments)
        if key is None:
            return Admitted(await self._accept(submission, tool, payload, 0), replayed=False)
        name = key_name(submission.scope.account, tool.name, key)
        return await self._admit_keyed(submission, tool, payload, name)

    async def _admit_keyed(self, submission: Submission, tool: Tool, payload: str, name: str) -> Admitted:
        slot = (submission.scope.tenant, name)
        while (first := self._accepting.get(slot)) is not None:
            if not await within(self._clock, ACCEPT_WAIT, first.wait()):
                raise Conflict(code=Code.IDEMPOTENCY_IN_PROGRESS, policy="idempotency", retry_after=1.0)
        self._accepting[slot] = asyncio.Event()
        try:
            return await self._bind(submission, tool, payload, name)
        finally:
            self._accepting.pop(slot).set()

    async def _bind(self, submission: Submission, tool: Tool, payload: str, name: str) -> Admitted:
        for _ in range(_REBINDS_MAX):
            found = await self._found(submission, payload, name)
            if isinstance(found, Intent):
                return Admitted(found, replayed=True)
            try:
                return Admitted(await self._accept(submission, tool, payload, found), replayed=False)
            except StaleError:
                continue
        raise Conflict(code=Code.IDEMPOTENCY_IN_PROGRESS, policy="idempotency", retry_after=1.0)

    async def _found(self, submission: Submission, payload: str, name: str) -> Intent | int:
        """Return the intent that the key is bound to, or the version at which it is free to be bound.

        Raises `Conflict` (IDEMPOTENCY_CONFLICT) when it is bound to another payload.
        """
        tenant = submission.scope.tenant
        bound = await self._recorder.bound_key(tenant, name)
        if bound is None:
            return 0
        record, version = bound
        intent = await self._recorder.latest(tenant, record.intent_id)
        if intent is None or _forgotten(intent, self._clock.time()):
            return version
        return _same_payload(intent, record, payload)

    async def _accept(self, submission: Submission, tool: Tool, payload: str, key_version: int) -> Intent:
        scope = submission.scope
        intent_id = self._ids.next("int")
        self._queue.reserve(intent_id, scope.tenant)
        try:
            check_all(self._gates, GateRequest(scope.tenant, tool.name, tool.requires, tool.cost))
            facts = self._facts(intent_id, submission, tool, payload)
            return await self._recorder.accept(facts, {"arguments": dict(submission.arguments)}, key_version)
        except StoreError as error:
            if error.code is Code.TIMEOUT_JOURNAL_APPEND:
                self.unacknowledged[intent_id] = scope.tenant  # its place stays taken until its fate is known
            else:
                self._queue.release(intent_id)
            raise
        except BaseException:
            self._queue.release(intent_id)
            raise

    def _facts(self, intent_id: str, submission: Submission, tool: Tool, payload: str) -> dict[str, object]:
        scope = submission.scope
        now = self._clock.time()
        lifetime = tool.lifetime if submission.lifetime is None else submission.lifetime
        return {
            "id": intent_id,
            "tenant": scope.tenant,
            "account": scope.account,
            "actor": scope.actor,
            "tool": tool.name,
            "effect": str(tool.effect),
            "contract": tool.contract,
            "digest": payload,
            "key": submission.key,
            "attempts_max": tool.attempts,
            "key_retention": tool.key_retention,
            "deadline_at": now + lifetime,
            "trace": submission.trace,
            "correlation": submission.correlation or intent_id,
        }

    def _tool(self, name: str) -> Tool:
        known = self._registry.get(name)
        if known is None:
            raise Denied(f"there is no tool {name[:100]!r}", code=Code.NOT_FOUND, policy="registry")
        return known.tool

    def _counted_tool(self, name: str) -> str:
        return name if self._registry.get(name) is not None else "(unknown)"


def _checked_key(tool: Tool, key: str | None) -> str | None:
    if key is None:
        if tool.needs_key:
            raise Invalid(code=Code.IDEMPOTENCY_KEY_REQUIRED, policy="idempotency")
        return None
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise Invalid(f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} printable characters", policy="idempotency")
    return key


def _checked_arguments(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """Return the digest of arguments that fit the tool, and that leave room for an outcome beside them."""
    canonical = canonical_json(arguments)
    if len(canonical) > ARGUMENTS_BYTES_MAX:
        raise Invalid(
            f"the arguments take {len(canonical)} bytes as JSON, and {ARGUMENTS_BYTES_MAX} is the most",
            code=Code.PAYLOAD_TOO_LARGE,
            policy="arguments",
        )
    validate(tool, arguments)
    return hashlib.sha256(canonical).hexdigest()


def _forgotten(intent: Intent, now: float) -> bool:
    return intent.final and now >= intent.updated_at + intent.key_retention


def _same_payload(intent: Intent, record: KeyRecord, payload: str) -> Intent:
    if record.digest != payload:
        raise Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state=str(intent.state))
    return intent
