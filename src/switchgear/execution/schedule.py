"""When a submission wants to start, and how important it is: checked before anything is recorded. Pure."""

from __future__ import annotations

from switchgear.core.errors import Invalid
from switchgear.policies.places import PRIORITIES

_SECONDS_MAX = 1e11
"""A moment beyond is no moment: milliseconds, or a mistake."""


def check_number(name: str, value: object, *, policy: str) -> None:
    """Raise `Invalid` when `value` is neither None nor a number: code may hand over anything, and True is none."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise Invalid(f"{name} is a number of seconds, not {type(value).__name__}", policy=policy)


def checked_start(not_before: float | None, delay: float | None, now: float, lifetime: float) -> float | None:
    """Return the second since the epoch before which an action does not leave; None when it may at once.

    It is either named as such, or as a `delay` from now, at least 0. Raises `Invalid` for both together, for what is
    no such number, and for a start at which the action's `lifetime`, seconds from now, would be over.
    """
    if not_before is None and delay is None:
        return None
    if not_before is not None and delay is not None:
        raise Invalid("give not_before or delay, not both", policy="schedule")
    for name, value in (("not_before", not_before), ("delay", delay)):
        check_number(name, value, policy="schedule")
        if value is not None and not 0 <= value < _SECONDS_MAX:
            raise Invalid(f"{name} is seconds, at least 0 and below {_SECONDS_MAX:.0f}", policy="schedule")
    start = now + delay if delay is not None else not_before
    if start is not None and start >= now + lifetime:
        raise Invalid(
            f"it would start after its deadline, which is {lifetime:g} seconds from now; give a later deadline",
            policy="schedule",
        )
    return start


def checked_priority(priority: str | None) -> None:
    """Raise `Invalid` when there is no such class."""
    if priority is not None and priority not in PRIORITIES:
        raise Invalid(
            f"there is no priority {str(priority)[:50]!r}; write one of {', '.join(PRIORITIES)}", policy="queue"
        )
