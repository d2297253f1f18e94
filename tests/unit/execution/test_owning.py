"""What an action sends is what was recorded of it: nobody who holds the arguments, too, can change that."""

from __future__ import annotations

import pytest

from switchgear.control.intent_views import intent_view
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded
from switchgear.execution.engine import EngineLimits
from switchgear.execution.intent import Intent
from switchgear.execution.owning import owned
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import SagaSubmission
from switchgear.execution.transitions import State
from tests.unit.execution.rig import ACME, Rig, hang, running

BUSY = Refused(Code.DEPENDENCY_FAILED, "not now", retryable=True, verdict=Verdict.SUCCESS)


async def _waiting(rig: Rig, items: list[str]) -> Intent:
    """Return an action with `items` that waits behind another one."""
    rig.tool(attempts=1)
    rig.script.answers = [hang]
    await rig.clock.elapse(0.0)
    await rig.submit(key="first")
    waiting = await rig.submit(key="second", items=items)
    assert waiting.state is State.READY
    return waiting


async def test_what_a_caller_changes_after_it_submitted_is_not_sent() -> None:
    """The digest, the ledger and the remote see one payload, whatever becomes of the caller's own object."""
    async with running(limits=EngineLimits(lane_places=1)) as rig:
        items = ["a"]
        waiting = await _waiting(rig, items)
        items.append("b")
        await rig.settled(waiting)
        assert rig.script.calls[-1].arguments == {"items": ["a"]}


async def test_what_a_reader_changes_in_its_view_is_not_sent() -> None:
    """A view shows an intent, and is no handle on it."""
    async with running(limits=EngineLimits(lane_places=1)) as rig:
        waiting = await _waiting(rig, ["a"])
        seen = await rig.engine.intent("acme", waiting.id)
        intent_view(seen, lambda _tool, _tenant: None).arguments["items"].append("b")
        await rig.settled(waiting)
        assert rig.script.calls[-1].arguments == {"items": ["a"]}


async def test_what_a_tool_changes_in_its_arguments_its_next_attempt_does_not_see() -> None:
    """SEMANTICS §7: a repeat has the same key and the same bytes."""

    async def spoil(call: Call) -> Result:
        call.arguments["items"].append({"b": 1})
        return BUSY

    async with running() as rig:
        rig.tool()
        rig.script.answers = [spoil, spoil]
        done = await rig.settled(await rig.submit(items=["a"]))
        assert (done.state, done.attempt) == (State.SUCCEEDED, 3)
        assert rig.script.calls[-1].arguments == {"items": ["a"]}


async def test_what_a_caller_changes_in_the_steps_of_a_saga_is_not_sent() -> None:
    """The same goes for steps that begin later."""

    async def slow(_call: Call) -> Result:
        await rig.clock.sleep_async(5.0)
        return Succeeded()

    async with running() as rig:
        rig.tool(compensate="crm.update")
        rig.script.answers = [slow]
        items = ["a"]
        steps = tuple(
            StepDefinition(tool="crm.update", name=name, arguments={"items": items}) for name in ("one", "two")
        )
        await rig.engine.sagas.submit(SagaSubmission(scope=ACME, steps=steps, key="k"))
        items.append("b")
        await rig.clock.elapse(20.0)
        assert [call.arguments for call in rig.script.calls] == [{"items": ["a"]}] * 2


@pytest.mark.parametrize("arguments", [[1], [["a", 1]], "a", None, 7])
async def test_arguments_that_are_no_object_are_refused(arguments: object) -> None:
    """Also pairs, of which Python would make an object that nobody has signed for."""
    async with running() as rig:
        rig.tool()
        wish = Submission(scope=ACME, tool="crm.update", arguments=arguments, key="k")  # type: ignore[arg-type]  # the mistake
        with pytest.raises(Invalid, match="arguments are an object"):
            await rig.engine.submit(wish)


@pytest.mark.parametrize("key", [7, b"k"])
async def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    """With words, and not with an error of Python's."""
    async with running() as rig:
        rig.tool()
        wish = Submission(scope=ACME, tool="crm.update", arguments={}, key=key)  # type: ignore[arg-type]  # the mistake
        with pytest.raises(Invalid, match="idempotency key"):
            await rig.engine.submit(wish)


def test_arguments_without_end_are_refused() -> None:
    """An object that holds itself is no JSON."""
    round_and_round: dict[str, object] = {}
    round_and_round["again"] = round_and_round
    with pytest.raises(RecursionError):
        owned(round_and_round)


async def test_a_submission_without_end_is_refused() -> None:
    """And the engine says so as it says everything."""
    async with running() as rig:
        rig.tool()
        round_and_round: dict[str, object] = {}
        round_and_round["again"] = round_and_round
        with pytest.raises(Invalid, match="nested too deep"):
            await rig.submit(again=round_and_round)


def test_tuples_become_lists() -> None:
    """A schema sees what is recorded: an array."""
    assert owned({"a": (1, {"b": (2,)})}) == {"a": [1, {"b": [2]}]}
