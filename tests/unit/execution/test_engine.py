"""The engine end to end on a memory store and virtual time: one action from submit to outcome."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Invalid, Overloaded, QueueFull, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.engine import EngineLimits
from switchgear.execution.refold import Refold
from switchgear.execution.transitions import State
from switchgear.gates.tenants import TenantLimits
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.rate_limit import RateLimit
from tests.turns import turns
from tests.unit.execution.rig import ACME, GLOBEX, hang, running

BUSY = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.FAILURE)
SILENCE = Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer")


async def test_one_action_goes_through_and_each_step_is_on_record() -> None:
    """Submit, dispatch and outcome are three appends, and the fold of their events is the stored row."""
    async with running() as rig:
        rig.tool()
        done = await rig.settled(await rig.submit(a=1))
        assert (done.state, done.value, done.attempt) == (State.SUCCEEDED, "done", 1)
        assert await rig.kinds(done) == ["accepted", "dispatched", "succeeded"]
        assert rig.script.calls[0].arguments == {"a": 1}
        assert (await Refold(rig.store).intents("acme")).first_different is None
        assert (await Refold(rig.store).chain("acme")).ok


async def test_law_2_nothing_leaves_before_dispatched_is_durable() -> None:
    """When the connector is called, the ledger already says so."""
    async with running() as rig:
        rig.tool()
        seen: list[list[str]] = []

        async def look(call: Call) -> Result:
            intent = await rig.engine.intent(call.tenant, call.intent_id)
            seen.append(await rig.kinds(intent))
            return Succeeded()

        rig.script.answers = [look]
        await rig.settled(await rig.submit())
        assert seen == [["accepted", "dispatched"]]


async def test_law_3_the_same_key_finds_the_same_intent_and_its_outcome() -> None:
    """A repeat, early or late, has no second effect."""
    async with running() as rig:
        rig.tool()
        first = await rig.submit(a=1)
        await rig.settled(first)
        again = await rig.engine.submit(_repeat(a=1))
        assert (again.intent.id, again.replayed, again.intent.value) == (first.id, True, "done")
        assert len(rig.script.calls) == 1


async def test_law_3_concurrent_repeats_are_one_intent() -> None:
    """A hundred submissions of one key at once are accepted once."""
    async with running() as rig:
        rig.tool()
        admitted = await asyncio.gather(*(rig.engine.submit(_repeat(a=1)) for _ in range(100)))
        assert len({a.intent.id for a in admitted}) == 1
        assert sum(not a.replayed for a in admitted) == 1
        await rig.settled(admitted[0].intent)
        assert len(rig.script.calls) == 1


async def test_the_same_key_with_another_payload_is_a_conflict() -> None:
    """A key stands for one action."""
    async with running() as rig:
        rig.tool()
        await rig.submit(a=1)
        with pytest.raises(Conflict) as refusal:
            await rig.submit(a=2)
        assert refusal.value.code is Code.IDEMPOTENCY_CONFLICT


async def test_keys_are_scoped_by_tenant_account_and_tool() -> None:
    """The same key elsewhere is another key."""
    async with running() as rig:
        rig.tool()
        rig.tool("crm.create")
        ids = {
            (await rig.submit(a=1)).id,
            (await rig.submit(a=1, scope=GLOBEX)).id,
            (await rig.submit("crm.create", a=1)).id,
        }
        assert len(ids) == 3


async def test_a_key_is_free_again_only_when_final_and_past_retention() -> None:
    """A timer alone never frees a key of something that runs."""
    async with running() as rig:
        rig.tool(key_retention=100.0, timeout=5_000.0, lifetime=10_000.0)
        rig.script.answers = [hang]
        first = await rig.submit(a=1)
        await rig.clock.elapse(500.0)
        assert (await rig.engine.submit(_repeat(a=1))).intent.id == first.id
        rig.tool("crm.create", key_retention=100.0)
        done = await rig.settled(await rig.submit("crm.create", a=1))
        await rig.clock.elapse(90.0)
        assert (await rig.submit("crm.create", a=1)).id == done.id
        await rig.clock.elapse(11.0)
        assert (await rig.submit("crm.create", a=2)).id != done.id


async def test_a_write_needs_a_key_and_a_read_does_not() -> None:
    """Missing where required is a refusal."""
    async with running() as rig:
        rig.tool()
        rig.tool("crm.get", effect=Effect.READ_ONLY)
        with pytest.raises(Invalid) as refusal:
            await rig.submit(key=None)
        assert refusal.value.code is Code.IDEMPOTENCY_KEY_REQUIRED
        assert (await rig.submit("crm.get", key=None)).key is None


async def test_a_refusal_at_admission_binds_no_key_and_is_counted() -> None:
    """After a refusal the same key is free, and the ledger has one count for the flood."""
    async with running(limits=EngineLimits(queue_max=1)) as rig:
        rig.tool()
        rig.script.answers = [hang]
        first = await rig.submit(key="first")
        for _ in range(3):
            with pytest.raises(QueueFull):
                await rig.submit(key="second", a=1)
        await rig.engine.refusals.flush()
        refusals = await rig.store.stream("acme", "admission")
        assert len(refusals) == 1
        assert b'"count":3' in refusals[0].body
        rig.engine.queue.release(first.id)
        assert (await rig.submit(key="second", a=2)).state is State.DISPATCHED


async def test_a_repeat_is_answered_even_when_the_queue_is_full() -> None:
    """Who asks again for what was accepted is not refused."""
    async with running(limits=EngineLimits(queue_max=1)) as rig:
        rig.tool()
        rig.script.answers = [hang]
        first = await rig.submit(a=1)
        assert (await rig.submit(a=1)).id == first.id


async def test_a_tenant_too_fast_is_refused_with_the_exact_wait() -> None:
    """The limit is per tenant: another one is not touched."""
    async with running() as plain:
        gate = TenantLimits(1.0, 1.0, plain.clock)
        async with running(gates=(gate,), clock=plain.clock) as rig:
            rig.tool()
            await rig.submit(key="a")
            with pytest.raises(Exception, match="RATE_LIMITED_TENANT") as refusal:
                await rig.submit(key="b")
            assert refusal.value.retry_after == pytest.approx(1.0)  # type: ignore[attr-defined]  # a Rejected
            await rig.submit(key="a", scope=GLOBEX)


async def test_a_definite_refusal_is_retried_as_events() -> None:
    """Each attempt and each wait is on record, and the last one counts."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [BUSY, BUSY]
        done = await rig.settled(await rig.submit())
        assert (done.state, done.attempt) == (State.SUCCEEDED, 3)
        assert await rig.kinds(done) == [
            "accepted",
            *["dispatched", "not_applied", "retry_scheduled"] * 2,
            "dispatched",
            "succeeded",
        ]


