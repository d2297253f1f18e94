"""Permits without the mutex: the two sections of a call that is let in at once and succeeds, for `Permit`.

The rules are those of `switchgear.guard.straight`: a *straight section* between the marks has no call, loop or await,
so CPython lets nobody in between, and it runs only while `Member.straight_plan` names the plan of the member. Whatever
does not pass plainly is left to `Hold`, which asks the machines under the mutex, and is the oracle of these here.
"""

from __future__ import annotations

from typing import Any

from switchgear.guard.holding import Hold
from switchgear.guard.member import DRY_RUN_TICKET, Witness
from switchgear.policies.places import MEMORY


def admitted(hold: Hold, now: float) -> bool:
    """Let the call of `hold` in if nothing stands in its way; False when somebody has to be asked."""
    member: Any = hold.member
    plan = member.plan
    if member.straight_plan is not plan:
        return False
    terms = hold.terms
    cost = terms.cost
    limiter, places, breaker = member.limiter, member.places, member.breaker
    options, amount = plan.rate_limit, 0.0
    phase: Any = None if breaker is None else breaker.phase
    ticket = Witness(phase, terms.tenant) if plan.tenants > 1 else phase
    # straight section
    if member.straight_plan is not plan or (breaker is not None and phase is not breaker.phase):
        return False
    if limiter is not None:
        amount = limiter.amount - (now - limiter.updated) * options.per_second
        amount = amount + cost if amount > 0.0 else cost
        if amount > options.full_level:
            return False
    if places is not None:
        if places.taken >= places.options.limit:
            return False
        places.taken += 1
    if limiter is not None:
        limiter.amount = amount
        limiter.updated = now
    member.entered += 1
    hold.ticket = ticket
    hold.since = now
    hold.held = True
    return True
    # end of section


def succeeded(hold: Hold, now: float) -> bool:
    """Settle the success of what `admitted` or anybody let in, if it changes counts alone; else False."""
    member: Any = hold.member
    plan = member.plan
    ticket: Any = hold.ticket
    phase, tenant = ticket if ticket.__class__ is Witness else (ticket, None)
    duration = now - hold.since
    breaker, places = member.breaker, member.places
    if ticket is DRY_RUN_TICKET or (plan.tenants > 1 and breaker is not None and not breaker.knows(tenant, now)):
        return False
    # straight section
    if member.straight_plan is not plan or not hold.held or hold.job is not None:
        return False
    if breaker is not None:
        if phase is not breaker.phase or now >= phase.edge or duration > plan.slow_after:
            return False
        phase.hits += 1
    member.successes += 1
    if places is not None:
        places.taken -= 1
        places.mean_seconds += MEMORY * (duration - places.mean_seconds)
    hold.held = False
    return True
    # end of section
