"""Shedding in a guard: priority and tenant come from the terms, and waiters that give up leave nothing."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest

from switchgear import Code, DeadlineExceeded, Guard, Overloaded, QueueFull, Rejected, Shedding, Timeout
from switchgear.policies.places import Priority
from switchgear.testing import VirtualClock
from tests.turns import turns


def shedding(clock: VirtualClock, limit: int = 1, *, timeout: Timeout | None = None, **options: Any) -> Guard:
    """Return a guard with a fixed number of places."""
    return Guard("api", shedding=Shedding(minimum=limit, maximum=limit, **options), timeout=timeout, clock=clock)


class Line:
    """Calls that wait in a guard's queue and write down when they are served."""

    def __init__(self, guard: Guard) -> None:
        """Stand before `guard`."""
        self.guard = guard
        self.served: list[str] = []

    async def stand(self, name: str, **terms: Any) -> "asyncio.Task[None]":
        """Send a call, and let it reach the queue."""
        task = asyncio.ensure_future(self.guard.using(**terms).call(self._serve, name))
        await turns()
        return task

    async def _serve(self, name: str) -> None:
        self.served.append(name)


def idle(guard: Guard) -> bool:
    """Return whether nothing is held, and a call would be let in."""
    guard.permit_nowait().succeed()
    statistics = guard.statistics()
    return (statistics.in_flight, statistics.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("priority", "places"), [("critical_plus", 10), ("critical", 9), ("sheddable_plus", 8), ("sheddable", 6)]
)
def test_the_priority_of_the_terms_decides_how_many_places_there_are(priority: Priority, places: int) -> None:
    """A class sees its share of the limit taken, and is refused with SHED_OVERLOAD beyond it."""
    guard = shedding(VirtualClock(), 10)
    view = guard.using(priority=priority)
    for _ in range(places):
        view.permit_nowait()
    with pytest.raises(Overloaded) as caught:
        view.permit_nowait()
    refused = caught.value
    assert (refused.code, refused.policy, refused.dependency) == (Code.SHED_OVERLOAD, "shedding", "api")
    assert guard.statistics().in_flight == places


async def test_waiters_are_served_by_class_then_fairly_by_tenant() -> None:
    """Higher classes first; within a class the tenants take turns, however many calls one of them sent first."""
    guard = shedding(VirtualClock(), queue=10)
    line, held = Line(guard), guard.permit_nowait()
    tasks = [await line.stand(f"a{number}", tenant="a") for number in range(3)]
    tasks.append(await line.stand("b", tenant="b"))
    tasks.append(await line.stand("low", priority="sheddable", tenant="c"))
    tasks.append(await line.stand("high", priority="critical_plus", tenant="a"))
    assert guard.statistics().waiting == 6
    held.succeed()
    await asyncio.gather(*tasks)
    assert line.served == ["high", "a0", "b", "a1", "a2", "low"]
    assert idle(guard)


async def test_weights_of_tenants_count() -> None:
    """A tenant of weight 2 is served twice for each turn of another."""
    guard = shedding(VirtualClock(), queue=10, weights={"a": 2.0})
    line, held = Line(guard), guard.permit_nowait()
    tasks = [await line.stand(f"{tenant}{number}", tenant=tenant) for tenant in "ab" for number in range(3)]
    held.succeed()
    await asyncio.gather(*tasks)
    assert line.served == ["a0", "a1", "b0", "a2", "b1", "b2"]


async def test_a_full_queue_pushes_out_the_newest_of_the_lowest_class() -> None:
    """Who is pushed out is refused with QUEUE_FULL at once; one of the lowest class finds it full."""
    guard = shedding(VirtualClock(), queue=2)
    line, held = Line(guard), guard.permit_nowait()
    older = await line.stand("older", priority="sheddable")
    newer = await line.stand("newer", priority="sheddable")
    with pytest.raises(QueueFull) as full:
        await (await line.stand("late", priority="sheddable"))
    assert full.value.code is Code.QUEUE_FULL
    high = await line.stand("high")
    with pytest.raises(QueueFull) as pushed:
        await newer
    assert (pushed.value.code, pushed.value.policy, guard.statistics().waiting) == (Code.QUEUE_FULL, "shedding", 2)
    held.succeed()
    await asyncio.gather(older, high)
    assert line.served == ["high", "older"]
    assert idle(guard)


async def test_a_waiter_that_expires_is_refused() -> None:
    """At `max_wait` the wait ends with QUEUE_EXPIRED, a sheddable one's at `queue_age`; others get the place."""
    clock = VirtualClock()
    guard = shedding(clock, queue=4, max_wait=5.0, queue_age=2.0)
    line, held = Line(guard), guard.permit_nowait()
    sheddable = await line.stand("sheddable", priority="sheddable")
    critical = await line.stand("critical")
    await clock.elapse(2.0)
    with pytest.raises(QueueFull) as caught:
        await sheddable
    assert caught.value.code is Code.QUEUE_EXPIRED
    assert not critical.done()
    await clock.elapse(3.0)
    with pytest.raises(QueueFull):
        await critical
    held.succeed()
    assert line.served == []
    assert idle(guard)


