"""Keyed members in their bounded registry; events and log lines."""

import logging
import os
import threading
import warnings
from typing import Any, cast

import pytest

from switchgear import Breaker, Bulkhead, CircuitOpen, Guard, QueueFull, RateLimit, RateLimited
from switchgear.core.errors import OptionError
from switchgear.guard import Event
from switchgear.testing import VirtualClock


def failing(keys_max: int, clock: VirtualClock) -> Guard:
    """Return a guard that opens at the first failure and keeps `keys_max` keys."""
    return Guard("api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), keys_max=keys_max, clock=clock)


def test_each_key_has_its_own_state() -> None:
    """One tenant's outage is not another's, nor the guard's."""
    guard = failing(10, VirtualClock())
    guard.key("a").permit_nowait().fail()
    assert (guard.key("a").state, guard.key("b").state, guard.state) == ("open", "closed", "closed")
    assert guard.statistics().keys == 2


def test_a_full_registry_forgets_only_who_would_not_be_missed() -> None:
    """Only closed, idle and clean members are evicted, whatever their age."""
    guard = failing(3, VirtualClock())
    guard.key("open").permit_nowait().fail()
    busy = guard.key("busy").permit_nowait()
    guard.key("clean").permit_nowait().succeed()
    guard.key("new").permit_nowait().fail()
    assert guard.key("open").state == "open"
    assert guard.key("busy").statistics().in_flight == 1
    assert guard.key("new").state == "open"
    statistics = guard.statistics()
    assert (statistics.keys, statistics.keys_evicted, statistics.keys_overflowed) == (3, 1, 0)
    busy.succeed()


def test_when_nobody_can_be_forgotten_new_keys_share_one_member() -> None:
    """The overflow member is shared and counted; room is found again later."""
    clock = VirtualClock()
    guard = failing(2, clock)
    guard.key("a").permit_nowait().fail()
    guard.key("b").permit_nowait().fail()
    guard.key("c").permit_nowait().fail()
    with pytest.raises(CircuitOpen):
        guard.key("d").permit_nowait()
    assert guard.statistics().keys_overflowed == 2
    clock.advance(10.0)
    guard.key("a").permit_nowait().succeed()
    guard.key("d").permit_nowait().succeed()
    assert guard.statistics().keys_evicted == 1


def test_forgetting_a_key_grants_no_extra_calls() -> None:
    """A member whose bucket has not drained is not evicted: coming back does not refill it."""
    clock = VirtualClock()
    guard = Guard("api", rate_limit=RateLimit(1), keys_max=1, clock=clock)
    guard.key("a").permit_nowait().succeed()
    guard.key("b")
    assert guard.statistics().keys_overflowed == 1
    clock.advance(1.0)
    guard.key("b")
    assert guard.statistics().keys_evicted == 1


@pytest.mark.parametrize("key", ["", None, 5])
def test_a_key_is_a_text(key: str) -> None:
    """What is no key is refused, and a keyed guard has no keys of its own."""
    guard = Guard("api")
    with pytest.raises(OptionError):
        guard.key(key)
    with pytest.raises(OptionError, match="keyed already"):
        guard.key("a").key("b")


def test_a_number_as_a_key_is_told_what_to_write() -> None:
    """Ids of tenants are often numbers. The refusal says how one becomes a key."""
    with pytest.raises(OptionError, match=r"not 5; write str\(5\)"):
        cast("Any", Guard("api")).key(5)


def test_a_mistake_with_key_by_names_the_function() -> None:
    """Who decorates a function or calls it wrongly reads its name, as without the guard, and what it takes."""
    guard = Guard("api")

    def invoices(tenant: str, month: int = 1) -> str:
        return f"{tenant} {month}"

    with pytest.raises(OptionError, match=r"'customer'.*names no parameter of .*invoices; .*: tenant, month"):
        guard.decorate(key_by="customer")(invoices)
    guarded = guard.decorate(key_by="tenant")(invoices)
    wrong: Any = guarded
    with pytest.raises(TypeError, match=r"invoices\(\): missing a required argument: 'tenant'"):
        wrong()
    with pytest.raises(TypeError, match=r"invoices\(\): got an unexpected keyword argument 'year'"):
        wrong("acme", year=7)
    assert guard.totals().calls == 0


def test_events_tell_every_transition_in_order() -> None:
    """Opened, half-opened and closed are told with state, generation and times; refusals with their code."""
    clock = VirtualClock()
    guard = failing(10, clock)
    events: list[Event] = []
    end = guard.subscribe(events.append)
    member = guard.key("a")
    member.permit_nowait().fail()
    with pytest.raises(CircuitOpen):
        member.permit_nowait()
    clock.advance(10.0)
    member.permit_nowait().succeed()
    assert [(event.kind, event.state, event.generation, event.retry_after) for event in events] == [
        ("opened", "open", 1, 10.0),
        ("refused", "open", 1, 10.0),
        ("half_opened", "half_open", 2, 0.0),
        ("closed", "closed", 3, 0.0),
    ]
    assert {(event.guard, event.key) for event in events} == {("api", "a")}
    assert events[1].code == "CIRCUIT_OPEN"
    assert (events[0].at, events[0].monotonic) == (clock.time() - 10.0, 990.0 + 10.0)
    end()
    member.permit_nowait().fail()
    assert len(events) == 4


def test_transitions_are_throttled_in_the_log_and_never_in_the_counters(caplog: pytest.LogCaptureFixture) -> None:
    """A flapping breaker writes a line in five seconds, and says how many it left out."""
    caplog.set_level(logging.INFO, "switchgear.guard")
    clock = VirtualClock()
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=0.1, jitter=0.0), clock=clock)
    for _ in range(11):
        guard.permit_nowait().fail()
        clock.advance(0.1)
        guard.permit_nowait().succeed()
    lines = [record.getMessage() for record in caplog.records if "api opened" in record.getMessage()]
    assert lines == ["breaker of api opened, probes in 0.1 s"]
    clock.advance(5.0)
    guard.permit_nowait().fail()
    assert "(10 like this left out)" in caplog.records[-1].getMessage()
    assert guard.statistics().circuit_breaker_opened == 12


