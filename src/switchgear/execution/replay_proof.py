"""What proves that an action has no effect now, so that it may be executed anew; and what else forbids that.

A proof that rests on a row goes into the append: if the row changes meanwhile, nothing is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.execution.family import STEP
from switchgear.execution.intent import Intent
from switchgear.execution.key_records import KEYS, key_name, key_of
from switchgear.execution.recorder import NOTHING_ELSE, Also
from switchgear.execution.sagas.book import SAGAS, saga_of
from switchgear.execution.sagas.saga import Saga
from switchgear.execution.sagas.transitions import Phase
from switchgear.execution.time_boxes.box import SPACE, BoxState, decoded_box
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Expect, Row, Store, Write


@dataclass(frozen=True, slots=True)
class Proof:
    """`kind` is `not_applied`, `reverted` or `compensated`, None without a proof. `also` holds what it rests on."""

    kind: str | None
    hindrance: Rejected | None = None
    also: Also = NOTHING_ELSE


class Prover:
    """Looks for proofs in one store."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store

    async def proof(self, intent: Intent) -> Proof:
        """Return what shows that an intent that has ended has no effect now. Raises `StoreError`."""
        if intent.purpose not in (None, STEP):
            return Proof("not_applied", _refused("it serves another action, which decides whether it is done again"))
        step = await self._saga_row(intent)
        saga = None if step is None else saga_of(step)
        if intent.purpose == STEP and (saga is None or not saga.final):
            return Proof("not_applied", _refused("its saga has not ended, and decides whether it is done again"))
        return await self._with_key(intent, await self._kind(intent, step, saga))

    async def _kind(self, intent: Intent, step: Row | None, saga: Saga | None) -> Proof:
        if intent.state is not State.SUCCEEDED:
            return Proof("not_applied")
        box = await self._store.get(SPACE, intent.tenant, intent.downstream_key)
        if box is not None and decoded_box(box.key, box.value).state is BoxState.REVERTED:
            return Proof("reverted", also=_resting_on(box))
        if step is not None and saga is not None and _compensated(saga, intent):
            return Proof("compensated", also=_resting_on(step))
        return Proof(None)

    async def _saga_row(self, intent: Intent) -> Row | None:
        if intent.purpose != STEP or intent.parent is None:
            return None
        return await self._store.get(SAGAS, intent.tenant, intent.parent)

    async def _with_key(self, intent: Intent, proof: Proof) -> Proof:
        """Return `proof` with the intent's key bound once more; a later action that has it by now forbids all."""
        if intent.key is None or proof.kind is None:
            return proof
        name = key_name(intent.account, intent.tool, intent.key)
        row = await self._store.get(KEYS, intent.tenant, name)
        if row is None or key_of(row).intent_id != intent.id:
            code = Code.IDEMPOTENCY_CONFLICT
            return Proof(proof.kind, Rejected("a later action has its key", code=code, policy="replay"))
        kept = Write(KEYS, name, row.version, row.value, row.facet)
        return Proof(proof.kind, also=Also(expects=proof.also.expects, writes=(kept,)))


def _compensated(saga: Saga, intent: Intent) -> bool:
    return any(step.intent == intent.id and step.phase is Phase.COMPENSATED for step in saga.steps)


def _resting_on(row: Row) -> Also:
    return Also(expects=(Expect(row.space, row.tenant, row.key, row.version),))


def _refused(message: str) -> Rejected:
    return Rejected(message, code=Code.ILLEGAL_TRANSITION, policy="replay")
