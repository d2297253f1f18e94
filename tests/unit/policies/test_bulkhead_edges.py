"""Bulkhead and refusals at their edges: estimates, the end of a wait, other options."""

from collections.abc import Hashable
from dataclasses import dataclass
from math import inf

import pytest

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.bulkhead import Bulkhead, BulkheadMachine
from switchgear.policies.places import MEMORY, PRIORITIES, Priority
from switchgear.policies.refusal import Refusal


@dataclass(eq=False)
class Waiting(Hashable):
    """Somebody in the queue."""

    expires_at: float = inf
    enqueued_at: float = 0.0
    priority: Priority = "critical"
    tenant: str | None = None

    __hash__ = object.__hash__


def machine_of(limit: int, queue: int = 0, *, taken: int = 0) -> BulkheadMachine[Waiting]:
    """Return a bulkhead in which so many calls are in flight."""
    machine: BulkheadMachine[Waiting] = BulkheadMachine(Bulkhead(limit, queue=queue))
    for _ in range(taken):
        assert machine.admit(0.0, "critical", None, 0.0) is None
    return machine


def test_there_are_four_classes_of_calls() -> None:
    """Highest first; the words stand in calls and configurations."""
    assert PRIORITIES == ("critical_plus", "critical", "sheddable_plus", "sheddable")


def test_a_refusal_says_all_of_it_in_a_line() -> None:
    """For logs and for whoever looks at a failed test."""
    refusal = Refusal("bulkhead", Code.BULKHEAD_FULL, "full", 0.5)
    assert repr(refusal) == "<Refusal BULKHEAD_FULL full retry_after=0.5>"
    assert (refusal.decision, refusal.reason) == ("defer", "")
    assert not hasattr(refusal, "__dict__")


def test_the_first_refusal_guesses_a_second_a_call() -> None:
    """One second by the number of places, for each in the queue and oneself."""
    machine = machine_of(4, queue=2, taken=4)
    refusal = machine.admit(0.0, "critical", None, 0.0)
    assert refusal is not None
    assert (refusal.policy, refusal.code, refusal.state) == ("bulkhead", Code.BULKHEAD_FULL, "full")
    assert (refusal.retry_after, refusal.decision, refusal.reason) == (0.25, "defer", "")
    assert machine.queues(refusal) is True
    machine.enqueue(Waiting(), 0.0)
    machine.enqueue(Waiting(), 0.0)
    assert machine.refusal().retry_after == 0.75
    assert machine.refusal(Code.QUEUE_EXPIRED).code is Code.QUEUE_EXPIRED


def test_each_finished_call_moves_the_estimate_by_a_tenth() -> None:
    """A call whose duration nobody knows, and one that was refunded, move nothing."""
    assert MEMORY == 0.1
    machine = machine_of(1, taken=1)
    assert machine.mean_seconds == 1.0
    machine.record(0.0, 11.0, Verdict.SUCCESS)
    assert machine.mean_seconds == pytest.approx(2.0)
    machine.record(0.0, inf, Verdict.FAILURE)
    assert machine.mean_seconds == pytest.approx(2.0)
    assert machine.release(0.0, 2.0, Verdict.SUCCESS) == ()
    assert machine.mean_seconds == pytest.approx(2.0)
    assert machine.taken == 0


def test_nobody_waits_where_there_is_no_queue() -> None:
    """And the queue is as long as it says, and no longer."""
    assert machine_of(1, taken=1).enqueue(Waiting(), 0.0) == (False, None)
    machine = machine_of(1, queue=1, taken=1)
    assert machine.waiting == 0
    assert machine.enqueue(Waiting(), 0.0) == (True, None)
    assert machine.enqueue(Waiting(), 0.0) == (False, None)
    assert machine.waiting == 1


def test_who_left_the_queue_is_not_in_it() -> None:
    """Leaving twice, or without having come, is answered with False."""
    machine = machine_of(1, queue=2, taken=1)
    waiter = Waiting()
    assert machine.leave(waiter) is False
    machine.enqueue(waiter, 0.0)
    assert machine.leave(waiter) is True
    assert machine.leave(waiter) is False
    assert machine.release(0.0, 1.0, Verdict.SUCCESS) == ()


def test_a_place_passes_to_the_first_whose_time_is_not_over() -> None:
    """At `expires_at` the time is over; the others keep their order; the place stays taken."""
    machine = machine_of(1, queue=3, taken=1)
    over, first, second = Waiting(expires_at=5.0), Waiting(expires_at=5.1), Waiting()
    for waiter in (over, first, second):
        machine.enqueue(waiter, 0.0)
    assert machine.release(5.0, 1.0, Verdict.SUCCESS) == (first,)
    assert (machine.taken, machine.waiting) == (1, 1)
    assert machine.refund(5.0) == (second,)
    assert (machine.taken, machine.waiting) == (1, 0)


def test_other_options_act_at_once() -> None:
    """More places are passed on by `grant`; with fewer, those who run go on and nobody comes in."""
    machine = machine_of(2, queue=3, taken=2)
    waiters = [Waiting(), Waiting(), Waiting()]
    for waiter in waiters:
        machine.enqueue(waiter, 0.0)
    machine.reconfigure(Bulkhead(4, queue=3))
    assert machine.grant(0.0) == tuple(waiters[:2])
    assert (machine.taken, machine.waiting) == (4, 1)
    machine.reconfigure(Bulkhead(1, queue=0))
    assert machine.grant(0.0) == ()
    assert machine.release(0.0, 1.0, Verdict.SUCCESS) == ()
    assert machine.admit(0.0, "critical", None, 0.0) is not None
    assert machine.enqueue(Waiting(), 0.0) == (False, None)
    assert (machine.taken, machine.waiting) == (3, 1)


def test_clean_means_that_nobody_is_in_or_waits() -> None:
    """A bulkhead in use is not forgotten, and neither is one whose queue is."""
    assert machine_of(1).is_clean(0.0) is True
    assert machine_of(1, taken=1).is_clean(0.0) is False
    waited = machine_of(1, queue=1)
    waited.enqueue(Waiting(), 0.0)
    assert waited.is_clean(0.0) is False
