"""Sagas on a whole engine: in order, back in reverse, waiting for doubts, stuck and named, cancelled, refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Invalid, Overloaded, QueueFull, Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.core.scope import Scope
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Decided, EngineLimits
from switchgear.execution.intent import Intent
from switchgear.execution.key_records import KeyRecord, encoded_key
from switchgear.execution.resolving import Finding, Says
from switchgear.execution.sagas.book import SAGA_KEYS, key_name
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import COUNTED_AS, AdmittedSaga, SagaSubmission
from switchgear.execution.sagas.saga import Saga
from switchgear.execution.sagas.transitions import Phase, SagaState
from switchgear.gates.gate import NO_CONDITIONS, ApprovalNeeded, Conditions, GateRequest, Stage
from switchgear.ledger.events import read
from switchgear.storage.abilities import Append, Write
from tests.turns import turns
from tests.unit.execution.rig import ACME, GLOBEX, Rig, engine_on, hang, running

KIM = "person:kim"
NEVER = Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
LOST = Uncertain(Code.DEPENDENCY_FAILED, "lost")
RESERVE = StepDefinition(tool="crm.reserve", name="reserve", arguments={"item": "7"})
CHARGE = StepDefinition(tool="crm.charge", name="charge", arguments={"of": {"$step": "reserve", "path": "id"}})
SEND = StepDefinition(tool="crm.send", name="send")
AFTER = StepDefinition(tool="crm.send", name="after")


@dataclass
class Answers:
    """Answers by tool, the last of each again and again; a list is used up from its front."""

    by_tool: dict[str, list[Result]]

    async def __call__(self, call: Call) -> Result:
        """Answer a call."""
        answers = self.by_tool.get(call.tool, [Succeeded({"id": call.tool})])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def prepared(rig: Rig, *, opaque: bool = False, retention: float = 86_400.0, **answers: list[Result]) -> None:
    """Register tools that can be undone and one that cannot, and answer as told: by the name behind ``crm.``."""
    effect = Effect.OPAQUE if opaque else Effect.KEYED
    rig.tool("crm.release")
    rig.tool("crm.refund", effect)
    rig.tool("crm.reserve", compensate="crm.release", key_retention=retention)
    rig.tool("crm.charge", effect, compensate="crm.refund")
    rig.tool("crm.send", key_retention=retention)
    given = Answers({f"crm.{name}": list(these) for name, these in answers.items()})
    rig.script.answers = [given] * 1000


async def submit(rig: Rig, *steps: StepDefinition, key: str = "k", scope: Scope = ACME) -> AdmittedSaga:
    """Submit a saga of these steps."""
    return await rig.engine.sagas.submit(SagaSubmission(scope=scope, steps=steps, key=key))


async def after(rig: Rig, saga: Saga, seconds: float = 60.0) -> Saga:
    """Return the saga after some time."""
    await rig.clock.elapse(seconds)
    return await rig.engine.sagas.saga(saga.tenant, saga.id)


async def waited(rig: Rig, saga: Saga, seconds: float) -> Saga:
    """Return what a wait of so many seconds comes to, within a second more."""
    waiting = asyncio.ensure_future(rig.engine.sagas.wait(saga.tenant, saga.id, seconds))
    await rig.clock.elapse(seconds + 1.0)
    assert waiting.done()
    return await waiting


def called(rig: Rig) -> list[str]:
    """Return the tools called so far, without their prefix."""
    return [call.tool.removeprefix("crm.") for call in rig.script.calls]


async def kinds(rig: Rig, saga: Saga) -> list[str]:
    """Return the types of the saga's events, without their prefix."""
    entries = await rig.store.stream(saga.tenant, saga.id)
    return [read(entry).type.removeprefix("saga.") for entry in entries]


def phases(saga: Saga) -> list[Phase]:
    """Return how far each step is."""
    return [step.phase for step in saga.steps]


async def resolve(rig: Rig, intent_id: str | None, says: Says) -> None:
    """Say what became of an intent in doubt."""
    finding = Finding(by=KIM, says=says, evidence="looked", value={"id": 1} if says is Says.APPLIED else None)

    def decision(intent: Intent) -> Decided:
        return Decided(rig.engine.doubts.resolved(intent, finding))

    await rig.engine.change("acme", str(intent_id), decision, actor=KIM)


