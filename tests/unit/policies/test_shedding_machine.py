"""The shedding machine as a table: places by class, the queue, its age, refusals, and new options."""

from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.places import PRIORITIES, Places, Priority
from switchgear.policies.shedding import Shedding, SheddingMachine

DRAW = 0.5


@dataclass(eq=False)
class Somebody:
    """A waiter."""

    priority: Priority = "critical"
    tenant: str | None = None
    expires_at: float = 1_000.0
    enqueued_at: float = 0.0


def machine(limit: int = 20, **options: Any) -> SheddingMachine[Somebody]:
    """Return a machine with a fixed limit."""
    return SheddingMachine(Shedding(minimum=limit, maximum=limit, **options))


def full(limit: int = 1, **options: Any) -> SheddingMachine[Somebody]:
    """Return a machine with a fixed limit, every place taken and a queue."""
    made = machine(limit, **{"queue": 8, **options})
    while made.admit(0.0, "critical_plus", None, DRAW) is None:
        pass
    return made


def queue(made: SheddingMachine[Somebody], *waiters: Somebody) -> list[Somebody]:
    """Let all of them stand in the queue, and return them."""
    for waiter in waiters:
        assert made.enqueue(waiter, 0.0) == (True, None)
    return list(waiters)


def served(made: SheddingMachine[Somebody], now: float = 0.0) -> list[Somebody]:
    """End call after call until nobody waits, and return who got the places, in order."""
    order: list[Somebody] = []
    while made.waiting:
        order += made.release(now, inf, Verdict.SUCCESS)
    return order


# -- Places ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "places"),
    [(20, (20, 19, 16, 12)), (100, (100, 95, 80, 60)), (5, (5, 4, 4, 3)), (1, (1, 1, 1, 1)), (2, (2, 1, 1, 1))],
)
def test_each_class_may_use_its_share_of_the_limit(limit: int, places: tuple[int, ...]) -> None:
    """A call gets a place while fewer than its class's share of the limit are taken, and one place at least."""
    for priority, count in zip(PRIORITIES, places, strict=True):
        made = machine(limit)
        while made.admit(0.0, priority, None, DRAW) is None:
            pass
        assert made.taken == count


def test_a_lower_class_leaves_room_for_a_higher_one() -> None:
    """When the sheddable calls have used up their share, critical ones still find places; not the other way round."""
    made = machine(20)
    while made.admit(0.0, "sheddable", None, DRAW) is None:
        pass
    assert made.admit(0.0, "critical", None, DRAW) is None
    assert made.admit(0.0, "sheddable", None, DRAW) is not None


def test_no_place_and_no_queue_is_overload() -> None:
    """Without a queue the answer comes at once, with code, state, decision and an estimate."""
    made = full(4, queue=0)
    refusal = made.admit(0.0, "critical", None, DRAW)
    assert refusal is not None
    assert (refusal.policy, refusal.code, refusal.state) == ("shedding", Code.SHED_OVERLOAD, "overloaded")
    assert (refusal.decision, refusal.retry_after) == ("defer", 1.0 / 4)
    assert not made.queues(refusal)
    assert made.taken == 4


def test_a_refund_gives_the_place_to_who_waits() -> None:
    """A call that never left passes its place on, and tells nothing."""
    made = full(1)
    (waiter,) = queue(made, Somebody())
    assert made.refund(0.0) == [waiter]
    assert made.taken == 1
    assert made.refund(0.0) == []
    assert made.taken == 0


def test_the_machine_has_the_shape_that_a_guard_expects() -> None:
    """Shedding stands where a bulkhead would."""
    places: Places[Somebody] = machine()
    assert places.waiting == 0


# -- The queue ---------------------------------------------------------------------------------------------------


def test_classes_are_served_in_strict_order() -> None:
    """A lower class gets nothing while a higher one waits; inside a class the first comes first."""
    made = full(1)
    low, middle, plus, top, second = queue(
        made,
        Somebody("sheddable"),
        Somebody("sheddable_plus"),
        Somebody("critical"),
        Somebody("critical_plus"),
        Somebody("critical"),
    )
    assert served(made) == [top, plus, second, middle, low]


def test_tenants_of_a_class_take_turns() -> None:
    """A tenant with many calls in the queue does not keep out one with a single call."""
    made = full(1)
    a1, a2, a3, b1, nobody = queue(
        made, *(Somebody(tenant="a") for _ in range(3)), Somebody(tenant="b"), Somebody(tenant=None)
    )
    assert served(made) == [a1, b1, nobody, a2, a3]


