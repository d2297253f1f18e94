"""Reads how members stand, as a frozen record, and sums them up. Changes nothing, wakes nobody and takes no probe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from switchgear.core.codes import Code
from switchgear.guard.member import Member
from switchgear.guard.meter import Statistics
from switchgear.guard.tally import Tally
from switchgear.policies.breaker import BreakerState
from switchgear.policies.retry_budget import RetryBudgetMachine
from switchgear.policies.shedding import SheddingMachine

Name = TypeVar("Name", str, Code)

_NOTHING = Tally()
_COUNTED = (
    *("calls", "successes", "failures", "ignored", "retries", "slow", "timeouts", "in_flight", "waiting"),
    *("abandoned", "abandoned_total", "circuit_breaker_opened", "circuit_breaker_closed"),
    *("events_dropped", "hedges", "fallbacks"),
)


class Sum:
    """What members have counted, added up: numbers by their names in `Statistics`, and refusals by code."""

    __slots__ = ("_counts", "_refused", "_would_refuse")

    def __init__(self) -> None:
        """Start at nothing."""
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._refused: dict[Code, int] = {}
        self._would_refuse: dict[Code, int] = {}

    def copy(self) -> Sum:
        """Return another one that stands at the same."""
        copied = Sum()
        copied._counts.update(self._counts)
        copied._refused.update(self._refused)
        copied._would_refuse.update(self._would_refuse)
        return copied

    def add(self, member: Member) -> None:
        """Add what `member` has counted. One that is asleep has counted nothing, and sleeps on."""
        if member.awake:
            with member.mutex, member:
                tally = member.counted or _NOTHING
                _add(self._counts, _counts_of(member, tally))
                _add(self._refused, _refused_of(member, tally))
                _add(self._would_refuse, tally.unseen)

    def fields(self) -> dict[str, Any]:
        """Return it all as fields of `Statistics`."""
        return _fields(self._counts, self._refused, self._would_refuse)


def state_of(member: Member) -> BreakerState:
    """Return the breaker's state as the next call would meet it, "closed" without one."""
    plan = member.plan
    if member.straight_plan is plan or not member.awake:  # where calls pass by, the breaker stands as at first
        return plan.first_state
    with member.mutex, member:
        breaker = member.breaker
        return "closed" if breaker is None else breaker.state(member.plan.monotonic())


def statistics_of(member: Member) -> Statistics:
    """Return how `member` stands."""
    if not member.awake:
        return _record(member, Sum().fields())
    with member.mutex, member:
        tally = member.counted or _NOTHING
        return _record(member, _fields(_counts_of(member, tally), _refused_of(member, tally), dict(tally.unseen)))


def totals_of(member: Member, keyed: Iterable[Member], gone: Sum) -> Statistics:
    """Return how `member` stands, with the counts of the `keyed` ones and of those that are `gone` added to its own."""
    total = gone.copy()
    for one in (member, *keyed):
        total.add(one)
    return replace(statistics_of(member), **total.fields())


def _record(member: Member, counted: Mapping[str, Any]) -> Statistics:
    plan, breaker = member.plan, member.breaker
    now = plan.monotonic()
    failure_rate, slow_rate = (None, None) if breaker is None else breaker.shares(now)
    return Statistics(
        name=plan.name,
        key=member.key,
        state=plan.first_state if breaker is None else breaker.state(now),
        retry_after=0.0 if breaker is None else breaker.retry_after(now),
        failure_rate=failure_rate,
        slow_rate=slow_rate,
        concurrency_limit=_limit_of(member),
        retry_budget=_balance_of(member, now),
        listener_errors=plan.meter.listener_errors,
        **counted,
    )


def _counts_of(member: Member, tally: Tally) -> dict[str, int]:
    breaker, places = member.breaker, member.places
    return {
        "calls": member.entered,
        "successes": member.successes,
        "failures": tally.failures,
        "ignored": tally.ignored,
        "retries": tally.retries,
        "slow": tally.slow,
        "timeouts": tally.timeouts,
        "in_flight": member.holding + tally.abandoned,
        "waiting": 0 if places is None else places.waiting,
        "abandoned": tally.abandoned,
        "abandoned_total": tally.abandoned_total,
        "circuit_breaker_opened": 0 if breaker is None else breaker.opened,
        "circuit_breaker_closed": 0 if breaker is None else breaker.closed,
        "events_dropped": member.events_dropped,
        "hedges": tally.hedges,
        "fallbacks": tally.fallbacks,
    }


def _refused_of(member: Member, tally: Tally) -> dict[Code, int]:
    refused = dict(tally.refused)
    if member.breaker is not None and member.breaker.blocked:
        refused[Code.CIRCUIT_OPEN] = refused.get(Code.CIRCUIT_OPEN, 0) + member.breaker.blocked
    return refused


def _fields(counts: dict[str, int], refused: dict[Code, int], would_refuse: dict[Code, int]) -> dict[str, Any]:
    blocked = refused.get(Code.CIRCUIT_OPEN, 0)
    return {**counts, "refused": refused, "would_refuse": would_refuse, "circuit_breaker_blocked": blocked}


def _limit_of(member: Member) -> int | None:
    """Return how many calls may run at once now, or None without such a limit."""
    plan = member.plan
    if plan.bulkhead is not None:
        return plan.bulkhead.limit
    if plan.shedding is None:
        return None
    places = member.places if member.awake else None
    return places.limit if isinstance(places, SheddingMachine) else plan.shedding.start


def _balance_of(member: Member, now: float) -> float | None:
    """Return how many repeats the retry budget would let through now, or None without one."""
    plan = member.plan
    if plan.retry is None or plan.retry.budget is None:
        return None
    tally = (member.counted if member.awake else None) or _NOTHING
    calls = member.entered - tally.repeats if member.awake else 0
    budget = tally.budget or RetryBudgetMachine(plan.retry.budget, plan.born)  # made by the first repeat
    return budget.balance(now, calls)


def _add(total: dict[Name, int], counts: Mapping[Name, int]) -> None:
    for name, count in counts.items():
        if count:
            total[name] = total.get(name, 0) + count
