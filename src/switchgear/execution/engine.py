"""The engine: one store, one door, one kernel. Assembles the parts of this room and gives them one face.

What a caller may do is decided above, in `control`; here every request names its tenant and is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from switchgear.core.clock import Clock, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, DeadlineExceeded, Denied, Rejected, StoreError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.execution import decide
from switchgear.execution.admission import Admission, Admitted, Submission
from switchgear.execution.bounded import within
from switchgear.execution.consenting import Consents
from switchgear.execution.contract import Tool
from switchgear.execution.dead_letters import DeadLetters
from switchgear.execution.destruction import Destruction
from switchgear.execution.detached import Answer, Detached
from switchgear.execution.doubts import DoubtOptions, Doubts
from switchgear.execution.family import Family
from switchgear.execution.intent import Change, Intent
from switchgear.execution.kernel import GuardOf, Kernel, OwnGuardOf, no_own_guard
from switchgear.execution.leases.keeper import LeaseKeeper
from switchgear.execution.leases.lease import ALONE, Lease, LeaseOptions
from switchgear.execution.outcomes import Outcomes, looks
from switchgear.execution.parts import Parts, Refresh
from switchgear.execution.queue import FairQueue
from switchgear.execution.recorder import INTENTS, NOTHING_ELSE, Also, Recorder, StaleError
from switchgear.execution.recovery import Recovered, Recovery
from switchgear.execution.refusals import Refusals
from switchgear.execution.registry import Registry
from switchgear.execution.replays import Replays
from switchgear.execution.restoring import Lost
from switchgear.execution.sagas.driver import Sagas
from switchgear.execution.shares import EQUAL_SHARE, Share
from switchgear.execution.sweeper import Sweeper
from switchgear.execution.thawing import Thawed, Thawing
from switchgear.execution.time_boxes.driver import TimeBoxes
from switchgear.execution.transitions import ANSWERED, DOUBTFUL, OPEN, SETTLED, WAITING, State
from switchgear.gates.gate import Gate, left_to_ask
from switchgear.health.obstacles import Obstacle
from switchgear.health.standing import Standing
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Conflicted, Store

_log = logging.getLogger("switchgear.engine")
_CHANGE_TRIES = 5
_HOUSEKEEPING_EVERY = 1.0
_ACKNOWLEDGE_GRACE = 2.0
_VIRTUAL_STEP = 0.25
_READY = State.READY  # bound once, as elsewhere: reading a word through its class takes long
_NOT_UNDER_WAY = frozenset(State) - {State.DISPATCHED}
"""States that say whether an intent is in doubt. What is dispatched was new or ready before, and in no doubt then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """The engine's bounds: attempts at once over all and per dependency, and places in the queue.

    `queue_age_max` is for how many seconds what is sheddable may wait there from when it is due. `share` is what each
    tenant may take of what leaves it, `shares` what tenants may that are named. `leases` is for how long the engine may
    write without being heard of, where several share a store.
    """

    slots: int = 512
    lane_places: int = 64
    queue_max: int = 100_000
    queue_tenant_max: int = 50_000
    queue_age_max: float = 300.0
    share: Share = EQUAL_SHARE
    shares: Mapping[str, Share] = field(default_factory=dict)
    leases: LeaseOptions = ALONE


@dataclass(frozen=True, slots=True)
class Sources:
    """What an engine is given from outside so that a simulation repeats: time, ids, chance, the encoder of events."""

    clock: Clock
    ids: IdSource
    rng: random.Random
    encoder: EventEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineGates:
    """The gates of an engine: those of `admission` for a fast no, those of `dispatch` before each attempt leaves."""

    admission: Sequence[Gate]
    dispatch: Sequence[Gate]

    @property
    def left_after_admission(self) -> tuple[Gate, ...]:
        """Those of the dispatch that are still to be asked when an action leaves in the turn that admits it."""
        return left_to_ask(self.admission, self.dispatch)


@dataclass(frozen=True, slots=True)
class EngineGuards:
    """The guards of an engine by dependency: that which all tenants share, and that which a tenant has of its `own`."""

    shared: GuardOf
    own: OwnGuardOf = no_own_guard


@dataclass(frozen=True, slots=True)
class Decided:
    """What to record of an intent, and what else in the same append. Nothing when there is nothing left to do."""

    changes: tuple[Change, ...] = ()
    also: Also = NOTHING_ELSE


class LeftOpen(NamedTuple):
    """How many intents are open: in doubt or waiting for a person to say, and not finished in any other way."""

    in_doubt: int
    unfinished: int


