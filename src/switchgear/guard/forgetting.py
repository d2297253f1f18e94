"""Whether a keyed member would be missed: what has to be clean before its key makes room for another.

Which key is looked at, and when, is not decided here: see `switchgear.guard.keys`.
"""

from __future__ import annotations

from switchgear.guard.member import Member


def retire(member: Member, now: float) -> bool:
    """Let no more calls in if a fresh member would behave the same: closed, idle, clean, its bucket drained."""
    with member.mutex, member:
        member.retired = not _is_busy(member) and _is_clean(member, now)
        return member.retired


def _is_busy(member: Member) -> bool:
    """Return whether calls, waiters or events are under way."""
    tally = member.counted
    if tally is not None and (tally.abandoned or (tally.outbox is not None and tally.outbox.is_busy)):
        return True
    return bool(member.holding or (member.places is not None and member.places.waiting))


def _is_clean(member: Member, now: float) -> bool:
    """Return whether every machine stands as a fresh one would."""
    limiter, places, tally, breaker = member.limiter, member.places, member.counted, member.breaker
    if (limiter is not None and not limiter.is_clean(now)) or (places is not None and not places.is_clean(now)):
        return False
    if tally is not None and tally.budget is not None and not tally.budget.is_clean(now):
        return False
    return breaker is None or breaker.is_clean(now)
