"""Goes on with sagas: whenever an intent of one is settled, after a crash, and when a person says something.

Nothing of a saga is kept in memory but that some wait for a tool to be registered. Whoever looks at a saga reads its
row and the intent that it waits for, decides, and writes events, row and the next intent in one append.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, Rejected, StoreError
from switchgear.execution import decide as intents
from switchgear.execution.admission import Admission
from switchgear.execution.contract import Tool
from switchgear.execution.detached import Detached
from switchgear.execution.family import COMPENSATE, STEP, Family
from switchgear.execution.intent import Intent
from switchgear.execution.kernel import Kernel
from switchgear.execution.outcomes import Outcomes, looks
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import Birth, StaleError
from switchgear.execution.refusals import Refusals
from switchgear.execution.sagas import decide
from switchgear.execution.sagas.births import Births
from switchgear.execution.sagas.book import Book, saga_of
from switchgear.execution.sagas.decide import Begin, How
from switchgear.execution.sagas.door import AdmittedSaga, Door, SagaSubmission
from switchgear.execution.sagas.saga import Saga, SagaChange, folded
from switchgear.execution.sagas.transitions import SagaState
from switchgear.ledger.events import EventEncoder

_log = logging.getLogger("switchgear.sagas")
LATER_MAX = 10_000
"""How many sagas that wait for a tool or for the ledger are kept in memory."""
_TRIES_MAX = 5
_LOOK_EVERY = 1.0


class Sagas:
    """One per engine, beside the kernel."""

    def __init__(
        self,
        parts: Parts,
        family: Family,
        *,
        detached: Detached,
        kernel: Kernel,
        admission: Admission,
        refusals: Refusals,
        encoder: EventEncoder,
    ) -> None:
        """Work with the parts of one engine, and be told by its `family` how intents of sagas end."""
        self._parts = parts
        self._detached = detached
        self._book = Book(parts, encoder)
        self._births = Births(parts)
        self._door = Door(parts, self._book, kernel, admission, refusals)
        self._outcomes: Outcomes[Saga] = Outcomes(parts.clock)
        self._later: dict[str, tuple[str, str | None]] = {}
        """Sagas to look at again, by id: their tenant, and the tool that they wait for if that is why."""
        self._left_out = False
        family.serve(STEP, self._told)
        family.serve(COMPENSATE, self._told)

    async def submit(self, wish: SagaSubmission) -> AdmittedSaga:
        """Accept a saga durably and begin it. Raises as `Door.submit` does.

        A caller that goes away only stops waiting, here and below: what was begun is finished.
        """
        return await self._detached.finished(partial(self._door.submit, wish))

    async def saga(self, tenant: str, saga_id: str) -> Saga:
        """Return a saga of this tenant. Raises `Denied` (NOT_FOUND) when there is none."""
        saga = await self.found(tenant, saga_id)
        if saga is None:
            raise Denied(f"there is no saga {saga_id[:100]!r}", code=Code.NOT_FOUND, policy="tenant")
        return saga

    async def found(self, tenant: str, saga_id: str) -> Saga | None:
        """Return a saga of this tenant, or None when there is none."""
        return await self._book.get(tenant, saga_id)

    async def wait(self, tenant: str, saga_id: str, seconds: float) -> Saga:
        """Return the saga once it is at its end or needs a person, at the latest after `seconds`.

        Where several engines share a store, what another one settles is seen some seconds later: nobody tells.
        """
        steps = looks(seconds, shared=self._parts.recorder.lease.shared)
        saga = await self._heard_of(tenant, saga_id, next(steps))
        while not saga.settled and (step := next(steps, None)) is not None:
            saga = await self._heard_of(tenant, saga_id, step)
        return saga

    async def _heard_of(self, tenant: str, saga_id: str, seconds: float) -> Saga:
        waiting = asyncio.ensure_future(self._outcomes.wait(saga_id, seconds))  # before the look: nothing slips through
        try:
            saga = await self.saga(tenant, saga_id)
            if saga.settled or seconds <= 0:
                return saga
            return await waiting or await self.saga(tenant, saga_id)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def cancel(self, tenant: str, saga_id: str, *, reason: str, actor: str) -> Saga:
        """Begin no further step, and undo what succeeded. A step that is under way is cancelled if it has not left.

        Raises `Denied` (NOT_FOUND), and `Conflict` when the saga has ended otherwise or its pivot has happened.
        """
        return await self._detached.finished(partial(self._cancel, tenant, saga_id, reason, actor))

    async def resume(self, tenant: str, saga_id: str, how: How, *, reason: str, actor: str) -> Saga:
        """Let a stuck saga go on as a person says. Raises `Denied` (NOT_FOUND), and as `decide.resumption` does."""
        return await self._detached.finished(partial(self._resume, tenant, saga_id, how, reason, actor))

    async def _cancel(self, tenant: str, saga_id: str, reason: str, actor: str) -> Saga:
        for _ in range(_TRIES_MAX):
            saga = await self.saga(tenant, saga_id)
            changes = decide.cancellation(saga, by=actor, reason=reason)
            if not changes:
                return saga
            try:
                await self._record_cancel(saga, changes, reason, actor)
            except StaleError:
                continue
            return await self._looked_at(tenant, saga_id)
        raise _keeps_changing()

    async def _resume(self, tenant: str, saga_id: str, how: How, reason: str, actor: str) -> Saga:
        for _ in range(_TRIES_MAX):
            saga = await self.saga(tenant, saga_id)
            changes = decide.resumption(saga, how, by=actor, reason=reason)
            try:
                await self._book.record(saga, changes, actor=actor)
            except StaleError:
                continue
            return await self._looked_at(tenant, saga_id)
        raise _keeps_changing()

    async def recover(self) -> None:
        """Go on with every open saga, once the intents were read back. Raises `StoreError` when nothing can be written.

        One that cannot be read is named in the log and never stops the others.
        """
        async for row in self._book.open_rows():
            try:
                await self._go_on(row.tenant, saga_of(row).id)
            except (StaleError, Rejected) as error:
                self._look_later(row.tenant, row.key, error)
            except StoreError as error:
                if error.code is not Code.LEDGER_CORRUPT:
                    raise
                _log.error("saga %s of tenant %s could not be recovered: %s", row.key, row.tenant, error)

    async def run(self) -> None:
        """Look again at sagas that wait for a tool or for the ledger, for ever."""
        while True:
            await self._parts.clock.sleep_async(_LOOK_EVERY)
            await self._refill()
            for saga_id, (tenant, tool) in list(self._later.items()):
                if tool is None or self._parts.registry.get(tool) is not None:
                    del self._later[saga_id]
                    await self._look_again(tenant, saga_id)

    async def _told(self, intent: Intent) -> None:
        """Go on with the saga that a settled intent serves. Raises `StoreError` when that has to be told again."""
        try:
            await self._go_on(intent.tenant, intent.parent or "")
        except Rejected as error:
            self._look_later(intent.tenant, intent.parent or "", error)
        except StoreError as error:
            if error.code is not Code.LEDGER_CORRUPT:
                raise
            _log.error("saga %s of tenant %s cannot go on: %s", intent.parent, intent.tenant, error)

    async def _looked_at(self, tenant: str, saga_id: str) -> Saga:
        """Return a saga after going on with it: what was recorded of it stands, also when the ledger is away now."""
        await self._look_again(tenant, saga_id)
        return await self.saga(tenant, saga_id)

    async def _look_again(self, tenant: str, saga_id: str) -> None:
        try:
            await self._go_on(tenant, saga_id)
        except (StoreError, StaleError, Rejected) as error:
            self._look_later(tenant, saga_id, error)

    def _look_later(self, tenant: str, saga_id: str, error: Exception) -> None:
        _log.warning("saga %s of tenant %s is looked at again soon: %s", saga_id, tenant, error)
        self._note_later(saga_id, tenant, None)

    def _note_later(self, saga_id: str, tenant: str, tool: str | None) -> None:
        """Keep in mind to look again; what memory has no room for is read again from the store."""
        if saga_id in self._later or len(self._later) < LATER_MAX:
            self._later[saga_id] = (tenant, tool)
        else:
            self._left_out = True

    async def _refill(self) -> None:
        """Look at every open saga again, once memory has room for those that it had to leave out."""
        if not self._left_out or len(self._later) > LATER_MAX // 2:
            return
        self._left_out = False
        try:
            await self.recover()
        except StoreError as error:
            self._left_out = True
            _log.warning("sagas that were left out cannot be read back now: %s", error)

    async def _go_on(self, tenant: str, saga_id: str) -> None:
        """Record what follows for a saga. Raises `StaleError` when it keeps changing, `StoreError`, `Rejected`."""
        stale: StaleError | None = None
        for _ in range(_TRIES_MAX):
            saga = await self._book.get(tenant, saga_id)
            if saga is None or saga.final:
                return
            changes, births = await self._turn(saga)
            if not changes:
                return
            try:
                self._announce(await self._book.record(saga, changes, births=births))
            except StaleError as error:
                stale = error
                continue
            return
        assert stale is not None  # the loop ends only so
        raise stale

    async def _turn(self, saga: Saga) -> tuple[tuple[SagaChange, ...], tuple[Birth, ...]]:
        """Return what is to be recorded of a saga as it stands, and the intent that it bears next."""
        changes = await self._after_intent(saga)
        after = folded(saga, changes, saga.updated_at)
        while (following := decide.following(after)) is not None:
            if isinstance(following, SagaChange):
                return (*changes, following), ()
            tool = self._tool_for(after, following)
            if tool is None:
                break
            try:
                birth = await self._births.of(after, following, tool)
            except Invalid as error:
                unable = decide.unable(after, following, error.code, error.message)
                changes, after = (*changes, *unable), folded(after, unable, after.updated_at)
            else:
                return (*changes, decide.started(after, following, birth.facts["id"])), (birth,)
        return changes, ()

    async def _after_intent(self, saga: Saga) -> tuple[SagaChange, ...]:
        """Return what the intent says that the saga waits for; one not heard of so far is queued by that look."""
        if saga.under_way is None:
            return ()
        intent = await self._parts.recorder.latest(saga.tenant, saga.under_way)
        if intent is None:
            _log.error("saga %s of tenant %s waits for %s, which is missing", saga.id, saga.tenant, saga.under_way)
            return ()
        return decide.after_intent(saga, intent)

    def _tool_for(self, saga: Saga, begin: Begin) -> Tool | None:
        """Return the tool to begin; None, and a note to look again, while it is not registered here."""
        step = saga.steps[begin.position]
        name = (step.compensate or "") if begin.undo else step.tool
        known = self._parts.registry.get(name)
        if known is None:
            self._note_later(saga.id, saga.tenant, name)
            _log.warning("saga %s of tenant %s waits: tool %s is not registered here", saga.id, saga.tenant, name)
            return None
        return known.tool

    async def _record_cancel(self, saga: Saga, changes: tuple[SagaChange, ...], reason: str, actor: str) -> None:
        """Record a cancel, in one append with that of the intent which is under way."""
        under_way = saga.under_way
        intent = await self._parts.recorder.latest(saga.tenant, under_way) if under_way is not None else None
        of_intent = intents.cancellation(intent, reason, actor) if intent is not None else ()
        if intent is not None and of_intent:
            await self._book.record_with(saga, changes, intent, of_intent, actor=actor)
        else:
            await self._book.record(saga, changes, actor=actor)

    def _announce(self, saga: Saga) -> None:
        if saga.settled:
            self._outcomes.announce(saga)
        if saga.state is SagaState.STUCK and saga.stuck is not None:
            where, why = saga.steps[saga.stuck.position].name, saga.stuck.message
            _log.warning("saga %s of tenant %s is stuck at step %s: %s", saga.id, saga.tenant, where, why)


def _keeps_changing() -> Conflict:
    return Conflict("the saga keeps changing; look at it and try again", policy="saga", retry_after=1.0)