Loop = Callable[[], Coroutine[None, None, None]]
"""Begins something that runs for ever."""

Decision = Callable[[Intent], Decided]
"""Looks at an intent as it is now and says what to record; raises what it refuses."""


class Engine:
    """Accepts, carries out and answers for intents on one store."""

    def __init__(
        self,
        *,
        store: Store,
        guards: EngineGuards,
        gates: EngineGates,
        limits: EngineLimits,
        sources: Sources,
        doubts: DoubtOptions | None = None,
        destruction: Destruction | None = None,
    ) -> None:
        """Put the parts together; nothing runs yet. The gate of `destruction` stands among those of the dispatch."""
        clock, ids = sources.clock, sources.ids
        lease = Lease(ids.next("eng"), limits.leases, clock)
        self._clock = clock
        self._store = store
        self.registry = Registry()
        self.queue = _queue_of(limits)
        self.recorder = Recorder(store, clock=clock, ids=ids, owner=lease.owner, encoder=sources.encoder, lease=lease)
        parts = Parts(store, self.recorder, self.registry, self.queue, clock, ids, sources.rng)
        self.refusals = Refusals(store, clock=clock, ids=ids, encoder=sources.encoder)
        self.outcomes: Outcomes[Intent] = Outcomes(clock)
        self.time_boxes = TimeBoxes(parts, sources.encoder)
        self.kernel = _kernel_of(parts, gates, guards, destruction, limits)
        self.admission = Admission(
            parts,
            gates=gates.admission,
            refusals=self.refusals,
            check_room_for_boxes=self.time_boxes.check_room,
            departures=self.kernel,
        )
        self.own_guard_of = guards.own
        """Returns the guard that a tenant has of its own for a dependency, by the two names; None when it has none."""
        self.family = Family(parts)
        self._sweeper = Sweeper(parts, self.kernel)
        self.doubts = Doubts(parts, self.family, doubts or DoubtOptions())
        self._detached = Detached()
        self.sagas = Sagas(
            parts,
            self.family,
            detached=self._detached,
            kernel=self.kernel,
            admission=self.admission,
            refusals=self.refusals,
            encoder=sources.encoder,
        )
        self.dead_letters = DeadLetters(parts)
        self.replays = Replays(parts, self.kernel, change=self.change_as_seen)
        self.consents = Consents(parts)
        self._thawing = Thawing(parts, self.time_boxes.desk, sources.encoder)
        self._recovery = Recovery(parts, self.kernel, self.doubts)
        self.leases = LeaseKeeper(parts, limits.leases, self._recovery, self._follow_up)
        self._refreshes = parts.refreshes
        self._beside: list[Loop] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self.stopped = False
        """Whether `stop` was called. One that lost its store takes nothing new either, and is still to be stopped."""
        self.defect: str | None = None
        """What ended one of the engine's own loops, None while all of them run."""
        self.destruction = destruction
        """What is asked about destructive tools and what became of them; None where no gate is."""
        lease.tell(self._right_changed)
        self._listen()

    def _listen(self) -> None:
        """Have every part hear of what is durably recorded, in this order."""
        self.recorder.tell_losses(self._let_go)
        self.recorder.subscribe(self._announce, {State.READY} | ANSWERED)
        self.recorder.subscribe(self.family.note, SETTLED, plain=False)
        self.recorder.subscribe(self.doubts.note, _NOT_UNDER_WAY)
        self.recorder.subscribe(self.time_boxes.note, plain=False)
        self.recorder.accompany(self.time_boxes.desk)
        if self.destruction is not None:
            self.recorder.subscribe(self.destruction.note, {State.DISPATCHED, State.HELD})

    def keep_fresh(self, space: str, refresh: Refresh) -> None:
        """Have `refresh` read again what a gate relies on in `space`, when an append finds it changed."""
        self._refreshes[space] = refresh

    def run_beside(self, loop: Loop) -> None:
        """Run `loop` while this engine runs. Called before `start`; the engine is not ready once it has ended."""
        self._beside.append(loop)

    def reconsider(self, dependency: str) -> None:
        """Let what is held for `dependency` go on, since that is well again: behind live traffic, slowly at first.

        The gates are asked again all the same. May be called from any thread.
        """
        self._sweeper.releasing.recovered(dependency)

    @property
    def resting(self) -> bool:
        """Whether what was on record at the start is not touched."""
        return self.recorder.rests_before is not None

    def rest(self) -> None:
        """Touch nothing that is on record now, until it is thawed: the store came from a backup.

        Called in place of `recover`. What people ask for is refused with RESTORE_PENDING, and nothing is recovered.
        """
        self.recorder.rests_before = self._clock.time()

    async def thaw(self, since: float, *, actor: str) -> Thawed:
        """Record what may have been executed from `since` (seconds since the epoch) on. Then `wake` comes.

        Done again after a crash, it goes on with what is left. Raises `StoreError` when the ledger cannot be written.
        """
        return await self._thawing.run(Lost(since, self._clock.time()), actor=actor)

    async def wake(self) -> Recovered:
        """Recover what rested, and go on. Raises as `recover` does."""
        self.recorder.rests_before = None
        return await self.recover()

    async def recover(self) -> Recovered:
        """Read open intents back, and begin with overdue reverts. Called once, before anything is submitted.

        What an engine before this one has handed in on the same store, and was cut off from, is settled first: it
        would land behind the reading, and nobody would look after it. Raises `StoreError` when that cannot be known.
        """
        await self.leases.join()
        await self.recorder.fence(PLATFORM_TENANT)
        await self.time_boxes.recover()
        recovered = await self._recovery.run()
        await self.sagas.recover()
        return recovered

    async def _follow_up(self) -> None:
        """Look at what may hang on intents that were taken over from another engine."""
        await self.time_boxes.recover()
        await self.sagas.recover()

    def start(self) -> None:
        """Begin to carry intents out."""
        self._started = True
        for loop in (*self._loops(), self._keep_house()):
            self._spawn(loop)

    def _loops(self) -> tuple[Coroutine[None, None, None], ...]:
        own = (self.kernel.run(), self._sweeper.run(), self.family.run(), self.doubts.run(), self.time_boxes.run())
        leases = (self.leases.run(), self.leases.watch())
        return (*own, self.sagas.run(), *leases, *(begin() for begin in self._beside))

    async def stop(self, grace: float) -> None:
        """Close the door, let what is dispatched end within `grace` seconds, and record what was counted.

        A stop that is cut short leaves nothing running either: the next start finds in doubt what was under way.
        """
        self.stopped = self.admission.stopping = True
        begun = self._clock.monotonic()
        try:
            await self._detached.wait(self._clock, max(grace, _ACKNOWLEDGE_GRACE))
            await self.kernel.stop(max(0.0, grace - (self._clock.monotonic() - begun)))
            await self._detached.cancel()
        finally:
            self._tear_off()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.leases.leave()
        try:
            await self.refusals.flush()
        except StoreError as error:
            _log.warning("counts of refused requests were lost with the ledger: %s", error)

    def stop_now(self) -> None:
        """Close the door and cut off all that runs, as a stop that is cut short does. One that has begun sees to it."""
        if not self.stopped:
            self.stopped = self.admission.stopping = True
            self._tear_off()

    def _tear_off(self) -> None:
        """Cut off all that still runs, and wait for nothing."""
        self.kernel.tear_off()
        self._detached.cut_off()
        for task in list(self._tasks):
            task.cancel()

    def submit(self, submission: Submission) -> Coroutine[None, None, Admitted]:
        """Return what accepts a submission durably and queues it. It raises as `Admission.submit` does.

        A caller that goes away only stops waiting: what was begun is finished.
        """
        return self._detached.answered(partial(self._submit, submission))

    async def _submit(self, submission: Submission, answer: Answer[Admitted]) -> None:
        """Accept a submission, and once that is acknowledged carry it on in this task if it leaves at once."""
        admitted = await self.admission.submit(submission)
        if not admitted.replayed and admitted.intent.state is _READY:
            self.kernel.enqueue(admitted.intent)
        answer.give(admitted)
        if admitted.departure is not None:
            await self.kernel.carry(admitted.intent, admitted.departure)

    async def intent(self, tenant: str, intent_id: str) -> Intent:
        """Return an intent of this tenant. Raises `Denied` (NOT_FOUND) when there is none."""
        intent = await self.recorder.latest(tenant, intent_id)
        if intent is None:
            raise Denied(f"there is no intent {intent_id[:100]!r}", code=Code.NOT_FOUND, policy="tenant")
        return intent

    async def intent_by_key(self, scope: Scope, tool: str, key: str) -> Intent | None:
        """Return the intent that a key of a tool is bound to in an account, or None. Raises as `Admission.find`."""
        return await self.admission.find(scope, tool, key)

    async def wait(self, tenant: str, intent_id: str, seconds: float) -> Intent:
        """Return the intent as soon as it is settled or needs approval, at the latest after `seconds`.

        Where several engines share a store, what another one settles is seen some seconds later: nobody tells.
        """
        intent = self.recorder.at_hand(tenant, intent_id) or await self.intent(tenant, intent_id)
        if intent.state in ANSWERED or seconds <= 0:
            return intent
        if not self.recorder.lease.shared:
            return await self.outcomes.wait(intent_id, seconds) or await self.intent(tenant, intent_id)
        for step in looks(seconds, shared=True):
            intent = await self.outcomes.wait(intent_id, step) or await self.intent(tenant, intent_id)
            if intent.state in ANSWERED:
                break
        return intent

    async def change(self, tenant: str, intent_id: str, decision: Decision, *, actor: str) -> Intent:
        """Change an intent as `decision` says, and return it as it stands then.

        `decision` gets the intent as it is now, and again when it has changed meanwhile. It returns nothing to
        record when all is done already, and raises what it refuses. Raises `Denied` (NOT_FOUND) when this tenant has
        no such intent, `Conflict` when it keeps changing, `StoreError` when nothing could be recorded.
        """
        for _ in range(_CHANGE_TRIES):
            intent = await self.intent(tenant, intent_id)
            decided = decision(intent)
            if not decided.changes:
                return intent
            try:
                after = await self.recorder.record(intent, decided.changes, actor=actor, also=decided.also)
            except StaleError:
                self._catch_up(intent)
                continue
            except StoreError as error:
                if error.code is Code.TIMEOUT_JOURNAL_APPEND:
                    self.admission.unacknowledged[intent_id] = tenant  # it may be on record: housekeeping finds out
                raise
            if after.state is State.READY and intent.state in WAITING:
                self.kernel.enqueue(after)  # its place it has; one that had none is queued when it is announced
            return after
        raise Conflict("the intent keeps changing; look at it and try again", policy="intent", retry_after=1.0)

    async def change_as_seen(self, seen: Intent, changes: tuple[Change, ...], also: Also, *, actor: str) -> Intent:
        """Record `changes` of an intent, and `also`, if it still is as it was `seen`; return it as it stands then.

        Raises `StaleError` when it has changed since, else as `change` does.
        """

        def decision(now: Intent) -> Decided:
            if now.version != seen.version:
                raise StaleError(Conflicted(INTENTS, seen.tenant, seen.id, seen.version, now.version))
            return Decided(changes, also)

        return await self.change(seen.tenant, seen.id, decision, actor=actor)

    async def cancel(self, tenant: str, intent_id: str, *, reason: str, actor: str) -> Intent:
        """Cancel an intent that has not left; ask for it to be cancelled when it has.

        Raises `Conflict` (ILLEGAL_TRANSITION) when it has ended otherwise.
        """

        def decision(intent: Intent) -> Decided:
            if intent.state is State.CANCELLED or (intent.cancel_requested and not intent.final):
                return Decided()
            changes = decide.cancellation(intent, reason, actor)
            if not changes:
                raise Conflict(f"an intent that is {intent.state} cannot be cancelled", state=str(intent.state))
            return Decided(changes)

        return await self.change(tenant, intent_id, decision, actor=actor)

    def hindering(self, tool: Tool | None) -> tuple[Obstacle, ...]:
        """Return what stands in the way of a destructive tool now: each dependency that does not vouch for it."""
        if tool is None or not tool.destructive or self.destruction is None:
            return ()
        return self.destruction.gate.obstacles(tool.requires)

    def obstacle(self, intent: Intent) -> Rejected | None:
        """Return what would hold an intent if it went on now, as far as can be told without an attempt; or None."""
        return self.kernel.obstacle(intent)

    def standing(self, dependency: str) -> Standing | None:
        """Return where a dependency stands that destructive actions rest on; None when that cannot be read."""
        return None if self.destruction is None else self.destruction.standing(dependency)

    def lane_paused_for(self, tool: str, tenant: str | None = None) -> str | None:
        """Return the code for which the tool's dependency is paused now, or the `tenant` is there; None when not."""
        known = self.registry.get(tool)
        if known is None:
            return None
        return self.queue.paused_for(known.tool.dependency, self._clock.monotonic(), tenant=tenant)

    def seconds_until(self, moment: float) -> float:
        """Return how many seconds from now `moment` is, in seconds since the epoch; below 0 when it is past."""
        return moment - self._clock.time()

    async def left_open(self) -> LeftOpen:
        """Count what is open on the store, of all tenants: for the end of a process. Raises `StoreError`."""
        doubtful, others = sorted(DOUBTFUL), sorted(OPEN - DOUBTFUL)
        return LeftOpen(await self._store.count(INTENTS, doubtful), await self._store.count(INTENTS, others))

    async def run_until_idle(self, timeout: float) -> None:
        """Return once no intent is ready or running; held ones and those in doubt do not count.

        An engine that was not started runs for that long, and a virtual clock is moved on. Raises `DeadlineExceeded`
        when it takes longer than `timeout` seconds.
        """
        loops = [] if self._started else [self._spawn(loop) for loop in self._loops()]
        try:
            if not await self._idle_within(timeout):
                raise DeadlineExceeded("the engine is still busy", sent=True, operation="run_until_idle")
        finally:
            for loop in loops:
                loop.cancel()

    async def _idle_within(self, timeout: float) -> bool:
        if not isinstance(self._clock, VirtualClock):
            return await within(self._clock, timeout, self._wait_idle())
        end = self._clock.monotonic() + timeout
        await self._clock.elapse(0.0)
        while not self._idle and self._clock.monotonic() < end:
            await self._clock.elapse(_VIRTUAL_STEP)
        return self._idle

    @property
    def _idle(self) -> bool:
        """Whether nothing is ready or running, and nobody has still to be told of an end: more may follow from that."""
        return self.kernel.idle.is_set() and self.family.idle.is_set()

    async def _wait_idle(self) -> None:
        while not self._idle:
            await self.kernel.idle.wait()
            await self.family.idle.wait()

    def _announce(self, intent: Intent) -> None:
        """Note that an intent has durably changed: once it is settled its place is free and its waiters are told.

        They are told as well that it needs approval: nobody waits for a person. One that was born to serve another,
        or that a person has set going again, takes a place and is queued. It hears of no state but these.
        """
        if intent.state in SETTLED:
            self.queue.release(intent.id)
            self.outcomes.announce(intent)
            self.kernel.settled(intent.id)
        elif intent.state is State.PENDING_APPROVAL:
            self.outcomes.announce(intent)
        elif intent.state is State.READY and not self.queue.holds(intent.id):
            self.queue.reserve(intent.id, intent.tenant, bounded=False)
            self.kernel.enqueue(intent)

    def _let_go(self, intent_id: str) -> None:
        """Give back the place of an intent that another engine goes on with."""
        self.queue.release(intent_id)
        self.kernel.settled(intent_id)

    def _right_changed(self) -> None:
        """Go on once something may leave again; refuse everything once nothing ever may."""
        if self.recorder.lease.lost is not None:
            self.admission.stopping = True
            self.kernel.attempts.cut_off()
        self.kernel.look_again()

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
            held = self.queue.holds(intent_id)
            intent = await self.recorder.settled_fate(tenant, intent_id)
            if self.admission.unacknowledged.pop(intent_id, None) is None:
                continue  # somebody has asked again meanwhile
            if intent is None:
                self.queue.release(intent_id)
            elif held:  # one that had no place was queued when it was announced
                self._queue_again(intent)

    def _catch_up(self, before: Intent) -> None:
        """Queue what an earlier change, which was never acknowledged, turns out to have made ready."""
        now = self.recorder.live.get(before.id)
        if now is None or self.admission.unacknowledged.pop(before.id, None) is None:
            return
        if self.kernel.never_left(now) or (before.state in WAITING and before.state is not State.READY):
            self._queue_again(now)  # anything else was queued when it was announced

    def _queue_again(self, now: Intent) -> None:
        """Queue what is ready, or never left. One that is queued already gets a second ticket, which does no harm."""
        if now.state is State.READY or self.kernel.never_left(now):
            self.queue.reserve(now.id, now.tenant, bounded=False)
            self.kernel.enqueue(now)

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


def _kernel_of(
    parts: Parts, gates: EngineGates, guards: EngineGuards, destruction: Destruction | None, limits: EngineLimits
) -> Kernel:
    return Kernel(
        parts,
        gates=gates.dispatch,
        gates_after_admission=gates.left_after_admission,
        guard_of=guards.shared,
        own_guard_of=guards.own,
        destruction=destruction,
        slots=limits.slots,
    )


def _queue_of(limits: EngineLimits) -> FairQueue:
    return FairQueue(
        places_max=limits.queue_max,
        tenant_max=limits.queue_tenant_max,
        lane_places=limits.lane_places,
        age_max=limits.queue_age_max,
        share=limits.share,
        shares=limits.shares,
    )
