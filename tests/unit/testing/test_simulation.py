"""The simulated loop: virtual time, repeatable order, and clear ends for what cannot go on."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import socket
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import pairwise
from random import Random

import pytest

from switchgear import Bulkhead, DeadlineExceeded, Guard, OptionError, RateLimit, Retry, Timeout, deadline
from switchgear.testing import (
    OutsideSimulation,
    SimulatedClock,
    SimulatedDeadlock,
    SimulatedLoop,
    SimulationError,
    StepsExhausted,
    run_simulated,
)
from switchgear.testing.simulation import OUTSIDE
from tests.turns import turns


def running() -> SimulatedLoop:
    """Return the simulated loop that runs this code."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    return loop


# --- time ---


def test_sleeping_takes_no_real_time_and_all_of_the_virtual() -> None:
    """`asyncio.sleep`, timeouts and timers of the loop go by virtual time."""

    async def main() -> tuple[float, float]:
        start = running().time()
        await asyncio.sleep(3_600)
        slept = running().time() - start
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(50):
                await asyncio.Event().wait()
        return slept, running().time() - start

    assert run_simulated(main()) == (3_600, 3_650)


def test_timers_fire_in_the_order_of_their_moments() -> None:
    """Whatever the order of asking, what is due earlier runs earlier; a cancelled timer never."""

    async def main() -> list[int]:
        fired: list[int] = []
        loop = running()
        for delay in (3, 1, 2, 4):
            loop.call_later(delay, fired.append, delay)
        loop.call_later(2.5, fired.append, 99).cancel()
        loop.call_at(float("inf"), fired.append, 100)
        assert loop.timers == 4
        await asyncio.sleep(10)
        return fired

    assert run_simulated(main()) == [1, 2, 3, 4]


def test_a_guard_lives_in_simulated_time() -> None:
    """Timeout, queue, back-off and deadline of a guard on the clock of the loop end when they should."""

    async def main() -> list[object]:
        clock = running().clock
        guard = Guard(
            "api",
            timeout=Timeout(5.0),
            bulkhead=Bulkhead(1, queue=9, max_wait=60.0),
            retry=Retry(attempts=2, on=DeadlineExceeded, backoff="constant", base=10.0),
            clock=clock,
        )
        start = clock.monotonic()
        with pytest.raises(Exception, match="RETRY_EXHAUSTED"):
            await guard.call(asyncio.sleep, 100)
        after_two_attempts = clock.monotonic() - start
        with deadline(3.0, clock=clock), pytest.raises(DeadlineExceeded):
            await guard.call(asyncio.sleep, 100)
        both = await asyncio.gather(*(guard.call(asyncio.sleep, 2, "done") for _ in range(2)))
        return [after_two_attempts, both, clock.monotonic() - start]

    assert run_simulated(main()) == [20.0, ["done", "done"], 27.0]


def test_blocking_work_makes_timers_late() -> None:
    """`clock.sleep` inside a step stands for blocking work: time moves, and what was due runs afterwards."""

    async def main() -> list[float]:
        loop = running()
        start = loop.time()
        fired: list[float] = []
        loop.clock.call_at(start + 1.0, lambda: fired.append(loop.time() - start))
        loop.clock.sleep(5.0)
        await turns(2)
        return fired

    assert run_simulated(main()) == [5.0]


def test_elapse_lets_everything_else_go_on() -> None:
    """`elapse` works on the clock of a loop as on a virtual clock."""

    async def main() -> list[int]:
        seen: list[int] = []
        running().call_later(2, seen.append, 2)
        await running().clock.elapse(1.0)
        assert seen == []
        await running().clock.elapse(1.0)
        return seen

    assert run_simulated(main()) == [2]


def test_a_clock_may_be_given_and_used_outside_of_the_loop() -> None:
    """Time goes on from where the clock stands; without a loop it behaves as any virtual clock."""
    clock = SimulatedClock(start=5.0)
    rung: list[float] = []
    clock.call_at(6.0, lambda: rung.append(clock.monotonic()))
    clock.advance(2.0)
    assert rung == [6.0]
    run_simulated(asyncio.sleep(3.0), clock=clock)
    assert clock.monotonic() == 10.0


def test_the_clock_of_another_loop_is_not_moved() -> None:
    """A timer on a foreign virtual clock fires when that clock is advanced."""

    async def main() -> list[int]:
        other = SimulatedClock()
        rung: list[int] = []
        other.call_at(other.monotonic() + 1.0, lambda: rung.append(1))
        await asyncio.sleep(10)
        assert rung == []
        other.advance(1.0)
        await turns()
        return rung

    assert run_simulated(main()) == [1]


# --- a clock that creeps, and timers that fire too soon ---


