"""Carries intents out. The kernel owns retry: each attempt is an event, and each passes the gates.

It takes the next ticket, asks gates and guard, records `dispatched`, makes the attempt, records what is known of it.
Nothing leaves unless the append that writes `dispatched` has committed. What an attempt meant is decided in
`decide`; here it is only carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec.structs import replace

from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.errors import Rejected, StoreError
from switchgear.execution import decide
from switchgear.execution.attempt import Attempts, Ended, TakenOver
from switchgear.execution.bounded import within, woken
from switchgear.execution.consent import approval_request
from switchgear.execution.contract import Result, Tool, Uncertain
from switchgear.execution.decide import Backoff, Unsent
from switchgear.execution.departing import Departure, dispatch_facts, may_leave_at_once
from switchgear.execution.destruction import AttemptPermits, Destruction
from switchgear.execution.gating import HOLDING, also_of, departure_request, dispatch_request
from switchgear.execution.intent import Change, Intent
from switchgear.execution.lines import SHEDDABLE, Ticket
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.permits import Permits, admit, speaks_for_one_tenant
from switchgear.execution.recorder import ExceededError, StaleError
from switchgear.execution.registry import Registered
from switchgear.execution.resources import RESOURCES, Resources
from switchgear.execution.sending import Sending, call_of
from switchgear.execution.transitions import Kind, State
from switchgear.gates.gate import ApprovalNeeded, Conditions, Gate, GateRequest, check_all, concerned
from switchgear.guard import Guard
from switchgear.policies.places import PRIORITIES, Priority

_log = logging.getLogger("switchgear.kernel")

UNREGISTERED = "(unregistered)"
"""The lane of intents whose tool is not known here: they are only looked at, and held."""
_DEFER_MIN = 0.05
_DEFER_JITTER = 0.1
_RAMP_PAUSE = 0.02
_STORE_PAUSE = 1.0
_DEFECT_PAUSE = 10.0
_TORN_OFF = "a defect of the engine, which its log has, cut the attempt off"
_RECORD_GRACE = 5.0
_READY, _DISPATCHED = State.READY, Kind.DISPATCHED
_RESTING = (State.HELD, State.PENDING_APPROVAL)
_PRIORITY: dict[str | None, Priority] = {priority: priority for priority in PRIORITIES}

Work = Callable[[], Awaitable[None]]
GuardOf = Callable[[str], Guard]
"""Returns the guard of a dependency, which all tenants share."""
OwnGuardOf = Callable[[str, str], Guard | None]
"""Returns the guard that a tenant has of its own for a dependency (dependency, tenant); None when it has none."""


def no_own_guard(_dependency: str, _tenant: str) -> None:
    """Say that no tenant has a guard of its own."""


class Kernel:
    """The engine's loop. `slots` bounds how many intents are carried at once over all dependencies."""

    def __init__(
        self,
        parts: Parts,
        *,
        gates: Sequence[Gate],
        gates_after_admission: Sequence[Gate],
        guard_of: GuardOf,
        own_guard_of: OwnGuardOf = no_own_guard,
        destruction: Destruction | None = None,
        slots: int,
    ) -> None:
        """Work with the parts of one engine.

        `gates_after_admission` are those of `gates` to be asked about what was let in in the same turn of the loop.
        """
        self._destruction = destruction
        self._parts = parts
        self._recorder = parts.recorder
        self._queue = parts.queue
        self._clock = parts.clock
        self._gates = gates
        self._gates_after_admission = gates_after_admission
        self._left_by_contract: dict[str, tuple[Gate, ...]] = {}  # those of them that concern a registered tool
        self._resources = Resources(parts.store)
        self._guard_of = guard_of
        self._own_guard_of = own_guard_of
        self._slots = slots
        self._wake = asyncio.Event()
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._departing = 0  # intents that hold a slot while they are recorded as accepted and dispatched
        self._unsent: set[str] = set()  # dispatched on record, perhaps, but known never to have left
        self._running = False
        self._stopping = self._tearing_off = False
        self._task: asyncio.Task[Any] | None = None  # of `run`
        self.idle = asyncio.Event()
        self._lease = parts.recorder.lease
        self.attempts = Attempts(parts.clock, may_leave=lambda: not self._lease.fenced, torn_off=self._is_torn_off)

    @property
    def in_flight(self) -> int:
        """How many intents are being carried right now."""
        return len(self._carrying)

    def carries(self, intent_id: str) -> bool:
        """Return whether an intent is being carried right now."""
        return intent_id in self._carrying

    def ask(self, request: GateRequest) -> Conditions:
        """Ask every gate before an attempt; the first refusal is raised."""
        return check_all(self._gates, request)

    def obstacle(self, intent: Intent) -> Rejected | None:
        """Return what would hold an intent if it went on now, as far as can be told without an attempt; or None."""
        registered = self._parts.registry.get(intent.tool)
        if registered is None:
            return _unregistered(intent)
        try:
            self.ask(dispatch_request(intent, registered.tool, self._clock.time()))
        except ApprovalNeeded:
            return None  # it goes on to ask for that
        except Rejected as refusal:
            return refusal if refusal.code in HOLDING else None
        return None

    def enqueue(self, intent: Intent) -> None:
        """Queue an intent that is ready, or that was dispatched and never left. Its place is reserved."""
        registered = self._parts.registry.get(intent.tool)
        now = self._clock.monotonic()
        self._queue.put(self._ticket(intent, registered.tool.dependency if registered else UNREGISTERED, now), now)
        self.idle.clear()
        self._wake.set()

    def departure(
        self, intent: Intent, registered: Registered, admitted: GateRequest, conditions: Conditions
    ) -> Departure | None:
        """Clear a new intent for leaving in the append that accepts it; None when it has to queue.

        It was let in as `admitted`, on these `conditions`, in this very turn of the loop.
        """
        if not self._running or not self._has_a_slot() or not may_leave_at_once(intent) or self._lease.fenced:
            return None
        tool, now = registered.tool, self._clock.monotonic()
        ticket, guard = self._ticket(intent, tool.dependency, now), self._guard_of(tool.dependency)
        if guard.state != "closed" or not self._queue.take_at_once(ticket, now):
            return None
        permits: Permits | None = None
        try:
            if left := self._left_to_ask(tool):
                conditions = check_all(left, departure_request(admitted), conditions)
            own = self._own_guard_of(tool.dependency, intent.tenant)
            permits = admit(guard, own, cost=tool.cost, tenant=intent.tenant)
        except Rejected:
            return None  # it queues, and is refused there with all that follows
        finally:
            if permits is None:
                self._queue.call_off(ticket)
        self._departing += 1
        change = Change(
            _DISPATCHED, dispatch_facts(intent, registered, conditions, self._recorder.owner, intent.created_at)
        )
        return Departure(change, conditions, registered, ticket, permits)

    def _left_to_ask(self, tool: Tool) -> tuple[Gate, ...]:
        """Return the gates still to be asked about a new action of a registered tool; worked out once."""
        left = self._left_by_contract.get(tool.contract)
        if left is None:
            left = concerned(self._gates_after_admission, tool.requires, destructive=tool.destructive)
            self._left_by_contract[tool.contract] = left
        return left

    def carry(self, intent: Intent, departure: Departure) -> Coroutine[Any, Any, None]:
        """Return what carries an intent on that is on record as dispatched. The running task has its slot from now on.

        It awaits that right after: no frame stands between, and nothing else gives the slot back.
        """
        self._departing -= 1
        self.idle.clear()
        task = asyncio.current_task()
        assert task is not None, "an intent is carried by a task"
        self._carrying[intent.id] = task
        ticket, registered = departure.ticket, departure.registered
        return self._carry(ticket, partial(self._carry_on, ticket, intent, registered, departure.permits))

    def call_off(self, departure: Departure, *, unsure: bool) -> None:
        """Give everything back: it never left. `unsure` says that it may be on record as dispatched all the same."""
        self._departing -= 1
        if unsure:
            self._unsent.add(departure.ticket.intent_id)
        departure.permits.refund()
        self._queue.call_off(departure.ticket)
        self._wake.set()

    def never_left(self, intent: Intent) -> bool:
        """Return whether an intent is on record as dispatched although it never left: queued, it goes on."""
        return intent.state is State.DISPATCHED and intent.id in self._unsent

    def settled(self, intent_id: str) -> None:
        """Forget an intent that is settled, and look again: it may have been the last."""
        self._unsent.discard(intent_id)
        self._wake.set()

    def look_again(self) -> None:
        """Look at what may run: the right to send may be back."""
        self._wake.set()

    async def run(self) -> None:
        """Carry intents until `stop`. Runs as one task."""
        self._task, self._running = asyncio.current_task(), True
        try:
            await asyncio.sleep(0)  # whoever started it registers tools first, also where tasks begin at once
            while not self._stopping:
                self._wake.clear()
                if not self._lease.fenced:
                    self._start_what_may_run()
                self._tell_idleness()
                await woken(self._clock, self._wake, self._next_moment())
        finally:
            self._running = False

    async def stop(self, grace: float) -> None:
        """Take nothing new, wait up to `grace` seconds for what is dispatched, then cut it off and record doubt."""
        self._stopping = True
        self._wake.set()
        try:
            await self._ended_within(grace)
            self.attempts.cut_off()
            await self._ended_within(_RECORD_GRACE)
        finally:  # also when the stop itself is cut short
            self.tear_off()
        while self._carrying:  # what was just acknowledged may begin to be carried meanwhile
            await asyncio.gather(*self._carrying.values(), return_exceptions=True)
            self.tear_off()

    def tear_off(self) -> None:
        """Cut off whatever is carried, and wait for nothing: the next start finds what was dispatched in doubt."""
        self._stopping = self._tearing_off = True
        self.attempts.cut_off()
        for task in list(self._carrying.values()):
            task.cancel()

    def _tell_idleness(self) -> None:
        live = self._recorder.live.values()
        if not self._carrying and all(intent.state in _RESTING for intent in live):
            self.idle.set()
        else:
            self.idle.clear()

    def _start_what_may_run(self) -> None:
        self._queue.promote(self._clock.monotonic())
        while self._has_a_slot():
            ticket = self._queue.take(self._clock.monotonic(), self._probing)
            if ticket is None:
                return
            if ticket.intent_id in self._carrying:
                self._queue.done(ticket)  # one carrier an intent: whoever carries it queues it again
                continue
            self._start(ticket, partial(self._advance, ticket))

    def _has_a_slot(self) -> bool:
        return len(self._carrying) + self._departing < self._slots

    def _start(self, ticket: Ticket, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(ticket, work))
        if not task.done():  # a loop with eager tasks may have run it to its end by now
            self._carrying[ticket.intent_id] = task

    def _ticket(self, intent: Intent, lane: str, now: float) -> Ticket:
        due = now
        if intent.not_before is not None and (wait := decide.delay_of(intent, self._clock.time())):
            due = self._clock.monotonic() + wait  # read last: after a standstill it is late, never early
        priority = _PRIORITY.get(intent.priority, "critical")
        if priority in SHEDDABLE and intent.unresolved:
            priority = "critical"  # it may have happened: it is not shed, it must be settled
        return Ticket(intent.id, intent.tenant, lane, due, intent.effect.repeats_in_doubt, intent.cost, priority)

    def _probing(self, lane: str) -> bool:
        return lane != UNREGISTERED and self._guard_of(lane).state != "closed"

    def _next_moment(self) -> float | None:
        return None if self._lease.fenced else self._queue.next_moment()

    async def _carry(self, ticket: Ticket, work: Work) -> None:
        ended = taken_over = False
        try:
            try:
                await work()
            except StaleError as error:
                await self._after_conflict(ticket, error)
            except StoreError:
                self._queue.pause(ticket.lane, self._clock.monotonic() + _STORE_PAUSE, str(Code.LEDGER_UNAVAILABLE))
                self._queue.put_back(ticket)
            ended = True
        except TakenOver:
            taken_over = True  # a fresh task carries the intent; ticket and slot are with it
        except Exception:  # noqa: BLE001 - outermost driver: a defect must not end the loop; the intent comes again
            _log.exception("intent %s could not be carried out; it comes again", ticket.intent_id)
        finally:
            if not taken_over:
                self._give_back(ticket, ended=ended)

    def _give_back(self, ticket: Ticket, *, ended: bool) -> None:
        """Give back the place and the slot of what was carried. What has not `ended` comes again."""
        if not ended:
            now = self._clock.monotonic()
            self._queue.put(replace(ticket, due=now + _DEFECT_PAUSE), now)
        self._queue.done(ticket)
        self._carrying.pop(ticket.intent_id, None)
        self._wake.set()

    async def _after_conflict(self, ticket: Ticket, error: StaleError) -> None:
        """Offer the intent again, unless it may not be repeated since a later one has touched what it changes."""
        await self._parts.refresh(error.conflict)
        intent = self._recorder.live.get(ticket.intent_id)
        if error.conflict.space == RESOURCES and intent is not None and intent.unresolved:
            await self._settle(intent, decide.touched(intent))
        else:
            self._queue.put_back(ticket)

    async def _advance(self, ticket: Ticket) -> None:
        intent = self._recorder.live.get(ticket.intent_id)
        if intent is not None and self.never_left(intent):
            await self._settle(intent, decide.after_unsent(intent, self._parts.moment()))
        elif intent is not None and intent.state is State.DISPATCHED:
            await self._settle(intent, self._cut_off(intent))
        elif intent is not None and intent.state is State.READY:
            await self._advance_ready(intent, ticket)
            return
        self._unsent.discard(ticket.intent_id)

    def _cut_off(self, intent: Intent) -> tuple[Change, ...]:
        """Return the doubt about a dispatch that nobody carries.

        It is of the engine before this one, whose record landed after its end, or a defect tore its carrier off.
        """
        registered = self._parts.registry.get(intent.tool)
        backoff = Backoff.of(registered.tool if registered else None)
        reason = _TORN_OFF if intent.owner == self._recorder.owner else decide.ENGINE_ENDED
        return decide.after_interruption(intent, backoff, self._parts.moment(), reason)

    async def _advance_ready(self, intent: Intent, ticket: Ticket) -> None:
        registered = self._parts.registry.get(intent.tool)
        if intent.deadline_at <= self._clock.time():
            await self._settle(intent, decide.expiry(intent))
        elif registered is None:
            await self._settle(intent, (decide.hold(_unregistered(intent)),))
        elif ticket.lane != registered.tool.dependency:
            self.enqueue(intent)
        elif (end := self._no_repeat(intent, registered)) is not None:
            await self._settle(intent, end)
        else:
            await self._attempt(intent, registered, ticket)

    async def _attempt(self, intent: Intent, registered: Registered, ticket: Ticket) -> None:
        if self._stopping or self._queue.paused_for(ticket.lane, self._clock.monotonic(), tenant=intent.tenant):
            self._queue.put_back(ticket)  # taken just before another intent was refused; that refusal speaks for it
            return
        try:
            conditions = self.ask(dispatch_request(intent, registered.tool, self._clock.time()))
            guard, own = self._guard_of(ticket.lane), self._own_guard_of(ticket.lane, intent.tenant)
            permits = admit(guard, own, cost=registered.tool.cost, tenant=intent.tenant)
        except Rejected as refusal:
            await self._refused(intent, registered, refusal, ticket)
            return
        try:
            dispatched = await self._dispatch(intent, registered, conditions, permits)
        except ExceededError as error:
            await self._settle(intent, (decide.hold(Rejected(str(error), code=Code.BUDGET_EXCEEDED)),))
            return
        await self._carry_on(ticket, dispatched, registered, permits)

    async def _carry_on(self, ticket: Ticket, dispatched: Intent, registered: Registered, permits: Permits) -> None:
        """Make the attempt that is on record as dispatched, and record what it came to.

        Where something has come in its way since, or the engine was fenced, it never leaves.
        """
        if (why := self._hindrance(dispatched, registered)) is not None:
            await self._never_leaves(dispatched, permits, why)
            return
        try:
            sending = self._sending(ticket, dispatched, registered, permits)
            ended = await self.attempts.run(registered.connector, sending.call, partial(self._take_over, sending))
        except TakenOver:
            raise
        except BaseException:
            permits.ignore()  # it was torn off
            raise
        await self._conclude(sending, ended)

    async def _never_leaves(self, dispatched: Intent, permits: Permits, why: Code) -> None:
        permits.refund()
        self._unsent.add(dispatched.id)
        await self._settle(dispatched, decide.after_unsent(dispatched, self._parts.moment(), why))
        self._unsent.discard(dispatched.id)

    def _hindrance(self, dispatched: Intent, registered: Registered) -> Code | None:
        """Return why what is on record as dispatched must not leave now; None when it may.

        While the ledger took its time the engine may have stopped, the deadline passed, a remote forgotten the key, a
        dependency failed.
        """
        if self.attempts.closed or dispatched.deadline_at <= self._clock.time():
            return Code.LEDGER_UNAVAILABLE
        if dispatched.doubtful and self._no_repeat(dispatched, registered) is not None:
            return Code.LEDGER_UNAVAILABLE
        if not registered.tool.destructive or self._destruction is None:
            return None
        refusal = self._destruction.refusal(dispatch_request(dispatched, registered.tool, self._clock.time()))
        return None if refusal is None else refusal.code

    def _no_repeat(self, intent: Intent, registered: Registered) -> tuple[Change, ...] | None:
        if not intent.unresolved:
            return None  # as nearly always: no clock need be read
        return decide.no_repeat(intent, registered.tool, *self._parts.watch.read())

    async def _dispatch(
        self, intent: Intent, registered: Registered, conditions: Conditions, permits: Permits
    ) -> Intent:
        try:
            facts = dispatch_facts(intent, registered, conditions, self._recorder.owner, self._parts.watch.time())
            also = await self._resources.claimed(intent, facts, also_of(conditions))
            dispatched = await self._recorder.record(intent, (Change(Kind.DISPATCHED, facts),), actor=ACTOR, also=also)
        except StoreError:
            permits.refund()
            self._unsent.add(intent.id)  # it may be on record all the same; a stale one is somebody else's
            raise
        except BaseException:
            permits.refund()
            raise
        self._unsent.discard(intent.id)
        return dispatched

    def _sending(self, ticket: Ticket, intent: Intent, registered: Registered, permits: Permits) -> Sending:
        tool = registered.tool
        limit, of_guard = tool.timeout, self._guard_of(tool.dependency).timeout_seconds
        if of_guard is not None and of_guard < limit:
            limit = of_guard
        now = self._clock.monotonic()  # before the wall: after a standstill the deadline is early, never late
        left = intent.deadline_at - self._clock.time()
        hurried = left < limit
        deadline = Deadline(now + (max(left, 0.0) if hurried else limit), self._clock)
        allowed = self._permits(intent, tool) if tool.destructive else None
        return Sending(call_of(intent, deadline, allowed), ticket, intent, registered, permits, allowed, hurried)

    def _permits(self, intent: Intent, tool: Tool) -> AttemptPermits | None:
        """Return what lets an attempt of a destructive tool destroy item by item; None where no gate is."""
        if self._destruction is None:
            return None
        return self._destruction.permits(dispatch_request(intent, tool, self._clock.time()))

    def _take_over(self, sending: Sending, ended: Ended) -> None:
        """Have a fresh task go on with how an attempt ended: the one that made it was cancelled."""
        self._start(sending.ticket, partial(self._conclude, sending, ended))

    def _is_torn_off(self) -> bool:
        """Return whether a carrier that is cancelled ends for good: by a stop, or as everything on this loop does."""
        return self._tearing_off or (self._task is not None and self._task.cancelling() > 0)

    def _conclude(self, sending: Sending, ended: Ended) -> Coroutine[Any, Any, None]:
        """Tell whoever goes by it how an attempt ended, and return what records that."""
        if ended.unsent:
            return self._never_leaves(sending.intent, sending.permits, Code.LEDGER_UNAVAILABLE)
        allowed, lane, tenant = sending.allowed, sending.registered.tool.dependency, sending.intent.tenant
        try:
            if allowed is not None and self._destruction is not None:
                self._destruction.note_result(self._guard_of(lane).name, ended.result)
            sending.permits.settle(ended, impatient=sending.hurried and sending.call.deadline.remaining() <= 0)
        except BaseException:
            sending.permits.ignore()  # of no effect once they are settled
            raise
        if self._queue.paused_for(lane, self._clock.monotonic(), tenant=tenant) is not None:
            self._resume(lane, tenant)
        return self._record_end(sending, ended.result if allowed is None else allowed.judged(ended.result))

    def _resume(self, lane: str, tenant: str) -> None:
        """Let go on what waited for the verdict of a probe that has ended: it need not wait for the clock."""
        reason = str(Code.CIRCUIT_OPEN)
        if self._guard_of(lane).state != "open":
            self._queue.resume(lane, reason)
        own = self._own_guard_of(lane, tenant)
        if own is not None and own.state != "open":
            self._queue.resume(lane, reason, tenant=tenant)

    async def _record_end(self, sending: Sending, result: Result | Unsent) -> None:
        """Record what an attempt came to, however long the ledger takes: until then the attempt holds its slot.

        A cancellation that a tool has left behind does not lose it: a fresh task records it, or finds it on record.
        """
        current = sending.intent
        try:
            while self._lease.lost is None and not self._tearing_off:
                moment = self._parts.moment()
                changes = decide.after_result(current, sending.registered.backoff, result, moment)
                try:
                    current = await self._recorder.record(current, changes, actor=ACTOR, at=moment.now)
                    break
                except (StaleError, StoreError) as error:
                    current = await self._on_record(current, error)
                    if not sending.is_still(current):
                        break
                except Rejected as error:
                    _log.exception("the outcome of %s cannot be recorded as it is", current.id)
                    result = Uncertain(Code.INTERNAL, f"an outcome came that cannot be recorded: {error.code}")
                    await self._clock.sleep_async(_STORE_PAUSE)
        except asyncio.CancelledError:
            if self._is_torn_off():
                raise
            self._start(sending.ticket, partial(self._record_end, sending, result))
            raise TakenOver from None
        self._requeue(current)

    async def _on_record(self, intent: Intent, why: StaleError | StoreError) -> Intent:
        """Return an intent as it is on record by now, or, after a pause, as it was when the ledger is away."""
        if isinstance(why, StaleError):
            with suppress(StoreError):
                return await self._recorder.latest(intent.tenant, intent.id) or intent
        await self._clock.sleep_async(_STORE_PAUSE)
        return intent

    async def _refused(self, intent: Intent, registered: Registered, refusal: Rejected, ticket: Ticket) -> None:
        """Carry out a refusal before dispatch: ask for approval, hold, deny, or offer the intent again later."""
        now = self._clock.monotonic()
        if isinstance(refusal, ApprovalNeeded):
            request = dispatch_request(intent, registered.tool, self._clock.time())
            asked = approval_request(request, refusal, self._parts.ids.next("apr"))
            await self._recorder.record(intent, (asked,), actor=ACTOR)
        elif refusal.code in HOLDING:
            await self._recorder.record(intent, (decide.hold(refusal),), actor=ACTOR)
        elif refusal.decision == "reject":
            await self._settle(intent, decide.denial(intent, refusal.code, refusal.message))
        elif refusal.code is Code.CIRCUIT_OPEN and refusal.state == "closed":
            # The breaker has closed and ramps up: it lets in a share of what is offered, so keep offering.
            self._queue.pause(ticket.lane, now + _RAMP_PAUSE, str(refusal.code), tenant=_alone(intent, refusal))
            self._queue.put_back(ticket)
        else:
            await self._defer(intent, refusal, ticket, now)

    async def _defer(self, intent: Intent, refusal: Rejected, ticket: Ticket, now: float) -> None:
        """Record that the intent was refused for now; it goes behind what waits already.

        A refusal by the lane's own dependency speaks for all that wait for it, so the lane is paused, or for all of
        this tenant's that do; a refusal by another one that this intent requires speaks for this intent alone.
        """
        wait = refusal.retry_after if refusal.retry_after is not None else _STORE_PAUSE
        wait = max(_DEFER_MIN, wait) * (1.0 + _DEFER_JITTER * self._parts.rng.random())
        alone = _alone(intent, refusal)
        own = alone is not None or refusal.dependency in (ticket.lane, "")
        if own:
            self._queue.pause(ticket.lane, now + wait, str(refusal.code), tenant=alone)
        change = decide.deferral(refusal, wait, self._clock.time())
        await self._recorder.record(intent, (change,), actor=ACTOR)
        self._queue.put(ticket if own else replace(ticket, due=now + wait), now)

    async def _settle(self, intent: Intent, changes: tuple[Change, ...]) -> None:
        self._requeue(await self._recorder.record(intent, changes, actor=ACTOR))

    def _requeue(self, intent: Intent) -> None:
        if intent.state is _READY:
            self.enqueue(intent)

    async def _ended_within(self, seconds: float) -> None:
        if self._carrying:
            await within(self._clock, seconds, self._all_ended())

    async def _all_ended(self) -> None:
        """Return once nothing is carried: each carrier wakes the kernel at its end, also one that has taken over."""
        while self._carrying:
            self._wake.clear()
            await self._wake.wait()


def _unregistered(intent: Intent) -> Rejected:
    return Rejected(f"{intent.tool} is not registered here", code=Code.TOOL_UNREGISTERED, policy="registry")


def _alone(intent: Intent, refusal: Rejected) -> str | None:
    """Return the tenant of the intent if a refusal is about it alone, None when it is about all."""
    return intent.tenant if speaks_for_one_tenant(refusal) else None
