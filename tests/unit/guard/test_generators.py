"""Generators and async generators under the guard: from the first step to the end, the close, or the last reference."""

import asyncio
import gc
import inspect
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing, suppress
from functools import partial
from typing import Any

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    DeadlineExceeded,
    Guard,
    QueueFull,
    RateLimit,
    Retry,
    RetryExhausted,
    Timeout,
    deadline,
)
from switchgear.core.deadline import current_deadline
from switchgear.guard.expiry import Timers
from switchgear.guard.member import Member, Ticket
from switchgear.testing import VirtualClock
from tests.turns import turns


class Fault(Exception):
    """An error of the dependency."""


def items(count: int, error: BaseException | None = None) -> Generator[int, None, str]:
    """Give some numbers, then end or fail."""
    yield from range(count)
    if error is not None:
        raise error
    return "returned"


async def later(count: int, error: BaseException | None = None) -> AsyncGenerator[int, None]:
    """Give some numbers, then end or fail."""
    for number in range(count):
        await turns()
        yield number
    if error is not None:
        raise error


class Steps:
    """Drives a guarded generator of either kind the same way, so that each rule is tested for both."""

    def __init__(self, guard: Guard, function: Callable[..., Any], *args: object) -> None:
        """Do nothing before the first step."""
        self.generator: Any = guard.call(function, *args)
        self.is_async = inspect.isasyncgen(self.generator)

    async def next(self) -> object:
        """Take a step; "end" at the end."""
        try:
            return await anext(self.generator) if self.is_async else next(self.generator)
        except (StopIteration, StopAsyncIteration):
            return "end"

    async def close(self) -> None:
        """Close it."""
        await self.generator.aclose() if self.is_async else self.generator.close()


BOTH = pytest.mark.parametrize("function", [items, later], ids=["blocking", "async"])


def guarded(clock: VirtualClock | None = None) -> Guard:
    """Return a guard with one place, whose breaker opens at one failure."""
    return Guard(
        "api",
        breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0),
        bulkhead=Bulkhead(1),
        rate_limit=RateLimit(10),
        clock=clock or VirtualClock(),
    )


def counted(guard: Guard) -> tuple[int, int, int, int]:
    """Return successes, failures, ignored, in flight."""
    statistics = guard.statistics()
    return statistics.successes, statistics.failures, statistics.ignored, statistics.in_flight


@BOTH
async def test_an_iteration_holds_its_place_from_the_first_step_to_the_end(function: Callable[..., Any]) -> None:
    """Nothing is taken before the first step; the place is held between steps; the end is one success."""
    guard = guarded()
    steps = Steps(guard, function, 2)
    assert counted(guard) == (0, 0, 0, 0)
    assert await steps.next() == 0
    assert counted(guard) == (0, 0, 0, 1)
    with pytest.raises(QueueFull):
        guard.permit_nowait()
    assert [await steps.next(), await steps.next()] == [1, "end"]
    assert counted(guard) == (1, 0, 0, 0)
    await steps.close()
    assert counted(guard) == (1, 0, 0, 0)


@BOTH
async def test_an_empty_iteration_is_a_success(function: Callable[..., Any]) -> None:
    """An iteration that ends at its first step is settled there."""
    guard = guarded()
    assert await Steps(guard, function, 0).next() == "end"
    assert counted(guard) == (1, 0, 0, 0)


@BOTH
@pytest.mark.parametrize("count", [0, 2])
async def test_an_error_of_an_iteration_is_judged(function: Callable[..., Any], count: int) -> None:
    """An error passes unchanged, counts as any other, and frees the place."""
    guard, error = guarded(), Fault()
    steps = Steps(guard, function, count, error)
    for _ in range(count):
        await steps.next()
    with pytest.raises(Fault) as caught:
        await steps.next()
    assert caught.value is error
    assert (counted(guard), guard.state) == ((0, 1, 0, 0), "open")
    assert await steps.next() == "end"


@BOTH
async def test_closing_before_the_end_is_ignored(function: Callable[..., Any]) -> None:
    """A caller who has seen enough says nothing about the dependency."""
    guard = guarded()
    steps = Steps(guard, function, 5)
    await steps.next()
    await steps.close()
    assert (counted(guard), guard.state) == ((0, 0, 1, 0), "closed")


@BOTH
async def test_a_generator_dropped_without_close_gives_its_place_back(function: Callable[..., Any]) -> None:
    """Dropping the last reference is closing, also when only the collector finds it in a cycle."""
    guard = guarded()
    for cycle in (False, True):
        steps = Steps(guard, function, 5)
        await steps.next()
        if cycle:
            steps.itself = steps  # type: ignore[attr-defined] # a cycle is the point
        del steps
        gc.collect()
        await turns(3)
        assert counted(guard)[3] == 0
    assert counted(guard) == (0, 0, 2, 0)


