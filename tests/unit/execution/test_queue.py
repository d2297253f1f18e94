"""The fair queue: bounds, turns, pauses, times."""

from __future__ import annotations

from typing import Any, cast

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, QueueFull
from switchgear.execution.lanes import LINES_KEPT, PROBES_LOOK_MAX
from switchgear.execution.lines import AGEING, Ticket
from switchgear.execution.queue import FairQueue
from switchgear.execution.shares import Share
from switchgear.policies.places import Priority


def queue(*, places_max: int = 10, tenant_max: int = 8, lane_places: int = 4) -> FairQueue:
    """Return a small queue."""
    return FairQueue(places_max=places_max, tenant_max=tenant_max, lane_places=lane_places)


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
        subject.done(found)
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
    assert taken[0] is not None
    subject.done(taken[0])
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
    assert (subject.paused_for("crm", 4.9), subject.next_moment(), subject.waiting("crm")) == (
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


def test_a_short_pause_of_another_lane_hides_no_longer_one() -> None:
    """Each lane's own pause counts, whichever was the last."""
    subject = queue()
    subject.pause("crm", 9.0, "CIRCUIT_OPEN")
    subject.pause("mail", 5.0, "RATE_LIMITED_CONNECTOR")
    assert (subject.paused_for("crm", 8.0), subject.paused_for("mail", 8.0)) == ("CIRCUIT_OPEN", None)


def test_a_ticket_waits_for_its_time() -> None:
    """Deferred work comes out when it is due, not before, and the queue knows when."""
    subject = queue()
    put(subject, ticket("later", due=7.0))
    put(subject, ticket("now"))
    assert drain(subject) == ["now"]
    assert subject.next_moment() == 7.0
    assert drain(subject, 7.0) == ["later"]
    assert subject.next_moment() is None


def test_what_has_come_up_since_the_last_look_is_still_ahead() -> None:
    """Whoever asks late until when to sleep is told of a moment that has passed, not that there is nothing to do."""
    subject = queue()
    put(subject, ticket("late", due=7.0))
    subject.pause("mail", 7.5, "CIRCUIT_OPEN")
    assert (subject.take(6.9), subject.next_moment()) == (None, 7.0)
    subject.promote(7.1)
    assert subject.next_moment() == 7.5
    assert drain(subject, 7.1) == ["late"]


def test_what_is_put_back_is_first_in_its_line() -> None:
    """A refused intent keeps its place."""
    subject = queue()
    put(subject, ticket("first"))
    put(subject, ticket("second"))
    taken = subject.take(0.0)
    assert taken is not None
    subject.put_back(taken)
    subject.done(taken)
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
    lanes = subject._lanes.values()  # noqa: SLF001 - the bound
    assert (subject.waiting("crm"), sum(lane.waiting for lane in lanes) < 200) == (0, True)
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


def shared(**shares: Share) -> FairQueue:
    """Return a queue whose tenants have these shares."""
    return FairQueue(places_max=20_000, tenant_max=20_000, lane_places=20_000, shares=shares)


def test_tenants_share_by_weight() -> None:
    """A tenant of weight 3 gets three turns for each one of weight 1."""
    subject = shared(acme=Share(weight=3.0))
    for number in range(6):
        put(subject, ticket(f"a{number}", "acme"), ticket(f"g{number}", "globex"))
    assert drain(subject)[:8] == ["a0", "a1", "a2", "g0", "a3", "a4", "a5", "g1"]


def test_a_dear_ticket_is_paid_for_with_turns() -> None:
    """A ticket of cost 3 takes three turns of its tenant's; one that costs nothing takes one."""
    subject = queue(places_max=30, tenant_max=30)
    for number in range(4):
        put(
            subject,
            Ticket(f"a{number}", "acme", "crm", 0.0, cost=3),
            Ticket(f"g{number}", "globex", "crm", 0.0, cost=0),
        )
    assert drain(subject) == ["a0", "g0", "g1", "g2", "a1", "g3", "a2", "a3"]


def test_a_tenant_that_comes_back_at_once_does_not_go_before_the_others() -> None:
    """Whoever hands in one at a time, right after the last has left, stands behind all who wait."""
    subject = queue(places_max=30, tenant_max=30)
    for number in range(3):
        put(subject, ticket(f"g{number}", "globex"), ticket(f"i{number}", "initech"))
    taken = []
    for number in range(6):
        put(subject, ticket(f"a{number}", "acme"))
        found = subject.take(0.0)
        assert found is not None
        taken.append(found.tenant)
        subject.done(found)
    assert taken == ["globex", "initech", "acme", "globex", "initech", "acme"]


def test_within_a_tenant_the_more_important_goes_first() -> None:
    """Classes are in strict order for what comes at the same time; within one, first come is first served."""
    subject = queue()
    for number, priority in enumerate(("sheddable", "critical", "critical_plus", "sheddable_plus", "critical")):
        put(subject, Ticket(f"{priority} {number}", "acme", "crm", 0.0, priority=cast("Priority", priority)))
    assert drain(subject) == ["critical_plus 2", "critical 1", "critical 4", "sheddable_plus 3", "sheddable 0"]


def test_the_least_important_is_passed_for_a_bounded_time() -> None:
    """What comes three ageings later does not pass it any more, however important it is."""
    subject = queue()
    put(subject, Ticket("old", "acme", "crm", 0.0, priority="sheddable"))
    later = 3 * AGEING
    put(subject, Ticket("in time", "acme", "crm", later - 1.0, priority="critical_plus"), now=later - 1.0)
    put(subject, Ticket("too late", "acme", "crm", later + 1.0, priority="critical_plus"), now=later + 1.0)
    assert drain(subject, later + 1.0) == ["in time", "old", "too late"]


def test_a_paused_tenant_does_not_hold_up_the_others() -> None:
    """A refusal that speaks for one tenant pauses its line alone, and says why."""
    subject = queue()
    put(subject, ticket("a0", "acme"), ticket("g0", "globex"))
    subject.pause("crm", 5.0, "RATE_LIMITED_TENANT", tenant="acme")
    assert drain(subject) == ["g0"]
    assert subject.paused_for("crm", 0.0, tenant="acme") == "RATE_LIMITED_TENANT"
    assert subject.paused_for("crm", 0.0, tenant="globex") is subject.paused_for("crm", 0.0) is None
    assert subject.next_moment() == 5.0
    assert drain(subject, 5.0) == ["a0"]


def test_a_tenants_pause_ends_early_only_for_its_own_reason() -> None:
    """As for a lane; and a tenant that waits for nothing there has no pause to end."""
    subject = queue()
    put(subject, ticket("a0", "acme"))
    subject.pause("crm", 9.0, "CIRCUIT_OPEN", tenant="acme")
    assert drain(subject) == []
    subject.resume("crm", "RATE_LIMITED_TENANT", tenant="acme")
    subject.resume("crm", "CIRCUIT_OPEN", tenant="globex")
    assert drain(subject) == []
    subject.resume("crm", "CIRCUIT_OPEN", tenant="acme")
    assert drain(subject) == ["a0"]


def test_slots_bound_how_much_of_a_tenant_runs_at_once_in_a_lane() -> None:
    """The others use what it leaves; what ends makes room for its next."""
    subject = shared(acme=Share(slots=1))
    put(subject, ticket("a0"), ticket("a1"), ticket("g0", "globex"), ticket("m0", lane="mail"))
    taken = [found for _ in range(4) if (found := subject.take(0.0)) is not None]
    assert sorted(one.intent_id for one in taken) == ["a0", "g0", "m0"]
    subject.done(next(one for one in taken if one.intent_id == "a0"))
    assert drain(subject) == ["a1"]


def test_a_rate_bounds_a_tenant_over_all_lanes() -> None:
    """One second's worth goes at once; then it is so many a second, and the queue knows when."""
    subject = shared(acme=Share(rate=2.0))
    for number in range(4):
        put(subject, ticket(f"a{number}", lane=f"l{number}"))
    assert len(drain(subject)) == 2
    assert subject.next_moment() == pytest.approx(0.5)
    assert (len(drain(subject, 0.4)), len(drain(subject, 0.5)), len(drain(subject, 1.0))) == (0, 1, 1)


def test_what_did_not_leave_costs_its_tenant_nothing() -> None:
    """A ticket that is put back gives back the turn, the debt and the rate that it took."""
    subject = shared(acme=Share(rate=1.0))
    put(subject, Ticket("a0", "acme", "crm", 0.0, cost=9), ticket("g0", "globex"), ticket("g1", "globex"))
    taken = subject.take(0.0)
    assert taken is not None
    subject.put_back(taken)
    subject.done(taken)
    assert drain(subject) == ["g0", "a0", "g1"]


def test_law_10_what_is_sheddable_is_bounded_by_age() -> None:
    """What has been due for too long is offered to be ended, and never comes out; the others wait on."""
    subject = FairQueue(places_max=10, tenant_max=10, lane_places=1, age_max=60.0)
    for name, priority in (("a", "sheddable"), ("b", "sheddable_plus"), ("c", "critical")):
        put(subject, Ticket(name, "acme", "crm", 0.0, priority=cast("Priority", priority)))
    put(subject, Ticket("d", "acme", "crm", 30.0, priority="sheddable"), now=30.0)
    subject.release("b")
    subject.pause("crm", 99.0, "CIRCUIT_OPEN")
    assert subject.expired(60.0) == []
    assert [one.intent_id for one in subject.expired(61.0)] == ["a"]
    assert subject.expired(61.0) == []
    assert drain(subject, 99.0) == ["c", "d"]


def test_without_a_bound_of_age_nothing_expires() -> None:
    """A queue that names none keeps everything."""
    subject = queue()
    put(subject, Ticket("a", "acme", "crm", 0.0, priority="sheddable"))
    assert subject.expired(1e9) == []


def test_taking_looks_at_no_lane_that_may_not_go() -> None:
    """A thousand paused lanes, and a thousand full ones, are looked at once and not again."""
    subject = FairQueue(places_max=10_000, tenant_max=10_000, lane_places=1)
    for number in range(1_000):
        put(subject, Ticket(f"p{number}", "acme", f"paused {number}", 0.0, safe=False))
        subject.pause(f"paused {number}", 9.0, "CIRCUIT_OPEN")
        put(
            subject,
            Ticket(f"f{number}", "acme", f"full {number}", 0.0),
            Ticket(f"g{number}", "acme", f"full {number}", 0.0),
        )
    put(subject, *(Ticket(f"c{number}", "acme", "crm", 0.0, safe=False) for number in range(10)))
    while (found := subject.take(0.0)) is not None:
        if found.lane == "crm":
            subject.done(found)
    looked: list[str] = []

    def probing(lane: str) -> bool:
        looked.append(lane)
        return False

    put(subject, Ticket("last", "acme", "crm", 0.0, safe=False))
    taken = subject.take(0.0, probing)
    assert (taken and taken.intent_id, looked) == ("last", ["crm"])


def test_law_10_lines_of_tenants_that_have_gone_are_forgotten() -> None:
    """So many tenants come and go; a bounded number of idle lines is kept, and of rates."""
    subject = FairQueue(places_max=10, tenant_max=10, lane_places=2, share=Share(rate=1_000.0))
    for number in range(5_000):
        put(subject, ticket(f"i{number}", f"t{number}"), now=float(number))
        assert len(drain(subject, float(number))) == 1
        subject.release(f"i{number}")
    lines = [len(lane.lines) for lane in subject._lanes.values()]  # noqa: SLF001 - the bound
    rates = len(subject._paces._arrivals)  # noqa: SLF001 - the bound
    assert (lines, rates < 2_000) == ([LINES_KEPT], True)


def test_law_10_lines_of_tenants_that_could_not_leave_at_once_are_forgotten() -> None:
    """Whoever has to queue, and is then not accepted, leaves no line behind, also where nobody waits for long."""
    subject = FairQueue(places_max=10, tenant_max=10, lane_places=1)
    assert subject.take_at_once(ticket("first"), 0.0)
    for number in range(5_000):
        subject.reserve(f"i{number}", f"t{number}")
        assert not subject.take_at_once(ticket(f"i{number}", f"t{number}"), 0.0)
        subject.release(f"i{number}")
    assert [len(lane.lines) for lane in subject._lanes.values()] == [LINES_KEPT]  # noqa: SLF001 - the bound


def test_more_places_let_more_of_a_lane_run_at_once() -> None:
    """A lane that was full goes on as soon as it may have more."""
    subject = queue(lane_places=1)
    put(subject, ticket("c0"), ticket("c1"))
    assert [found.intent_id for _ in range(2) if (found := subject.take(0.0))] == ["c0"]
    subject.set_places("crm", 2)
    assert drain(subject) == ["c1"]


def test_a_safe_ticket_is_looked_for_among_a_bounded_number_of_lines() -> None:
    """While a dependency is not trusted, a search does not cost more the more wait."""
    subject = shared()
    for number in range(PROBES_LOOK_MAX):
        put(subject, Ticket(f"o{number}", f"t{number}", "crm", 0.0, safe=False))
    put(subject, Ticket("read", "last", "crm", 0.0))
    first = subject.take(0.0, lambda _lane: True)
    assert first is not None
    assert first.intent_id == "o0"


def test_nobody_asks_for_the_pause_of_a_lane_that_is_not_there() -> None:
    """A lane that has had nothing yet is not paused, and has nothing to resume."""
    subject = queue()
    subject.resume("crm", "CIRCUIT_OPEN")
    assert subject.paused_for("crm", 0.0, tenant="acme") is None
    assert subject.waiting("crm") == 0


@pytest.mark.parametrize("options", [{"weight": 0}, {"weight": 1e9}, {"slots": 0}, {"rate": 0.0}, {"slots": 1.5}])
def test_a_share_that_cannot_be_is_refused_at_birth(options: dict[str, float]) -> None:
    """Weights have bounds, so that no turn is endless; slots and rates let something go."""
    with pytest.raises(OptionError, match=next(iter(options))):
        Share(**cast("dict[str, Any]", options))


def test_lanes_take_turns() -> None:
    """What waits for one dependency does not wait behind all that waits for another."""
    subject = queue()
    put(subject, ticket("c0"), ticket("c1"), ticket("m0", lane="mail"), ticket("m1", lane="mail"))
    taken = [found.intent_id for _ in range(4) if (found := subject.take(0.0)) is not None]
    assert taken == ["c0", "m0", "c1", "m1"]


def test_a_debt_is_not_forgotten_by_handing_in_one_at_a_time() -> None:
    """A tenant whose line runs empty after a dear ticket owes it all the same while others wait."""
    subject = queue(places_max=30, tenant_max=30)
    put(subject, *(ticket(f"g{number}", "globex") for number in range(8)))
    taken = []
    put(subject, Ticket("a0", "acme", "crm", 0.0, cost=3))
    for number in range(1, 9):
        found = subject.take(0.0)
        assert found is not None
        taken.append(found.tenant)
        if found.tenant == "acme":
            put(subject, Ticket(f"a{number}", "acme", "crm", 0.0, cost=3))
        subject.done(found)
    assert taken == ["globex", "acme", "globex", "globex", "acme", "globex", "globex", "globex"]


def test_a_debt_is_forgotten_when_nobody_waits() -> None:
    """What took nothing from anybody is owed to nobody."""
    subject = queue()
    put(subject, Ticket("dear", "acme", "crm", 0.0, cost=50))
    assert drain(subject) == ["dear"]
    put(subject, ticket("a0"), ticket("g0", "globex"))
    assert drain(subject) == ["a0", "g0"]


def test_what_goes_first_as_a_probe_is_charged_as_any_other() -> None:
    """A tenant whose safe ticket went before its turn has had that turn, and its slot."""
    subject = shared()
    put(subject, *(Ticket(f"a{number}", "acme", "crm", 0.0) for number in range(2)))
    put(subject, *(Ticket(f"b{number}", "globex", "crm", 0.0, safe=False) for number in range(2)))
    first = subject.take(0.0, lambda _lane: True)
    assert first is not None
    assert [first.intent_id, *drain(subject)] == ["a0", "b0", "a1", "b1"]
    subject = shared(acme=Share(slots=1))
    put(subject, ticket("a0"), ticket("a1"), Ticket("b0", "globex", "crm", 0.0, safe=False))
    taken = [subject.take(0.0, lambda _lane: True) for _ in range(3)]
    assert [one.intent_id if one else None for one in taken] == ["a0", "b0", None]


def test_what_is_put_back_does_not_pass_what_is_more_important() -> None:
    """It keeps its place within its class, and its class."""
    subject = queue()
    put(subject, Ticket("report", "acme", "crm", 1_000.0, priority="sheddable"), now=1_000.0)
    taken = subject.take(1_000.0)
    assert taken is not None
    put(subject, ticket("order", due=1_000.0), now=1_000.0)
    subject.put_back(taken)
    subject.done(taken)
    assert drain(subject, 1_000.0) == ["order", "report"]


def test_what_expired_is_not_counted_among_what_waits() -> None:
    """Where only safe tickets are left, nobody need ask whether a dependency is trusted."""
    subject = FairQueue(places_max=10, tenant_max=10, lane_places=1, age_max=60.0)
    put(subject, Ticket("old", "acme", "crm", 0.0, safe=False, priority="sheddable"), ticket("read"))
    assert len(subject.expired(100.0)) == 1
    looked: list[str] = []

    def probing(lane: str) -> bool:
        looked.append(lane)
        return True

    taken = subject.take(100.0, probing)
    assert (taken and taken.intent_id, looked) == ("read", [])


def test_the_age_of_a_lane_is_that_of_the_first_of_a_line() -> None:
    """It counts from when a ticket was due, over all tenants; an empty lane has none."""
    subject = queue()
    assert subject.ages(9.0) == {}
    put(subject, ticket("i1", "acme", due=2.0), ticket("i2", "globex", due=1.0), ticket("i3", lane="mail"), now=3.0)
    put(subject, ticket("later", "acme", due=50.0), now=3.0)
    assert subject.ages(9.0) == {"crm": 8.0, "mail": 9.0}
    subject.release("i2")
    assert subject.ages(9.0) == {"crm": 7.0, "mail": 9.0}
    drain(subject, now=9.0)
    assert subject.ages(9.0) == {}


def test_a_lane_of_tickets_without_a_place_has_no_age() -> None:
    """What has ended does not grow old."""
    subject = queue()
    put(subject, ticket("i1"))
    subject.release("i1")
    assert subject.ages(9.0) == {}
    assert subject.places_max == 10
