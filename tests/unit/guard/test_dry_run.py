"""Dry run, and a breaker that only observes: nothing is refused, everything that would have been is counted."""

import asyncio
import threading
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, Code, Guard, RateLimit, Retry, Shedding
from switchgear.guard import Event
from switchgear.testing import VirtualClock

OBSERVING = Breaker(failures=2, cooldown=10.0, jitter=0.0, mode="observe")


def fail() -> None:
    """Fail as a dependency does."""
    raise ConnectionError


def trip(guard: Guard, times: int = 2) -> None:
    """Make calls that fail."""
    for _ in range(times):
        with pytest.raises(ConnectionError):
            guard.call(fail)


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ({"bulkhead": Bulkhead(1)}, Code.BULKHEAD_FULL),
        ({"bulkhead": Bulkhead(1, queue=1)}, Code.BULKHEAD_FULL),
        ({"rate_limit": RateLimit(1, per=100.0)}, None),
        ({"rate_limit": RateLimit(1, per=100.0, wait=500.0)}, None),
        ({"shedding": Shedding(minimum=1, maximum=1)}, Code.SHED_OVERLOAD),
        ({"breaker": Breaker(mode="forced_open")}, Code.CIRCUIT_OPEN),
    ],
)
async def test_a_dry_run_refuses_nothing_and_counts_everything(policies: dict[str, Any], code: Code | None) -> None:
    """Each policy says what it would refuse, calls are let in at once, and no refusal is counted as one."""
    guard = Guard("api", dry_run=True, clock=VirtualClock(), **policies)
    heard: list[Event] = []
    guard.subscribe(heard.append)
    with guard.permit():
        assert guard.call(int) == 0
        assert await guard.call(asyncio.sleep, 0, "in") == "in"
    statistics = guard.statistics()
    would = sum(statistics.would_refuse.values())
    assert (statistics.rejected, statistics.successes, statistics.in_flight, statistics.waiting) == (0, 3, 0, 0)
    assert would >= 2
    assert code is None or set(statistics.would_refuse) == {code}
    assert [event.kind for event in heard] == ["would_refuse"] * would
    assert {event.code for event in heard} == set(statistics.would_refuse)


def test_a_call_beyond_the_limit_frees_no_place_of_another() -> None:
    """What was let in without a place gives none back, so the count of places stays true."""
    guard = Guard("api", dry_run=True, bulkhead=Bulkhead(1))
    held = guard.permit_nowait()
    for _ in range(3):
        guard.permit_nowait().succeed()
    guard.permit_nowait().refund()
    assert guard.statistics().would_refuse == {Code.BULKHEAD_FULL: 4}
    held.succeed()
    guard.permit_nowait().succeed()
    assert guard.statistics().would_refuse == {Code.BULKHEAD_FULL: 4}


def test_an_abandoned_call_beyond_the_limit_frees_nothing_either() -> None:
    """The same for a call that its caller left behind, once it really ends."""
    guard = Guard("api", dry_run=True, bulkhead=Bulkhead(1), clock=VirtualClock())
    held = guard.permit_nowait()
    release = threading.Event()
    with pytest.raises(TimeoutError):
        guard.using(deadline=0.1).call(release.wait, 20)
    release.set()
    for _ in range(2_000):
        if not guard.statistics().abandoned:
            break
        threading.Event().wait(0.005)
    assert (guard.statistics().abandoned, guard.statistics().in_flight) == (0, 1)
    guard.permit_nowait().succeed()
    assert guard.statistics().would_refuse == {Code.BULKHEAD_FULL: 2}
    held.succeed()


@pytest.mark.parametrize(
    "options", [{"breaker": OBSERVING}, {"breaker": Breaker(failures=2, cooldown=10.0, jitter=0.0), "dry_run": True}]
)
def test_the_breaker_really_goes_through_its_states(options: dict[str, Any]) -> None:
    """Opened, half-open, closed: all happen and are told, while every call is let in."""
    clock = VirtualClock()
    guard = Guard("api", clock=clock, **options)
    heard: list[str] = []
    guard.subscribe(lambda event: heard.append(event.kind))
    trip(guard)
    assert guard.state == "open"
    assert [guard.call(int) for _ in range(3)] == [0, 0, 0]
    clock.jump_wall(3_600.0)
    assert guard.state == "open"
    clock.advance(10.0)
    assert guard.call(int) == 0
    statistics = guard.statistics()
    assert (statistics.state, statistics.rejected) == ("closed", 0)
    assert statistics.would_refuse == {Code.CIRCUIT_OPEN: 3}
    assert heard == ["opened", *["would_refuse"] * 3, "half_opened", "closed"]
    assert (statistics.circuit_breaker_opened, statistics.circuit_breaker_blocked) == (1, 0)


def test_an_observing_breaker_leaves_the_other_policies_in_force() -> None:
    """Only the breaker's word is not meant: bulkhead and rate limit refuse as ever, and places are kept."""
    guard = Guard("api", breaker=OBSERVING, bulkhead=Bulkhead(1), clock=VirtualClock())
    trip(guard)
    with guard.permit(), pytest.raises(Exception, match=r"full|place|calls") as caught:
        guard.call(int)
    assert getattr(caught.value, "code", None) is Code.BULKHEAD_FULL
    guard.permit_nowait().succeed()
    assert guard.statistics().in_flight == 0


@pytest.mark.parametrize("options", [{"breaker": OBSERVING}, {"breaker": OBSERVING, "dry_run": True}])
async def test_calls_beyond_the_probes_say_nothing_to_a_breaker_that_observes(options: dict[str, Any]) -> None:
    """Of 1,000 concurrent calls in half-open one is the probe; the outcomes of the others are not taken for its own."""
    clock = VirtualClock()
    guard = Guard("api", clock=clock, **options)
    trip(guard)
    clock.advance(10.0)
    permits = [guard.permit_nowait() for _ in range(1_000)]
    for permit in permits[1:500]:
        permit.succeed()
    for permit in permits[500:900]:
        permit.fail()
    for permit in permits[900:]:
        permit.ignore()
    assert guard.statistics().state == "half_open"
    guard.permit_nowait().succeed()
    assert guard.statistics().would_refuse == {Code.CIRCUIT_OPEN: 1_000}
    permits[0].succeed()
    assert (guard.state, guard.statistics().in_flight) == ("closed", 0)


def test_a_dry_run_does_not_wait() -> None:
    """Neither queue nor turn nor back-off for a refusal takes time: the call is made at once."""
    clock = VirtualClock()
    guard = Guard(
        "api", dry_run=True, rate_limit=RateLimit(1, wait=60.0), retry=Retry(on=OSError), deadline=90.0, clock=clock
    )
    for _ in range(5):
        guard.call(int)
    assert clock.monotonic() == 1_000.0


def test_it_can_be_ended_while_running() -> None:
    """From the moment the dry run ends, the policies mean what they say, with what they have seen."""
    guard = Guard("api", dry_run=True, breaker=Breaker(failures=2), clock=VirtualClock())
    trip(guard)
    assert guard.call(int) == 0
    guard.reconfigure(dry_run=False)
    with pytest.raises(Exception, match="open"):
        guard.call(int)
    assert guard.statistics().refused == {Code.CIRCUIT_OPEN: 1}