def test_an_async_generator_that_outlives_its_loop_gives_its_place_back() -> None:
    """Nobody can close it any more; its place comes back all the same when it is forgotten."""
    guard = guarded()
    loop = asyncio.new_event_loop()
    generator = guard.call(later, 5)
    loop.run_until_complete(anext(generator))
    loop.close()
    assert counted(guard)[3] == 1
    del generator
    gc.collect()
    assert counted(guard) == (0, 0, 1, 0)


def test_a_generator_collected_inside_a_section_is_settled_by_who_comes_next() -> None:
    """The collector may run while this thread holds the lock: no dead lock, and the place comes back."""
    guard = guarded()
    generator = guard.call(items, 5)
    next(generator)
    with guard._member.mutex, guard._member:  # noqa: SLF001 - the moment that no caller can choose
        del generator
    assert counted(guard)[3] == 1
    with suppress(QueueFull):
        guard.permit_nowait()
    assert counted(guard) == (0, 0, 1, 0)


@BOTH
async def test_an_iteration_that_never_began_takes_nothing(function: Callable[..., Any]) -> None:
    """Closing before the first step settles nothing, since nothing was let in."""
    guard = guarded()
    await Steps(guard, function, 5).close()
    assert guard.statistics().calls == 0


@BOTH
async def test_a_refused_iteration_raises_at_its_first_step(function: Callable[..., Any]) -> None:
    """Admission is at the first step, and its refusal is that of a call."""
    guard = guarded()
    steps = Steps(guard, function, 5)
    guard.permit_nowait().fail()
    with pytest.raises(CircuitOpen):
        await steps.next()
    assert counted(guard) == (0, 1, 0, 0)


@BOTH
async def test_a_probe_is_held_to_the_end_and_returned_by_close(function: Callable[..., Any]) -> None:
    """An iteration in half-open is one probe: no other gets in beside it, closing returns it, its end closes."""
    clock = VirtualClock()
    guard = guarded(clock)
    guard.permit_nowait().fail()
    clock.advance(10.0)
    steps = Steps(guard, function, 2)
    await steps.next()
    with pytest.raises(CircuitOpen):
        guard.permit_nowait()
    await steps.close()
    states = [guard.state]
    steps = Steps(guard, function, 1)
    for _ in range(2):
        await steps.next()
        states.append(guard.state)
    assert states == ["half_open", "half_open", "closed"]


@BOTH
async def test_retry_only_before_the_first_item(function: Callable[..., Any]) -> None:
    """An iteration is repeated while nothing came out of it; after the first item its error passes unchanged."""
    clock = VirtualClock()
    guard = Guard("api", retry=Retry(on=Fault, attempts=3, base=0.0, backoff="constant"), clock=clock)
    with pytest.raises(RetryExhausted) as caught:
        await Steps(guard, function, 0, Fault()).next()
    assert (caught.value.attempts, guard.statistics().retries) == (3, 2)
    steps = Steps(guard, function, 1, Fault())
    assert await steps.next() == 0
    with pytest.raises(Fault):
        await steps.next()
    assert (guard.statistics().failures, guard.statistics().retries) == (4, 2)


@BOTH
async def test_an_iteration_that_began_is_not_refunded(function: Callable[..., Any]) -> None:
    """A refusal further inside refunds a call that never left, but not one that gave an item before."""
    guard = Guard("api", rate_limit=RateLimit(1, per=60.0, burst=2), clock=VirtualClock())
    refusal = CircuitOpen("inner", policy="breaker")
    with pytest.raises(CircuitOpen):
        await Steps(guard, function, 0, refusal).next()
    assert counted(guard) == (0, 0, 0, 0)
    steps = Steps(guard, function, 1, refusal)
    await steps.next()
    with pytest.raises(CircuitOpen):
        await steps.next()
    assert counted(guard) == (0, 0, 1, 0)
    guard.permit_nowait().succeed()
    with pytest.raises(Exception, match="RATE_LIMITED"):
        guard.permit_nowait()


