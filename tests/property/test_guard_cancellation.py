"""Laws of the guard under cancellation: whatever the moment, no place, token, probe or timer is lost."""

import asyncio
import gc
import inspect
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing, nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear import (
    Breaker,
    Bulkhead,
    Fallback,
    Fault,
    Faults,
    Guard,
    Hedge,
    RateLimit,
    Retry,
    RetryBudget,
    Shedding,
    Timeout,
)
from switchgear.guard.expiry import Timers
from switchgear.testing import VirtualClock
from tests.effort import examples
from tests.turns import turns


@pytest.fixture(autouse=True, scope="module")
def _set_aside() -> Iterator[None]:
    """Spare what other tests have left: each example collects garbage, and would look through all of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def make(clock: VirtualClock) -> Guard:
    """Return a guard whose calls can be suspended everywhere: queue, turn, attempt, back-off."""
    return Guard(
        "api",
        timeout=Timeout(2.0),
        retry=Retry(on=OSError, attempts=3, backoff="constant", base=0.5),
        deadline=8.0,
        breaker=Breaker(failure_rate=1.0, minimum_calls=1_000),
        rate_limit=RateLimit(4, burst=2, wait=3.0),
        bulkhead=Bulkhead(2, queue=4, max_wait=3.0),
        clock=clock,
    )


async def work(clock: VirtualClock, seconds: float, fails: bool) -> None:  # noqa: FBT001 - drawn by the test
    """Take some time, then maybe fail."""
    await clock.sleep_async(seconds)
    if fails:
        raise ConnectionError


CALLS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),  # seconds of work
        st.booleans(),  # fails
        st.one_of(st.none(), st.integers(0, 40)),  # cancelled at this step
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=examples(80))
@given(CALLS)
def test_no_place_token_or_timer_is_lost_whenever_calls_are_cancelled(
    calls: list[tuple[float, bool, int | None]],
) -> None:
    """Calls are cancelled at any step of the loop; afterwards the guard is as good as new."""

    async def run() -> None:
        clock = VirtualClock()
        guard = make(clock)
        tasks = [asyncio.create_task(guard.call(work, clock, seconds, fails)) for seconds, fails, _ in calls]
        for step in range(60):
            for task, (_, _, cancelled_at) in zip(tasks, calls, strict=True):
                if cancelled_at == step:
                    task.cancel()
            await (clock.elapse(0.25, turns=1) if step % 2 else turns())
        await clock.elapse(20.0)
        assert all(task.done() for task in tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        check(guard, clock)

    asyncio.run(run())


async def stream(clock: VirtualClock, seconds: float, fails: bool) -> AsyncGenerator[int, None]:  # noqa: FBT001 - drawn
    """Give three items with some time between them, then maybe fail; need a moment to be closed."""
    try:
        for number in range(3):
            yield number
            await work(clock, seconds, fails and number == 2)
    finally:
        await turns()


async def read(guard: Guard, clock: VirtualClock, seconds: float, fails: bool, close: bool) -> None:  # noqa: FBT001 - drawn
    """Read a guarded stream; leave it to the collector unless it is to be closed."""
    generator = guard.call(stream, clock, seconds, fails)
    async with aclosing(generator) if close else nullcontext():
        async for _ in generator:
            await clock.sleep_async(0.25)


async def read_all(guard: Guard, clock: VirtualClock, calls: list[tuple[float, bool, int | None]], close: bool) -> None:  # noqa: FBT001 - drawn
    """Read several streams at once, cancelling each at its step."""
    tasks = [asyncio.create_task(read(guard, clock, seconds, fails, close)) for seconds, fails, _ in calls]
    for step in range(80):
        for task, (_, _, cancelled_at) in zip(tasks, calls, strict=True):
            if cancelled_at == step:
                task.cancel()
        await (clock.elapse(0.25, turns=1) if step % 2 else turns())
    await clock.elapse(30.0)
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks, return_exceptions=True)


@settings(max_examples=examples(80))
@given(CALLS, st.booleans())
def test_no_place_token_or_timer_is_lost_whenever_iterations_are_cancelled(
    calls: list[tuple[float, bool, int | None]],
    close: bool,  # noqa: FBT001 - drawn
) -> None:
    """Guarded async generators, cancelled inside or between their steps, closed or dropped, give everything back."""

    async def run() -> None:
        clock = VirtualClock()
        guard = make(clock)
        await read_all(guard, clock, calls, close)
        await turns()
        gc.collect()
        await clock.elapse(5.0)
        check(guard, clock)

    asyncio.run(run())


@given(st.integers(0, 12))
def test_an_iteration_as_probe_gives_its_place_back_whenever_it_is_cancelled(step: int) -> None:
    """Cancelled at any step of the loop, a probing iteration never wedges the breaker."""

    async def run() -> None:
        clock = VirtualClock()
        guard = Guard("api", breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0), timeout=Timeout(9.0), clock=clock)
        guard.permit_nowait().fail()
        clock.advance(1.0)
        task = asyncio.create_task(read(guard, clock, 0.25, fails=False, close=True))
        for _ in range(step):
            await clock.elapse(0.05, turns=1)
        task.cancel()
        await asyncio.wait([task])
        guard.permit_nowait().succeed()
        assert (guard.state, guard.statistics().in_flight) == ("closed", 0)
        assert Timers(clock).expiries().armed == 0

    asyncio.run(run())


def check(guard: Guard, clock: VirtualClock) -> None:
    """Assert that nothing is held."""
    statistics = guard.statistics()
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
    assert statistics.calls == statistics.successes + statistics.failures + statistics.ignored
    assert Timers(clock).expiries().armed == 0
    permits = [guard.permit_nowait() for _ in range(2)]
    for permit in permits:
        permit.succeed()


@given(st.integers(0, 12), st.sampled_from(["probe", "queue", "turn"]))
def test_each_suspension_point_gives_everything_back(step: int, where: str) -> None:
    """Cancelled while probing, queueing or waiting for a turn: the next call finds the place, probe and token."""

    async def run() -> None:
        clock = VirtualClock()
        guard = Guard(
            "api",
            timeout=Timeout(60.0),
            breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0) if where == "probe" else None,
            rate_limit=RateLimit(1, wait=5.0) if where == "turn" else None,
            bulkhead=Bulkhead(1, queue=1) if where == "queue" else None,
            clock=clock,
        )
        held = guard.permit_nowait()
        if where != "queue":
            held.fail()
        clock.advance(1.0 if where == "probe" else 0.0)
        task = asyncio.create_task(guard.call(clock.sleep_async, 30.0))
        await turns(step)
        task.cancel()
        await asyncio.wait([task])
        held.succeed()
        clock.advance(1.0)
        guard.permit_nowait().succeed()
        assert (guard.state, guard.statistics().in_flight, guard.statistics().waiting) == ("closed", 0, 0)
        assert Timers(clock).expiries().armed == 0

    asyncio.run(run())


def make_layered(clock: VirtualClock) -> Guard:
    """Return a guard with the outer and inner layers: fallback, hedge, shedding's queue, injected latency and hangs."""
    guard = Guard(
        "api",
        timeout=Timeout(2.0),
        retry=Retry(on=OSError, attempts=3, backoff="constant", base=0.5, budget=RetryBudget(floor=1.0)),
        deadline=8.0,
        breaker=Breaker(failure_rate=1.0, minimum_calls=1_000),
        rate_limit=RateLimit(4, burst=2, wait=3.0),
        shedding=Shedding(minimum=2, maximum=2, shares={"critical": 1.0, "critical_plus": 1.0}, queue=4, max_wait=3.0),
        hedge=Hedge(after=0.5, attempts=3),
        fallback=Fallback(function=slow_answer),
        faults=Faults(Fault("latency", rate=0.5, seconds=0.5), Fault("hang", rate=0.2)),
        effect="read_only",
        clock=clock,
    )
    guard.inject_faults()
    return guard


