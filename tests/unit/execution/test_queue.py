"""The fair queue: bounds, turns, pauses, times."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import QueueFull
from switchgear.execution.queue import FairQueue, Ticket


def queue(**options: int) -> FairQueue:
    """Return a small queue."""
    return FairQueue(**{"places_max": 10, "tenant_max": 8, "lane_places": 4, **options})


def put(subject: FairQueue, *tickets: Ticket, now: float = 0.0) -> None:
    """Queue tickets of intents that have their place."""
    for one in tickets:
        subject.reserve(one.intent_id, one.tenant)
        subject.put(one, now)


def ticket(name: str, tenant: str = "acme", lane: str = "crm", due: float = 0.0) -> Ticket:
    """Return a ticket that is due at `due`."""
    return Ticket(name, tenant, lane, due)


def drain(subject: FairQueue, now: float = 0.0) -> list[str]:
    """Take and end all that may run at `now`."""
    taken = []
    while (found := subject.take(now)) is not None:
        taken.append(found.intent_id)
        subject.done(found.lane)
    return taken


def test_a_full_queue_refuses_at_once_with_code_and_time() -> None:
    """The maximum over all tenants is a refusal, never a wait."""
    subject = queue(places_max=2)
    subject.reserve("i1", "acme")
    subject.reserve("i2", "globex")
    with pytest.raises(QueueFull) as refusal:
        subject.reserve("i3", "initech")
    assert (refusal.value.code, refusal.value.retry_after) == (Code.QUEUE_FULL, 1.0)
    subject.release("i1")
    subject.release("i1")
    subject.reserve("i3", "initech")
    assert len(subject) == 2


def test_one_tenant_cannot_take_the_whole_queue() -> None:
    """A tenant's share is bounded while others still get in."""
    subject = queue(tenant_max=2)
    subject.reserve("i1", "acme")
    subject.reserve("i2", "acme")
    with pytest.raises(QueueFull, match="share"):
        subject.reserve("i3", "acme")
    subject.reserve("i4", "globex")


def test_what_was_accepted_before_a_restart_is_never_refused() -> None:
    """The bound is for newcomers: recovery takes its place beyond it."""
    subject = queue(places_max=1)
    subject.reserve("i1", "acme")
    subject.reserve("i2", "acme", bounded=False)
    assert len(subject) == 2


def test_tenants_take_turns() -> None:
    """A tenant with many waiting does not delay one with a single intent."""
    subject = queue()
    for number in range(3):
        put(subject, ticket(f"a{number}", "acme"))
    put(subject, ticket("g0", "globex"))
    assert drain(subject) == ["a0", "g0", "a1", "a2"]


def test_a_full_lane_does_not_hold_up_the_others() -> None:
    """Each dependency has its own places."""
    subject = queue(lane_places=1)
    put(subject, ticket("c0", lane="crm"))
    put(subject, ticket("c1", lane="crm"))
    put(subject, ticket("m0", lane="mail"))
    taken = [subject.take(0.0), subject.take(0.0), subject.take(0.0)]
    assert [t.intent_id if t else None for t in taken] == ["c0", "m0", None]
    subject.done("crm")
    following = subject.take(0.0)
    assert following is not None
    assert following.intent_id == "c1"


def test_a_paused_lane_gives_nothing_until_its_time_and_says_why() -> None:
    """One refusal of a dependency speaks for all that wait for it."""
    subject = queue()
    put(subject, ticket("c0"))
    put(subject, ticket("m0", lane="mail"))
    subject.pause("crm", 5.0, "CIRCUIT_OPEN")
    assert drain(subject, 4.9) == ["m0"]
    assert (subject.paused_for("crm", 4.9), subject.next_moment(4.9), subject.waiting("crm")) == (
        "CIRCUIT_OPEN",
        5.0,
        1,
    )
    assert drain(subject, 5.0) == ["c0"]
    assert subject.paused_for("crm", 5.0) is None


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    """The longest wait holds."""
    subject = queue()
    put(subject, ticket("c0"))
    subject.pause("crm", 9.0, "CIRCUIT_OPEN")
    subject.pause("crm", 5.0, "RATE_LIMITED_CONNECTOR")
    assert drain(subject, 8.0) == []
    assert subject.paused_for("crm", 8.0) == "CIRCUIT_OPEN"


def test_a_ticket_waits_for_its_time() -> None:
    """Deferred work comes out when it is due, not before, and the queue knows when."""
    subject = queue()
    put(subject, ticket("later", due=7.0))
    put(subject, ticket("now"))
    assert drain(subject) == ["now"]
    assert subject.next_moment(0.0) == 7.0
    assert drain(subject, 7.0) == ["later"]
    assert subject.next_moment(7.0) is None


def test_what_is_put_back_is_first_in_its_line() -> None:
    """A refused intent keeps its place."""
    subject = queue()
    put(subject, ticket("first"))
    put(subject, ticket("second"))
    taken = subject.take(0.0)
    assert taken is not None
    subject.put_back(taken)
    subject.done("crm")
    assert drain(subject) == ["first", "second"]


def test_a_recovering_dependency_is_probed_by_a_safe_call_first() -> None:
    """While a breaker is not closed, reads and keyed writes go before what could end in doubt."""
    subject = queue()
    put(subject, Ticket("opaque", "acme", "crm", 0.0, safe=False))
    put(subject, Ticket("read", "acme", "crm", 0.0))
    first = subject.take(0.0, lambda lane: lane == "crm")
    second = subject.take(0.0, lambda lane: lane == "crm")
    assert first is not None
    assert second is not None
    assert (first.intent_id, second.intent_id) == ("read", "opaque")


def test_law_10_tickets_of_ended_intents_do_not_pile_up() -> None:
    """Submitting and cancelling while a lane is paused leaves nothing behind, and nothing of it comes out."""
    subject = queue(places_max=10_000, tenant_max=10_000)
    subject.pause("crm", 9.0, "CIRCUIT_OPEN")
    for number in range(1_000):
        put(subject, ticket(f"t{number}"), ticket(f"l{number}", due=5.0))
        subject.release(f"t{number}")
        subject.release(f"l{number}")
    lines = [line for lane in subject._lanes.values() for line in lane.tenants.values()]  # noqa: SLF001 - the bound
    assert (subject.waiting("crm"), sum(map(len, lines)) < 200) == (0, True)
    put(subject, ticket("kept"))
    assert drain(subject, 9.0) == ["kept"]


def test_a_pause_ends_early_only_for_its_own_reason() -> None:
    """A probe that succeeded opens the lane; a lane paused for the rate limit stays paused."""
    subject = queue()
    put(subject, ticket("c0"))
    subject.pause("crm", 9.0, "CIRCUIT_OPEN")
    subject.resume("crm", "RATE_LIMITED_CONNECTOR")
    assert drain(subject) == []
    subject.resume("crm", "CIRCUIT_OPEN")
    assert drain(subject) == ["c0"]
