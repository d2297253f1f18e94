"""The engine: one store, one door, one kernel. Assembles the parts of this room and gives them one face.

What a caller may do is decided above, in `control`; here every request names its tenant and is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from switchgear.core.clock import Clock, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, DeadlineExceeded, Denied, StoreError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.execution import decide
from switchgear.execution.admission import Admission, Admitted, Submission
from switchgear.execution.bounded import within
from switchgear.execution.intent import Intent, State
from switchgear.execution.kernel import Kernel
from switchgear.execution.outcomes import Outcomes
from switchgear.execution.parts import Parts
from switchgear.execution.queue import FairQueue
from switchgear.execution.recorder import Recorder, StaleError
from switchgear.execution.recovery import Recovered, Recovery
from switchgear.execution.refusals import Refusals
from switchgear.execution.registry import Registry
from switchgear.execution.sweeper import Sweeper
from switchgear.gates.gate import Gate
from switchgear.guard import Guard
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Store

_log = logging.getLogger("switchgear.engine")
_CANCEL_TRIES = 5
_HOUSEKEEPING_EVERY = 1.0
_ACKNOWLEDGE_GRACE = 2.0
_VIRTUAL_STEP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """The engine's bounds: attempts at once over all and per dependency, and places in the queue."""

    slots: int = 512
    lane_places: int = 64
    queue_max: int = 100_000
    queue_tenant_max: int = 50_000


@dataclass(frozen=True, slots=True)
class Sources:
    """What an engine is given from outside so that a simulation repeats: time, ids, chance, the encoder of events."""

    clock: Clock
    ids: IdSource
    rng: random.Random
    encoder: EventEncoder


