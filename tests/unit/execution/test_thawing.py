"""Restore mode on a whole engine: what rests is not touched, and a thaw names everything that may have happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Tool
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.family import STEP
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import SagaSubmission
from switchgear.execution.sagas.transitions import SagaState
from switchgear.execution.time_boxes.box import BoxState
from switchgear.execution.transitions import State
from tests.unit.execution.rig import ACME, Rig, engine_on, hang, running

OPS = "user:ops"


def with_tools(rig: Rig) -> Rig:
    """Register a tool of each effect class, one that reverts another, and one that is undone in a saga."""
    rig.tool("crm.undo", Effect.KEYED)
    rig.tool("crm.update", Effect.KEYED, compensate="crm.undo")
    rig.tool("crm.set", Effect.NATURAL, resource="contact")
    rig.tool("crm.find", Effect.READ_ONLY)
    order = Tool(name="crm.order", requires=("crm",), effect=Effect.RECONCILABLE, lookup="crm.find")
    rig.engine.registry.register(order, rig.script)
    rig.tool("crm.pay", Effect.OPAQUE)
    rig.tool("idp.restore", Effect.KEYED)
    rig.tool("idp.cut_off", Effect.KEYED, revert="idp.restore")
    return rig


@asynccontextmanager
async def rested(first: Rig) -> AsyncIterator[Rig]:
    """Run another engine on the store of `first`, as one that was restored: it rests."""
    engine = engine_on(first.store, first.clock, guards={}, doubts=DoubtOptions(escalate_after=1e6), seed=2)
    rig = with_tools(Rig(engine, first.store, first.clock, first.script, {}))
    await first.clock.elapse(1.0)
    engine.rest()
    engine.start()
    try:
        yield rig
    finally:
        stopping = asyncio.ensure_future(engine.stop(0.0))
        while not stopping.done():
            await first.clock.elapse(1.0)
        await stopping


async def on_record(rig: Rig, intent: Intent) -> Intent:
    """Return an intent as the store has it."""
    row = await rig.store.get(INTENTS, intent.tenant, intent.id)
    return intent_of(row)


async def thawed(rig: Rig, since: float) -> int:
    """Thaw and go on; return how many are in doubt."""
    found = await rig.engine.thaw(since, actor=OPS)
    await rig.engine.wake()
    return found.in_doubt


async def test_what_rests_neither_runs_nor_expires() -> None:
    """Nobody knows whether it happened, so no timer may say that it did not; looking at it changes nothing."""
    async with running(start=False) as first:
        with_tools(first)
        intent = await first.submit("crm.pay")
        async with rested(first) as rig:
            await rig.clock.elapse(10.0)
            assert (await rig.engine.intent("acme", intent.id)).state is State.READY
            rig.clock.advance(2 * 86_400.0)
            await rig.clock.elapse(5.0)
            assert (await on_record(rig, intent)).state is State.READY
            assert rig.script.calls == []


@pytest.mark.parametrize("effect", ["crm.update", "crm.pay"])
async def test_nobody_can_call_off_what_rests(effect: str) -> None:
    """To record that it was cancelled would say that it never happened."""
    async with running(start=False) as first:
        with_tools(first)
        intent = await first.submit(effect)
        async with rested(first) as rig:
            with pytest.raises(Rejected) as refused:
                await rig.engine.cancel("acme", intent.id, reason="never mind", actor=OPS)
            assert refused.value.code is Code.RESTORE_PENDING
            again = await rig.engine.submit(Submission(scope=ACME, tool=effect, arguments={}, key="k1"))
            assert (again.intent.id, again.replayed) == (intent.id, True)


async def test_reads_run_while_the_rest_waits() -> None:
    """A read has no effect to double."""
    async with running(start=False) as first:
        with_tools(first)
        await first.submit("crm.pay")
        async with rested(first) as rig:
            read = await rig.submit("crm.find", key=None)
            assert (await rig.settled(read)).state is State.SUCCEEDED
            assert [call.tool for call in rig.script.calls] == ["crm.find"]


@pytest.mark.parametrize(
    ("tool", "state", "calls"),
    [
        ("crm.update", State.SUCCEEDED, 1),
        ("crm.set", State.NEEDS_OPERATOR, 0),
        ("crm.pay", State.IN_DOUBT, 0),
        ("crm.find", State.SUCCEEDED, 1),
    ],
)
async def test_each_effect_class_has_its_rule_after_a_thaw(tool: str, state: State, calls: int) -> None:
    """Keyed work runs under its old key; natural and opaque work is not repeated; a read was never in doubt."""
    async with running(start=False) as first:
        with_tools(first)
        intent = await first.submit(tool, key="k")
        since = first.clock.time()
        async with rested(first) as rig:
            await rig.clock.elapse(60.0)
            assert await thawed(rig, since) == (0 if tool == "crm.find" else 1)
            await rig.clock.elapse(60.0)
            found = await rig.engine.intent("acme", intent.id)
            assert (found.state, len(rig.script.calls)) == (state, calls)
            assert found.restored == (tool != "crm.find")
            assert [call.idempotency_key for call in rig.script.calls] == [intent.id] * calls


async def test_reconcilable_work_is_looked_up_after_a_thaw() -> None:
    """The lookup tells, as after any doubt."""
    async with running(start=False) as first:
        with_tools(first)
        intent = await first.submit("crm.order")
        async with rested(first) as rig:
            since = first.clock.time()
            await thawed(rig, since)
            found = await rig.settled(await rig.engine.intent("acme", intent.id))
            await rig.clock.elapse(60.0)
            found = await rig.engine.intent("acme", intent.id)
            assert found.state is State.SUCCEEDED
            assert [call.tool for call in rig.script.calls] == ["crm.find"]


async def test_a_key_that_the_remote_may_have_forgotten_is_not_used_again() -> None:
    """The remote may have seen it from `since` on; its memory counts from there."""
    async with running(start=False) as first:
        with_tools(first)
        intent = (
            await first.engine.submit(
                Submission(scope=ACME, tool="crm.update", arguments={}, key="k", lifetime=3 * 86_400.0)
            )
        ).intent
        since = first.clock.time()
        async with rested(first) as rig:
            rig.clock.advance(86_400.0)
            await thawed(rig, since)
            await rig.clock.elapse(60.0)
            assert (await rig.engine.intent("acme", intent.id)).state is State.IN_DOUBT
            assert rig.script.calls == []


async def test_what_cannot_have_left_is_in_no_doubt() -> None:
    """What is scheduled for later, and what had expired before the lost time began, did not happen."""
    async with running(start=False) as first:
        with_tools(first)
        later = await first.engine.submit(
            Submission(scope=ACME, tool="crm.pay", arguments={}, key="later", delay=3_600.0)
        )
        gone = await first.engine.submit(
            Submission(scope=ACME, tool="crm.pay", arguments={}, key="gone", lifetime=10.0)
        )
        first.clock.advance(600.0)
        since = first.clock.time()
        async with rested(first) as rig:
            assert await thawed(rig, since) == 0
            await rig.clock.elapse(5.0)
            assert (await on_record(rig, later.intent)).state is State.READY
            assert (await on_record(rig, gone.intent)).state is State.EXPIRED


async def test_a_thaw_that_broke_off_is_done_again() -> None:
    """Each intent is settled alone; the second thaw goes on with what is left, and counts all."""
    async with running(start=False) as first:
        with_tools(first)
        intents = [await first.submit("crm.pay", key=f"k{number}") for number in range(3)]
        since = first.clock.time()
        async with rested(first) as rig:
            rig.store.plan = ["ok", "down", "ok"]
            with pytest.raises(StoreError):
                await rig.engine.thaw(since, actor=OPS)
            assert rig.engine.resting
            assert await thawed(rig, since) == 3
            kinds = [await rig.kinds(intent) for intent in intents]
            assert kinds == [["accepted", "in_doubt"]] * 3


async def saga_of_two_steps(first: Rig) -> str:
    """Accept a saga of two steps on `first`, and return its id."""
    steps = (StepDefinition(tool="crm.update", name="one"), StepDefinition(tool="crm.pay", name="two"))
    admitted = await first.engine.sagas.submit(SagaSubmission(scope=ACME, steps=steps, key="s"))
    return admitted.saga.id


async def test_a_saga_goes_on_by_a_persons_word_alone() -> None:
    """Its next steps would have new keys, and may have been taken under keys that are forgotten."""
    async with running(start=False) as first:
        with_tools(first)
        saga_id = await saga_of_two_steps(first)
        since = first.clock.time()
        async with rested(first) as rig:
            await rig.clock.elapse(10.0)
            await thawed(rig, since)
            await rig.clock.elapse(10.0)
            saga = await rig.engine.sagas.saga("acme", saga_id)
            assert (saga.state, rig.script.calls) == (SagaState.STUCK, [])
            step = await rig.engine.intent("acme", saga.under_way or "")
            assert (step.state, step.restored) == (State.NEEDS_OPERATOR, True)
            assert "later steps" in step.message


async def test_a_saga_between_two_steps_is_stuck_before_it_begins_the_next() -> None:
    """The backup fell between the end of one step and the beginning of the next; a person says how it goes on."""
    async with running() as first:
        with_tools(first)
        first.engine.family.serve(STEP, _deaf)
        saga_id = await saga_of_two_steps(first)
        await first.clock.elapse(10.0)
        since = first.clock.time()
        async with rested(first) as rig:
            await thawed(rig, since)
            await rig.clock.elapse(10.0)
            saga = await rig.engine.sagas.saga("acme", saga_id)
            assert saga.stuck is not None
            assert (saga.state, saga.stuck.position, len(rig.script.calls)) == (SagaState.STUCK, 1, 1)
            await rig.engine.sagas.resume("acme", saga_id, How.DONE, reason="the remote has it", actor=OPS)
            saga = await rig.engine.sagas.saga("acme", saga_id)
            assert (saga.state, len(rig.script.calls)) == (SagaState.COMPLETED, 1)


async def _deaf(_intent: Intent) -> None:
    """Go on with nothing."""


async def test_a_box_that_may_have_been_reverted_calls_a_person() -> None:
    """Its revert had a key that is forgotten; what was cut off anew since must not be restored."""
    async with running() as first:
        with_tools(first)
        await first.engine.submit(Submission(scope=ACME, tool="idp.cut_off", arguments={}, key="k", time_box=100.0))
        await first.clock.elapse(10.0)
        since = first.clock.time()
        await first.engine.stop(0.0)
        first.clock.advance(200.0)
        async with rested(first) as rig:
            found = await rig.engine.thaw(since, actor=OPS)
            await rig.engine.wake()
            await rig.clock.elapse(10.0)
            assert found.time_boxes == 1
            (call,) = rig.script.calls
            box = await rig.engine.time_boxes.get("acme", call.idempotency_key)
            assert box.state is BoxState.NEEDS_OPERATOR
            await rig.engine.time_boxes.revert("acme", box.id, by=OPS, reason="it is still cut off")
            await rig.clock.elapse(10.0)
            assert [call.tool for call in rig.script.calls] == ["idp.cut_off", "idp.restore"]


async def test_an_attempt_that_was_under_way_is_settled_as_after_a_crash() -> None:
    """It was in doubt before the restore; a keyed one runs again under its key, once the store is thawed."""
    async with running() as first:
        with_tools(first)
        first.script.answers = [hang]
        intent = await first.submit("crm.update")
        await first.clock.elapse(1.0)
        since = first.clock.time()
        async with rested(first) as rig:
            await rig.clock.elapse(20.0)
            assert len(rig.script.calls) == 1
            await thawed(rig, since)
            assert (await rig.settled(intent)).state is State.SUCCEEDED
            assert [call.idempotency_key for call in rig.script.calls] == [intent.id] * 2