@BOTH
async def test_the_deadline_of_the_guard_bounds_the_whole(function: Callable[..., Any]) -> None:
    """It runs from the first step, between steps too; when it is over the next step does not start."""
    clock = VirtualClock()
    guard = Guard("api", deadline=5.0, breaker=Breaker(failures=1), clock=clock)
    steps = Steps(guard, function, 9)
    clock.advance(100.0)
    await steps.next()
    clock.advance(4.0)
    assert await steps.next() == 1
    assert current_deadline() is None
    clock.advance(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await steps.next()
    assert caught.value.sent
    assert (counted(guard), guard.state) == ((0, 0, 1, 0), "closed")
    assert await steps.next() == "end"


async def test_deadline_and_context_are_active_only_inside_each_step() -> None:
    """Inside, the tighter of the guard's and the caller's deadline is seen; between steps the caller's own."""
    clock = VirtualClock()
    guard = Guard("api", deadline=5.0, clock=clock)

    async def look() -> AsyncGenerator[float, None]:
        while True:
            scope = current_deadline()
            assert scope is not None
            yield scope.remaining()

    def look_blocking() -> Generator[float, None, None]:
        while True:
            scope = current_deadline()
            assert scope is not None
            yield scope.remaining()

    for steps in (Steps(guard, look), Steps(guard, look_blocking)):
        assert await steps.next() == 5.0
        assert current_deadline() is None
        clock.advance(1.0)
        with deadline(2.0, clock=clock) as outer:
            assert await steps.next() == 2.0
            assert current_deadline() is outer
        assert await steps.next() == 4.0
        await steps.close()


async def test_timeout_bounds_each_async_step() -> None:
    """Steps that are quick may take any time together; one that is slow ends the iteration as a failed, slow call."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), breaker=Breaker(failures=1), clock=clock)

    async def work() -> AsyncGenerator[int, None]:
        for seconds in (1, 1, 1, 3):
            await clock.sleep_async(seconds)
            yield seconds

    generator = guard.call(work)
    for _ in range(3):
        step = asyncio.ensure_future(anext(generator))
        await clock.elapse(1.0)
        assert await step == 1
        clock.advance(60.0)
    step = asyncio.ensure_future(anext(generator))
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded):
        await step
    assert (guard.state, guard.statistics().timeouts, guard.statistics().in_flight) == ("open", 1, 0)
    assert Timers(clock).expiries().armed == 0


async def test_timeout_bounds_the_close_of_an_async_generator() -> None:
    """Closing that hangs is cut off; the place comes back."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), bulkhead=Bulkhead(1), clock=clock)

    async def hangs() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.Event().wait()

    generator = guard.call(hangs)
    await anext(generator)
    close = asyncio.ensure_future(generator.aclose())
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded):
        await close
    assert counted(guard) == (0, 0, 1, 0)


def test_timeout_leaves_a_blocking_step_behind_which_keeps_its_place_until_it_returns() -> None:
    """The step cannot be stopped: its verdict is given at once, its place comes back later, and it is closed then."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), breaker=Breaker(failures=1), bulkhead=Bulkhead(1), clock=clock)
    release, closed = threading.Event(), threading.Event()

    def stuck() -> Generator[int, None, None]:
        yield 1
        try:
            release.wait(20)
            yield 2
        finally:
            closed.set()
            raise Fault

    generator = guard.call(stuck)
    assert next(generator) == 1
    with pytest.raises(DeadlineExceeded):
        next(generator)
    ended = threading.Event()
    end_abandoned = Member.end_abandoned

    def end(member: Member, ticket: Ticket) -> None:
        end_abandoned(member, ticket)
        ended.set()

    assert (guard.state, guard.statistics().in_flight, guard.statistics().abandoned) == ("open", 1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Member, "end_abandoned", end)
        release.set()
        assert closed.wait(60)
        assert ended.wait(60)
    assert (guard.statistics().in_flight, guard.statistics().abandoned) == (0, 0)


async def test_the_consumers_time_is_no_duration() -> None:
    """Only time inside the steps makes a call slow: a slow reader opens nothing, a slow dependency does."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(slow_rate=0.5, slow_after=5.0, minimum_calls=1), clock=clock)

    def work(seconds: float) -> Generator[int, None, None]:
        for number in range(3):
            clock.sleep(seconds)
            yield number

    for _ in guard.call(work, 1.0):
        clock.advance(100.0)
    assert (guard.statistics().slow, guard.state) == (0, "closed")
    list(guard.call(work, 2.0))
    assert (guard.statistics().slow, guard.state) == (1, "open")


def test_send_throw_and_return_values_pass() -> None:
    """A guarded generator is a generator: `send`, `throw`, `yield from` and its value work."""
    guard = guarded()

    def echo() -> Generator[object, object, str]:
        heard: object = "ready"
        while heard != "stop":
            try:
                heard = yield heard
            except Fault as error:
                heard = error
        return "done"

    def outer() -> Generator[object, object, str]:
        return (yield from guard.call(echo))

    generator, fault = outer(), Fault()
    assert next(generator) == "ready"
    assert generator.send("a") == "a"
    assert generator.throw(fault) is fault
    with pytest.raises(StopIteration) as caught:
        generator.send("stop")
    assert caught.value.value == "done"
    assert counted(guard) == (1, 0, 0, 0)