async def test_attempts_are_bounded() -> None:
    """`attempts=3` is three calls."""
    async with running() as rig:
        rig.tool(attempts=3)
        rig.script.answers = [BUSY] * 5
        done = await rig.settled(await rig.submit())
        assert (done.state, done.code, len(rig.script.calls)) == (State.DEAD_LETTERED, "RETRY_EXHAUSTED", 3)


@pytest.mark.parametrize("effect", [Effect.NATURAL, Effect.RECONCILABLE, Effect.OPAQUE])
async def test_law_4_an_unanswered_write_is_in_doubt_and_never_run_again(effect: Effect) -> None:
    """Doubt about an effect that may not repeat is named, and rests."""
    async with running() as rig:
        rig.tool(effect=effect)
        rig.script.answers = [SILENCE]
        done = await rig.settled(await rig.submit())
        await rig.clock.elapse(10_000.0)
        assert (done.state, done.code, len(rig.script.calls)) == (State.IN_DOUBT, "TIMEOUT_INTENT_EXECUTE", 1)


async def test_an_unanswered_keyed_write_runs_again_with_the_same_key_and_bytes() -> None:
    """The remote decides by the key whether it happened."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [SILENCE]
        done = await rig.settled(await rig.submit(a=1))
        first, second = rig.script.calls
        assert (first.idempotency_key, first.arguments) == (second.idempotency_key, second.arguments)
        assert (first.attempt, second.attempt, done.state) == (1, 2, State.SUCCEEDED)


async def test_law_1_an_attempt_is_bounded_by_the_tools_timeout() -> None:
    """A connector that hangs is cut off, and what that means follows the effect class."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        rig.script.answers = [hang]
        intent = await rig.submit()
        await rig.clock.elapse(4.9)
        assert (await rig.engine.intent("acme", intent.id)).state is State.DISPATCHED
        assert (await rig.settled(intent)).state is State.IN_DOUBT


