"""The bulkhead's machine: places, one first-in first-out queue, expiry, advice."""

from dataclasses import dataclass
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.core.outcome import Verdict
from switchgear.policies.bulkhead import Bulkhead, BulkheadMachine
from switchgear.policies.places import Priority


@dataclass(eq=False)
class Somebody:
    """A waiter that gives up at `expires_at`."""

    expires_at: float = 100.0
    enqueued_at: float = 0.0
    priority: Priority = "critical"
    tenant: str | None = None


def take(bulkhead: BulkheadMachine[Somebody]) -> bool:
    """Ask for a place. Return whether it was given."""
    return bulkhead.admit(0.0, "critical", None, 0.0) is None


def stand(bulkhead: BulkheadMachine[Somebody], waiter: Somebody) -> bool:
    """Let a waiter stand in the queue. Return whether it may; nobody is ever pushed out."""
    stands, pushed_out = bulkhead.enqueue(waiter, 0.0)
    assert pushed_out is None
    return stands


def full(limit: int, queue: int) -> BulkheadMachine[Somebody]:
    """Return a bulkhead with every place taken."""
    bulkhead: BulkheadMachine[Somebody] = BulkheadMachine(Bulkhead(limit, queue=queue))
    while take(bulkhead):
        pass
    return bulkhead


def test_no_more_than_the_limit() -> None:
    """Exactly `limit` places can be taken."""
    assert full(3, 0).taken == 3


def test_places_pass_to_waiters_in_order() -> None:
    """A freed place goes to who waits longest; a newcomer cannot take it by the side."""
    bulkhead = full(1, 2)
    first, second, third = Somebody(), Somebody(), Somebody()
    assert [stand(bulkhead, waiter) for waiter in (first, second, third)] == [True, True, False]
    assert bulkhead.refund(0.0) == (first,)
    assert not take(bulkhead)
    assert bulkhead.refund(0.0) == (second,)
    assert bulkhead.refund(0.0) == ()
    assert bulkhead.taken == 0


def test_expired_waiters_are_dropped_before_work() -> None:
    """A place never goes to a waiter whose time is over."""
    bulkhead = full(1, 3)
    late, alive = Somebody(expires_at=5.0), Somebody(expires_at=6.0)
    stand(bulkhead, late)
    stand(bulkhead, alive)
    assert bulkhead.refund(5.0) == (alive,)
    assert bulkhead.waiting == 0


def test_who_leaves_the_queue_makes_room() -> None:
    """Leaving frees the place in the queue; leaving twice is harmless."""
    bulkhead = full(1, 1)
    waiter = Somebody()
    stand(bulkhead, waiter)
    assert bulkhead.leave(waiter)
    assert not bulkhead.leave(waiter)
    assert stand(bulkhead, Somebody())


def test_a_full_queue_answers_with_advice() -> None:
    """The refusal has a code and a retry_after that grows with the queue and the pace of recent calls."""
    bulkhead = full(2, 4)
    for _ in range(200):
        bulkhead.release(0.0, 3.0, Verdict.SUCCESS)
        take(bulkhead)
    stand(bulkhead, Somebody())
    refusal = bulkhead.refusal()
    assert refusal.code is Code.BULKHEAD_FULL
    assert refusal.retry_after == pytest.approx(3.0 * 2 / 2, rel=0.01)
    assert bulkhead.refusal(Code.QUEUE_EXPIRED).code is Code.QUEUE_EXPIRED


@pytest.mark.parametrize(
    ("limit", "options"),
    [(0, {}), (1.5, {}), (True, {}), (1, {"queue": -1}), (1, {"max_wait": 0}), (1, {"max_wait": None})],
)
def test_options_that_cannot_work_are_refused_at_birth(limit: int, options: dict[str, Any]) -> None:
    """Options are validated at birth, and every wait is bounded."""
    with pytest.raises(OptionError, match="Bulkhead"):
        Bulkhead(limit, **options)
