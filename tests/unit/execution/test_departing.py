"""What can leave at once leaves in the append that accepts it; everything else waits as it always did."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import cast

import pytest
from msgspec import structs

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import RateLimited, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Lately, Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool
from switchgear.execution.engine import EngineLimits
from switchgear.execution.gating import dispatch_request
from switchgear.execution.intent import Intent
from switchgear.execution.shares import Share
from switchgear.execution.transitions import State
from switchgear.gates.budget_names import HELD, USED
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, OneAnswer, Stage
from switchgear.gates.tenants import TenantLimits
from switchgear.guard import Guard
from switchgear.ledger.chain import seal
from switchgear.ledger.events import read
from switchgear.policies.breaker import Breaker
from switchgear.storage.abilities import Append, Appended, Count, Expect, Write
from switchgear.testing import Fate, FaultyStore, StoreFaults
from tests.unit.execution.rig import ACME, Flaky, Rig, Script, engine_on, hang, running


async def _begun(rig: Rig) -> None:
    """Let the kernel begin to run."""
    await rig.clock.elapse(0.0)


async def _appends(rig: Rig, intent: Intent) -> list[tuple[str, str, str]]:
    """Return append, type and actor of each event of an intent."""
    entries = await rig.store.stream(intent.tenant, intent.id)
    return [(entry.append_id, read(entry).type, read(entry).actor) for entry in entries]


async def test_one_append_accepts_and_dispatches() -> None:
    """Both events are durable together before the submitter hears of it and before the attempt is made."""
    async with running() as rig:
        rig.tool()
        seen: list[int] = []

        async def look(call: Call) -> Result:
            seen.append(len(await rig.store.stream(call.tenant, call.intent_id)))
            return Succeeded("done")

        rig.script.answers = [look]
        await _begun(rig)
        intent = await rig.submit(a=1)
        assert (intent.state, intent.version, intent.attempt) == (State.DISPATCHED, 1, 1)
        await rig.clock.elapse(0.0)
        assert seen == [2]
        events = await _appends(rig, intent)
        assert [(kind, actor) for _, kind, actor in events] == [
            ("intent.accepted", ACME.actor),
            ("intent.dispatched", "switchgear"),
            ("intent.succeeded", "switchgear"),
        ]
        assert events[0][0] == events[1][0] != events[2][0]
        assert rig.engine.kernel.in_flight == 0
        assert len(rig.engine.queue) == 0


@dataclass(frozen=True)
class Waits:
    """A reason to queue: what is said of the action, and of its tool."""

    delay: float | None = None
    resource: str = ""
    time_box: float | None = None


@pytest.mark.parametrize(
    "reason", [Waits(delay=5.0), Waits(resource="contact/{a}"), Waits(time_box=60.0)], ids=["later", "resource", "box"]
)
async def test_what_waits_for_something_is_queued(reason: Waits) -> None:
    """A time, a resource to look up and a box to open are the queue's and the kernel's business."""
    async with running() as rig:
        rig.tool("crm.undo")
        rig.tool(effect=Effect.NATURAL, resource=reason.resource, revert="crm.undo")
        await _begun(rig)
        wish = Submission(
            scope=ACME,
            tool="crm.update",
            arguments={"a": 1},
            key="k1",
            delay=reason.delay,
            time_box=reason.time_box,
        )
        intent = (await rig.engine.submit(wish)).intent
        assert intent.state is State.READY
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_an_engine_that_does_not_run_lets_nothing_leave() -> None:
    """Accepted is accepted; it leaves when the engine runs."""
    async with running(start=False) as rig:
        rig.tool()
        assert (await rig.submit()).state is State.READY


async def test_nobody_overtakes_those_who_wait() -> None:
    """While anything waits in a lane, what comes stands behind it; and slots are never exceeded."""
    async with running(limits=EngineLimits(lane_places=1)) as rig:
        rig.tool()
        rig.script.answers = [hang]
        await _begun(rig)
        states = [(await rig.submit(key=f"k{number}")).state for number in range(3)]
        assert states == [State.DISPATCHED, State.READY, State.READY]
    async with running(limits=EngineLimits(slots=2)) as rig:
        rig.tool()
        rig.script.answers = [hang, hang]
        await _begun(rig)
        begun = await asyncio.gather(*(rig.submit(key=f"k{number}") for number in range(4)))
        assert sorted(intent.state for intent in begun) == [State.DISPATCHED] * 2 + [State.READY] * 2


async def test_a_dependency_that_is_not_trusted_is_not_tried_by_whoever_comes() -> None:
    """While the breaker is not closed, the queue decides who probes; a refusal is recorded there."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        guards["crm"] = Guard("crm", breaker=Breaker(failures=1, cooldown=30.0), clock=rig.clock)
        rig.tool(attempts=5)
        with pytest.raises(ConnectionError):
            guards["crm"].call(_fail)
        await _begun(rig)
        intent = await rig.submit()
        assert intent.state is State.READY
        assert (await rig.settled(intent)).state is State.SUCCEEDED
        assert guards["crm"].statistics().in_flight == 0


