"""The engine in a loop that begins tasks at once: what has ended before it was noted is never noted as under way."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.core.errors import Invalid
from switchgear.execution.detached import Answer, Detached
from switchgear.execution.transitions import State
from tests.turns import begin_tasks_at_once, turns
from tests.unit.execution.rig import hang, running
from tests.unit.execution.test_engine import BUSY

COUNT = 20


@pytest.fixture(autouse=True)
async def _at_once() -> None:
    begin_tasks_at_once()


async def test_work_that_has_ended_at_once_is_not_under_way() -> None:
    """Whether it answered or failed: nothing is kept of it, however much there was."""
    detached = Detached()

    async def seven() -> int:
        return 7

    async def refuse() -> int:
        raise Invalid("no")

    assert await detached.finished(seven) == 7
    with pytest.raises(Invalid):
        await detached.finished(refuse)
    assert not detached._under_way  # noqa: SLF001 - what is proved


async def test_work_that_has_answered_at_once_is_its_own() -> None:
    """It goes on after its answer, so a stop neither waits for it nor cuts it off."""
    detached, told, ended = Detached(), asyncio.Event(), asyncio.Event()

    async def work(answer: Answer[int]) -> None:
        answer.give(7)
        await told.wait()
        ended.set()

    assert await detached.answered(work) == 7
    await detached.cancel()
    told.set()
    await turns()
    assert ended.is_set()


async def test_intents_that_are_carried_out_at_once_hold_no_slot() -> None:
    """What queued, what left in the append that accepted it, what was refused and came again: all are let go."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [BUSY]
        intents = [await rig.submit(key=f"k{number}") for number in range(COUNT)]
        assert [(await rig.settled(intent)).state for intent in intents] == [State.SUCCEEDED] * COUNT
        assert rig.engine.kernel.in_flight == 0
        assert max(rig.script.effects.values()) == 1


async def test_a_stop_cuts_off_what_was_begun_at_once() -> None:
    """An attempt that hangs is carried until the stop, which comes to its end."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [hang]
        await rig.submit()
        assert rig.engine.kernel.in_flight == 1
    assert rig.engine.kernel.in_flight == 0