async def test_steps_run_in_order_each_with_what_the_ones_before_answered() -> None:
    """A step begins when the one before has succeeded; values go into arguments; each acts for who submitted."""
    async with running() as rig:
        prepared(rig, reserve=[Succeeded({"id": 41})])
        saga = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga)
        assert saga.state is SagaState.COMPLETED
        assert called(rig) == ["reserve", "charge", "send"]
        assert rig.script.calls[1].arguments == {"of": 41}
        assert {call.actor for call in rig.script.calls} == {ACME.actor}
        assert {call.purpose for call in rig.script.calls} == {"step"}


async def test_each_step_is_an_intent_whose_parent_is_the_saga() -> None:
    """Retry, doubt, approval and limits are those of any intent; the saga is found from it."""
    async with running() as rig:
        prepared(rig)
        saga = await after(rig, (await submit(rig, RESERVE, SEND)).saga)
        for step in saga.steps:
            intent = await rig.engine.intent("acme", str(step.intent))
            assert (intent.parent, intent.purpose, intent.correlation) == (saga.id, "step", saga.correlation)
        assert len(rig.engine.queue) == 0


async def test_what_succeeded_is_undone_in_reverse() -> None:
    """The failed step is not undone; each undoing is told the key of what it undoes, and gets its arguments."""
    async with running() as rig:
        prepared(rig, reserve=[Succeeded({"id": 41})], send=[NEVER])
        saga = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga)
        assert (saga.state, saga.code, saga.message) == (SagaState.COMPENSATED, "TOOL_FAILED", "never")
        assert called(rig) == ["reserve", "charge", "send", "refund", "release"]
        assert phases(saga) == [Phase.COMPENSATED, Phase.COMPENSATED, Phase.NOT_APPLIED]
        refund, release = rig.script.calls[3:]
        assert (refund.about, refund.arguments) == (saga.steps[1].intent, {"of": 41})
        assert (release.about, release.arguments) == (saga.steps[0].intent, {"item": "7"})
        assert refund.purpose == "compensate"


async def test_what_undoes_a_step_gets_arguments_of_its_own() -> None:
    """They may use what the step itself answered."""
    async with running() as rig:
        prepared(rig, reserve=[Succeeded({"id": 41})], send=[NEVER])
        undo = {"reservation": {"$step": "reserve", "path": "id"}}
        reserve = StepDefinition(tool="crm.reserve", name="reserve", undo=undo)
        await after(rig, (await submit(rig, reserve, SEND)).saga)
        assert rig.script.calls[-1].arguments == {"reservation": 41}


async def test_an_undoing_is_tried_again_by_its_own_rules() -> None:
    """A compensation has the attempts of its own tool."""
    async with running() as rig:
        busy = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS)
        prepared(rig, send=[NEVER], release=[busy, busy, Succeeded(None)])
        saga = await after(rig, (await submit(rig, RESERVE, SEND)).saga)
        assert saga.state is SagaState.COMPENSATED
        assert called(rig).count("release") == 3


@pytest.mark.parametrize(
    ("says", "state", "calls"),
    [
        (Says.APPLIED, SagaState.COMPLETED, ["reserve", "charge", "send"]),
        (Says.NOT_APPLIED, SagaState.COMPLETED, ["reserve", "charge", "charge", "send"]),
    ],
)
async def test_a_step_in_doubt_is_settled_before_anything_follows(
    says: Says, state: SagaState, calls: list[str]
) -> None:
    """Law 4: the saga waits, and names the intent that a person has to resolve; then it goes on by itself."""
    async with running() as rig:
        prepared(rig, opaque=True, charge=[LOST, Succeeded({"id": 2})])
        waiting = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga, 800.0)
        assert (waiting.state, phases(waiting)[1]) == (SagaState.RUNNING, Phase.RUNNING)
        stuck = await after(rig, waiting, 200.0)
        assert stuck.state is SagaState.STUCK
        assert stuck.stuck is not None
        assert stuck.stuck.position == 1
        assert str(stuck.under_way) in stuck.stuck.message
        await resolve(rig, stuck.under_way, says)
        saga = await after(rig, stuck)
        assert (saga.state, saga.stuck) == (state, None)
        assert called(rig) == calls
        assert "resumed" in await kinds(rig, saga)


