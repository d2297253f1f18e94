"""The quick refusal of an open breaker: when a dependency is down, there is no time to lose."""

from __future__ import annotations

from typing import Any

from switchgear.core.errors import CircuitOpen
from switchgear.guard.member import Member
from switchgear.policies.breaker import OpenPhase

_new: Any = Exception.__new__


def refuse_if_open(member: Member, now: float) -> CircuitOpen | None:
    """Return the error for a call that meets an open breaker while nobody listens; else None: ask the member then.

    What `Member.refuse` does, quickly: an open breaker is when there is no time to lose. Takes no mutex, since an open
    phase changes nothing but the count of what it blocked, and that is one straight section.
    """
    breaker = member.breaker
    if breaker is None or breaker.phase.__class__ is not OpenPhase:
        return None
    if member.plan.meter.listeners or not member.plan.refuses_at_once:  # the plan of now, whatever the driver's
        return None
    phase: Any = breaker.phase
    wait: float = phase.until - now
    if wait <= 0.0:
        return None
    phase.blocked += 1
    error: CircuitOpen = _new(CircuitOpen)
    error.dependency = member.plan.name if member.key is None else member.label
    error.retry_after = wait
    return error
