"""What repeats of a call ask of a member: the retry budget, and when the next copy of a hedged call is due.

Both machines are made when the first repeat needs them. Most members never have one.
"""

from __future__ import annotations

from switchgear.guard.member import Member
from switchgear.policies.hedge import HedgeMachine
from switchgear.policies.retry_budget import RetryBudgetMachine


def withdraw(member: Member, error: BaseException | None = None) -> bool:
    """Take from the retry budget what a repeat after `error`, or a hedge, costs. False when too little is left."""
    retry = member.plan.retry
    if retry is None or retry.budget is None:
        return True
    with member.mutex, member:
        tally = member.tally
        if tally.budget is None:
            tally.budget = RetryBudgetMachine(retry.budget, member.plan.born)
        calls = member.entered - tally.repeats
        cost = 1.0 if error is None else tally.budget.cost_of(error)
        allowed = tally.budget.withdraw(member.plan.monotonic(), calls, cost)
        tally.repeats += allowed
        return allowed


def hedge_delay(member: Member) -> float | None:
    """Return the seconds until another copy of a call is due, or None while too little is known."""
    with member.mutex, member:
        return _machine(member).delay(member.plan.monotonic())


def record_copy(member: Member, duration: float) -> None:
    """Learn how many seconds a copy of a hedged call took."""
    with member.mutex, member:
        _machine(member).record(duration)


def _machine(member: Member) -> HedgeMachine:
    options = member.plan.hedge
    tally = member.tally
    if tally.hedge is None:
        assert options is not None  # only hedged calls ask
        tally.hedge = HedgeMachine(options)
    return tally.hedge