def test_time_stands_still_between_two_readings_unless_the_clock_creeps() -> None:
    """Each reading of a creeping clock, of either face, is a little later than the one before, as told at most."""
    still, creeping = SimulatedClock(), SimulatedClock(creep=5e-05, random=Random(3))
    assert still.monotonic() == still.monotonic() == still.now
    for read in (creeping.monotonic, creeping.time):
        readings = [read() for _ in range(50)]
        steps = [later - sooner for sooner, later in pairwise(readings)]
        assert 0 < min(steps) <= max(steps) < 5e-05 + 1e-06
    seen = creeping.now
    assert creeping.now == seen


@pytest.mark.parametrize("early", [0.0, 0.0015])
def test_timers_fire_too_soon_as_told_and_a_sleep_never_does(early: float) -> None:
    """A timer may come up to `early` seconds too soon; whoever sleeps on the clock sleeps it out."""

    async def main() -> tuple[list[float], float]:
        clock, left = running().clock, list[float]()
        for number in range(40):
            when = clock.now + 1.0 + number
            clock.call_at(when, partial(lambda when: left.append(when - clock.now), when))
        start = clock.now
        await clock.sleep_async(0.25)
        slept = clock.now - start
        await clock.sleep_async(60.0)
        return left, slept

    left, slept = run_simulated(main(), clock=SimulatedClock(creep=5e-05, early=early, random=Random(1)))
    assert len(left) == 40
    assert min(left) > -1e-03
    assert max(left) <= early
    assert (max(left) > early / 2) is (early > 0)
    assert slept >= 0.25


def test_a_creeping_clock_repeats() -> None:
    """The same draws and the same program are the same run, to the last digit."""

    async def main() -> str:
        loop = running()
        for _ in range(5):
            await asyncio.sleep(loop.time() % 1)
        return loop.trace_hash

    def run(seed: int) -> str:
        return run_simulated(main(), clock=SimulatedClock(creep=5e-05, early=0.0015, random=Random(seed)))

    assert run(7) == run(7)
    assert run(7) != run(8)


@pytest.mark.parametrize(("creep", "early"), [(-1.0, 0.0), (1e-05, -1.0), (0.0, 0.001), (float("inf"), 0.0)])
def test_a_clock_that_cannot_be_is_refused(creep: float, early: float) -> None:
    """Seconds are 0 or more; timers that fire too soon need a clock that creeps, or who looks again looks for ever."""
    with pytest.raises(OptionError, match=r"SimulatedClock\("):
        SimulatedClock(creep=creep, early=early)


def test_a_call_that_waits_for_its_own_limit_is_not_refused_again() -> None:
    """What says in how many seconds to come back is not asked sooner, also where timers fire too soon."""

    async def main() -> int:
        guard = Guard(
            "api", retry=Retry(attempts=2, on=OSError), rate_limit=RateLimit(10, burst=1), deadline=5.0, clock=clock
        )
        return sum([await guard.call(asyncio.sleep, 0.0, 1) for _ in range(20)])

    clock = SimulatedClock(creep=5e-05, early=0.0015, random=Random(5))
    assert run_simulated(main(), clock=clock) == 20


# --- order ---


async def race() -> tuple[tuple[int, ...], str]:
    """Let ten tasks of three steps race, and return their order and the trace."""
    order: list[int] = []

    async def work(number: int) -> None:
        await turns(3)
        order.append(number)

    await asyncio.gather(*map(work, range(10)))
    return tuple(order), running().trace_hash


@pytest.mark.parametrize("seed", [None, 0, 7])
def test_the_same_seed_gives_the_same_trace(seed: int | None) -> None:
    """A run is repeated by its seed, step for step."""
    assert run_simulated(race(), seed=seed) == run_simulated(race(), seed=seed)


def test_without_a_seed_the_order_is_that_of_asyncio() -> None:
    """First come, first served, as on a real loop."""
    assert run_simulated(race())[0] == tuple(range(10))


def test_seeds_explore_interleavings() -> None:
    """Other seeds give other orders and other traces."""
    ends = {run_simulated(race(), seed=seed) for seed in range(20)}
    assert len({order for order, _ in ends}) == len({trace for _, trace in ends}) == 20


def test_a_seed_finds_a_race_that_the_usual_order_hides() -> None:
    """Code that reads, waits and writes back loses an update under some seed, though never in asyncio's order."""

    async def main() -> int:
        total = 0

        async def add(count: int) -> None:
            nonlocal total
            await turns(count)
            read = total
            await turns()
            total = read + 1

        await asyncio.gather(add(1), add(3))
        return total

    assert run_simulated(main()) == 2
    assert {run_simulated(main(), seed=seed) for seed in range(30)} == {1, 2}


# --- ends ---