def _fail() -> None:
    raise ConnectionError


@dataclass
class Charging:
    """A gate that reserves one unit at each dispatch, of `limit`; and relies on a row, read at each pass."""

    limit: int = 1
    expected: int = 0

    def check(self, request: GateRequest) -> Conditions:
        """Let everything pass, on these conditions."""
        expects = (Expect("rule", request.tenant, "r", self.expected),)
        if request.stage is Stage.ADMISSION:
            return Conditions(expects)
        counts = (Count(USED, "b", 1, self.limit), Count(HELD, "b", 1))
        return Conditions(expects, counts, {}, {"b": 1})


class Asked(Charging):
    """A gate that keeps what it was shown."""

    def __init__(self) -> None:
        """Let everything pass, of a large budget."""
        super().__init__(limit=9)
        self.shown: list[GateRequest] = []

    def check(self, request: GateRequest) -> Conditions:
        """Keep it."""
        self.shown.append(request)
        return super().check(request)


class AskedOnce(OneAnswer, Asked):
    """The same, of a gate that says of a dispatch what it said of the acceptance."""


async def test_a_gate_of_one_answer_is_asked_once_about_what_leaves_at_once() -> None:
    """Its answer stands in the one append; a gate that may say something else is asked about the dispatch as well."""
    once, twice = AskedOnce(), Asked()
    async with running(gates=(once, twice), dispatch_gates=(once, twice)) as rig:
        tool = rig.tool()
        await _begun(rig)
        intent = await rig.submit()
        assert intent.state is State.DISPATCHED
        assert [request.stage for request in once.shown] == [Stage.ADMISSION]
        assert [request.stage for request in twice.shown] == [Stage.ADMISSION, Stage.DISPATCH]
        assert twice.shown[1] == dispatch_request(structs.replace(intent, reserved={}), tool, twice.shown[1].at)


async def test_a_gate_of_one_answer_is_asked_again_about_what_has_waited() -> None:
    """Between two turns of the loop everything may change; and each attempt is asked about."""
    gate = AskedOnce()
    async with running(gates=(gate,), dispatch_gates=(gate,)) as rig:
        rig.tool()
        rig.script.answers = [Refused(Code.RATE_LIMITED_CONNECTOR, "later", retryable=True, verdict=Verdict.IGNORED)]
        await _begun(rig)
        await rig.settled(await rig.submit())
        assert [request.stage for request in gate.shown] == [Stage.ADMISSION, Stage.DISPATCH]
        wish = Submission(scope=ACME, tool="crm.update", arguments={}, key="k2", delay=5.0)
        await rig.settled((await rig.engine.submit(wish)).intent)
        assert [request.stage for request in gate.shown[2:]] == [Stage.ADMISSION, Stage.DISPATCH]


async def test_a_gate_that_is_asked_at_dispatch_alone_is_asked_before_anything_leaves() -> None:
    """One answer is no answer where nobody asked at the door."""
    gate = AskedOnce()
    async with running(dispatch_gates=(gate,)) as rig:
        rig.tool()
        await _begun(rig)
        assert (await rig.submit()).state is State.DISPATCHED
        assert [request.stage for request in gate.shown] == [Stage.DISPATCH]


async def test_what_has_no_budget_to_leave_is_held_and_not_refused() -> None:
    """A counter at its limit stops the departure, not the acceptance."""
    gate = Charging()
    async with running(gates=(gate,), dispatch_gates=(gate,)) as rig:
        rig.tool()
        rig.script.answers = [hang]
        await _begun(rig)
        assert (await rig.submit(key="k1")).state is State.DISPATCHED
        second = await rig.submit(key="k2")
        await rig.clock.elapse(0.1)
        assert (await rig.engine.intent("acme", second.id)).state is State.HELD
        assert rig.engine.kernel.in_flight == 1