async def test_an_abandoned_step_leaves_the_saga_stuck_and_a_person_says_how_it_goes_on() -> None:
    """What nobody knows is neither undone nor called undone by a rule."""
    async with running() as rig:
        prepared(rig, opaque=True, charge=[LOST])
        stuck = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga, 1_000.0)
        await resolve(rig, stuck.under_way, Says.ABANDON)
        unknown = await after(rig, stuck)
        assert (unknown.state, phases(unknown)[1]) == (SagaState.STUCK, Phase.UNKNOWN)
        assert called(rig) == ["reserve", "charge"]
        await rig.engine.sagas.resume("acme", unknown.id, How.DONE, reason="refunded by hand", actor=KIM)
        saga = await after(rig, unknown)
        assert saga.state is SagaState.COMPENSATED
        assert called(rig) == ["reserve", "charge", "release"]


@pytest.mark.parametrize(("how", "releases"), [(How.RETRY, 2), (How.DONE, 1)])
async def test_a_failed_undoing_leaves_the_saga_stuck_until_a_person_says_how(how: How, releases: int) -> None:
    """It is named; a retry is another intent, and the earlier one stays on record."""
    async with running() as rig:
        prepared(rig, send=[NEVER], release=[NEVER, Succeeded(None)])
        stuck = await after(rig, (await submit(rig, RESERVE, SEND)).saga)
        assert (stuck.state, phases(stuck)[0]) == (SagaState.STUCK, Phase.COMPENSATION_FAILED)
        assert stuck.stuck is not None
        assert "step reserve was not undone: never" in stuck.stuck.message
        await rig.engine.sagas.resume("acme", stuck.id, how, reason="it is back", actor=KIM)
        saga = await after(rig, stuck)
        assert (saga.state, saga.code) == (SagaState.COMPENSATED, "TOOL_FAILED")
        assert called(rig).count("release") == releases
        assert saga.steps[0].earlier == ((stuck.steps[0].compensation,) if how is How.RETRY else ())


async def test_behind_the_pivot_the_saga_only_goes_forward() -> None:
    """A step that fails there is not answered by undoing: a person has it tried again, and the saga completes."""
    async with running() as rig:
        prepared(rig, send=[Succeeded(None), NEVER, Succeeded(None)])
        pivot = StepDefinition(tool="crm.send", name="pivot", pivot=True)
        stuck = await after(rig, (await submit(rig, RESERVE, pivot, AFTER)).saga)
        assert (stuck.state, stuck.undoing) == (SagaState.STUCK, False)
        with pytest.raises(Conflict, match="no way back"):
            await rig.engine.sagas.cancel("acme", stuck.id, reason="too late", actor=KIM)
        await rig.engine.sagas.resume("acme", stuck.id, How.RETRY, reason="it is back", actor=KIM)
        saga = await after(rig, stuck)
        assert saga.state is SagaState.COMPLETED
        assert called(rig) == ["reserve", "send", "send", "send"]


async def test_values_that_are_missing_turn_the_saga_back() -> None:
    """A step whose arguments cannot be made has failed before it began; nothing is sent with a guess."""
    async with running() as rig:
        prepared(rig, reserve=[Succeeded({"other": 1})])
        saga = await after(rig, (await submit(rig, RESERVE, CHARGE)).saga)
        assert (saga.state, saga.code) == (SagaState.COMPENSATED, "INVALID_ARGUMENT")
        assert "has no 'id'" in saga.message
        assert called(rig) == ["reserve", "release"]


async def test_a_cancel_between_begins_no_further_step_and_undoes_the_rest() -> None:
    """The intent that has not left is cancelled in the append that records the cancel."""
    async with running(start=False) as rig:
        prepared(rig)
        admitted = await submit(rig, RESERVE, SEND)
        cancelled = await rig.engine.sagas.cancel("acme", admitted.saga.id, reason="withdrawn", actor=KIM)
        assert cancelled.cancel_requested
        rig.engine.start()
        saga = await after(rig, cancelled)
        assert (saga.state, saga.code, saga.message) == (SagaState.CANCELLED, "CANCELLED", "withdrawn")
        assert called(rig) == []
        assert len(rig.engine.queue) == 0


async def test_a_cancel_while_a_step_is_under_way_waits_for_its_outcome() -> None:
    """A cancel never hides an outcome: what happened all the same is undone."""
    async with running() as rig:
        prepared(rig, charge=[Succeeded({"id": 2})])
        answers = rig.script.answers

        async def slowly(call: Call) -> Result:
            await rig.clock.sleep_async(10.0)
            return Succeeded({"id": call.tool})

        rig.script.answers = [answers[0], slowly, *answers]
        running_saga = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga, 1.0)
        again = await rig.engine.sagas.cancel("acme", running_saga.id, reason="withdrawn", actor=KIM)
        assert (again.state, phases(again)[1]) == (SagaState.COMPENSATING, Phase.RUNNING)
        assert await rig.engine.sagas.cancel("acme", again.id, reason="twice", actor=KIM) == again
        saga = await after(rig, again)
        assert saga.state is SagaState.CANCELLED
        assert called(rig) == ["reserve", "charge", "refund", "release"]