def test_a_tenant_is_served_by_its_weight() -> None:
    """Weight 2 is served twice for each time that weight 1 is, and one and a half adds up over two turns."""
    made = full(1, queue=16, weights={"a": 2, "b": 1.5})
    queue(made, *(Somebody(tenant=tenant) for tenant in "aaaaaabbbbbcccc"))
    assert "".join(waiter.tenant or "" for waiter in served(made)) == "aabcaabbcaabcbc"


def test_who_leaves_loses_the_turn() -> None:
    """Leaving twice is harmless; what is left of a turn is not kept for later."""
    made = full(1, weights={"a": 5})
    a1, a2, b1, b2 = queue(made, *(Somebody(tenant=tenant) for tenant in "aabb"))
    assert made.refund(0.0) == [a1]
    assert made.leave(a2)
    assert not made.leave(a2)
    queue(made, again := Somebody(tenant="a"))
    assert served(made) == [b1, again, b2]


def test_leaving_without_a_queue_is_harmless() -> None:
    """Nobody stands in a queue that was never used."""
    assert not machine().leave(Somebody())


def test_expired_waiters_are_dropped_before_work() -> None:
    """A place never goes to a waiter whose time is over, and its tenant is not charged."""
    made = full(1)
    late, alive, other = queue(
        made, Somebody(tenant="a", expires_at=5.0), Somebody(tenant="a", expires_at=6.0), Somebody(tenant="b")
    )
    assert made.release(5.0, inf, Verdict.SUCCESS) == [alive]
    assert not made.leave(late)
    assert served(made) == [other]


def test_a_waiter_stays_while_its_class_has_no_room() -> None:
    """A place that is kept for higher classes stays free, and passes to the next call of one at once."""
    made = full(20)
    (waiter,) = queue(made, Somebody("sheddable", expires_at=9.0))
    for taken in range(19, 11, -1):
        assert made.release(0.0, inf, Verdict.SUCCESS) == []
        assert made.taken == taken
    assert made.admit(0.0, "critical_plus", None, DRAW) is None
    assert made.release(0.0, inf, Verdict.SUCCESS) == []
    assert made.release(0.0, inf, Verdict.SUCCESS) == [waiter]


def test_a_full_queue_refuses_its_own_kind() -> None:
    """The answer is QUEUE_FULL, at once, and with the wait that the queue ahead means."""
    made = full(2, queue=3)
    queue(made, *(Somebody() for _ in range(3)))
    assert made.enqueue(Somebody(), 0.0) == (False, None)
    refusal = made.admit(0.0, "critical", None, DRAW)
    assert refusal is not None
    assert (refusal.code, refusal.state, refusal.retry_after) == (Code.QUEUE_FULL, "full", 1.0 / 2 * 4)
    assert not made.queues(refusal)


def test_a_higher_class_pushes_out_the_newest_of_the_lowest() -> None:
    """The one that has waited least, of the class that matters least, has to go."""
    made = full(1, queue=3)
    old, new, middle = queue(made, Somebody("sheddable"), Somebody("sheddable"), Somebody("sheddable_plus"))
    refusal = made.admit(0.0, "critical", None, DRAW)
    assert refusal is not None
    assert made.queues(refusal)
    assert made.enqueue(first := Somebody("critical"), 0.0) == (True, new)
    assert made.enqueue(second := Somebody("critical"), 0.0) == (True, old)
    assert made.enqueue(third := Somebody("critical"), 0.0) == (True, middle)
    assert made.enqueue(Somebody("critical"), 0.0) == (False, None)
    assert not made.leave(new)
    assert served(made) == [first, second, third]


def test_a_lower_class_pushes_nobody_out() -> None:
    """A full queue of higher classes refuses it."""
    made = full(1, queue=1)
    queue(made, Somebody("sheddable_plus"))
    assert made.enqueue(Somebody("sheddable"), 0.0) == (False, None)
    assert made.enqueue(Somebody("sheddable_plus"), 0.0) == (False, None)