async def test_a_connector_that_raises_is_uncertain() -> None:
    """Whatever a connector raises, something may have left."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [RuntimeError("boom")]
        done = await rig.settled(await rig.submit())
        assert (done.state, done.message) == (State.IN_DOUBT, "RuntimeError: boom")


async def test_an_open_breaker_defers_and_the_lane_goes_on_after_recovery() -> None:
    """While the breaker is open nothing is called; intents wait with code and time, then go on by themselves."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        guards["crm"] = Guard("crm", breaker=Breaker(failures=2, cooldown=60.0, jitter=0.0), clock=rig.clock)
        rig.tool(attempts=1)
        rig.script.answers = [BUSY, BUSY]
        for number in range(2):
            await rig.settled(await rig.submit(key=f"fail{number}"))
        waiting = [await rig.submit(key=f"wait{number}") for number in range(5)]
        await rig.clock.elapse(30.0)
        assert len(rig.script.calls) == 2
        assert rig.engine.lane_paused_for("crm.update") == "CIRCUIT_OPEN"
        for intent in waiting:
            assert (await rig.settled(intent)).state is State.SUCCEEDED
        deferred = [kind for i in waiting for kind in await rig.kinds(i) if kind == "deferred"]
        assert 1 <= len(deferred) <= 3


async def test_a_lane_goes_on_as_soon_as_the_probe_has_succeeded() -> None:
    """What was refused while the one probe was out waits for its verdict, not for the end of the half-open time."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        breaker = Breaker(failures=1, cooldown=10.0, jitter=0.0, half_open_max=600.0)
        guards["crm"] = Guard("crm", breaker=breaker, clock=rig.clock)
        rig.tool(attempts=1)
        guards["crm"].permit_nowait().fail()

        async def slow_probe(_call: Call) -> Result:
            await rig.clock.sleep_async(5.0)
            return Succeeded()

        rig.script.answers = [slow_probe]
        intents = [await rig.submit(key=f"k{number}") for number in range(4)]
        await rig.clock.elapse(16.0)
        assert [(await rig.engine.intent("acme", i.id)).state for i in intents] == [State.SUCCEEDED] * 4


async def test_a_ramp_paces_a_recovered_dependency_and_never_stops_it() -> None:
    """After closing, a share of what is offered passes from the first moment, and more with time."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        guards["crm"] = Guard("crm", breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0, ramp=30.0), clock=rig.clock)
        rig.tool()
        guards["crm"].permit_nowait().fail()
        intents = [await rig.submit(key=f"k{number}") for number in range(150)]
        done = []
        for _ in range(4):
            await rig.clock.elapse(3.0, turns=10)
            done.append(len(rig.script.calls))
        assert 2 <= done[0] <= 25
        assert done[0] < done[1] < done[2] < done[3]
        assert "deferred" not in await rig.kinds(intents[-1])


async def test_a_rate_limit_paces_and_never_drops() -> None:
    """A limited dependency gets its calls at its rate; nothing is refused for good."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        guards["crm"] = Guard("crm", rate_limit=RateLimit(1, per=1.0, burst=1), clock=rig.clock)
        rig.tool()
        intents = [await rig.submit(key=f"k{number}") for number in range(4)]
        await rig.clock.elapse(0.5)
        assert len(rig.script.calls) == 1
        for intent in intents:
            assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_a_cost_that_can_never_pass_is_denied() -> None:
    """A refusal for good ends the intent with its code instead of deferring it for ever."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        guards["crm"] = Guard("crm", rate_limit=RateLimit(1, per=1.0, burst=1), clock=rig.clock)
        rig.tool(cost=5)
        done = await rig.settled(await rig.submit())
        assert (done.state, done.code, rig.script.calls) == (State.DENIED, "RATE_LIMITED_CONNECTOR", [])


