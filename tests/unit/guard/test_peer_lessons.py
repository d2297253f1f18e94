"""What comparable libraries get wrong, each as a test here. The names say the rule."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    DeadlineExceeded,
    Guard,
    QueueFull,
    RateLimit,
    Rejected,
    Retry,
    Timeout,
)
from switchgear.guard import Event
from switchgear.testing import VirtualClock
from tests.turns import turns


async def fail() -> None:
    """Fail as a dependency does."""
    raise ConnectionError("down")


def opened(clock: VirtualClock, **options: float) -> Guard:
    """Return a guard whose breaker has just opened, with a cooldown of 10 s."""
    guard = Guard(
        "api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0, probes=int(options.get("probes", 1))), clock=clock
    )
    permit = guard.permit_nowait()
    permit.fail()
    assert guard.state == "open"
    return guard


@pytest.mark.parametrize("probes", [1, 3])
async def test_a_thousand_tasks_in_half_open_admit_only_the_probes(probes: int) -> None:
    """Of 1,000 concurrent calls a half-open breaker lets in its probes and no other."""
    clock = VirtualClock()
    guard = opened(clock, probes=probes)
    clock.advance(10.0)
    release = asyncio.Event()
    reached = 0

    async def probe() -> None:
        nonlocal reached
        reached += 1
        await release.wait()

    tasks = [asyncio.create_task(guard.call(probe)) for _ in range(1_000)]
    await turns(3)
    assert reached == probes
    release.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(end, CircuitOpen) for end in ends) == 1_000 - probes
    assert guard.state == "closed"


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Run `work` in `count` threads that start together."""
    start = threading.Barrier(count)

    def run() -> None:
        start.wait(60)
        work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_eight_threads_in_half_open_admit_only_the_probes() -> None:
    """The same across threads: 8 threads with 125 calls each, one probe."""
    clock = VirtualClock()
    guard = opened(clock)
    clock.advance(10.0)
    permits, refusals = [], []

    def ask() -> None:
        for _ in range(125):
            try:
                permits.append(guard.permit_nowait())
            except CircuitOpen:
                refusals.append(1)

    in_threads(8, ask)
    assert (len(permits), len(refusals)) == (1, 999)