class Engine:
    """Accepts, carries out and answers for intents on one store."""

    def __init__(
        self,
        *,
        store: Store,
        guard_of: Callable[[str], Guard],
        admission_gates: Sequence[Gate],
        dispatch_gates: Sequence[Gate],
        limits: EngineLimits,
        sources: Sources,
    ) -> None:
        """Put the parts together; nothing runs yet."""
        clock, ids = sources.clock, sources.ids
        self._clock = clock
        self.registry = Registry()
        self.queue = FairQueue(
            places_max=limits.queue_max, tenant_max=limits.queue_tenant_max, lane_places=limits.lane_places
        )
        self.recorder = Recorder(store, clock=clock, ids=ids, owner=ids.next("eng"), encoder=sources.encoder)
        parts = Parts(store, self.recorder, self.registry, self.queue, clock, ids, sources.rng)
        self.refusals = Refusals(store, clock=clock, ids=ids, encoder=sources.encoder)
        self.outcomes = Outcomes(clock)
        self.admission = Admission(parts, gates=admission_gates, refusals=self.refusals)
        self.kernel = Kernel(parts, gates=dispatch_gates, guard_of=guard_of, slots=limits.slots)
        self._sweeper = Sweeper(parts, self.kernel)
        self._recovery = Recovery(parts, self.kernel)
        self._tasks: set[asyncio.Task[None]] = set()
        self._submitting: set[asyncio.Task[Admitted]] = set()
        self._started = False
        self.defect: str | None = None
        """What ended one of the engine's own loops, None while all of them run."""
        self.recorder.subscribe(self._announce)

    async def recover(self) -> Recovered:
        """Read open intents back. Called once, before anything is submitted."""
        return await self._recovery.run()

    def start(self) -> None:
        """Begin to carry intents out."""
        self._started = True
        for loop in (self.kernel.run(), self._sweeper.run(), self._keep_house()):
            self._spawn(loop)

    async def stop(self, grace: float) -> None:
        """Close the door, let what is dispatched end within `grace` seconds, and record what was counted."""
        self.admission.stopping = True
        if self._submitting:
            await within(self._clock, max(grace, _ACKNOWLEDGE_GRACE), _all_done(self._submitting))
        await self.kernel.stop(grace)
        for task in [*self._tasks, *self._submitting]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._submitting, return_exceptions=True)
        try:
            await self.refusals.flush()
        except StoreError as error:
            _log.warning("counts of refused requests were lost with the ledger: %s", error)

    async def submit(self, submission: Submission) -> Admitted:
        """Accept a submission durably and queue it. Raises as `Admission.submit` does.

        A caller that goes away only stops waiting: what was begun is finished.
        """
        task = asyncio.get_running_loop().create_task(self._submit(submission))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            message = "the engine stopped before the ledger acknowledged; repeat with the same key"
            raise StoreError(message, code=Code.TIMEOUT_JOURNAL_APPEND) from None

    async def _submit(self, submission: Submission) -> Admitted:
        admitted = await self.admission.submit(submission)
        if not admitted.replayed:
            self.kernel.enqueue(admitted.intent)
        return admitted

    async def intent(self, tenant: str, intent_id: str) -> Intent:
        """Return an intent of this tenant. Raises `Denied` (NOT_FOUND) when there is none."""
        intent = await self.recorder.latest(tenant, intent_id)
        if intent is None:
            raise Denied(f"there is no intent {intent_id[:100]!r}", code=Code.NOT_FOUND, policy="tenant")
        return intent

    async def wait(self, tenant: str, intent_id: str, seconds: float) -> Intent:
        """Return the intent as soon as it is settled, at the latest after `seconds`."""
        intent = await self.intent(tenant, intent_id)
        if intent.settled or seconds <= 0:
            return intent
        settled = await self.outcomes.wait(intent_id, seconds)
        return settled if settled is not None else await self.intent(tenant, intent_id)

    async def cancel(self, tenant: str, intent_id: str, *, reason: str, actor: str) -> Intent:
        """Cancel an intent that has not left; ask for it to be cancelled when it has.

        Raises `Conflict` (ILLEGAL_TRANSITION) when it has ended otherwise.
        """
        for _ in range(_CANCEL_TRIES):
            intent = await self.intent(tenant, intent_id)
            if intent.state is State.CANCELLED or (intent.cancel_requested and not intent.final):
                return intent
            changes = decide.cancellation(intent, reason, actor)
            if not changes:
                raise Conflict(f"an intent that is {intent.state} cannot be cancelled", state=str(intent.state))
            try:
                return await self.recorder.record(intent, changes, actor=actor)
            except StaleError:
                continue
        raise Conflict("the intent keeps changing; look at it and try again", policy="cancel", retry_after=1.0)

    def lane_paused_for(self, tool: str) -> str | None:
        """Return the code for which the tool's dependency is paused now, or None."""
        known = self.registry.get(tool)
        return self.queue.paused_for(known.tool.dependency, self._clock.monotonic()) if known is not None else None

    async def run_until_idle(self, timeout: float) -> None:
        """Return once no intent is ready or running; held ones and those in doubt do not count.

        An engine that was not started runs for that long, and a virtual clock is moved on. Raises `DeadlineExceeded`
        when it takes longer than `timeout` seconds.
        """
        loops = [] if self._started else [self._spawn(self.kernel.run()), self._spawn(self._sweeper.run())]
        try:
            if not await self._idle_within(timeout):
                raise DeadlineExceeded("the engine is still busy", sent=True, operation="run_until_idle")
        finally:
            for loop in loops:
                loop.cancel()

    async def _idle_within(self, timeout: float) -> bool:
        if not isinstance(self._clock, VirtualClock):
            return await within(self._clock, timeout, self.kernel.idle.wait())
        end = self._clock.monotonic() + timeout
        await self._clock.elapse(0.0)
        while not self.kernel.idle.is_set() and self._clock.monotonic() < end:
            await self._clock.elapse(_VIRTUAL_STEP)
        return self.kernel.idle.is_set()

    def _announce(self, intent: Intent) -> None:
        """Note that an intent has durably changed: once it is settled its place is free and its waiters are told."""
        if intent.settled:
            self.queue.release(intent.id)
            self.outcomes.announce(intent)
            self.kernel.settled(intent.id)

    async def _keep_house(self) -> None:
        """Write counted refusals, and find out what became of submissions that were never acknowledged."""
        while True:
            await self._clock.sleep_async(_HOUSEKEEPING_EVERY)
            try:
                await self.refusals.flush()
                await self._adopt_unacknowledged()
            except SwitchgearError as error:  # the ledger is away; both are still there the next time
                _log.warning("housekeeping waits for the ledger: %s", error)

    async def _adopt_unacknowledged(self) -> None:
        for intent_id, tenant in list(self.admission.unacknowledged.items()):
            intent = await self.recorder.settled_fate(tenant, intent_id)
            del self.admission.unacknowledged[intent_id]
            if intent is None:
                self.queue.release(intent_id)
            elif intent.state is State.READY:
                self.kernel.enqueue(intent)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._loop_ended)
        return task

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        """Note a loop that ended by a defect: an engine that has lost one is not ready any more."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defect = f"{type(error).__name__}: {error}"
            _log.critical("a loop of the engine has ended", exc_info=error)


async def _all_done(tasks: set[asyncio.Task[Admitted]]) -> None:
    if tasks:
        await asyncio.wait(set(tasks))