async def test_a_further_required_dependency_that_is_open_holds_the_action_back() -> None:
    """Every dependency that a tool requires has a say."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        mail = guards["mail"] = Guard("mail", breaker=Breaker(failures=1, cooldown=30.0, jitter=0.0), clock=rig.clock)
        rig.tool(requires=("crm", "mail"))
        mail.permit_nowait().fail()
        intent = await rig.submit()
        await rig.clock.elapse(20.0)
        waiting = await rig.engine.intent("acme", intent.id)
        assert (waiting.waiting_for, rig.script.calls) == ("DEPENDENCY_UNHEALTHY", [])
        mail.key("x")
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_an_unregistered_tool_holds_the_intent_until_it_is_registered() -> None:
    """An intent of an unknown tool is held, never claimed, never failed."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.engine.registry._tools.clear()  # noqa: SLF001 - as after a restart without the tool
        rig.engine.start()
        await rig.clock.elapse(1.0)
        held = await rig.engine.intent("acme", intent.id)
        assert (held.state, held.waiting_for, rig.script.calls) == (State.HELD, "TOOL_UNREGISTERED", [])
        rig.tool()
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_a_doubtful_write_is_not_repeated_under_a_changed_contract() -> None:
    """The same key with other bytes could be another effect: it stays in doubt, and says why."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        rig.tool(backoff_base=20.0, backoff_cap=20.0)
        rig.script.answers = [SILENCE]
        intent = await rig.submit()
        while (await rig.engine.intent("acme", intent.id)).attempt == 0:
            await rig.clock.elapse(0.01)
        rig.engine.registry._tools.clear()  # noqa: SLF001 - as after a restart with a changed tool
        rig.tool(version="2")
        done = await rig.settled(intent)
        await rig.clock.elapse(60.0)
        found = await rig.engine.intent("acme", done.id)
        assert (found.state, found.code, len(rig.script.calls)) == (State.IN_DOUBT, "TOOL_CHANGED", 1)


async def test_a_waiting_intent_expires_at_its_deadline() -> None:
    """Nothing waits for ever: the deadline ends it, with its code, and nothing left."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        crm = guards["crm"] = Guard("crm", breaker=Breaker(failures=1, cooldown=900.0), clock=rig.clock)
        rig.tool(lifetime=60.0)
        crm.permit_nowait().fail()
        done = await rig.settled(await rig.submit())
        assert (done.state, done.code, rig.script.calls) == (State.EXPIRED, "DEADLINE_EXCEEDED", [])
        assert len(rig.engine.queue) == 0


async def test_a_cancel_before_dispatch_ends_it() -> None:
    """What has not left never leaves."""
    guards: dict[str, Guard] = {}
    async with running(guards=guards) as rig:
        crm = guards["crm"] = Guard("crm", breaker=Breaker(failures=1, cooldown=60.0), clock=rig.clock)
        rig.tool()
        crm.permit_nowait().fail()
        intent = await rig.submit()
        cancelled = await rig.engine.cancel("acme", intent.id, reason="not needed", actor="person:kim")
        assert (cancelled.state, cancelled.code) == (State.CANCELLED, "CANCELLED")
        again = await rig.engine.cancel("acme", intent.id, reason="", actor="person:kim")
        assert again.state is State.CANCELLED
        await rig.clock.elapse(120.0)
        assert rig.script.calls == []


async def test_a_cancel_after_dispatch_is_a_request_that_hides_no_outcome() -> None:
    """The outcome that comes is recorded, whatever was asked."""
    async with running() as rig:
        rig.tool()
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def slow(_call: Call) -> Result:
            return await answer

        rig.script.answers = [slow]
        intent = await rig.submit()
        await rig.clock.elapse(0.1)
        asked = await rig.engine.cancel("acme", intent.id, reason="late", actor="person:kim")
        assert (asked.state, asked.cancel_requested) == (State.DISPATCHED, True)
        answer.set_result(Succeeded("done"))
        done = await rig.settled(intent)
        assert (done.state, done.value) == (State.SUCCEEDED, "done")
        with pytest.raises(Conflict):
            await rig.engine.cancel("acme", intent.id, reason="", actor="person:kim")


async def test_law_9_another_tenants_intent_does_not_exist() -> None:
    """A foreign id and a missing id are the same answer."""
    async with running() as rig:
        rig.tool()
        intent = await rig.submit()
        for tenant, intent_id in (("globex", intent.id), ("acme", "int_" + "0" * 32)):
            with pytest.raises(Denied) as refusal:
                await rig.engine.intent(tenant, intent_id)
            assert refusal.value.code is Code.NOT_FOUND
            with pytest.raises(Denied):
                await rig.engine.cancel(tenant, intent_id, reason="", actor="x")