async def test_what_gates_relied_on_is_checked_in_that_very_append() -> None:
    """A row that has changed since refuses the append; the gates are asked again, and nothing has left before."""
    gate = Charging(limit=9)
    async with running(gates=(gate,), dispatch_gates=(gate,)) as rig:
        rig.tool()
        await _begun(rig)
        await rig.store.append(Append("apd_x", "acme", (), (Write("rule", "r", 0, b"{}"),)))

        async def reread(_conflict: object) -> None:
            gate.expected = 1

        rig.engine.keep_fresh("rule", reread)
        done = await rig.settled(await rig.submit())
        assert (done.state, len(rig.script.calls)) == (State.SUCCEEDED, 1)


@pytest.mark.parametrize("repeats", [0, 1, 3])
async def test_a_departure_whose_acknowledgement_was_lost_goes_on_once(repeats: int) -> None:
    """It is on record as dispatched and never left: that is said, and then it leaves."""
    async with running() as rig:
        rig.tool()
        await _begun(rig)
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await rig.submit(a=1)
        assert rig.engine.kernel.in_flight == 0
        for _ in range(repeats):
            await rig.submit(a=1)
        done = await rig.settled(await _only(rig))
        assert await rig.kinds(done) == [
            *["accepted", "dispatched", "not_applied", "retry_scheduled"],
            *["dispatched", "succeeded"],
        ]
        assert (len(rig.script.calls), done.attempt) == (1, 1)


async def _only(rig: Rig) -> Intent:
    (row,) = await rig.store.page("intent", "acme", facet=None, before=None, limit=9)
    found = await rig.engine.recorder.latest("acme", row.key)
    assert found is not None
    return found


async def test_an_unacknowledged_submission_that_a_repeat_finds_is_carried_out() -> None:
    """What was accepted to wait, and is met by a repeat before housekeeping looks, is not forgotten in its place."""
    async with running(limits=EngineLimits(lane_places=1)) as rig:
        rig.tool()
        rig.script.answers = [hang]
        await _begun(rig)
        await rig.submit(key="first")
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await rig.submit(a=1)
        again = await rig.submit(a=1)
        assert again.state is State.READY
        await rig.clock.elapse(400.0)  # the first one times out and makes room
        assert (await rig.engine.intent("acme", again.id)).state is State.SUCCEEDED


async def test_a_submission_that_was_surely_not_written_gives_everything_back() -> None:
    """Its place, its slot and its permit are free again, and the key too."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        rig.tool()
        await _begun(rig)
        rig.store.plan = ["down"]
        with pytest.raises(StoreError):
            await rig.submit()
        assert (len(rig.engine.queue), guards["crm"].statistics().in_flight) == (0, 0)
        assert (await rig.settled(await rig.submit())).state is State.SUCCEEDED


async def test_a_repeat_is_answered_whatever_refuses_new_work() -> None:
    """Also when its key was met so long ago that it is taken to be free at first."""

    class Closed:
        """A gate that refuses everything from some moment on."""

        refuses = False

        def check(self, _request: GateRequest) -> Conditions:
            """Refuse, or let pass."""
            if self.refuses:
                raise RateLimited(policy="rate_limit")
            return NO_CONDITIONS

    gate = Closed()
    async with running(gates=(gate,)) as rig:
        rig.tool()
        first = await rig.settled(await rig.submit(a=1))
        rig.engine.admission.lately = Lately()
        gate.refuses = True
        assert (await rig.submit(a=1)).id == first.id
        with pytest.raises(RateLimited):
            await rig.submit(key="k2", a=1)


async def test_a_repeat_that_was_met_lately_costs_its_tenant_nothing() -> None:
    """The limit is for new work."""
    async with running() as rig:
        limits = TenantLimits(1.0, 2.0, rig.clock)
    async with running(gates=(limits,), clock=rig.clock) as rig:
        rig.tool()
        first = await rig.submit(a=1)
        for _ in range(5):
            assert (await rig.submit(a=1)).id == first.id
        assert (await rig.submit(key="k2")).id != first.id
        with pytest.raises(RateLimited):
            await rig.submit(key="k3")


def test_keys_that_were_met_are_bounded() -> None:
    """The oldest makes room, and is found by the ledger."""
    lately = Lately(keys_max=2)
    new = [lately.is_new(("acme", key)) for key in ("a", "b", "a", "c", "b", "a")]
    assert new == [True, True, False, True, False, True]
    assert len(lately) == 2


async def test_a_deadline_that_passes_while_the_ledger_takes_its_time_lets_nothing_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Law 1: nothing starts that cannot finish inside what remains; so it is not in doubt either."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        await _begun(rig)
        append = rig.store.append

        async def slow(sent: Append) -> Appended:
            await rig.clock.sleep_async(5.0)
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", slow)
        wish = Submission(scope=ACME, tool="crm.update", arguments={}, key="k1", lifetime=2.0)
        submitting = asyncio.ensure_future(rig.engine.submit(wish))
        await rig.clock.elapse(60.0)
        ended = await rig.engine.intent("acme", submitting.result().intent.id)
        assert (ended.state, rig.script.calls) == (State.EXPIRED, [])


async def test_two_who_cancel_what_was_never_acknowledged_do_not_strand_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Law 4: a dispatch that never left is settled, also when the loser of a race has looked at it first."""
    async with running() as rig:
        rig.tool()
        await _begun(rig)
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await rig.submit(a=1)
        append, both, count = rig.store.append, asyncio.Event(), [0]

        async def together(sent: Append) -> Appended:
            count[0] += 1
            if count[0] == 2:
                both.set()
            await both.wait()
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", together)  # both are decided before either is written
        found = await _only(rig)
        people = ("person:ada", "person:kim")
        await asyncio.gather(*(rig.engine.cancel("acme", found.id, reason="no", actor=who) for who in people))
        await rig.clock.elapse(30.0)
        ended = await rig.engine.intent("acme", found.id)
        assert (ended.state, rig.script.calls) == (State.CANCELLED, [])