async def test_asend_and_athrow_pass() -> None:
    """The same for async generators; an error thrown in that comes out again is judged."""
    guard = guarded()

    async def echo() -> AsyncGenerator[object, object]:
        heard: object = "ready"
        while True:
            try:
                heard = yield heard
            except LookupError as error:
                heard = error

    generator, error = guard.call(echo), LookupError()
    assert await anext(generator) == "ready"
    assert await generator.asend("a") == "a"
    assert await generator.athrow(error) is error
    with pytest.raises(Fault):
        await generator.athrow(Fault())
    assert (counted(guard), guard.state) == ((0, 1, 0, 0), "open")


@BOTH
async def test_every_kind_of_generator_callable_is_recognised(function: Callable[..., Any]) -> None:
    """Partials, methods, objects with a generator `__call__`, and decorated functions give guarded generators."""
    guard = guarded()

    class Blocking:
        def __call__(self, count: int) -> Generator[int, None, None]:
            yield from range(count)

    class Async:
        async def __call__(self, count: int) -> AsyncGenerator[int, None]:
            for number in range(count):
                yield number

    holder: Callable[..., Any] = Blocking() if function is items else Async()
    for callable_ in (partial(function, 1), partial(holder, 1), partial(type(holder).__call__, holder, 1)):
        steps = Steps(guard, callable_)
        assert [await steps.next(), await steps.next()] == [0, "end"]
    assert counted(guard) == (3, 0, 0, 0)


@BOTH
async def test_decorated_generator_functions_stay_what_they_are(function: Callable[..., Any]) -> None:
    """Frameworks that look recognise them, they have the guard, and keys are read from their arguments."""
    guard = guarded()
    decorated = guard(function)
    kind = inspect.isgeneratorfunction if function is items else inspect.isasyncgenfunction
    assert kind(decorated)
    assert (decorated.__name__, decorated.guard) == (function.__name__, guard)
    keyed = guard.decorate(key_by=lambda count: f"key-{count}")(function)
    got = [number async for number in keyed(2)] if function is later else list(keyed(2))
    assert got == [0, 1]
    assert (counted(guard.key("key-2")), counted(guard)) == ((1, 0, 0, 0), (0, 0, 0, 0))


def test_a_blocking_generator_is_closed_by_with() -> None:
    """`closing` frees the place at a known moment, and the finally of the generator has run by then."""
    guard, ended = guarded(), []

    def work() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            ended.append(counted(guard)[3])

    with closing(guard.call(work)) as generator:
        next(generator)
    assert (ended, counted(guard)) == ([1], (0, 0, 1, 0))


async def test_an_async_generator_is_closed_by_with() -> None:
    """The same with `aclosing`; an error while closing passes, and says nothing about the dependency."""
    guard = guarded()

    async def work() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise Fault

    with pytest.raises(Fault):
        async with aclosing(guard.call(work)) as generator:
            await anext(generator)
    assert (counted(guard), guard.state) == ((0, 0, 1, 0), "closed")


async def test_an_error_is_not_kept_alive_by_a_guarded_generator() -> None:
    """Errors die with their last reference: no cycle through the frames of the driver."""
    guard = Guard("api")
    gc.disable()
    try:
        for function in (items, later):
            steps = Steps(guard, function, 1)
            await steps.next()
            error = Fault()
            gone = weakref.ref(error)
            with suppress(Fault):
                await steps.generator.athrow(error) if steps.is_async else steps.generator.throw(error)
            del error, steps
            assert gone() is None
    finally:
        gc.enable()


@BOTH
async def test_a_first_step_without_time_takes_nothing(function: Callable[..., Any]) -> None:
    """When the caller's deadline is over before the first step, nothing is let in and nothing was sent."""
    clock = VirtualClock()
    guard = guarded(clock)
    with deadline(0.0, clock=clock), pytest.raises(DeadlineExceeded) as caught:
        await Steps(guard, function, 1).next()
    assert (caught.value.sent, counted(guard)) == (False, (0, 0, 0, 0))


@BOTH
async def test_a_first_step_waits_to_be_let_in(function: Callable[..., Any]) -> None:
    """A turn in the rate limit is waited for as by a call."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, wait=5.0), clock=clock)
    guard.permit_nowait().succeed()
    step = asyncio.ensure_future(Steps(guard, function, 1).next())
    await clock.elapse(1.0)
    assert await step == 0
