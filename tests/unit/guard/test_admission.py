"""Admission: all or nothing, waiting in the queue and for a turn, one line for threads and tasks."""

import asyncio
import threading

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Code,
    DeadlineExceeded,
    Guard,
    QueueFull,
    RateLimit,
    RateLimited,
    Rejected,
)
from switchgear.core.errors import OptionError
from switchgear.testing import VirtualClock
from tests.turns import turns


def test_a_refusal_charges_nothing() -> None:
    """Breaker, bulkhead and rate limit are charged together or not at all."""
    clock = VirtualClock()
    guard = Guard("api", bulkhead=Bulkhead(1), rate_limit=RateLimit(2), breaker=Breaker(), clock=clock)
    held = guard.permit_nowait()
    for _ in range(5):
        with pytest.raises(QueueFull):
            guard.permit_nowait()
    held.succeed()
    guard.permit_nowait().succeed()
    for _ in range(5):
        with pytest.raises(RateLimited) as caught:
            guard.permit_nowait()
        assert caught.value.retry_after == 0.5
    assert guard.statistics().in_flight == 0
    clock.advance(0.5)
    guard.permit_nowait().succeed()


def test_a_probe_refused_by_an_inner_policy_returns_its_place() -> None:
    """In half-open, a call that the rate limit refuses takes no probe with it."""
    clock = VirtualClock()
    guard = Guard(
        "api", breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0), rate_limit=RateLimit(1, per=5.0), clock=clock
    )
    guard.permit_nowait().fail()
    clock.advance(1.0)
    with pytest.raises(RateLimited):
        guard.permit_nowait()
    assert guard.statistics().state == "half_open"
    clock.advance(4.0)
    guard.permit_nowait().succeed()
    assert guard.state == "closed"


def test_the_breaker_speaks_first() -> None:
    """When several policies would refuse, the breaker's answer is given: it says most about waiting."""
    guard = Guard("api", breaker=Breaker(failures=1), bulkhead=Bulkhead(1), clock=VirtualClock())
    held = guard.permit_nowait()
    other = Guard("api", breaker=Breaker(mode="forced_open"), bulkhead=Bulkhead(1))
    with pytest.raises(QueueFull):
        guard.permit_nowait()
    with pytest.raises(CircuitOpen):
        other.permit_nowait()
    held.ignore()


async def test_waiters_are_served_in_order() -> None:
    """First in, first out; a newcomer does not overtake who waits."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=8))
    served: list[int] = []

    async def work(number: int) -> None:
        served.append(number)
        await turns()

    await asyncio.gather(*(guard.call(work, number) for number in range(8)))
    assert served == list(range(8))


def test_threads_and_loops_share_one_queue() -> None:
    """Blocking callers and tasks of different loops all come to their turn, never more than the limit at once."""
    guard = Guard("api", bulkhead=Bulkhead(2, queue=100, max_wait=20.0))
    running, highest, done, lock = 0, 0, 0, threading.Lock()

    def enter() -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)

    def leave() -> None:
        nonlocal running, done
        with lock:
            running -= 1
            done += 1

    def blocking() -> None:
        enter()
        leave()

    async def later() -> None:
        enter()
        await turns()
        leave()

    async def loop() -> None:
        await asyncio.gather(*(guard.call(later) for _ in range(20)))

    threads = [threading.Thread(target=asyncio.run, args=(loop(),)) for _ in range(2)]
    threads += [threading.Thread(target=lambda: [guard.call(blocking) for _ in range(20)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (done, highest <= 2, guard.statistics().in_flight) == (80, True, 0)


async def test_a_full_queue_answers_at_once() -> None:
    """Beyond the queue a call is refused without waiting, with code and retry_after."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=1))
    held = guard.permit_nowait()
    waiting = asyncio.create_task(guard.call(asyncio.sleep, 0))
    await turns(5)
    with pytest.raises(QueueFull) as caught:
        await guard.call(asyncio.sleep, 0)
    assert caught.value.code is Code.BULKHEAD_FULL
    assert caught.value.retry_after is not None
    held.succeed()
    await waiting


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_wait_in_the_queue_is_bounded(kind: str) -> None:
    """After `max_wait` the call is refused as QUEUE_EXPIRED."""
    clock = VirtualClock()
    guard = Guard("api", bulkhead=Bulkhead(1, queue=1, max_wait=3.0), clock=clock)
    guard.permit_nowait()

    async def wait() -> None:
        task = asyncio.create_task(guard.call(asyncio.sleep, 0))
        await clock.elapse(3.0)
        await task

    with pytest.raises(QueueFull) as caught:
        guard.call(int) if kind == "blocking" else asyncio.run(wait())
    assert caught.value.code is Code.QUEUE_EXPIRED
    assert clock.monotonic() == 1_003.0
    assert guard.statistics().waiting == 0