@pytest.mark.parametrize("fate", ["down", "full"])
async def test_a_repeat_is_answered_while_nothing_can_be_written(fate: str) -> None:
    """A full disk hides no outcome, also not when its key was met long ago or by an engine before this one."""
    async with running() as rig:
        rig.tool()
        first = await rig.settled(await rig.submit(a=1))
        rig.engine.admission.lately = Lately()
        rig.store.plan = [fate, fate]
        again = await rig.submit(a=1)
        assert (again.id, again.value) == (first.id, "done")
        with pytest.raises(StoreError):
            await rig.submit(key="k2", a=1)


async def test_what_lands_after_the_end_of_an_engine_is_found_by_the_next_one() -> None:
    """Law 4: a dispatch that was cut off with its engine is in doubt, also when its record was still on its way."""
    clock = VirtualClock()
    store = FaultyStore(seal, clock=clock, faults=StoreFaults(slow_seconds=(4.0, 4.0)))
    first = engine_on(cast("Flaky", store), clock, guards={})
    first.registry.register(Tool(name="crm.update", requires=("crm",)), Script())
    first.start()
    await clock.elapse(0.0)
    store.plan = [Fate.SLOW]
    wish = Submission(scope=ACME, tool="crm.update", arguments={}, key="k1")
    submitting = asyncio.ensure_future(first.submit(wish))
    await clock.elapse(0.0)
    await _passed(clock, first.stop(0.0))
    assert isinstance(submitting.exception(), StoreError)
    assert store.in_flight
    second = engine_on(cast("Flaky", store), clock, guards={}, seed=2)
    second.registry.register(Tool(name="crm.update", requires=("crm",)), Script())
    await _passed(clock, second.recover())
    (row,) = await store.page("intent", "acme", facet=None, before=None, limit=9)
    assert (await second.intent("acme", row.key)).state is State.IN_DOUBT
    await _passed(clock, second.stop(0.0))
    await store.close()


async def test_what_was_called_off_has_cost_its_tenant_nothing() -> None:
    """SEMANTICS §5: calls that never left are refunded, here of the tenant's rate: the next one leaves at once."""
    async with running(limits=EngineLimits(share=Share(rate=1.0))) as rig:
        rig.tool()
        await _begun(rig)
        rig.store.plan = ["down"]
        with pytest.raises(StoreError):
            await rig.submit(key="k1")
        assert (await rig.submit(key="k2")).state is State.DISPATCHED
        assert (await rig.submit(key="k3")).state is State.READY


async def _passed(clock: VirtualClock, work: Coroutine[object, object, object]) -> None:
    """Let time pass until `work` has ended."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await clock.elapse(0.1)
    await task
