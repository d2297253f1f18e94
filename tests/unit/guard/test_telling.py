"""How events reach slow listeners: no call tells too many, all are told in order, and nobody waits for another."""

import threading
from contextlib import suppress

import pytest

from switchgear import Breaker, CircuitOpen, Guard, RateLimit, RateLimited
from switchgear.guard import Event
from switchgear.guard.outbox import EVENTS_AT_ONCE, EVENTS_MAX
from switchgear.testing import VirtualClock


def refuse(guard: Guard, times: int) -> None:
    """Make calls that are refused."""
    for _ in range(times):
        with suppress(CircuitOpen, RateLimited):
            guard.permit_nowait()


class Slow:
    """A listener during whose first event `times` other calls are refused."""

    def __init__(self, guard: Guard, times: int) -> None:
        """Listen to `guard`."""
        self.heard: list[Event] = []
        self._guard = guard
        self._times = times
        guard.subscribe(self)

    def __call__(self, event: Event) -> None:
        """Take a long time over the first event."""
        self.heard.append(event)
        if len(self.heard) == 1:
            refuse(self._guard, self._times)


def opening(clock: VirtualClock, keys_max: int = 10) -> Guard:
    """Return a guard that opens at the first failure."""
    breaker = Breaker(failures=1, cooldown=10.0, jitter=0.0)
    return Guard("api", breaker=breaker, keys_max=keys_max, clock=clock)


def test_events_that_wait_for_a_slow_listener_are_bounded_and_counted() -> None:
    """At 1,000 waiting events refusals are dropped, a transition takes the place of the oldest, all are counted."""
    clock = VirtualClock()
    guard = opening(clock)
    heard: list[str] = []

    def slow(event: Event) -> None:
        heard.append(event.kind)
        if len(heard) == 1:
            refuse(guard, EVENTS_MAX + 5)
            clock.advance(10.0)
            guard.permit_nowait().succeed()

    guard.subscribe(slow)
    guard.permit_nowait().fail()
    for _ in range(EVENTS_MAX // EVENTS_AT_ONCE):
        guard.call(int)
    assert len(heard) == 1 + EVENTS_MAX
    assert heard[-2:] == ["half_opened", "closed"]
    assert (guard.statistics().events_dropped, guard.statistics().rejected) == (7, EVENTS_MAX + 5)


def test_no_call_tells_more_than_a_few_events() -> None:
    """What many calls did at once is told by as many calls, each a share, in the order in which it happened."""
    clock = VirtualClock()
    guard = opening(clock)
    slow = Slow(guard, 35)
    guard.permit_nowait().fail()
    told = [len(slow.heard)]
    while told[-1] < 36:
        clock.advance(0.1)
        with pytest.raises(CircuitOpen):
            guard.call(int)
        told.append(len(slow.heard))
        assert told[-1] - told[-2] <= EVENTS_AT_ONCE
    assert told[0] == EVENTS_AT_ONCE
    moments = [event.monotonic for event in slow.heard]
    assert moments == sorted(moments)
    assert slow.heard[0].kind == "opened"


def test_the_last_event_is_told_by_the_next_call_whatever_it_is() -> None:
    """Also by calls that succeed and would otherwise pass by: they take the long way until all is told."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1, per=1.0), clock=clock)
    slow = Slow(guard, 25)
    guard.call(int)
    refuse(guard, 1)
    told = []
    for _ in range(3):
        clock.advance(1.0)
        guard.call(int)
        told.append(len(slow.heard))
    assert told == [20, 26, 26]
    member = guard._member  # noqa: SLF001 - the way that is taken cannot be seen from outside
    assert (member.news, member.straight_plan is member.plan) == (False, True)


def test_who_finds_another_at_it_does_not_wait() -> None:
    """While one thread tells a slow listener, calls of others end at once, and their events come after."""
    guard = Guard("api", rate_limit=RateLimit(1, per=1.0), clock=VirtualClock())
    inside, leave = threading.Event(), threading.Event()
    heard: list[Event] = []

    def slow(event: Event) -> None:
        heard.append(event)
        inside.set()
        leave.wait(20)

    guard.subscribe(slow)
    guard.call(int)
    thread = threading.Thread(target=refuse, args=(guard, 1))
    thread.start()
    assert inside.wait(60)
    refuse(guard, 3)
    assert len(heard) == 1
    leave.set()
    thread.join(60)
    assert len(heard) == 4


def test_an_interrupted_telling_is_gone_on_with() -> None:
    """A listener that is interrupted with Ctrl-C loses that event, and no other."""
    guard = Guard("api", rate_limit=RateLimit(1, per=1.0), clock=VirtualClock())
    heard: list[Event] = []

    def interrupted(event: Event) -> None:
        heard.append(event)
        if len(heard) == 1:
            refuse(guard, 2)
            raise KeyboardInterrupt

    guard.subscribe(interrupted)
    guard.call(int)
    with pytest.raises(KeyboardInterrupt):
        guard.call(int)
    assert len(heard) == 1
    refuse(guard, 1)
    assert len(heard) == 4


def test_who_looks_for_room_tells_what_a_key_left_untold() -> None:
    """A key that nobody calls again neither keeps its last events for itself nor its place in the registry."""
    clock = VirtualClock()
    guard = opening(clock, keys_max=1)
    slow = Slow(guard.key("a"), 60)
    key = guard.key("a")
    key.permit_nowait().fail()
    clock.advance(10.0)
    with suppress(CircuitOpen):
        key.permit_nowait().succeed()  # half-opened and closed
    for _ in range(5):
        clock.advance(1.0)
        guard.key("b")
    assert [event.kind for event in slow.heard[-2:]] == ["half_opened", "closed"]
    assert [member.key for member in guard.members()] == ["b", "@overflow"]
