"""When a submission wants to start: what is no such number is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from switchgear.core.errors import Invalid
from switchgear.execution.schedule import check_number, checked_start


@pytest.mark.parametrize("value", ["3", True, [3], 3j])
def test_what_is_no_number_of_seconds_is_refused_by_its_name(value: object) -> None:
    """Code may hand over anything: the refusal says which option it was, and what came."""
    for name in ("delay", "not_before"):
        given: dict[str, Any] = {"delay": None, "not_before": None, name: value}
        with pytest.raises(Invalid, match=f"{name} is a number of seconds, not {type(value).__name__}"):
            checked_start(**given, now=1_000.0, lifetime=60.0)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 10**400])
def test_a_number_that_is_no_moment_is_refused(value: float) -> None:
    """Below 0, no number, or beyond all time, whatever its size."""
    with pytest.raises(Invalid, match="at least 0"):
        checked_start(None, value, now=1_000.0, lifetime=60.0)


@pytest.mark.parametrize("value", [None, 0, 3, 3.5])
def test_numbers_and_none_pass(value: float | None) -> None:
    """None is what was not said."""
    check_number("delay", value, policy="schedule")