async def test_law_9_nobody_waits_for_another_tenants_intent() -> None:
    """Not while it is under way either, when the engine has it at hand."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [hang]
        intent = await rig.submit()
        assert intent.id in rig.engine.recorder.live
        with pytest.raises(Denied) as caught:
            await rig.engine.wait("globex", intent.id, 0.0)
        assert caught.value.code is Code.NOT_FOUND


async def test_a_stopping_engine_takes_nothing_new_and_says_so() -> None:
    """SHUTTING_DOWN is an answer, and the key stays free."""
    async with running() as rig:
        rig.tool()
        rig.engine.admission.stopping = True
        with pytest.raises(Overloaded) as refusal:
            await rig.submit()
        assert refusal.value.code is Code.SHUTTING_DOWN


async def test_an_engine_that_stops_names_what_it_cut_off() -> None:
    """What was under way at the end is in doubt on record, not lost and not failed."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [hang]
        intent = await rig.submit()
        await rig.clock.elapse(0.1)
        stopping = asyncio.ensure_future(rig.engine.stop(5.0))
        await rig.clock.elapse(5.1)
        await stopping
        found = await rig.engine.intent("acme", intent.id)
        assert (found.state, found.code) == (State.IN_DOUBT, "IN_DOUBT")


async def test_a_submitter_that_goes_away_does_not_undo_what_it_submitted() -> None:
    """Cancelling the wait for acceptance detaches: the intent is recorded, queued and carried out."""
    async with running() as rig:
        rig.tool()
        waiting = asyncio.ensure_future(rig.submit(a=1))
        await turns()
        waiting.cancel()
        await rig.clock.elapse(1.0)
        assert (await rig.submit(a=1)).state is State.SUCCEEDED
        assert len(rig.script.calls) == 1


async def test_law_6_an_unwritable_ledger_accepts_nothing() -> None:
    """No record, no acknowledgement: the refusal says so, and the same key works once the ledger does."""
    async with running() as rig:
        rig.tool()
        rig.store.plan = ["down"]
        with pytest.raises(StoreError) as refusal:
            await rig.submit()
        assert refusal.value.code is Code.LEDGER_UNAVAILABLE
        assert len(rig.engine.queue) == 0
        assert (await rig.settled(await rig.submit())).state is State.SUCCEEDED


@pytest.mark.parametrize("fate", ["down", "lost", "late"])
async def test_law_2_a_dispatch_that_cannot_be_recorded_lets_nothing_leave(fate: str) -> None:
    """Whatever happens to the append of `dispatched`, the connector is called only after it is known to stand."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.store.plan = [fate] * 3
        rig.engine.start()
        await rig.clock.elapse(0.5)
        assert (rig.script.calls == []) == (fate != "late")
        done = await rig.settled(intent)
        assert (done.state, len(rig.script.calls), done.attempt) == (State.SUCCEEDED, 1, 1)


@pytest.mark.parametrize("fate", ["down", "lost", "late"])
async def test_an_outcome_is_kept_until_the_ledger_takes_it(fate: str) -> None:
    """A known outcome is never dropped because the ledger was away, and is recorded once."""
    async with running() as rig:
        rig.tool()

        async def then_the_disk_fills(_call: Call) -> Result:
            rig.store.plan = [fate] * 5
            return Succeeded("done")

        rig.script.answers = [then_the_disk_fills]
        done = await rig.settled(await rig.submit())
        assert (done.state, done.value) == (State.SUCCEEDED, "done")
        assert await rig.kinds(done) == ["accepted", "dispatched", "succeeded"]


@pytest.mark.parametrize("fate", ["lost", "late"])
async def test_a_lost_acknowledgement_of_a_submission_is_settled(fate: str) -> None:
    """The submitter gets one intent, whether the first append had been written or not."""
    async with running() as rig:
        rig.tool()
        rig.store.plan = [fate]
        done = await rig.settled(await rig.submit())
        assert (await rig.kinds(done)).count("accepted") == 1


async def test_a_dispatch_on_record_that_never_left_gives_its_attempt_back() -> None:
    """When the acknowledgement stays lost but the append stands, we know that nothing left, and say so."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.store.plan = ["late", "lost", "lost"]
        rig.engine.start()
        done = await rig.settled(intent)
        assert await rig.kinds(done) == [
            *["accepted", "dispatched", "not_applied", "retry_scheduled"],
            *["dispatched", "succeeded"],
        ]
        assert (len(rig.script.calls), done.attempt) == (1, 1)


def _repeat(**arguments: int) -> Submission:
    return Submission(scope=ACME, tool="crm.update", arguments=arguments, key="k1")