async def test_a_cancel_that_the_pivot_outran_is_on_record_and_the_saga_goes_on() -> None:
    """Once the pivot has happened there is no way back, whatever was wished."""
    async with running() as rig:
        prepared(rig)
        answers = rig.script.answers

        async def slowly(_call: Call) -> Result:
            await rig.clock.sleep_async(10.0)
            return Succeeded(None)

        rig.script.answers = [answers[0], slowly, *answers]
        pivot = StepDefinition(tool="crm.send", name="pivot", pivot=True)
        begun = await after(rig, (await submit(rig, RESERVE, pivot, AFTER)).saga, 1.0)
        await rig.engine.sagas.cancel("acme", begun.id, reason="withdrawn", actor=KIM)
        saga = await after(rig, begun)
        assert (saga.state, saga.cancel_requested) == (SagaState.COMPLETED, True)
        assert called(rig) == ["reserve", "send", "send"]


async def test_a_saga_that_has_ended_cannot_be_cancelled_or_resumed() -> None:
    """Both are answered with its state."""
    async with running() as rig:
        prepared(rig)
        saga = await after(rig, (await submit(rig, SEND)).saga)
        with pytest.raises(Conflict, match="completed cannot be cancelled"):
            await rig.engine.sagas.cancel("acme", saga.id, reason="late", actor=KIM)
        with pytest.raises(Conflict, match="completed is not stuck"):
            await rig.engine.sagas.resume("acme", saga.id, How.DONE, reason="late", actor=KIM)


async def test_the_same_key_finds_the_same_saga() -> None:
    """Law 3: the same steps find it, other steps are a conflict; another tenant's key is another key."""
    async with running() as rig:
        prepared(rig)
        first = await submit(rig, RESERVE, SEND)
        second = await submit(rig, RESERVE, SEND)
        assert (second.saga.id, first.replayed, second.replayed) == (first.saga.id, False, True)
        with pytest.raises(Conflict) as refusal:
            await submit(rig, RESERVE)
        assert refusal.value.code is Code.IDEMPOTENCY_CONFLICT
        assert (await submit(rig, RESERVE, scope=GLOBEX)).saga.id != first.saga.id
        await rig.clock.elapse(10.0)
        assert called(rig).count("send") == 1


async def test_a_key_is_free_again_only_past_the_retention_of_what_has_ended() -> None:
    """No timer frees the key of a saga that is open or stuck."""
    async with running() as rig:
        prepared(rig, retention=50.0, send=[NEVER], release=[NEVER])
        stuck = await after(rig, (await submit(rig, RESERVE, SEND)).saga, 200.0)
        assert (await submit(rig, RESERVE, SEND)).saga.id == stuck.id
        await rig.engine.sagas.resume("acme", stuck.id, How.DONE, reason="by hand", actor=KIM)
        await after(rig, stuck, 40.0)
        assert (await submit(rig, RESERVE, SEND)).saga.id == stuck.id
        await after(rig, stuck, 20.0)
        assert (await submit(rig, RESERVE, SEND)).saga.id != stuck.id


@pytest.mark.parametrize("key", [None, "", "x" * 256, "a\nb"])
async def test_a_saga_needs_a_key(key: str | None) -> None:
    """Without one a lost answer could not be repeated."""
    async with running() as rig:
        prepared(rig)
        with pytest.raises(Invalid):
            await rig.engine.sagas.submit(SagaSubmission(scope=ACME, steps=[SEND], key=key))


class Closed:
    """A gate that refuses, or asks for approval, at the door."""

    def __init__(self, refusal: Rejected) -> None:
        """Refuse with `refusal`."""
        self.refusal = refusal

    def check(self, request: GateRequest) -> Conditions:
        """Refuse at admission only."""
        if request.stage is Stage.ADMISSION:
            assert request.purpose == "step"
            raise self.refusal
        return NO_CONDITIONS


