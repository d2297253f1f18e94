"""The desk between the event loop and a thread: batches, bounds, lateness, defects and closing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.sqlite.desk import Desk, DeskOptions
from tests.turns import turns

Numbers = Desk[int, int]


class Work:
    """Doubles numbers, in batches that it remembers, once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, numbers: list[int]) -> Sequence[int | Exception]:
        """Wait for the gate, then answer; 13 is a defect, and 7 an answer that is an error."""
        assert self.gate.wait(60)
        self.batches.append(numbers)
        if 13 in numbers:
            raise LookupError("thirteen")
        return [StoreError("seven") if number == 7 else number * 2 for number in numbers]


@asynccontextmanager
async def desk(
    work: Callable[[list[int]], Sequence[int | Exception]],
    *,
    clock: VirtualClock | None = None,
    waiting_max: int = 8,
) -> AsyncIterator[Numbers]:
    """Open a desk of batches of 4 and 10 seconds a request, and close it."""
    options = DeskOptions(name="test-desk", seconds=10.0, waiting_max=waiting_max, tray_max=6, batch_max=4)
    opened: Numbers = Desk(options, work, lambda _: -1, clock or VirtualClock())
    try:
        yield opened
    finally:
        if isinstance(work, Work):
            work.gate.set()
        await opened.close()


async def test_one_turn_of_the_loop_travels_together() -> None:
    """What is asked in one turn comes in one batch, up to the bound, in order."""
    work = Work()
    work.gate.set()
    async with desk(work) as numbers:
        assert await asyncio.gather(*(numbers.ask(number) for number in (1, 2, 3, 4, 5, 6))) == [
            2,
            4,
            6,
            8,
            10,
            12,
        ]
    assert work.batches == [[1, 2, 3, 4], [5, 6]]


async def test_a_full_tray_leaves_before_the_turn_is_over() -> None:
    """The thread begins while the loop is busy with the same turn; what does not fill a tray leaves at its end."""
    begun = threading.Event()

    def work(numbers: list[int]) -> Sequence[int]:
        begun.set()
        return [2 * number for number in numbers]

    async with desk(work) as numbers:
        waiting = [numbers.ask(number) for number in (1, 2, 3, 4, 5, 6, 7)]
        assert begun.wait(60.0), "the loop has not gone on since, so nothing else can have sent it"
        assert await asyncio.gather(*waiting) == [2, 4, 6, 8, 10, 12, 14]


async def test_a_full_desk_refuses_at_once() -> None:
    """One more than may wait is QUEUE_FULL: nothing was written, as with every `StoreError`; the others go on."""
    work = Work()
    async with desk(work, waiting_max=2) as numbers:
        waiting = [numbers.ask(1), numbers.ask(2)]
        with pytest.raises(StoreError) as refused:
            numbers.ask(3)
        assert refused.value.code is Code.QUEUE_FULL
        work.gate.set()
        assert await asyncio.gather(*waiting) == [2, 4]
        assert await numbers.ask(4) == 8


async def test_an_answer_that_is_an_error_is_raised_to_its_asker() -> None:
    """One failed request does not fail its batch."""
    work = Work()
    work.gate.set()
    async with desk(work) as numbers:
        answers = await asyncio.gather(*map(numbers.ask, (1, 7, 2)), return_exceptions=True)
    assert answers[0::2] == [2, 4]
    assert isinstance(answers[1], StoreError)


async def test_a_defect_reaches_those_who_wait_and_the_thread_lives() -> None:
    """Nobody waits for ever because the work raised, and later requests are answered."""
    work = Work()
    work.gate.set()
    async with desk(work) as numbers:
        with pytest.raises(StoreError, match="thirteen") as raised:
            await numbers.ask(13)
        assert raised.value.code is Code.INTERNAL
        assert isinstance(raised.value.__cause__, LookupError)
        assert await numbers.ask(1) == 2


async def test_nobody_gets_the_answer_of_another() -> None:
    """Answers are told apart by their order, so work that answers too few or too many is a defect for its batch."""
    gate = threading.Event()

    def short(numbers: list[int]) -> Sequence[int]:
        return numbers[1:] if gate.wait(60) and 1 in numbers else numbers

    async with desk(short) as numbers:
        waiting = [numbers.ask(number) for number in (1, 2, 3)]
        gate.set()
        for future in waiting:
            with pytest.raises(StoreError, match="each request has its answer"):
                await future
        assert await numbers.ask(4) == 4


async def test_who_is_left_behind_by_a_close_is_still_told_that_it_is_late() -> None:
    """No wait without a bound: a thread that does not end is given up by the close, and by all who asked."""
    work, clock = Work(), VirtualClock()
    options = DeskOptions(name="stuck-desk", seconds=10.0, waiting_max=8, tray_max=6, batch_max=4)
    stuck: Numbers = Desk(options, work, lambda _: -1, clock)
    first = stuck.ask(1)
    await clock.elapse(5.0)
    second = stuck.ask(2)
    closing = asyncio.create_task(stuck.close())
    await clock.elapse(11.0)
    with pytest.raises(StoreError, match="left behind"):
        await closing
    assert (await first, await second) == (-1, -1)
    work.gate.set()