async def test_a_place_granted_to_a_cancelled_waiter_passes_on() -> None:
    """Between grant and wake-up a waiter may be cancelled; its place goes to the next."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=2))
    held = guard.permit_nowait()
    first = asyncio.create_task(guard.call(asyncio.sleep, 0))
    second = asyncio.create_task(guard.call(asyncio.sleep, 0, "second"))
    await turns(5)
    held.succeed()
    first.cancel()
    assert await second == "second"
    assert (first.cancelled(), guard.statistics().in_flight) == (True, 0)


async def test_admission_is_repeated_after_a_wait() -> None:
    """A breaker that opened meanwhile refuses who waited, and the place passes on."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=2), breaker=Breaker(failures=1))
    held = guard.permit_nowait()
    tasks = [asyncio.create_task(guard.call(asyncio.sleep, 0)) for _ in range(2)]
    await turns(5)
    held.fail()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [CircuitOpen, CircuitOpen]
    assert (guard.statistics().in_flight, guard.statistics().waiting) == (0, 0)


async def test_a_loop_that_died_with_a_waiter_does_not_keep_the_place() -> None:
    """A waiter whose loop was closed is passed over."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=2))
    held = guard.permit_nowait()

    def lose_a_waiter() -> asyncio.Task[None]:
        loop = asyncio.new_event_loop()
        task = loop.create_task(guard.call(asyncio.sleep, 0))
        loop.run_until_complete(turns())
        loop.close()
        return task

    thread_result: list[asyncio.Task[None]] = []
    thread = threading.Thread(target=lambda: thread_result.append(lose_a_waiter()))
    thread.start()
    thread.join(60)
    lost = thread_result[0]
    lost._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - lost on purpose
    held.succeed()
    guard.permit_nowait().succeed()
    assert guard.statistics().waiting == 0


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_turn_is_reserved_and_waited_for(kind: str) -> None:
    """With `wait=` a call sleeps until its turn, exactly, and is charged once."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(2, burst=1, wait=1.0), clock=clock)
    guard.call(int)

    async def wait() -> None:
        task = asyncio.create_task(guard.call(asyncio.sleep, 0))
        await clock.elapse(0.5)
        await task

    guard.call(int) if kind == "blocking" else asyncio.run(wait())
    assert clock.monotonic() == 1_000.5
    with pytest.raises(RateLimited) as caught:
        guard.permit_nowait()
    assert caught.value.retry_after == 0.5


async def test_a_turn_that_comes_too_late_is_refused_at_once() -> None:
    """Beyond `wait`, or beyond the deadline, nobody waits, and nothing is charged."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, per=2.0, wait=3.0), clock=clock)
    guard.call(int)
    with pytest.raises(RateLimited) as caught:
        await guard.using(deadline=1.0).call(asyncio.sleep, 0)
    assert caught.value.retry_after == 2.0
    waiting = asyncio.create_task(guard.call(asyncio.sleep, 0))
    await turns(5)
    with pytest.raises(RateLimited) as caught:
        await guard.call(asyncio.sleep, 0)
    assert caught.value.retry_after == 4.0
    await clock.elapse(2.0)
    await waiting


async def test_a_cancelled_turn_is_refunded() -> None:
    """Who leaves while waiting for a turn gives it back."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, wait=10.0), clock=clock)
    guard.call(int)
    task = asyncio.create_task(guard.call(asyncio.sleep, 0))
    await turns(5)
    task.cancel()
    await asyncio.wait([task])
    clock.advance(1.0)
    guard.permit_nowait().succeed()