# -- The age of the queue ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("priority", "kept"), [("sheddable", False), ("sheddable_plus", False), ("critical", True)])
def test_a_sheddable_waiter_that_is_too_old_is_given_up(priority: Priority, *, kept: bool) -> None:
    """At its turn it is dropped, even when it would wait longer; calls that are not sheddable keep theirs."""
    made = full(1, queue_age=2.0)
    (waiter,) = queue(made, Somebody(priority))
    assert made.release(2.1, inf, Verdict.SUCCESS) == ([waiter] if kept else [])
    assert made.waiting == 0


def test_a_waiter_as_old_as_allowed_gets_its_place() -> None:
    """Only strictly older ones are given up."""
    made = full(1, queue_age=2.0)
    (waiter,) = queue(made, Somebody("sheddable"))
    assert made.release(2.0, inf, Verdict.SUCCESS) == [waiter]


@pytest.mark.parametrize(
    ("waiting", "arriving", "refused"),
    [
        ("critical", "critical", True),
        ("critical", "sheddable", True),
        ("critical_plus", "critical", True),
        ("critical", "critical_plus", False),
        ("sheddable", "critical", False),
    ],
)
def test_arrivals_behind_an_old_waiter_are_refused(waiting: Priority, arriving: Priority, *, refused: bool) -> None:
    """While a waiter of its class or above is too old, an arrival would only wait in vain."""
    made = full(1, queue_age=2.0)
    queue(made, Somebody(waiting), Somebody(waiting, enqueued_at=2.0))
    young = made.admit(2.0, arriving, None, DRAW)
    old = made.admit(2.1, arriving, None, DRAW)
    assert young is not None
    assert young.state == "overloaded"
    assert old is not None
    assert (old.code, old.state) == (Code.SHED_OVERLOAD, "stale" if refused else "overloaded")
    assert made.queues(old) != refused
    assert made.enqueue(Somebody(arriving), 2.1) == (not refused, None)


def test_without_a_queue_age_nobody_is_too_old() -> None:
    """The default bound is that of the wait."""
    made = full(1)
    (waiter,) = queue(made, Somebody("sheddable"))
    assert made.enqueue(Somebody("sheddable"), 900.0) == (True, None)
    assert made.release(900.0, inf, Verdict.SUCCESS) == [waiter]


# -- Limit and throttle in the machine ---------------------------------------------------------------------------


def test_a_limit_that_has_grown_lets_several_in() -> None:
    """One call ends, and as many waiters get places as the new limit has."""
    made: SheddingMachine[Somebody] = SheddingMachine(Shedding(initial=10, smoothing=1.0, headroom=4.0, queue=20))
    while made.admit(0.0, "critical_plus", None, DRAW) is None:
        pass
    waiters = queue(made, *(Somebody("critical_plus") for _ in range(20)))
    granted = [made.release(now, 1.0, Verdict.SUCCESS) for now in (0.5,) * 9 + (2.0,)]
    assert [len(some) for some in granted] == [1] * 9 + [5]
    assert [waiter for some in granted for waiter in some] == waiters[:14]
    assert (made.limit, made.taken) == (14, 14)


def test_a_refused_class_proves_demand() -> None:
    """A class with a small share moves the limit too, though it never takes half of it."""
    made: SheddingMachine[Somebody] = SheddingMachine(Shedding(shares={"sheddable": 0.2}, smoothing=1.0))
    while made.admit(0.0, "sheddable", None, DRAW) is None:
        pass
    for now in (0.5,) * 9 + (2.0,):
        made.record(now, 1.0, Verdict.SUCCESS)
    assert (made.limit, made.taken) == (24, 4)


def test_an_abandoned_call_tells_its_outcome_and_keeps_its_place() -> None:
    """A timeout lowers the limit at once; the place is free when the call has ended."""
    made: SheddingMachine[Somebody] = SheddingMachine(Shedding(initial=20, smoothing=1.0))
    while made.admit(0.0, "critical_plus", None, DRAW) is None:
        pass
    for now in (0.5,) * 9 + (2.0,):
        made.record(now, inf, Verdict.FAILURE)
    assert (made.limit, made.taken) == (14, 20)
    made.refund(2.0)
    assert (made.limit, made.taken) == (14, 19)


def test_throttled_calls_are_refused_for_good() -> None:
    """They hold no place, may not queue, and are told when the figures will have changed."""
    made = machine(20, throttle=2.0, queue=5)
    assert made.admit(0.0, "critical", None, 0.0) is None
    made.release(0.0, 1.0, Verdict.FAILURE)
    refusal = made.admit(0.0, "critical", None, 0.0)
    assert refusal is not None
    assert (refusal.code, refusal.state, refusal.retry_after) == (Code.SHED_OVERLOAD, "throttled", 10.0)
    assert not made.queues(refusal)
    assert made.taken == 0
    assert made.admit(0.0, "critical", None, 0.9) is None


