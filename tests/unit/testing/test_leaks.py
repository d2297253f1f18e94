"""What can be seen of a guard from outside."""

from __future__ import annotations

import pytest

from switchgear import Bulkhead, Guard, RateLimit
from switchgear.testing import VirtualClock, assert_idle, capacity_of


def test_capacity_is_what_is_let_in_at_once_and_measuring_takes_nothing() -> None:
    """The tightest policy decides, and every permit is refunded."""
    guard = Guard("api", bulkhead=Bulkhead(5), rate_limit=RateLimit(3), clock=VirtualClock())
    assert (capacity_of(guard), capacity_of(guard)) == (3, 3)
    held = guard.permit_nowait()
    assert capacity_of(guard) == 2
    held.refund()
    assert_idle(guard)


def test_counting_ends_somewhere() -> None:
    """A guard without a limit is not asked for ever."""
    assert capacity_of(Guard("api")) == 100
    assert capacity_of(Guard("api"), most=7) == 7


def test_a_held_place_is_named() -> None:
    """The error says which guard, and how many."""
    guard = Guard("crm", bulkhead=Bulkhead(5))
    held = guard.permit_nowait()
    with pytest.raises(AssertionError, match="crm: 1 places are still held"):
        assert_idle(guard)
    held.succeed()
    assert_idle(guard)