async def test_gates_are_asked_about_the_first_step_at_the_door() -> None:
    """A refusal leaves nothing behind but a count, and no place is taken."""
    async with running(gates=(Closed(Rejected(code=Code.KILL_SWITCH_ACTIVE, policy="kill_switch")),)) as rig:
        prepared(rig)
        with pytest.raises(Rejected) as refusal:
            await submit(rig, RESERVE, SEND)
        assert refusal.value.code is Code.KILL_SWITCH_ACTIVE
        assert len(rig.engine.queue) == 0
        await rig.engine.refusals.flush()
        counted = [read(entry).facts for entry in await rig.store.stream("acme", "admission")]
        assert [(facts["tool"], facts["code"]) for facts in counted] == [(COUNTED_AS, "KILL_SWITCH_ACTIVE")]


async def test_what_only_needs_approval_is_let_in() -> None:
    """The step asks for approval when it is due, as any intent."""
    async with running(gates=(Closed(ApprovalNeeded(rule="all", version="1", quorum=1)),)) as rig:
        prepared(rig)
        assert (await submit(rig, RESERVE, SEND)).saga.state is SagaState.RUNNING


async def test_a_full_queue_refuses_a_saga() -> None:
    """Law 10: the first step needs a place; what is refused leaves nothing behind."""
    async with running(limits=EngineLimits(queue_max=1), start=False) as rig:
        prepared(rig)
        await submit(rig, SEND)
        with pytest.raises(QueueFull):
            await submit(rig, SEND, key="other")
        rig.engine.admission.stopping = True
        with pytest.raises(Overloaded):
            await submit(rig, SEND, key="third")


@pytest.mark.parametrize("fate", ["down", "late", "lost"])
async def test_a_saga_whose_acceptance_was_not_acknowledged_is_found_by_its_key(fate: str) -> None:
    """A lost acknowledgement is neither a loss nor a second saga: the repeat finds what is on record."""
    async with running() as rig:
        prepared(rig)
        rig.store.plan = [fate] if fate == "down" else [fate] * 3
        if fate == "late":
            first = await submit(rig, RESERVE, SEND)
        else:
            with pytest.raises(StoreError):
                await submit(rig, RESERVE, SEND)
            await rig.clock.elapse(5.0)
            first = await submit(rig, RESERVE, SEND)
        saga = await after(rig, first.saga)
        assert saga.state is SagaState.COMPLETED
        assert called(rig) == ["reserve", "send"]
        assert len(rig.engine.queue) == 0


async def test_a_step_born_without_an_acknowledgement_is_carried_out_all_the_same() -> None:
    """Whoever looks at the saga again finds the intent that nobody carries, and queues it once."""
    async with running() as rig:
        prepared(rig)
        saga = (await submit(rig, RESERVE, CHARGE, SEND)).saga
        dispatched_and_done = ["ok", "ok"]
        rig.store.plan = [*dispatched_and_done, "late", "lost", "lost"]
        assert (await after(rig, saga)).state is SagaState.COMPLETED
        assert called(rig) == ["reserve", "charge", "send"]


async def test_a_saga_accepted_without_an_acknowledgement_is_carried_out_all_the_same() -> None:
    """The submitter was told that it is not known; what is on record is adopted, without a repeat."""
    async with running() as rig:
        prepared(rig)
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await submit(rig, RESERVE, SEND)
        await rig.clock.elapse(30.0)
        assert called(rig) == ["reserve", "send"]
        assert len(rig.engine.queue) == 0


async def test_a_caller_that_goes_away_never_leaves_a_saga_half_accepted() -> None:
    """What was begun is finished: the first step is carried out, and the same key finds the saga."""
    async with running() as rig:
        prepared(rig)
        submitting = asyncio.ensure_future(submit(rig, RESERVE, SEND))
        await turns()
        submitting.cancel()
        await rig.clock.elapse(10.0)
        assert submitting.cancelled()
        assert called(rig) == ["reserve", "send"]
        assert (await submit(rig, RESERVE, SEND)).replayed


async def test_law_9_another_tenants_saga_does_not_exist() -> None:
    """Reading, cancelling and resuming it are the same answer as for one that never was."""
    async with running() as rig:
        prepared(rig)
        saga = (await submit(rig, SEND)).saga
        sagas = rig.engine.sagas
        for attempt in (
            sagas.saga("globex", saga.id),
            sagas.wait("globex", saga.id, 0.0),
            sagas.cancel("globex", saga.id, reason="", actor=KIM),
            sagas.resume("globex", saga.id, How.DONE, reason="x", actor=KIM),
        ):
            with pytest.raises(Denied) as refusal:
                await attempt
            assert refusal.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(("actor", "reason", "error"), [("agent:bot", "x", Denied), (KIM, " ", Invalid)])