def test_an_event_raised_while_telling_one_comes_after_it() -> None:
    """A listener that causes another event does not change the order in which others hear of them."""
    clock = VirtualClock()
    guard = failing(10, clock)
    heard: list[str] = []

    def provoke(event: Event) -> None:
        if event.kind == "opened":
            with pytest.raises(CircuitOpen):
                guard.permit_nowait()

    guard.subscribe(provoke)
    guard.subscribe(lambda event: heard.append(event.kind))
    guard.permit_nowait().fail()
    assert heard == ["opened", "refused"]


async def test_an_async_listener_is_refused() -> None:
    """Nobody would ever await it."""
    guard = Guard("api")

    async def listen(_event: object) -> None:
        """Hear nothing."""

    for listener in (listen, 3):
        with pytest.raises((OptionError, TypeError), match="listener"):
            guard.subscribe(listener)  # type: ignore[arg-type] # what is wrong on purpose


def test_one_of_two_equal_subscriptions_ends_alone() -> None:
    """Ending a subscription ends that one."""
    heard: list[object] = []
    guard = Guard("api", rate_limit=RateLimit(1), clock=VirtualClock())
    guard.subscribe(heard.append)
    guard.subscribe(heard.append)()
    guard.call(int)
    with pytest.raises(RateLimited):
        guard.call(int)
    assert len(heard) == 1


def test_a_key_that_was_forgotten_meanwhile_is_one_member_all_the_same() -> None:
    """Between asking for a key and calling, its member may make room for others: the limit of the key holds."""
    guard = Guard("api", bulkhead=Bulkhead(1), keys_max=1, clock=VirtualClock())
    early = guard.key("a")
    guard.key("b")
    held = guard.key("a").permit_nowait()
    with pytest.raises(QueueFull):
        early.call(int)
    held.succeed()
    assert early.call(int) == 0


def test_a_section_may_be_entered_again_by_its_own_thread() -> None:
    """A signal handler or an object's end may call the guard from inside: it must not hang, nor open a way past."""
    guard = Guard("api", bulkhead=Bulkhead(2))
    guard.call(int)
    member = guard._member  # noqa: SLF001 - the moment that no caller can choose
    with member.mutex, member:
        assert guard.call(int) == 0
        assert member.straight_plan is None
    assert member.straight_plan is member.plan


def test_a_forked_child_finds_every_mutex_free() -> None:
    """The child has none of the threads that may have held one."""
    guard = Guard("api", breaker=Breaker())
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        member = guard._member  # noqa: SLF001 - as above
        with member.mutex, member:
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os._exit(guard.call(int))
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
