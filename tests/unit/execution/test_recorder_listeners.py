"""Whoever listens to the recorder hears of what is durable, once it is, in the states that it asked for."""

from __future__ import annotations

from switchgear.execution.intent import Intent
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.transitions import State
from tests.unit.execution.rig import running


async def test_a_listener_hears_of_the_states_that_it_asked_for_and_of_all_when_it_names_none() -> None:
    """What does not matter to a listener costs nothing; nobody misses what does."""
    ends: list[Intent] = []
    all_of_them: list[Intent] = []
    async with running() as rig:
        rig.tool()
        rig.engine.recorder.subscribe(ends.append, {State.SUCCEEDED, State.FAILED})
        rig.engine.recorder.subscribe(all_of_them.append)
        await rig.submit()
        await rig.clock.elapse(1.0)
    assert [heard.state for heard in all_of_them] == [State.DISPATCHED, State.SUCCEEDED]
    assert [heard.state for heard in ends] == [State.SUCCEEDED]


async def test_a_listener_may_leave_out_what_is_plain() -> None:
    """Of an intent that serves no other, has no time-box and was never replayed it hears nothing, of all others all."""
    heard: list[Intent] = []
    async with running() as rig:
        rig.tool()
        rig.engine.recorder.subscribe(heard.append, plain=False)
        ended = await rig.settled(await rig.submit())
        assert heard == []
        request = ReplayRequest(mode=Mode.VERIFY, reason="drill", by="person:ann", trace=rig.engine.replays.trace())
        replayed = await rig.engine.replays.replay(ended, request)
    assert heard == [replayed.intent]


async def test_nothing_is_remembered_of_answers_once_none_is_under_way() -> None:
    """What the ledger answered of an intent is followed while answers may overtake each other, and no longer."""
    async with running() as rig:
        rig.tool()
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        recorder = rig.engine.recorder
        assert await recorder.reload(intent.tenant, intent.id) is not None
        assert (recorder._under_way, recorder._newest) == ({}, {})  # noqa: SLF001 - no other way to see a leak
