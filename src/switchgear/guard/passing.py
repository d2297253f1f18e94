"""Permits without the mutex: the two sections of a call that is let in at once and succeeds, for `Permit`.

The rules are those of `switchgear.guard.straight`: a *straight section* between the marks has no call, loop or await,
so CPython lets nobody in between, and it runs only while `Member.straight_plan` names the plan of the member. Whatever
does not pass plainly is left to `Hold`, which asks the machines under the mutex, and is the oracle of these here.
"""

from __future__ import annotations

from typing import Any

from switchgear.core.outcome import Verdict
from switchgear.guard.holding import Hold
from switchgear.policies.places import MEMORY

SUCCESS = Verdict.SUCCESS


def admitted(hold: Hold, now: float) -> bool:
    """Let the call of `hold` in if nothing stands in its way; False when somebody has to be asked."""
    member: Any = hold.member
    plan = member.plan
    # straight section
    if member.straight_plan is not plan:
        return False
    limiter, places, breaker = member.limiter, member.places, member.breaker
    if places is not None and places.taken >= places.options.limit:
        return False
    if limiter is not None:
        options, cost = plan.rate_limit, hold.terms.cost
        amount = limiter.amount - (now - limiter.updated) * options.per_second
        amount = amount + cost if amount > 0.0 else cost
        if amount > options.full_level:
            return False
        limiter.amount = amount
        limiter.updated = now
    if places is not None:
        places.taken += 1
    member.entered += 1
    if breaker is not None:
        hold.ticket = breaker.phase
    hold.since = now
    hold.held = True
    return True
    # end of section


def succeed(hold: Hold) -> None:
    """Settle a success now: without the mutex, where it changes counts alone and is no news to the breaker.

    A permit has no job. The ticket of a dry run is no phase of a breaker, so it never goes straight.
    """
    member: Any = hold.member
    plan = member.plan
    breaker = member.breaker
    phase: Any = hold.ticket
    now = plan.monotonic()
    duration = now - hold.since
    if breaker is None or breaker.evidence is None or breaker.evidence.knows(hold.terms.tenant, now):
        # straight section
        breaker = member.breaker
        if (
            hold.held
            and member.straight_plan is plan
            and (
                phase is None
                if breaker is None
                else phase is breaker.phase and now < phase.edge and duration <= plan.slow_after
            )
        ):
            if phase is not None:
                phase.hits += 1
            member.successes += 1
            places = member.places
            if places is not None:
                places.taken -= 1
                places.mean_seconds += MEMORY * (duration - places.mean_seconds)
            hold.held = False
            return
        # end of section
    hold.settle(SUCCESS, duration, now)