async def test_a_deadline_ends_the_wait_as_such() -> None:
    """A deadline shorter than `max_wait` is the caller's: `DeadlineExceeded`, and nothing was sent."""
    clock = VirtualClock()
    guard = shedding(clock, queue=4, max_wait=5.0)
    line, held = Line(guard), guard.permit_nowait()
    task = await line.stand("short", deadline=1.0)
    await clock.elapse(1.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert not caught.value.sent
    held.succeed()
    assert idle(guard)


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_waiter_passes_its_place_on(granted: bool) -> None:  # noqa: FBT001 - a column
    """Cancelled while waiting, or after the place was granted and before it was taken: the next one is served."""
    guard = shedding(VirtualClock(), queue=4)
    line, held = Line(guard), guard.permit_nowait()
    first, second = await line.stand("first"), await line.stand("second")
    if granted:
        held.succeed()
    first.cancel()
    if not granted:
        held.succeed()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert line.served == ["second"]
    assert idle(guard)


async def test_threads_and_tasks_wait_in_one_queue() -> None:
    """A blocking call waits in the same queue as tasks, and each is woken when its turn comes."""
    guard = Guard("api", shedding=Shedding(minimum=1, maximum=1, queue=4))
    line, held = Line(guard), guard.permit_nowait()
    task = await line.stand("task")
    thread = threading.Thread(target=guard.call, args=(line.served.append, "thread"))
    thread.start()
    try:
        for _ in range(2_000):
            if guard.statistics().waiting == 2:
                break
            threading.Event().wait(0.005)
    finally:
        held.succeed()
    await task
    await asyncio.to_thread(thread.join, 20)
    assert line.served == ["task", "thread"]
    assert idle(guard)


async def test_timeouts_lower_the_limit() -> None:
    """Attempts that run into `Timeout` are calls at the steepest gradient: fewer are let in afterwards."""
    clock = VirtualClock()
    guard = Guard("api", shedding=Shedding(initial=20, minimum=1, maximum=20), timeout=Timeout(1.0), clock=clock).using(
        priority="critical_plus"
    )

    def fits() -> int:
        permits = []
        try:
            while True:
                permits.append(guard.permit_nowait())
        except Rejected:
            return len(permits)
        finally:
            for permit in permits:
                permit.ignore()

    assert fits() == 20
    for _ in range(3):
        tasks = [asyncio.ensure_future(guard.call(clock.sleep_async, 9.0)) for _ in range(12)]
        await clock.elapse(1.0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {DeadlineExceeded, Overloaded}
    assert fits() < 20
    assert guard.statistics().in_flight == 0


def test_a_blocking_call_that_is_left_behind_keeps_its_place() -> None:
    """The place is free only when the thread has really ended, whatever the caller was told."""
    guard = shedding(VirtualClock(), timeout=Timeout(1.0))
    release = threading.Event()
    with pytest.raises(DeadlineExceeded):
        guard.call(release.wait, 20)
    assert (guard.statistics().abandoned, guard.statistics().in_flight) == (1, 1)
    with pytest.raises(Overloaded):
        guard.permit_nowait()
    release.set()
    for _ in range(2_000):
        if not guard.statistics().abandoned:
            break
        threading.Event().wait(0.005)
    assert idle(guard)


async def test_throttling_holds_back_what_the_dependency_turns_away() -> None:
    """After many failures some calls are refused without being sent, and a raising listener changes nothing."""
    guard = shedding(VirtualClock(), 50, throttle=2.0)

    def broken(_event: object) -> None:
        raise RuntimeError("listener")

    guard.subscribe(broken)
    for _ in range(100):
        with suppress(Overloaded):
            guard.permit_nowait().fail()
    statistics = guard.statistics()
    assert set(statistics.refused) == {Code.SHED_OVERLOAD}
    assert statistics.refused[Code.SHED_OVERLOAD] > 20
    assert statistics.listener_errors == statistics.refused[Code.SHED_OVERLOAD]
    assert statistics.in_flight == 0


async def test_a_place_is_given_back_by_every_end_of_a_permit() -> None:
    """Succeeded, failed, ignored, refunded: each frees exactly one place, and settling twice frees no more."""
    guard = shedding(VirtualClock(), 2)
    for end in ("succeed", "fail", "ignore", "refund"):
        for _ in range(3):
            permit = guard.permit_nowait()
            getattr(permit, end)()
            getattr(permit, end)()
    permits = [guard.permit_nowait() for _ in range(1)]
    assert guard.statistics().in_flight == len(permits)