def test_the_advice_follows_the_pace_of_calls() -> None:
    """`retry_after` is what the queue ahead takes at recent pace; nonsense durations do not touch it."""
    made = full(2)
    for duration in (inf, float("nan"), -1.0):
        made.record(0.0, duration, Verdict.SUCCESS)
    assert made.refusal(Code.QUEUE_EXPIRED).retry_after == 1.0 / 2
    made.record(0.0, 3.0, Verdict.SUCCESS)
    assert made.refusal(Code.QUEUE_EXPIRED).retry_after == pytest.approx(1.2 / 2)
    for _ in range(200):
        made.record(0.0, 3.0, Verdict.SUCCESS)
    queue(made, Somebody())
    refusal = made.refusal(Code.QUEUE_EXPIRED)
    assert refusal.retry_after == pytest.approx(3.0 / 2 * 2, rel=0.01)
    assert (refusal.code, refusal.state, refusal.decision) == (Code.QUEUE_EXPIRED, "stale", "defer")
    assert made.refusal().state == "overloaded"


# -- Clean, and new options --------------------------------------------------------------------------------------


def test_it_is_clean_when_forgetting_it_is_safe() -> None:
    """Nobody in, nobody waiting, the limit not below its start, nothing throttled; or nothing heard for long."""
    made: SheddingMachine[Somebody] = SheddingMachine(Shedding(throttle=2.0, queue=2, smoothing=1.0))
    assert made.is_clean(0.0)
    made.admit(0.0, "critical", None, DRAW)
    assert not made.is_clean(0.0)
    made.release(0.0, 1.0, Verdict.FAILURE)
    assert not made.is_clean(0.0)
    assert made.is_clean(120.0)
    queue(made, waiter := Somebody())
    assert not made.is_clean(120.0)
    made.leave(waiter)
    while made.admit(120.0, "critical_plus", None, DRAW) is None:
        pass
    for now in (121.0,) * 19 + (123.0,):
        made.release(now, inf, Verdict.FAILURE)
    assert (made.taken, made.limit) == (0, 14)
    assert not made.is_clean(182.0)
    assert made.is_clean(183.0)


def test_it_is_clean_without_a_throttle() -> None:
    """A throttle that is switched off holds nothing back."""
    assert machine().is_clean(0.0)


def test_new_options_apply_to_who_runs_and_who_waits() -> None:
    """Running calls keep running, waiters keep waiting, and `grant` passes on the places that are new."""
    made = full(2, queue=4)
    waiters = queue(made, *(Somebody("critical_plus", tenant) for tenant in "aabb"))
    made.reconfigure(Shedding(minimum=4, maximum=4, queue=1, weights={"a": 2}))
    assert (made.limit, made.taken, made.waiting) == (4, 2, 4)
    assert made.enqueue(Somebody("critical_plus"), 0.0) == (False, None)
    assert made.grant(0.0) == waiters[:2]
    assert made.enqueue(Somebody("critical_plus"), 0.0) == (False, None)
    made.reconfigure(Shedding(minimum=1, maximum=1, queue=3))
    assert made.enqueue(late := Somebody("critical_plus"), 0.0) == (True, None)
    assert made.leave(late)
    assert made.refund(0.0) == []
    assert (made.taken, made.waiting) == (3, 2)
    assert made.refusal().retry_after == 1.0 * 3


@pytest.mark.parametrize(("before", "after", "kept"), [(2.0, 1.5, True), (None, 2.0, False), (2.0, None, False)])
def test_new_options_keep_the_figures_of_the_throttle(before: float | None, after: float | None, *, kept: bool) -> None:
    """Another K goes by what was counted; a throttle that comes new has counted nothing."""
    made = machine(20, throttle=before)
    made.admit(0.0, "critical", None, DRAW)
    made.release(0.0, 1.0, Verdict.FAILURE)
    made.reconfigure(Shedding(minimum=20, maximum=20, throttle=after))
    assert (made.admit(0.0, "critical", None, 0.0) is not None) == kept


def test_granting_without_a_queue_grants_nothing() -> None:
    """Nobody waits where nobody ever did."""
    assert machine().grant(0.0) == []
