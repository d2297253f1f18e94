"""What proves that an action has no effect now, and what forbids to execute it anew all the same."""

from __future__ import annotations

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused
from switchgear.execution.intent import Intent
from switchgear.execution.key_records import KEYS, KeyRecord, encoded_key, key_name
from switchgear.execution.replay import Mode
from switchgear.execution.sagas.book import SAGAS
from switchgear.execution.sagas.book import encoded as encoded_saga
from switchgear.execution.sagas.saga import Saga, Step
from switchgear.execution.sagas.transitions import Phase, SagaState
from switchgear.execution.time_boxes.box import SPACE, BoxState, TimeBox, encoded_box
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Append, Write
from tests.unit.execution.rig import Rig, running
from tests.unit.execution.test_replays import end_of, replay

NO = Refused(Code.TOOL_FAILED, "no", retryable=False, verdict=Verdict.SUCCESS)


async def put(rig: Rig, *writes: Write) -> None:
    """Write rows as if their owners had."""
    await rig.store.append(Append(rig.engine.recorder.owner + str(len(writes)), "acme", (), writes))


async def done(rig: Rig) -> Intent:
    """Return an intent that has succeeded."""
    rig.tool()
    return await rig.settled(await rig.submit())


def box(intent: Intent, state: BoxState) -> TimeBox:
    """Return the time-box of an intent."""
    return TimeBox(
        id=intent.downstream_key,
        tenant="acme",
        account="main",
        intent=intent.id,
        tool=intent.tool,
        undo="crm.undo",
        seconds=60.0,
        opened_at=1.0,
        reverts_at=61.0,
        updated_at=62.0,
        state=state,
        version=1,
    )


@pytest.mark.parametrize("state", list(BoxState))
async def test_a_success_is_executed_anew_once_its_time_box_has_reverted_it(state: BoxState) -> None:
    """Only a revert that succeeded is a proof; what a person closed is none."""
    async with running() as rig:
        first = await done(rig)
        await put(rig, Write(SPACE, first.downstream_key, 0, encoded_box(box(first, state)), state))
        after = await replay(rig, first, Mode.REEXECUTE)
        reverted = state is BoxState.REVERTED
        assert end_of(after) == ("executed" if reverted else "already_executed")
        assert after.generation == (2 if reverted else 1)


async def stepped(rig: Rig, phase: Phase, state: SagaState) -> Intent:
    """Return a success that is a step of a saga which stands as said."""
    first = await done(rig)
    step = msgspec.structs.replace(first, parent="sag_1", purpose="step", key=None, version=first.version + 1)
    saga = Saga(
        id="sag_1",
        tenant="acme",
        account="main",
        actor="service:orders",
        key="s",
        digest="d",
        key_retention=60.0,
        steps=(Step(name="a", tool=first.tool, contract="c", arguments={}, phase=phase, intent=first.id),),
        created_at=1.0,
        updated_at=2.0,
        state=state,
    )
    await put(
        rig,
        Write(SAGAS, "sag_1", 0, encoded_saga(saga), state),
        Write("intent", first.id, first.version, msgspec.json.encode(step), str(first.state)),
    )
    return step


@pytest.mark.parametrize(
    ("phase", "state", "end"),
    [
        (Phase.COMPENSATED, SagaState.COMPENSATED, "executed"),
        (Phase.APPLIED, SagaState.COMPLETED, "already_executed"),
        (Phase.COMPENSATED, SagaState.COMPENSATING, "gate"),
    ],
)
async def test_a_step_is_executed_anew_once_its_saga_has_compensated_it(
    phase: Phase, state: SagaState, end: str
) -> None:
    """The saga has to be over: until then it decides."""
    async with running() as rig:
        step = await stepped(rig, phase, state)
        assert end_of(await replay(rig, step, Mode.REEXECUTE)) == end


async def test_a_key_that_belongs_to_a_later_action_forbids_the_earlier_one() -> None:
    """Law 3: one key would have two actions."""
    async with running() as rig:
        rig.tool(effect=Effect.KEYED, attempts=1)
        rig.script.answers = [NO]
        dead = await rig.settled(await rig.submit())
        name = key_name("main", "crm.update", "k1")
        await put(rig, Write(KEYS, name, 1, encoded_key(KeyRecord("int_" + "1" * 32, "d", 2))))
        after = await replay(rig, dead, Mode.REEXECUTE)
        assert (after.state, end_of(after)) == (State.DEAD_LETTERED, "gate")
        assert after.replay is not None
        assert after.replay.refusal == "IDEMPOTENCY_CONFLICT"


async def test_what_serves_another_action_is_not_executed_anew() -> None:
    """Lookups, reverts and compensations are done again by what they serve."""
    async with running() as rig:
        rig.tool(attempts=1)
        rig.script.answers = [NO]
        dead = await rig.settled(await rig.submit())
        serving = msgspec.structs.replace(dead, parent="int_x", purpose="revert", version=dead.version + 1)
        await put(rig, Write("intent", dead.id, dead.version, msgspec.json.encode(serving), str(dead.state)))
        assert end_of(await replay(rig, serving, Mode.REEXECUTE)) == "gate"
