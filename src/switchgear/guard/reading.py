"""Reads how a member stands, as a frozen record. Changes nothing and takes no probe."""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.guard.member import Member
from switchgear.guard.meter import Statistics
from switchgear.guard.tally import Tally
from switchgear.policies.breaker import BreakerState

_NOTHING = Tally()


def state_of(member: Member) -> BreakerState:
    """Return the breaker's state as the next call would meet it, "closed" without one."""
    with member.mutex, member:
        breaker = member.breaker
        if breaker is None:
            return _asleep(member)
        return breaker.state(member.plan.monotonic())


def statistics_of(member: Member) -> Statistics:
    """Return how `member` stands."""
    plan = member.plan
    now = plan.monotonic()
    with member.mutex, member:
        breaker, places = member.breaker, member.places
        tally = member.counted or _NOTHING
        refused = dict(tally.refused)
        if breaker is not None and breaker.blocked:
            refused[Code.CIRCUIT_OPEN] = refused.get(Code.CIRCUIT_OPEN, 0) + breaker.blocked
        failure_rate, slow_rate = (None, None) if breaker is None else breaker.shares(now)
        return Statistics(
            name=plan.name,
            key=member.key,
            calls=member.entered,
            successes=member.successes,
            failures=tally.failures,
            ignored=tally.ignored,
            refused=refused,
            retries=tally.retries,
            slow=tally.slow,
            timeouts=tally.timeouts,
            in_flight=member.holding + tally.abandoned,
            waiting=0 if places is None else places.waiting,
            abandoned=tally.abandoned,
            abandoned_total=tally.abandoned_total,
            state=_asleep(member) if breaker is None else breaker.state(now),
            retry_after=0.0 if breaker is None else breaker.retry_after(now),
            failure_rate=failure_rate,
            slow_rate=slow_rate,
            circuit_breaker_opened=0 if breaker is None else breaker.opened,
            circuit_breaker_closed=0 if breaker is None else breaker.closed,
            circuit_breaker_blocked=refused.get(Code.CIRCUIT_OPEN, 0),
            listener_errors=plan.meter.listener_errors,
            events_dropped=member.events_dropped,
            would_refuse=dict(tally.unseen),
            hedges=tally.hedges,
            fallbacks=tally.fallbacks,
        )


def _asleep(member: Member) -> BreakerState:
    """Return the state of a breaker that no call has met yet."""
    breaker = member.plan.breaker
    return "closed" if breaker is None else breaker.first_state