async def slow_answer(_error: Exception) -> None:
    """Answer in place of a call, after a few turns of the loop."""
    await turns(3)


@settings(max_examples=examples(80))
@given(CALLS)
def test_no_copy_waiter_or_fault_is_left_whenever_calls_are_cancelled(
    calls: list[tuple[float, bool, int | None]],
) -> None:
    """Cancelled at any step, in any layer, a call ends with all its copies, and the guard is as good as new."""

    async def run() -> None:
        clock = VirtualClock()
        guard = make_layered(clock)
        tasks = [asyncio.create_task(guard.call(work, clock, seconds, fails)) for seconds, fails, _ in calls]
        for step in range(60):
            for task, (_, _, cancelled_at) in zip(tasks, calls, strict=True):
                if cancelled_at == step:
                    task.cancel()
            await (clock.elapse(0.25, turns=1) if step % 2 else turns())
        await clock.elapse(20.0)
        assert all(task.done() for task in tasks)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        check(guard, clock)

    asyncio.run(run())


@pytest.mark.parametrize("at", range(14))
@pytest.mark.parametrize("thrown", [asyncio.CancelledError, GeneratorExit])
def test_each_suspension_driven_by_hand_gives_everything_back(at: int, thrown: type[BaseException]) -> None:
    """One call through turn, latency, call, back-off and fallback: ended at its n-th suspension, it leaves nothing."""

    async def run() -> None:
        clock = VirtualClock()
        guard = Guard(
            "api",
            timeout=Timeout(60.0),
            retry=Retry(on=OSError, attempts=2, backoff="constant", base=0.5),
            rate_limit=RateLimit(1, wait=3.0),
            shedding=Shedding(minimum=1, maximum=1, queue=2),
            fallback=Fallback(function=slow_answer),
            faults=Faults(Fault("latency", rate=1.0, seconds=0.5)),
            effect="read_only",
            clock=clock,
        )
        guard.inject_faults()
        guard.permit_nowait().succeed()
        await drive(guard.call(work, clock, 0.25, True), clock, at, thrown)  # noqa: FBT003 - fails
        statistics = guard.statistics()
        assert (statistics.in_flight, statistics.waiting) == (0, 0)
        assert statistics.calls == statistics.successes + statistics.failures + statistics.ignored
        assert Timers(clock).expiries().armed == 0
        await clock.elapse(5.0)
        guard.permit_nowait().succeed()

    asyncio.run(run())