async def test_a_turn_refused_after_the_wait_is_refunded() -> None:
    """The breaker opened during the wait: the charge is given back."""
    clock = VirtualClock()
    breaker = Breaker(failures=1, cooldown=100.0, jitter=0.0)
    guard = Guard("api", rate_limit=RateLimit(1, per=4.0, burst=2, wait=10.0), breaker=breaker, clock=clock)
    probe = guard.permit_nowait()
    guard.permit_nowait().succeed()
    task = asyncio.create_task(guard.call(asyncio.sleep, 0))
    await turns(5)
    probe.fail()
    await clock.elapse(4.0)
    with pytest.raises(CircuitOpen):
        await task
    assert guard._member.limiter is not None  # noqa: SLF001 - the bucket cannot be seen from outside
    assert guard._member.limiter.level(clock.monotonic()) == 1.0  # noqa: SLF001 - as above


async def test_a_turn_at_the_very_deadline_is_too_late() -> None:
    """A call whose turn comes when its time is over does not start, and its charge is given back."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, wait=10.0), clock=clock)
    guard.call(int)
    task = asyncio.create_task(guard.using(deadline=1.0).call(asyncio.sleep, 0))
    await clock.elapse(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert not caught.value.sent
    guard.permit_nowait().succeed()


class Interrupting(VirtualClock):
    """A clock on which somebody presses Ctrl-C while a thread waits."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Interrupt the wait."""
        raise KeyboardInterrupt


def test_ctrl_c_in_the_queue_gives_everything_back() -> None:
    """A thread that is interrupted while it queues leaves the queue."""
    guard = Guard("api", bulkhead=Bulkhead(1, queue=1), clock=Interrupting())
    held = guard.permit_nowait()
    with pytest.raises(KeyboardInterrupt):
        guard.call(int)
    assert guard.statistics().waiting == 0
    held.succeed()
    assert guard.call(int) == 0


def test_costs_are_weighed() -> None:
    """`using(cost=…)` charges more; cost 0 takes nothing; a cost above the burst is refused for ever."""
    guard = Guard("api", rate_limit=RateLimit(5), clock=VirtualClock())
    guard.using(cost=4).call(int)
    guard.using(cost=0).call(int)
    with pytest.raises(RateLimited):
        guard.using(cost=2).call(int)
    guard.call(int)
    with pytest.raises(RateLimited) as caught:
        guard.using(cost=6).call(int)
    assert (caught.value.retry_after, caught.value.decision) == (None, "reject")
    with pytest.raises(OptionError, match="cost"):
        guard.using(cost=-1)
    with pytest.raises(OptionError, match="deadline"):
        guard.using(deadline=-1)


async def test_a_thousand_calls_never_exceed_the_bulkhead() -> None:
    """However many tasks come, no more than `limit` run at once, and every one that queued is served."""
    guard = Guard("api", bulkhead=Bulkhead(5, queue=2_000), clock=VirtualClock())
    running = highest = 0

    async def work() -> None:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await turns()
        running -= 1

    await asyncio.gather(*(guard.call(work) for _ in range(1_000)))
    assert (highest, guard.statistics().successes) == (5, 1_000)


def test_every_refusal_is_a_rejected() -> None:
    """One parent for every refusal, each with its own code."""
    for options, code in (
        ({"breaker": Breaker(mode="forced_open")}, Code.CIRCUIT_OPEN),
        ({"rate_limit": RateLimit(1), "bulkhead": None}, Code.RATE_LIMITED_CONNECTOR),
        ({"bulkhead": Bulkhead(1)}, Code.BULKHEAD_FULL),
    ):
        guard = Guard("api", clock=VirtualClock(), **options)
        with pytest.raises(Rejected) as caught:
            [guard.permit_nowait() for _ in range(2)]
        assert caught.value.code is code