@pytest.mark.parametrize("success", [True, False])
def test_a_call_admitted_before_the_trip_neither_closes_nor_opens(success: bool) -> None:  # noqa: FBT001 - a column
    """An outcome that belongs to an earlier generation is dropped."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=clock)
    early = guard.permit_nowait()
    other = guard.permit_nowait()
    other.fail()
    clock.advance(10.0)
    probe = guard.permit_nowait()
    early.succeed() if success else early.fail()
    assert guard.statistics().state == "half_open"
    probe.succeed()
    assert guard.state == "closed"


async def test_a_cancelled_probe_gives_its_place_back_at_once() -> None:
    """A cancelled probe neither counts nor blocks: the next call is the probe."""
    clock = VirtualClock()
    guard = opened(clock)
    clock.advance(10.0)
    probe = asyncio.create_task(guard.call(asyncio.sleep, 3600))
    await turns()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert guard.statistics().state == "half_open"
    await guard.call(asyncio.sleep, 0)
    assert guard.state == "closed"


async def test_cancellation_is_no_failure() -> None:
    """Callers who lose interest never open a breaker."""
    guard = Guard("api", breaker=Breaker(failures=1))
    for _ in range(20):
        task = asyncio.create_task(guard.call(asyncio.sleep, 3600))
        await turns()
        task.cancel()
        await asyncio.wait([task])
    assert (guard.state, guard.statistics().ignored) == ("closed", 20)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, GeneratorExit, SystemExit])
def test_what_is_no_exception_is_no_failure(interruption: type[BaseException]) -> None:
    """Ctrl-C and its like say nothing about the dependency."""
    guard = Guard("api", breaker=Breaker(failures=1))

    def interrupted() -> None:
        raise interruption

    with pytest.raises(interruption):
        guard.call(interrupted)
    assert (guard.state, guard.statistics().ignored) == ("closed", 1)


def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    """Only monotonic time counts: an hour of wall clock neither closes a breaker nor fills a bucket."""
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), rate_limit=RateLimit(1), clock=clock)
    guard.permit_nowait().fail()
    for jump in (3600.0, -7200.0):
        clock.jump_wall(jump)
        assert guard.state == "open"
        assert guard.retry_after == 10.0


def test_a_raising_listener_never_reaches_the_call(caplog: pytest.LogCaptureFixture) -> None:
    """Listeners that raise are counted and logged; the call and the other listeners go on."""
    guard = Guard("api", breaker=Breaker(failures=1))
    heard: list[Event] = []

    def broken(_event: object) -> None:
        raise RuntimeError("listener")

    guard.subscribe(broken)
    guard.subscribe(heard.append)
    guard.permit_nowait().fail()
    with pytest.raises(CircuitOpen):
        guard.permit_nowait()
    assert [event.kind for event in heard] == ["opened", "refused"]
    assert guard.statistics().listener_errors == 2
    assert "RuntimeError('listener')" in caplog.text


async def test_the_calls_own_timeout_error_passes_unchanged() -> None:
    """A TimeoutError that the call raises itself is not ours, and is not relabelled."""
    own = TimeoutError("mine")
    guard = Guard("api", timeout=Timeout(5.0), deadline=10.0)

    async def call() -> None:
        raise own

    with pytest.raises(TimeoutError) as caught:
        await guard.call(call)
    assert caught.value is own
    assert not isinstance(caught.value, DeadlineExceeded)


async def test_async_generators_are_guarded_to_their_end() -> None:
    """A stream that breaks half-way is a failure, one that hangs is cut off, and the place is held all the while."""
    clock = VirtualClock()
    guard = Guard("api", timeout=Timeout(2.0), breaker=Breaker(failures=2), bulkhead=Bulkhead(1), clock=clock)

    @guard
    async def stream(*, breaks: bool) -> AsyncGenerator[int, None]:
        yield 1
        if breaks:
            raise ConnectionError
        await asyncio.Event().wait()

    broken = stream(breaks=True)
    assert await anext(broken) == 1
    with pytest.raises(QueueFull):
        await anext(stream(breaks=True))
    with pytest.raises(ConnectionError):
        await anext(broken)
    hanging = stream(breaks=False)
    assert await anext(hanging) == 1
    step = asyncio.ensure_future(anext(hanging))
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded):
        await step
    assert (guard.state, guard.statistics().failures, guard.statistics().in_flight) == ("open", 2, 0)


def test_no_lock_is_held_during_the_call() -> None:
    """While one call runs, others are let in, and the guard can be read, also from inside the call."""
    guard = Guard("api", breaker=Breaker(), rate_limit=RateLimit(100), bulkhead=Bulkhead(4))
    assert guard.call(lambda: guard.call(lambda: guard.statistics().in_flight)) == 2


def test_listeners_are_called_outside_the_lock() -> None:
    """A listener may use the guard."""
    guard = Guard("api", breaker=Breaker(failures=1))
    seen = []
    guard.subscribe(lambda event: seen.append((event.kind, guard.state, guard.statistics().failures)))
    guard.permit_nowait().fail()
    assert seen == [("opened", "open", 1)]


def test_attempts_three_is_three_calls() -> None:
    """`attempts` counts calls, not repeats."""
    guard = Guard("api", retry=Retry(attempts=3, on=OSError), clock=VirtualClock())
    calls = []

    def call() -> None:
        calls.append(1)
        raise ConnectionError

    with pytest.raises(Exception, match="3 attempts"):
        guard.call(call)
    assert len(calls) == 3


def test_the_limiter_does_the_same_work_for_any_number_of_keys() -> None:
    """A limited call touches its own member only: no scan over keys, however many there are."""
    guard = Guard("api", rate_limit=RateLimit(1), keys_max=5_000, clock=VirtualClock())
    members = [guard.key(f"key-{number}") for number in range(5_000)]
    for member in members:
        member.permit_nowait().succeed()
    assert all(member.statistics().calls == 1 for member in members)
    with pytest.raises(Rejected):
        members[0].permit_nowait()


def test_refusals_keep_no_memory() -> None:
    """Every refusal is an error of its own and dies with it: 20,000 of them leave nothing behind."""
    guard = Guard("api", breaker=Breaker(mode="forced_open"))

    def refuse(times: int) -> None:
        for _ in range(times):
            with suppress(CircuitOpen):
                guard.call(int)

    refuse(100)
    gc.collect()
    tracemalloc.start()
    try:
        gc.disable()
        before = tracemalloc.get_traced_memory()[0]
        refuse(20_000)
        assert tracemalloc.get_traced_memory()[0] - before < 50_000
    finally:
        gc.enable()
        tracemalloc.stop()