async def drive(call: Coroutine[Any, Any, object], clock: VirtualClock, at: int, thrown: type[BaseException]) -> None:
    """Step through `call` by hand, as an event loop would, and end it at its suspension `at`."""
    with suppress(StopIteration, thrown):
        for step in range(100):
            waited_for = call.send(None)
            if step == at:
                call.close() if thrown is GeneratorExit else call.throw(thrown())
                return
            for _ in range(40):
                if waited_for is None or waited_for.done():
                    break
                await clock.elapse(0.25, turns=1)
    assert not inspect.iscoroutine(call) or call.cr_frame is None


@given(st.integers(0, 30), st.sampled_from([1, 2, 3]))
def test_a_hedged_probe_gives_its_place_back_whenever_it_is_cancelled(step: int, attempts: int) -> None:
    """In half-open one copy is the probe and the others are refused; cancelled at any step, the next call probes."""

    async def run() -> None:
        clock = VirtualClock()
        guard = Guard(
            "api",
            breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0, half_open_max=60.0),
            hedge=Hedge(after=0.1, attempts=attempts + 1),
            effect="read_only",
            clock=clock,
        )
        guard.permit_nowait().fail()
        clock.advance(1.0)
        task = asyncio.create_task(guard.call(clock.sleep_async, 30.0))
        for _ in range(step):
            await clock.elapse(0.05, turns=1)
        task.cancel()
        await asyncio.wait([task])
        await clock.elapse(0.0)
        guard.permit_nowait().succeed()
        assert (guard.state, guard.statistics().in_flight) == ("closed", 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