def test_a_deadlock_is_named_with_all_who_wait() -> None:
    """When nothing is ready and no timer runs, the error lists each task and where it waits."""

    async def lonely() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.gather(lonely(), asyncio.Queue[int]().get())

    with pytest.raises(SimulatedDeadlock) as caught:
        run_simulated(main(), seed=3)
    assert len(caught.value.waiting) == 3
    text = str(caught.value)
    assert "lonely in Event.wait (locks.py:" in text
    assert "Queue.get in Queue.get (queues.py:" in text
    assert "seed=3" in caught.value.__notes__[0]


def test_a_cancelled_timer_does_not_hide_a_deadlock() -> None:
    """Only timers that will fire keep a simulation going."""

    async def main() -> None:
        running().call_later(5, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(SimulatedDeadlock):
        run_simulated(main())


def test_spinning_ends_at_the_bound() -> None:
    """Steps are bounded, and the error shows what spins; what is left is still cancelled in order."""
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await turns(1_000)
        finally:
            await asyncio.sleep(1)
            cleaned.append("yes")

    with pytest.raises(StepsExhausted, match=r"main") as caught:
        run_simulated(main(), steps_max=500)
    assert (caught.value.steps, cleaned) == (500, ["yes"])


@pytest.mark.parametrize("steps_max", [0, -1, 1.5])
def test_an_impossible_bound_is_refused(steps_max: float) -> None:
    """Options are checked at birth."""
    with pytest.raises(OptionError):
        SimulatedLoop(steps_max=steps_max)  # type: ignore[arg-type] # the wrong type is the point


@pytest.mark.parametrize("operation", OUTSIDE)
def test_every_way_to_the_outside_is_refused(operation: str) -> None:
    """No socket, thread, process or signal: each of them says its name."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner, pytest.raises(OutsideSimulation, match=operation):
        getattr(runner.get_loop(), operation)()


async def connect() -> None:
    """Reach for the network."""
    await asyncio.open_connection("127.0.0.1", 9)


async def leave_for_a_thread() -> None:
    """Reach for a thread."""
    await asyncio.to_thread(socket.gethostname)


@pytest.mark.parametrize("reach", [connect, leave_for_a_thread])
def test_real_code_meets_a_clear_error(reach: Callable[[], object]) -> None:
    """What code usually calls ends in the same error, not in a hang."""

    async def main() -> None:
        await reach()  # type: ignore[misc] # both are coroutine functions

    with pytest.raises(OutsideSimulation, match="FakeUpstream"):
        run_simulated(main())


@pytest.mark.parametrize("error", [SimulatedDeadlock(("a", "b")), StepsExhausted(5, ("x",)), OutsideSimulation("sock")])
def test_errors_of_the_simulation_survive_pickling_and_json(error: SimulationError) -> None:
    """They are part of the one error tree, and are a RuntimeError as well."""
    revived = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own making
    assert (str(revived), vars(revived)) == (str(error), vars(error))
    assert json.loads(json.dumps(error.to_dict()))["code"] == "INTERNAL"
    assert isinstance(error, RuntimeError)


def test_an_error_of_the_program_says_how_to_repeat_it() -> None:
    """The note has seed, steps, time and trace."""

    async def main() -> None:
        await asyncio.sleep(1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        run_simulated(main(), seed=11)
    assert "seed=11" in caught.value.__notes__[0]
    assert "now=1001.0" in caught.value.__notes__[0]


# --- being a loop ---


def test_tasks_that_are_left_are_cancelled() -> None:
    """The end of `main` is the end of everything, as with `asyncio.run`."""
    ends: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            ends.append("cancelled")

    async def main() -> None:
        _kept.append(asyncio.create_task(linger()))
        await asyncio.sleep(1)

    _kept: list[asyncio.Task[None]] = []
    run_simulated(main())
    assert ends == ["cancelled"]


def test_async_generators_are_closed() -> None:
    """A dropped async generator runs its clean-up on the loop."""
    ends: list[str] = []

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            ends.append("closed")

    async def main() -> None:
        async for _ in items():
            break
        gc.collect()
        await asyncio.sleep(2)

    run_simulated(main())
    assert ends == ["closed"]


def test_another_thread_may_hand_something_in() -> None:
    """`call_soon_threadsafe` from a thread is taken up while the loop has something to do."""

    async def main() -> list[str]:
        said: list[str] = []
        thread = threading.Thread(target=running().call_soon_threadsafe, args=(said.append, "hello"))
        thread.start()
        thread.join(60)
        await asyncio.sleep(1)
        return said

    assert run_simulated(main()) == ["hello"]


def test_stopping_an_idle_loop_is_no_deadlock() -> None:
    """`stop` before `run_forever` runs what is ready and returns, as asyncio's loops do."""
    loop = SimulatedLoop()
    loop.stop()
    loop.run_forever()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)