async def test_late_requests_are_answered_by_the_rule_for_late_ones() -> None:
    """Every wait is bounded: at its seconds a request is answered, the answer that comes afterwards is dropped."""
    work, clock = Work(), VirtualClock()
    async with desk(work, clock=clock) as numbers:
        first = numbers.ask(1)
        await clock.elapse(6)
        second = numbers.ask(2)
        await clock.elapse(5)
        assert (first.done(), second.done()) == (True, False)
        assert await first == -1
        work.gate.set()
        assert await second == 4


async def test_each_late_request_is_answered_in_its_own_time() -> None:
    """One timer serves all: after the first late one it waits for the next."""
    work, clock = Work(), VirtualClock()
    async with desk(work, clock=clock) as numbers:
        first = numbers.ask(1)
        await clock.elapse(6)
        second = numbers.ask(2)
        await clock.elapse(4)
        assert (first.done(), second.done()) == (True, False)
        await clock.elapse(6)
        assert (await first, await second) == (-1, -1)


async def test_late_ones_keep_their_place_in_line() -> None:
    """Answers that come too late go to nobody, and each that comes in time to its own request."""
    work, clock = Work(), VirtualClock()
    async with desk(work, clock=clock) as numbers:
        late = [numbers.ask(1), numbers.ask(2)]
        await clock.elapse(11)
        in_time = [numbers.ask(3)]
        await clock.elapse(1)
        in_time.append(numbers.ask(4))
        await clock.elapse(1)
        assert [future.result() for future in late] == [-1, -1]
        work.gate.set()
        assert await asyncio.gather(*in_time) == [6, 8]
        assert await numbers.ask(5) == 10


async def test_a_cancelled_request_is_worked_on() -> None:
    """Cancelling detaches the asker; the thread does the work and goes on."""
    work = Work()
    async with desk(work) as numbers:
        future = numbers.ask(1)
        await turns()
        future.cancel()
        work.gate.set()
        assert await numbers.ask(2) == 4
    assert [number for batch in work.batches for number in batch] == [1, 2]


async def test_closing_works_off_what_was_accepted() -> None:
    """What was accepted is answered; what comes later is refused; closing twice is fine."""
    work = Work()
    work.gate.set()
    async with desk(work) as numbers:
        accepted = [numbers.ask(number) for number in range(6)]
        await numbers.close()
        assert [future.result() for future in accepted] == [0, 2, 4, 6, 8, 10]
        with pytest.raises(StoreError, match="closed"):
            numbers.ask(1)
        await numbers.close()


async def test_closing_is_bounded() -> None:
    """A thread that does not come back is left behind, and that is said."""
    work, clock = Work(), VirtualClock()
    async with desk(work, clock=clock) as numbers:
        numbers.ask(1)
        closing = asyncio.ensure_future(numbers.close())
        await clock.elapse(11)
        with pytest.raises(StoreError, match="left behind"):
            await closing
        work.gate.set()
        with pytest.raises(StoreError, match="left behind"):
            await numbers.close()
        numbers._ended = asyncio.get_running_loop().create_future()  # noqa: SLF001 - lets the helper close it
        numbers._ended.set_result(None)  # noqa: SLF001 - as above


def test_a_loop_that_is_gone_does_not_kill_the_thread_noisily() -> None:
    """Answers to a loop that was closed without closing the store have nobody to go to; nothing is raised for it."""
    work = Work()

    async def leave() -> Numbers:
        options = DeskOptions(name="left-desk", seconds=10.0, waiting_max=8, tray_max=6, batch_max=4)
        left: Numbers = Desk(options, work, lambda _: -1, VirtualClock())
        left.ask(1)
        await turns()
        return left

    left = asyncio.run(leave())
    work.gate.set()
    left._inbox.put(None)  # noqa: SLF001 - closing needs the loop, and the loop is gone
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "left-desk")
    thread.join(60)
    assert not thread.is_alive()
    assert work.batches == [[1]]


@pytest.mark.parametrize("bounds", [{"seconds": 0.0}, {"waiting_max": 0}, {"tray_max": 0}, {"batch_max": 0}])
def test_bounds_are_checked_at_birth(bounds: dict[str, float]) -> None:
    """A desk without a bound cannot be made."""
    good: dict[str, float] = {"seconds": 1.0, "waiting_max": 1, "tray_max": 1, "batch_max": 1}
    with pytest.raises(ValueError, match="above 0"):
        DeskOptions(name="bad", **{**good, **bounds})  # type: ignore[arg-type] # floats and ints by name
