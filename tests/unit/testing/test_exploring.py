"""Cancellation at every await: each point is found, reached in both moments, and what leaks there is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from switchgear import Bulkhead, Guard, Timeout
from switchgear.testing import (
    Cancellation,
    SimulatedClock,
    SimulatedLoop,
    SimulationError,
    assert_idle,
    cancel_everywhere,
    drive_to_suspension,
)
from tests.turns import turns

# --- one suspension ---


def test_a_call_is_stopped_at_the_suspension_that_was_asked_for() -> None:
    """The loop stands there: nothing runs until it goes on."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedLoop)
        seen: list[int] = []

        async def call() -> str:
            for number in range(3):
                seen.append(number)
                await asyncio.sleep(number)
            return "done"

        task = drive_to_suspension(loop, call(), 2)
        assert (seen, task.done()) == ([0, 1], False)
        assert loop.run_until_complete(task) == "done"


def test_a_guard_can_be_looked_at_in_the_middle_of_a_call() -> None:
    """What a guard holds during a call is there to be seen, and a cancellation gives it back."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedLoop)
        guard = Guard("api", bulkhead=Bulkhead(1), timeout=Timeout(5.0), clock=loop.clock)
        task = drive_to_suspension(loop, guard.call(asyncio.sleep, 1))
        assert guard.statistics().in_flight == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        assert_idle(guard)


async def fall() -> None:
    """Fail after one suspension."""
    await turns()
    raise ValueError("fell")


@pytest.mark.parametrize(
    ("call", "how"), [(lambda: asyncio.sleep(0, "short"), "suspended 1 times.*short"), (fall, "1 times.*fell")]
)
def test_a_call_that_ends_before_the_suspension_says_so(call: Callable[[], Coroutine[Any, Any, Any]], how: str) -> None:
    """The error says how many suspensions there were, and how the call ended."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedLoop)
        with pytest.raises(SimulationError, match=how):
            drive_to_suspension(loop, call(), 2)


# --- all of them ---


async def three_waits(clock: SimulatedClock) -> None:
    """Wait for a timer, a turn of the loop, and a task."""
    await clock.sleep_async(1.0)
    await turns()
    await asyncio.create_task(clock.sleep_async(1.0))


def test_every_suspension_is_tried_in_both_moments() -> None:
    """Before the start; then at each point while it waits, and in the instant in which its wait is over."""
    tried = cancel_everywhere(three_waits, lambda _: None)
    assert [(one.point, one.moment) for one in tried] == [
        (0, "before"),
        (1, "waiting"),
        (1, "woken"),
        (2, "waiting"),
        (3, "waiting"),
        (3, "woken"),
    ]
    assert "sleep_async" in tried[1].place
    assert "three_waits" in str(tried[5])


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_exploration_raises_no_false_alarm(seed: int) -> None:
    """With a seed other callbacks may come first; a sound call still passes."""
    tried = cancel_everywhere(three_waits, lambda _: None, seed=seed)
    assert {one.point for one in tried} == {0, 1, 2, 3}


def test_a_call_that_waits_for_ever_can_be_explored() -> None:
    """What never comes cannot wake the call; the middle of the wait is tried all the same."""

    async def call(_clock: SimulatedClock) -> None:
        await asyncio.Event().wait()

    assert [one.moment for one in cancel_everywhere(call, lambda _: None)] == ["before", "waiting"]


def test_the_check_may_be_async_and_its_error_names_the_place() -> None:
    """Whatever the check raises has a note with the cancellation that led to it."""

    async def check(cancellation: Cancellation) -> None:
        await asyncio.sleep(1)
        assert cancellation.point < 3, "leaked"

    with pytest.raises(AssertionError, match="leaked") as caught:
        cancel_everywhere(three_waits, check)
    assert "cancelled at suspension 3, waiting, in three_waits" in caught.value.__notes__[0]


class Places:
    """A queue for one place that loses it when its next holder is cancelled in the instant of the grant."""

    def __init__(self) -> None:
        """Start with the place taken."""
        self.waiting: list[asyncio.Future[None]] = []
        self.free = False

    async def take(self) -> None:
        """Wait for the place."""
        granted = asyncio.get_running_loop().create_future()
        self.waiting.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted in self.waiting:
                self.waiting.remove(granted)
            raise
        self.free = True

    def release(self) -> None:
        """Pass the place on."""
        if self.waiting:
            self.waiting.pop(0).set_result(None)
        else:
            self.free = True


def test_a_place_lost_in_the_instant_of_its_grant_is_found() -> None:
    """The rarest race, granted and cancelled at once, is a moment of its own."""
    places: list[Places] = []

    def make_call(_clock: SimulatedClock) -> Coroutine[Any, Any, None]:
        places.append(Places())
        asyncio.get_running_loop().call_later(1.0, places[-1].release)
        return places[-1].take()

    def check(_cancellation: Cancellation) -> None:
        assert places[-1].free, "the place is lost"

    with pytest.raises(AssertionError, match="the place is lost") as caught:
        cancel_everywhere(make_call, check)
    assert "suspension 1, woken" in caught.value.__notes__[0]


async def swallow(_clock: SimulatedClock) -> None:
    """Take a cancellation for an end."""
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        return


async def translate(_clock: SimulatedClock) -> None:
    """Take a cancellation for a timeout."""
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError as error:
        raise TimeoutError("translated") from error


async def forget_deadline(_clock: SimulatedClock) -> None:
    """Leave a timer behind that cancels the task later."""
    task = asyncio.current_task()
    assert task is not None
    timer = asyncio.get_running_loop().call_later(5.0, task.cancel)
    await asyncio.sleep(1)
    timer.cancel()


async def cancel_twice(_clock: SimulatedClock) -> None:
    """Leave the task in the state of being cancelled."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await asyncio.sleep(1)
    finally:
        task.cancel()


async def run_for_ever(_clock: SimulatedClock) -> None:
    """Never end."""
    for _ in range(10_000):
        await asyncio.sleep(86_400.0)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (swallow, "does not pass the cancellation on: it returned"),
        (translate, "raised TimeoutError.'translated'"),
        (forget_deadline, "cancelled the task of the call after the call had ended"),
        (cancel_twice, "left its task cancelling"),
        (run_for_ever, "runs for more than"),
    ],
)
def test_what_goes_wrong_with_a_cancellation_is_named(
    call: Callable[[SimulatedClock], Coroutine[Any, Any, None]], what: str
) -> None:
    """Swallowed, translated, late, doubled: each is an error of its own."""
    with pytest.raises(AssertionError, match=what):
        cancel_everywhere(call, lambda _: None)


def test_suspensions_are_bounded() -> None:
    """A call with too many suspensions is an error, not a long run."""

    async def call(_clock: SimulatedClock) -> None:
        await turns(10)

    with pytest.raises(AssertionError, match="more than 5 suspensions"):
        cancel_everywhere(call, lambda _: None, points_max=5)
