"""Carries intents out. The kernel owns retry: each attempt is an event, and each passes the gates.

It takes the next ticket, asks gates and guard, records `dispatched`, makes the attempt, records what is known of it.
Nothing leaves unless the append that writes `dispatched` has committed. What an attempt meant is decided in
`decide`; here it is only carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution import decide
from switchgear.execution.attempt import Attempts, Ended
from switchgear.execution.bounded import within
from switchgear.execution.contract import Call, Refused, Result, Uncertain
from switchgear.execution.decide import Backoff
from switchgear.execution.intent import Change, Intent, Kind, State
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.queue import Ticket
from switchgear.execution.recorder import StaleError
from switchgear.execution.registry import Registered
from switchgear.gates.gate import Gate, GateRequest, check_all
from switchgear.guard import Guard, Permit

_log = logging.getLogger("switchgear.kernel")

UNREGISTERED = "(unregistered)"
"""The lane of intents whose tool is not known here: they are only looked at, and held."""
_DEFER_MIN = 0.05
_DEFER_JITTER = 0.1
_RAMP_PAUSE = 0.02
_STORE_PAUSE = 1.0
_RECORD_GRACE = 5.0


class Kernel:
    """The engine's loop. `slots` bounds how many intents are carried at once over all dependencies."""

    def __init__(self, parts: Parts, *, gates: Sequence[Gate], guard_of: Callable[[str], Guard], slots: int) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._recorder = parts.recorder
        self._queue = parts.queue
        self._clock = parts.clock
        self._gates = gates
        self._guard_of = guard_of
        self._slots = slots
        self._wake = asyncio.Event()
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._unsent: set[str] = set()  # dispatched on record, perhaps, but known never to have left
        self._stopping = False
        self.idle = asyncio.Event()
        self.attempts = Attempts(parts.clock)

    @property
    def in_flight(self) -> int:
        """How many intents are being carried right now."""
        return len(self._carrying)

    def carries(self, intent_id: str) -> bool:
        """Return whether an intent is being carried right now."""
        return intent_id in self._carrying

    def enqueue(self, intent: Intent) -> None:
        """Queue a ready intent whose place is reserved."""
        registered = self._parts.registry.get(intent.tool)
        lane = registered.tool.dependency if registered else UNREGISTERED
        now = self._clock.monotonic()
        delay = 0.0 if intent.not_before is None else max(0.0, intent.not_before - self._clock.time())
        self._queue.put(Ticket(intent.id, intent.tenant, lane, now + delay, intent.effect.repeats_in_doubt), now)
        self.idle.clear()
        self._wake.set()

    def settled(self, intent_id: str) -> None:
        """Forget an intent that is settled, and look again: it may have been the last."""
        self._unsent.discard(intent_id)
        self._wake.set()

    async def run(self) -> None:
        """Carry intents until `stop`. Runs as one task."""
        while not self._stopping:
            self._wake.clear()
            self._start_what_may_run()
            self._tell_idleness()
            await self._sleep_until_something_changes()

    async def stop(self, grace: float) -> None:
        """Take nothing new, wait up to `grace` seconds for what is dispatched, then cut it off and record doubt."""
        self._stopping = True
        self._wake.set()
        await self._ended_within(grace)
        self.attempts.cut_off()
        await self._ended_within(_RECORD_GRACE)
        for task in list(self._carrying.values()):
            task.cancel()
        await asyncio.gather(*self._carrying.values(), return_exceptions=True)

    def _tell_idleness(self) -> None:
        live = self._recorder.live.values()
        if not self._carrying and all(intent.state is State.HELD for intent in live):
            self.idle.set()
        else:
            self.idle.clear()

    def _start_what_may_run(self) -> None:
        while len(self._carrying) < self._slots:
            ticket = self._queue.take(self._clock.monotonic(), self._probing)
            if ticket is None:
                return
            if ticket.intent_id in self._carrying:
                self._queue.done(ticket.lane)  # one carrier an intent: whoever carries it queues it again
                continue
            task = asyncio.get_running_loop().create_task(self._carry(ticket), name=f"carry {ticket.intent_id}")
            self._carrying[ticket.intent_id] = task

    def _probing(self, lane: str) -> bool:
        return lane != UNREGISTERED and self._guard_of(lane).state != "closed"

    async def _sleep_until_something_changes(self) -> None:
        moment = self._queue.next_moment(self._clock.monotonic())
        timer = self._clock.call_at(moment, self._wake.set) if moment is not None else None
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _carry(self, ticket: Ticket) -> None:
        try:
            await self._carry_out(ticket)
        except Exception:  # noqa: BLE001 - outermost driver: a defect must not end the loop; recovery finds the intent
            _log.exception("intent %s could not be carried out", ticket.intent_id)
        finally:
            self._queue.done(ticket.lane)
            self._carrying.pop(ticket.intent_id, None)
            self._wake.set()

    async def _carry_out(self, ticket: Ticket) -> None:
        try:
            await self._advance(ticket)
        except StaleError:
            self._queue.put_back(ticket)
        except StoreError:
            self._queue.pause(ticket.lane, self._clock.monotonic() + _STORE_PAUSE, str(Code.LEDGER_UNAVAILABLE))
            self._queue.put_back(ticket)

    async def _advance(self, ticket: Ticket) -> None:
        intent = self._recorder.live.get(ticket.intent_id)
        if intent is not None and intent.state is State.DISPATCHED and intent.id in self._unsent:
            await self._settle(intent, decide.after_unsent(intent, self._parts.moment()))
        elif intent is not None and intent.state is State.READY:
            await self._advance_ready(intent, ticket)
            return
        self._unsent.discard(ticket.intent_id)

    async def _advance_ready(self, intent: Intent, ticket: Ticket) -> None:
        registered = self._parts.registry.get(intent.tool)
        if intent.deadline_at <= self._clock.time():
            await self._settle(intent, decide.expiry(intent))
        elif registered is None:
            await self._hold(intent)
        elif ticket.lane != registered.tool.dependency:
            self.enqueue(intent)
        elif (end := decide.no_repeat(intent, registered.tool, self._clock.time())) is not None:
            await self._settle(intent, end)
        else:
            await self._attempt(intent, registered, ticket)

    async def _attempt(self, intent: Intent, registered: Registered, ticket: Ticket) -> None:
        guard = self._guard_of(registered.tool.dependency)
        if self._queue.paused_for(ticket.lane, self._clock.monotonic()):
            self._queue.put_back(ticket)  # taken just before another intent was refused; that refusal speaks for it
            return
        try:
            check_all(self._gates, _gate_request(intent, registered))
            permit = guard.permit_nowait(cost=registered.tool.cost, tenant=intent.tenant)
        except Rejected as refusal:
            await self._refused(intent, refusal, ticket)
            return
        dispatched = await self._dispatch(intent, registered, permit)
        result = await self._make(dispatched, registered, permit, guard)
        await self._conclude(dispatched, registered, result)

    async def _dispatch(self, intent: Intent, registered: Registered, permit: Permit) -> Intent:
        facts = {
            "attempt": intent.attempt + 1,
            "epoch": intent.version + 1,
            "owner": self._recorder.owner,
            "contract": registered.tool.contract,
            "digest": intent.digest,
            "downstream_key": intent.id,
            "first_sent_at": intent.first_sent_at or self._clock.time(),
        }
        try:
            dispatched = await self._recorder.record(intent, (Change(Kind.DISPATCHED, facts),), actor=ACTOR)
        except StoreError:
            permit.refund()
            self._unsent.add(intent.id)  # it may be on record all the same; a stale one is somebody else's
            raise
        except BaseException:
            permit.refund()
            raise
        self._unsent.discard(intent.id)
        return dispatched

    async def _make(self, intent: Intent, registered: Registered, permit: Permit, guard: Guard) -> Result:
        limit = min(registered.tool.timeout, guard.timeout_seconds or registered.tool.timeout)
        left = intent.deadline_at - self._clock.time()
        deadline = Deadline(self._clock.monotonic() + min(limit, max(left, 0.0)), self._clock)
        try:
            ended = await self.attempts.run(registered.connector, _call(intent, deadline))
            _settle_permit(permit, ended, impatient=left < limit and deadline.remaining() <= 0)
        finally:
            permit.ignore()  # of no effect once it is settled: only an attempt that was torn off is not
        if guard.state != "open":  # a probe has ended: what waited for its verdict need not wait for the clock
            self._queue.resume(guard.name, str(Code.CIRCUIT_OPEN))
        return ended.result

    async def _conclude(self, intent: Intent, registered: Registered, result: Result) -> None:
        """Record what an attempt came to, however long the ledger takes: until then the attempt holds its slot."""
        backoff, current = Backoff.of(registered.tool), intent
        while current.state is State.DISPATCHED:
            changes = decide.after_result(current, backoff, result, self._parts.moment())
            try:
                current = await self._recorded(current, changes)
            except Rejected as error:
                _log.exception("the outcome of %s cannot be recorded as it is", intent.id)
                result = Uncertain(Code.INTERNAL, f"an outcome came that cannot be recorded: {error.code}")
                await self._clock.sleep_async(_STORE_PAUSE)
        self._requeue(current)

    async def _recorded(self, intent: Intent, changes: tuple[Change, ...]) -> Intent:
        """Return the intent after `changes`, or as it is on record by now, or as it was when the ledger is away."""
        try:
            try:
                return await self._recorder.record(intent, changes, actor=ACTOR)
            except StaleError:
                return await self._recorder.latest(intent.tenant, intent.id) or intent
        except StoreError:
            await self._clock.sleep_async(_STORE_PAUSE)
            return intent

    async def _refused(self, intent: Intent, refusal: Rejected, ticket: Ticket) -> None:
        """Carry out a refusal before dispatch: deny, or offer the intent again later."""
        now = self._clock.monotonic()
        if refusal.decision == "reject":
            await self._settle(intent, decide.denial(intent, refusal.code, refusal.message))
        elif refusal.code is Code.CIRCUIT_OPEN and refusal.state == "closed":
            # The breaker has closed and ramps up: it lets in a share of what is offered, so keep offering.
            self._queue.pause(ticket.lane, now + _RAMP_PAUSE, str(refusal.code))
            self._queue.put_back(ticket)
        else:
            await self._defer(intent, refusal, ticket, now)

    async def _defer(self, intent: Intent, refusal: Rejected, ticket: Ticket, now: float) -> None:
        """Record that the intent was refused for now; it goes behind what waits already.

        A refusal by the lane's own dependency speaks for all that wait for it, so the lane is paused; a refusal by
        another one that this intent requires speaks for this intent alone.
        """
        wait = refusal.retry_after if refusal.retry_after is not None else _STORE_PAUSE
        wait = max(_DEFER_MIN, wait) * (1.0 + _DEFER_JITTER * self._parts.rng.random())
        own = refusal.dependency in (ticket.lane, "")
        if own:
            self._queue.pause(ticket.lane, now + wait, str(refusal.code))
        change = decide.deferral(refusal, self._clock.time() + wait)
        await self._recorder.record(intent, (change,), actor=ACTOR)
        self._queue.put(ticket if own else replace(ticket, due=now + wait), now)

    async def _hold(self, intent: Intent) -> None:
        code = str(Code.TOOL_UNREGISTERED)
        await self._recorder.record(intent, (Change(Kind.HELD, {"code": code, "waiting_for": code}),), actor=ACTOR)

    async def _settle(self, intent: Intent, changes: tuple[Change, ...]) -> None:
        self._requeue(await self._recorder.record(intent, changes, actor=ACTOR))

    def _requeue(self, intent: Intent) -> None:
        if intent.state is State.READY:
            self.enqueue(intent)

    async def _ended_within(self, seconds: float) -> None:
        if self._carrying:
            await within(self._clock, seconds, _all_ended(set(self._carrying.values())))


async def _all_ended(tasks: set[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


def _gate_request(intent: Intent, registered: Registered) -> GateRequest:
    return GateRequest(intent.tenant, intent.tool, registered.tool.requires, registered.tool.cost)


def _call(intent: Intent, deadline: Deadline) -> Call:
    return Call(
        intent_id=intent.id,
        tool=intent.tool,
        tenant=intent.tenant,
        account=intent.account,
        actor=intent.actor,
        arguments=intent.arguments,
        idempotency_key=intent.id,
        attempt=intent.attempt,
        deadline=deadline,
        trace=intent.trace,
    )


def _settle_permit(permit: Permit, ended: Ended, *, impatient: bool) -> None:
    """Tell the guard what the attempt says about the dependency; a deadline of the caller's says nothing."""
    verdict = ended.result.verdict
    if ended.timed_out:
        permit.time_out(by_timeout=not impatient)
    elif verdict is Verdict.SUCCESS:
        permit.succeed()
    elif verdict is Verdict.FAILURE and not impatient:
        permit.fail()
    elif isinstance(ended.result, Refused) and verdict is Verdict.IGNORED:
        permit.refund()
    else:
        permit.ignore()