async def test_a_person_resumes_and_says_why(actor: str, reason: str, error: type[Rejected]) -> None:
    """An agent cannot say that something was done by hand."""
    async with running() as rig:
        prepared(rig, send=[NEVER], release=[NEVER])
        stuck = await after(rig, (await submit(rig, RESERVE, SEND)).saga)
        with pytest.raises(error):
            await rig.engine.sagas.resume("acme", stuck.id, How.DONE, reason=reason, actor=actor)


async def test_a_wait_ends_with_the_saga_or_with_its_time() -> None:
    """No wait is unbounded, and none outlasts what it waits for."""
    async with running() as rig:
        prepared(rig)
        saga = (await submit(rig, RESERVE, SEND)).saga
        assert (await rig.engine.sagas.wait("acme", saga.id, 0.0)).state is SagaState.RUNNING
        assert (await waited(rig, saga, 30.0)).state is SagaState.COMPLETED
        rig.script.answers = [hang]
        slow = (await submit(rig, SEND, key="slow")).saga
        assert (await waited(rig, slow, 1.0)).state is SagaState.RUNNING


async def test_a_step_whose_tool_is_not_registered_yet_waits_for_it() -> None:
    """After a restart the tools come one by one; nothing fails for that."""
    async with running() as rig:
        prepared(rig, opaque=True, charge=[LOST])
        stuck = await after(rig, (await submit(rig, RESERVE, CHARGE, SEND)).saga, 1_000.0)
        second = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2)
        await second.recover()
        second.start()
        finding = Finding(by=KIM, says=Says.APPLIED, evidence="looked")
        intent_id = str(stuck.under_way)

        def decision(intent: Intent) -> Decided:
            return Decided(second.doubts.resolved(intent, finding))

        await second.change("acme", intent_id, decision, actor=KIM)
        await rig.clock.elapse(30.0)
        waiting = await second.sagas.saga("acme", stuck.id)
        assert (waiting.state, phases(waiting)[2]) == (SagaState.RUNNING, Phase.WAITING)
        second.registry.register(Tool(name="crm.send", effect=Effect.KEYED, requires=("crm",)), rig.script)
        await rig.clock.elapse(5.0)
        assert (await second.sagas.saga("acme", stuck.id)).state is SagaState.COMPLETED
        await second.stop(0.0)


async def test_idle_means_that_no_saga_moves_on_either() -> None:
    """Between two steps nothing runs, and the engine is not idle all the same."""
    async with running(start=False) as rig:
        prepared(rig, send=[NEVER])
        saga = (await submit(rig, RESERVE, CHARGE, SEND)).saga
        await rig.engine.run_until_idle(30.0)
        assert (await rig.engine.sagas.saga("acme", saga.id)).state is SagaState.COMPENSATED


async def test_who_submitted_the_saga_asked_for_its_steps_and_for_what_undoes_them() -> None:
    """Nobody approves what they asked for themselves, also where the engine acts."""
    async with running() as rig:
        prepared(rig, send=[NEVER], release=[NEVER])
        stuck = await after(rig, (await submit(rig, RESERVE, SEND)).saga)
        intent = await rig.engine.intent("acme", str(stuck.steps[0].compensation))
        asked_by = cast("Mapping[str, Any]", await rig.engine.consents.askers(intent))
        assert set(asked_by) == {"switchgear", ACME.actor}


async def test_a_key_whose_saga_is_gone_is_not_free() -> None:
    """Fail closed: nobody can tell whether its steps were done."""
    async with running() as rig:
        prepared(rig)
        name = key_name(ACME.account, "k")
        record = encoded_key(KeyRecord("sga_" + "0" * 32, "d"))
        await rig.store.append(Append("apd_1", "acme", (), (Write(SAGA_KEYS, name, 0, record),)))
        with pytest.raises(StoreError) as refusal:
            await submit(rig, RESERVE, SEND)
        assert refusal.value.code is Code.LEDGER_CORRUPT


async def test_a_key_that_cannot_be_read_is_not_free() -> None:
    """Fail closed, in the words of the store: nobody can tell what the key is bound to."""
    async with running() as rig:
        prepared(rig)
        damaged = Write(SAGA_KEYS, key_name(ACME.account, "k"), 0, b"[not json")
        await rig.store.append(Append("apd_1", "acme", (), (damaged,)))
        with pytest.raises(StoreError, match="idempotency key cannot be read") as refusal:
            await submit(rig, RESERVE, SEND)
        assert refusal.value.code is Code.LEDGER_CORRUPT
