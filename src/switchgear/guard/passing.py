"""Permits without the mutex: the two sections of a call that is let in at once and succeeds, for `Permit`.

The rules are those of `switchgear.guard.straight`: a *straight section* between the marks has no call, loop or await,
so CPython lets nobody in between, and it runs only while `Member.straight_plan` names the plan of the member. Whatever
does not pass plainly is left to `Hold`, which asks the machines under the mutex, and is the oracle of these here.
"""

from __future__ import annotations

from typing import Any

from switchgear.guard.holding import Hold
from switchgear.guard.member import Witness
from switchgear.policies.places import MEMORY


def admitted(hold: Hold, now: float) -> bool:
    """Let the call of `hold` in if nothing stands in its way; False when somebody has to be asked."""
    member: Any = hold.member
    plan = member.plan
    cost = hold.terms.cost
    # straight section
    if member.straight_plan is not plan:
        return False
    limiter, places, breaker = member.limiter, member.places, member.breaker
    if places is not None and places.taken >= places.options.limit:
        return False
    if limiter is not None:
        options = plan.rate_limit
        amount = limiter.amount - (now - limiter.updated) * options.per_second
        amount = amount + cost if amount > 0.0 else cost
        if amount > options.full_level:
            return False
        limiter.amount = amount
        limiter.updated = now
    if places is not None:
        places.taken += 1
    member.entered += 1
    phase: Any = None if breaker is None else breaker.phase
    hold.ticket = phase
    hold.since = now
    hold.held = True
    # end of section
    if plan.tenants > 1:
        hold.ticket = Witness(phase, hold.terms.tenant)
    return True


def succeeded(hold: Hold, now: float) -> bool:
    """Settle the success of what `admitted` or anybody let in, if it changes counts alone; else False.

    A permit has no job. The ticket of a dry run is no phase of a breaker, so it is never settled here.
    """
    member: Any = hold.member
    plan = member.plan
    phase: Any = hold.ticket
    if plan.tenants > 1 or phase.__class__ is Witness:
        breaker = member.breaker
        phase, tenant = phase if phase.__class__ is Witness else (phase, None)
        if breaker is not None and not breaker.knows(tenant, now):
            return False
    # straight section
    if member.straight_plan is not plan or not hold.held:
        return False
    breaker, places = member.breaker, member.places
    duration = now - hold.since
    if breaker is not None:
        if phase is not breaker.phase or now >= phase.edge or duration > plan.slow_after:
            return False
        phase.hits += 1
    elif phase is not None:
        return False
    member.successes += 1
    if places is not None:
        places.taken -= 1
        places.mean_seconds += MEMORY * (duration - places.mean_seconds)
    hold.held = False
    return True
    # end of section
