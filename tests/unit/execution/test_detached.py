"""Work that its callers only wait for: what they are told, and when the engine stops waiting for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.execution.detached import Answer, Detached
from tests.turns import turns


async def _refuse() -> None:
    raise Invalid("no")


async def test_what_the_work_raises_reaches_who_waits_for_it() -> None:
    """A refusal is the answer, and nothing is under way any more."""
    detached = Detached()
    with pytest.raises(Invalid, match="no"):
        await detached.finished(_refuse)
    await detached.wait(VirtualClock(), 0.0)


async def test_who_waits_is_answered_while_the_work_goes_on() -> None:
    """The answer comes first; what follows from it is done in the same task, and nobody waits for that."""
    detached, told = Detached(), asyncio.Event()
    tasks: list[object] = []

    async def work(answer: Answer[int]) -> None:
        tasks.append(asyncio.current_task())
        answer.give(7)
        await told.wait()
        tasks.append(asyncio.current_task())

    assert await detached.answered(work) == 7
    await detached.wait(VirtualClock(), 0.0)
    await detached.cancel()  # it has answered, so it is its own
    told.set()
    await turns()
    assert len(tasks) == 2
    assert tasks[0] is tasks[1]


async def test_work_that_fails_after_its_answer_changes_no_answer() -> None:
    """Whoever was told something is never told something else."""
    detached = Detached()

    async def work(answer: Answer[int]) -> None:
        answer.give(7)
        await _refuse()

    assert await detached.answered(work) == 7


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stop_tells_all_who_wait(*, begun: bool) -> None:
    """Also those whose work had not begun: nobody waits for ever, and the code says that it is not known."""
    detached = Detached()
    waiting = asyncio.ensure_future(detached.finished(asyncio.Event().wait))
    await turns()
    if begun:
        await turns()
    await detached.cancel()
    with pytest.raises(StoreError) as raised:
        await waiting
    assert raised.value.code is Code.TIMEOUT_JOURNAL_APPEND


async def test_a_caller_that_goes_away_only_stops_waiting() -> None:
    """What was begun is finished, and its answer is told to nobody."""
    detached, ended = Detached(), asyncio.Event()

    async def work() -> None:
        await turns()
        ended.set()

    waiting = asyncio.ensure_future(detached.finished(work))
    await turns()
    waiting.cancel()
    await asyncio.wait_for(ended.wait(), 5.0)
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_work_that_is_cut_off_answers_nobody_twice() -> None:
    """An answer that was given stands, whatever the stop says later."""
    detached = Detached()
    answers = [partial(_answered, number) for number in range(3)]
    assert await asyncio.gather(*map(detached.answered, answers)) == [0, 1, 2]
    await detached.cancel()


async def _answered(number: int, answer: Answer[int]) -> None:
    answer.give(number)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
async def test_work_that_is_torn_off_from_within_leaves_nobody_waiting(error: BaseException) -> None:
    """What it calls may cancel it, as a client does that is closed: who waits is told that it is not known."""
    detached = Detached()

    async def work() -> None:
        await turns()
        raise error

    with pytest.raises(StoreError) as raised:
        await asyncio.wait_for(detached.finished(work), 5.0)
    assert raised.value.code is Code.TIMEOUT_JOURNAL_APPEND
    await detached.wait(VirtualClock(), 0.0)


async def test_a_stop_that_is_itself_cut_off_tells_all_who_wait() -> None:
    """Work that holds out against its cancellation holds up the stop, but nobody who waits once that is given up."""
    detached, end = Detached(), asyncio.Event()

    async def deaf(_answer: Answer[int]) -> None:
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()

    waiting = asyncio.ensure_future(detached.answered(deaf))
    await turns()
    stopping = asyncio.ensure_future(detached.cancel())
    await turns()
    stopping.cancel()
    with pytest.raises(StoreError):
        await asyncio.wait_for(waiting, 5.0)
    end.set()
    await asyncio.gather(stopping, return_exceptions=True)
