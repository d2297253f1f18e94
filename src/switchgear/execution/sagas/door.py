"""Takes a saga in: checks it against the tools, binds its key, asks the gates for its first step, records it.

Order: stopping, key, steps, repeat of a known key, gates, a place in the queue, the ledger. Only then is it
acknowledged, together with the intent of its first step. A refusal on the way leaves no trace but a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Invalid, Overloaded, Rejected, StoreError
from switchgear.core.scope import Scope
from switchgear.execution.admission import KEY_CHARACTERS_MAX, Admission
from switchgear.execution.family import STEP, serving
from switchgear.execution.gating import admission_request, also_of
from switchgear.execution.kernel import Kernel
from switchgear.execution.key_records import KeyRecord
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import NOTHING_ELSE, Also, ExceededError, StaleError
from switchgear.execution.refusals import Refusals
from switchgear.execution.sagas import decide
from switchgear.execution.sagas.book import SAGA_KEYS, Book, key_name
from switchgear.execution.sagas.decide import Begin
from switchgear.execution.sagas.definition import Definition, StepDefinition, checked
from switchgear.execution.sagas.saga import Saga, Step, accepted
from switchgear.gates.gate import ApprovalNeeded

COUNTED_AS = "(saga)"
"""What refused sagas are counted as, in place of a tool."""
_TRIES_MAX = 5
_FIRST = Begin(0, undo=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaSubmission:
    """A wish to have `steps` done in order, or undone. `key` is the same for every repeat of this one wish."""

    scope: Scope
    steps: Sequence[StepDefinition]
    key: str | None
    trace: str = ""
    correlation: str = ""


@dataclass(frozen=True, slots=True)
class AdmittedSaga:
    """The saga that answers a submission. `replayed` says that an earlier request had made it."""

    saga: Saga
    replayed: bool


class Door:
    """The door for sagas; it closes with that of the engine."""

    def __init__(self, parts: Parts, book: Book, kernel: Kernel, admission: Admission, refusals: Refusals) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._book = book
        self._kernel = kernel
        self._admission = admission
        self._refusals = refusals

    async def submit(self, wish: SagaSubmission) -> AdmittedSaga:
        """Accept `wish` durably, or find the saga that its key is bound to.

        Raises a `Rejected` that says why it was refused, or `StoreError` when it could not be recorded.
        """
        try:
            return await self._admit(wish)
        except Rejected as refusal:
            self._refusals.count(wish.scope.tenant, COUNTED_AS, refusal.code)
            raise

    async def _admit(self, wish: SagaSubmission) -> AdmittedSaga:
        self._admission.check_open()
        key = _checked_key(wish.key)
        definition = checked(wish.steps, self._parts.registry)
        for _ in range(_TRIES_MAX):
            found = await self._found(wish, definition, key)
            if isinstance(found, Saga):
                return AdmittedSaga(found, replayed=True)
            try:
                return AdmittedSaga(await self._accept(wish, definition, key, found), replayed=False)
            except StaleError as error:
                if error.conflict.space != SAGA_KEYS:
                    await self._parts.refresh(error.conflict)
        raise Overloaded("what the gates rely on keeps changing", policy="gates", retry_after=1.0)

    async def _found(self, wish: SagaSubmission, definition: Definition, key: str) -> Saga | int:
        """Return the saga that the key is bound to, or the version at which it is free to be bound.

        Raises `Conflict` (IDEMPOTENCY_CONFLICT) when it is bound to other steps, `StoreError` (LEDGER_CORRUPT) when it
        is bound to a saga that is gone: then nobody can tell, and it is not free.
        """
        tenant = wish.scope.tenant
        bound = await self._book.bound(tenant, key_name(wish.scope.account, key))
        if bound is None:
            return 0
        record, version = bound
        saga = await self._book.get(tenant, record.intent_id)
        if saga is None:
            raise StoreError(f"the key is bound to {record.intent_id}, which is gone", code=Code.LEDGER_CORRUPT)
        if _forgotten(saga, *self._parts.watch.read()):
            return version
        return _same_steps(saga, record, definition)

    async def _accept(self, wish: SagaSubmission, definition: Definition, key: str, key_version: int) -> Saga:
        facts, payload = self._facts(wish, definition, key), _payload(definition)
        saga = accepted(facts, payload, self._parts.clock.time())
        also = self._first_step(saga)
        first: str = also.births[0].facts["id"]
        self._parts.queue.reserve(first, saga.tenant)
        try:
            begun = decide.started(saga, _FIRST, first)
            saga = await self._book.accept(facts, payload, (begun,), key_version=key_version, also=also)
        except ExceededError as error:
            self._parts.queue.release(first)
            raise Rejected(str(error), code=Code.BUDGET_EXCEEDED, policy="budget") from None
        except StoreError as error:
            self._after_silence(first, saga.tenant, error)
            raise
        except BaseException:
            self._parts.queue.release(first)
            raise
        self._kernel.enqueue(self._parts.recorder.live[first])
        return saga

    def _after_silence(self, first: str, tenant: str, error: StoreError) -> None:
        """Keep the place of the first step until its fate is known, or give it back when nothing was written."""
        if error.code is Code.TIMEOUT_JOURNAL_APPEND:
            self._admission.unacknowledged[first] = tenant
        else:
            self._parts.queue.release(first)

    def _first_step(self, saga: Saga) -> Also:
        """Return the birth of the first step, and what its passing the gates rests on.

        What only needs approval is let in, and asks for it when it is due.
        """
        step = saga.steps[0]
        known = self._parts.registry.get(step.tool)
        assert known is not None  # the steps have just been checked
        birth = serving(self._parts, saga, known.tool, step.arguments, purpose=STEP, actor=saga.actor)
        request = admission_request(self._parts.recorder.draft(birth).intent, known.tool, self._parts.clock.time())
        try:
            passed = also_of(self._admission.ask(request))
        except ApprovalNeeded:
            passed = NOTHING_ELSE
        return structs.replace(passed, births=(birth,))

    def _facts(self, wish: SagaSubmission, definition: Definition, key: str) -> dict[str, Any]:
        saga_id = self._parts.ids.next("sga")
        return {
            "id": saga_id,
            "tenant": wish.scope.tenant,
            "account": wish.scope.account,
            "actor": wish.scope.actor,
            "key": key,
            "digest": definition.digest,
            "key_retention": definition.key_retention,
            "steps": [_plan(step) for step in definition.steps],
            "trace": wish.trace,
            "correlation": wish.correlation or saga_id,
        }


def _plan(step: Step) -> dict[str, Any]:
    """Return what the machine knows of a step; its arguments are the user's data and stand beside it."""
    plan: dict[str, Any] = {"name": step.name, "tool": step.tool, "contract": step.contract}
    if step.compensate is not None:
        plan["compensate"] = step.compensate
    if step.pivot:
        plan["pivot"] = True
    return plan


def _payload(definition: Definition) -> dict[str, Any]:
    return {
        "arguments": {step.name: step.arguments for step in definition.steps},
        "undo": {step.name: step.undo for step in definition.steps if step.undo is not None},
    }


def _checked_key(key: str | None) -> str:
    if key is None:
        raise Invalid(code=Code.IDEMPOTENCY_KEY_REQUIRED, policy="idempotency")
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise Invalid(f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} printable characters", policy="idempotency")
    return key


def _forgotten(saga: Saga, now: float, unsure: float) -> bool:
    """Return whether the key of a saga is free again, though `unsure` fewer seconds may have passed."""
    return saga.final and now - unsure >= saga.updated_at + saga.key_retention


def _same_steps(saga: Saga, record: KeyRecord, definition: Definition) -> Saga:
    if record.digest != definition.digest:
        raise Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state=str(saga.state))
    return saga
