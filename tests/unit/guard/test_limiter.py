"""`RateLimiter`: levels checked together and charged together, a bounded registry, reservations, refunds."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.deadline import deadline
from switchgear.core.errors import OptionError, RateLimited
from switchgear.guard.limiter import RateLimiter
from switchgear.policies.rate_limit import RateLimit

CLOCK_START = 1_000.0


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock(CLOCK_START)


def limiter(clock: VirtualClock, *, keys_max: int = 100, **levels: Any) -> RateLimiter:
    """Return a limiter with these levels; `all_of_them` is the global one, whose name is a keyword."""
    limits: dict[Any, Any] = {"global" if level == "all_of_them" else level: value for level, value in levels.items()}
    return RateLimiter(limits, keys_max=keys_max, clock=clock)


def refusal_of(limits: RateLimiter, **names: Any) -> RateLimited:
    """Return the refusal of a call."""
    with pytest.raises(RateLimited) as refused:
        limits.check(**names)
    return refused.value


@pytest.mark.parametrize(
    ("level", "code", "dependency"),
    [
        ("all_of_them", Code.RATE_LIMITED_GLOBAL, "global"),
        ("tenant", Code.RATE_LIMITED_TENANT, "tenant"),
        ("connector", Code.RATE_LIMITED_CONNECTOR, "crm"),
        ("tool", Code.RATE_LIMITED_TOOL, "crm.update"),
    ],
)
def test_a_refusal_names_its_level(clock: VirtualClock, level: str, code: Code, dependency: str) -> None:
    """Each level has a code, and the refusal carries every fact; of a tenant it does not repeat the name."""
    levels: dict[str, Any] = {level: RateLimit(1, per=10.0)}
    limits = limiter(clock, **levels)
    names: dict[str, Any] = {"tenant": "acme", "connector": "crm", "tool": "crm.update"}
    limits.check(**names)
    refusal = refusal_of(limits, **names)
    assert (refusal.code, refusal.dependency) == (code, dependency)
    assert (refusal.policy, refusal.state, refusal.decision) == ("rate_limit", "limited", "defer")
    assert refusal.retry_after == pytest.approx(10.0)
    assert pickle.loads(pickle.dumps(refusal)).to_dict() == refusal.to_dict()  # noqa: S301 - our own bytes


def test_a_refusal_charges_nothing_and_names_the_longest_wait(clock: VirtualClock) -> None:
    """One level that is full stops the call before any other level is charged, and the longest wait is named."""
    limits = limiter(clock, all_of_them=RateLimit(1, burst=3), tenant=RateLimit(1, per=60.0), tool=RateLimit(2))
    limits.check(tenant="acme", tool="a")
    for _ in range(20):
        assert refusal_of(limits, tenant="acme", tool="a").code is Code.RATE_LIMITED_TENANT
    standings = {standing.level: standing.remaining for standing in limits.standings(tenant="acme", tool="a")}
    assert standings == {"global": 2.0, "tenant": 0.0, "tool": 1.0}


def test_names_have_buckets_of_their_own(clock: VirtualClock) -> None:
    """One tenant's calls never use up what another may do."""
    limits = limiter(clock, tenant=RateLimit(1, per=10.0))
    limits.check(tenant="acme")
    refusal_of(limits, tenant="acme")
    limits.check(tenant="globex")


def test_limits_by_name_and_for_all_other_names(clock: VirtualClock) -> None:
    """A mapping gives names limits of their own; `*` is for each other name, and without it they are free."""
    named = limiter(clock, tool={"slow": RateLimit(1, per=10.0), "*": RateLimit(2, per=10.0)})
    named.check(tool="slow")
    refusal_of(named, tool="slow")
    named.check(tool="other", cost=2)
    refusal_of(named, tool="other")
    free = limiter(clock, tool={"slow": RateLimit(1, per=10.0)})
    for _ in range(50):
        free.check(tool="other")
    assert [standing.level for standing in free.standings(tool="other")] == []


def test_cost_is_weighted(clock: VirtualClock) -> None:
    """Cost counts in units, 0 only looks, and what is above a burst is refused for ever, without a wait."""
    limits = limiter(clock, tenant=RateLimit(1, burst=10))
    limits.check(tenant="acme", cost=0)
    limits.check(tenant="acme", cost=7.5)
    assert refusal_of(limits, tenant="acme", cost=5).retry_after == pytest.approx(2.5)
    never = refusal_of(limits, tenant="acme", cost=11)
    assert (never.retry_after, never.decision) == (None, "reject")
    assert "above the burst of 10" in str(never)


def test_a_refund_gives_everything_back_once(clock: VirtualClock) -> None:
    """What never left is returned at every level, and a second refund does nothing."""
    limits = limiter(clock, all_of_them=RateLimit(1, burst=5), tenant=RateLimit(1, burst=2))
    limits.check(tenant="acme")
    charge = limits.check(tenant="acme")
    charge.refund()
    charge.refund()
    assert charge.refunded
    assert [standing.remaining for standing in charge.standings()] == [4.0, 1.0]


def test_a_charge_tells_limit_remaining_and_reset(clock: VirtualClock) -> None:
    """The numbers that headers need stand on the charge, widest level first, and are those of now."""
    limits = limiter(clock, all_of_them=RateLimit(100), tenant=RateLimit(10, per=60.0))
    charge = limits.check(tenant="acme", cost=4)
    both = charge.standings()
    assert [(one.level, one.remaining, one.reset) for one in both] == [("global", 96.0, 0.01), ("tenant", 6.0, 6.0)]
    clock.advance(60.0)
    assert [(one.remaining, one.reset) for one in charge.standings()] == [(100.0, 0.0), (10.0, 0.0)]


def test_a_reservation_waits_for_its_turn_at_every_level(clock: VirtualClock) -> None:
    """`wait` is the longest wait of the levels; beyond the bound nothing is taken; cancelling gives the turn back."""
    limits = limiter(clock, all_of_them=RateLimit(10), tenant=RateLimit(1, per=2.0))
    assert limits.reserve(tenant="acme", wait_max=5.0).wait == 0.0
    turn = limits.reserve(tenant="acme", wait_max=5.0)
    assert turn.wait == pytest.approx(2.0)
    with pytest.raises(RateLimited, match="RATE_LIMITED_TENANT") as refused:
        limits.reserve(tenant="acme", wait_max=3.0)
    assert refused.value.retry_after == pytest.approx(4.0)
    turn.cancel()
    assert limits.reserve(tenant="acme", wait_max=3.0).wait == pytest.approx(2.0)
    assert (limits.statistics().charged, limits.statistics().refused) == (3, {Code.RATE_LIMITED_TENANT: 1})


def test_a_reservation_never_outlasts_the_deadline(clock: VirtualClock) -> None:
    """A turn that comes after the deadline in force is not taken."""
    limits = limiter(clock, tenant=RateLimit(1, per=2.0))
    limits.check(tenant="acme")
    with deadline(1.0, clock=clock), pytest.raises(RateLimited):
        limits.reserve(tenant="acme", wait_max=60.0)


def test_the_registry_is_bounded_and_forgets_only_what_has_drained(clock: VirtualClock) -> None:
    """At the maximum a drained bucket makes room; when none has drained, new names share one, which is counted."""
    limits = limiter(clock, keys_max=3, tenant=RateLimit(2, per=10.0))
    for tenant in ("a", "b", "c"):
        limits.check(tenant=tenant)
    limits.check(tenant="d")
    limits.check(tenant="e")
    refusal_of(limits, tenant="f")
    refusal_of(limits, tenant="a", cost=2)
    counts = limits.statistics()
    assert (counts.keys, counts.keys_evicted, counts.keys_overflowed) == (3, 0, 3)
    clock.advance(10.0)
    limits.check(tenant="f", cost=2)
    counts = limits.statistics()
    assert (counts.keys, counts.keys_evicted, counts.charged) == (3, 1, 6)
    assert counts.refused == {Code.RATE_LIMITED_TENANT: 2}


def test_a_call_never_evicts_its_own_bucket(clock: VirtualClock) -> None:
    """The tool's bucket does not push out the tenant's of the same call, which would lose the charge."""
    limits = limiter(clock, keys_max=1, tenant=RateLimit(1, per=10.0), tool=RateLimit(5))
    limits.check(tenant="acme", tool="a")
    assert refusal_of(limits, tenant="acme", tool="b").code is Code.RATE_LIMITED_TENANT


def test_busy_names_do_not_hide_drained_ones(clock: VirtualClock) -> None:
    """Room is looked for among the names longest unused, so a few looks find it however many names are busy."""
    limits = limiter(clock, keys_max=40, tenant=RateLimit(1, per=10.0, burst=5))
    busy = [f"busy-{number}" for number in range(20)]
    for tenant in [*busy, *(f"idle-{number}" for number in range(20))]:
        limits.check(tenant=tenant)
    clock.advance(10.0)
    for tenant in busy:
        limits.check(tenant=tenant)
    for number in range(20):
        limits.check(tenant=f"new-{number}")
    counts = limits.statistics()
    assert (counts.keys_evicted, counts.keys_overflowed) == (20, 0)


def test_looking_sees_the_shared_bucket_of_new_names(clock: VirtualClock) -> None:
    """When a new name would have to share, what is told is what the shared bucket has left."""
    limits = limiter(clock, keys_max=1, tenant=RateLimit(5, per=50.0))
    limits.check(tenant="a")
    limits.check(tenant="b", cost=3)
    assert [standing.remaining for standing in limits.standings(tenant="c")] == [2.0]


def test_looking_takes_nothing_at_any_rate(clock: VirtualClock) -> None:
    """Rounding that lets a unit in a hair too soon is not a charge when it is only asked about."""
    limits = limiter(clock, tenant=RateLimit(1e7, burst=10))
    limits.check(tenant="a", cost=9.005)
    for _ in range(3):
        assert [standing.remaining for standing in limits.standings(tenant="a")] == [0.995]


def test_looking_makes_no_bucket(clock: VirtualClock) -> None:
    """Standings of names that were never seen take no place in the registry."""
    limits = limiter(clock, tenant=RateLimit(5))
    (standing,) = limits.standings(tenant="acme")
    assert (standing.remaining, limits.statistics().keys) == (5.0, 0)


def test_a_long_name_takes_bounded_memory_and_keeps_its_own_bucket(clock: VirtualClock) -> None:
    """Names of any length are told apart, and none is kept in full."""
    limits = limiter(clock, tool=RateLimit(1, per=10.0))
    limits.check(tool="x" * 100_000)
    limits.check(tool="x" * 99_999)
    refusal_of(limits, tool="x" * 100_000)


@pytest.mark.parametrize("names", [{}, {"tenant": ""}, {"tenant": 7}])
def test_a_tenant_level_needs_a_tenant(clock: VirtualClock, names: Mapping[str, Any]) -> None:
    """There is no default tenant: a call without one is a mistake, not a free call."""
    with pytest.raises(OptionError, match="needs a tenant"):
        limiter(clock, tenant=RateLimit(5)).check(**names)


def test_levels_whose_connector_or_tool_is_not_named_do_not_apply(clock: VirtualClock) -> None:
    """A call that touches no tool is bound by the other levels only."""
    limits = limiter(clock, all_of_them=RateLimit(5, per=10.0), tool=RateLimit(1, per=10.0))
    for _ in range(5):
        limits.check()
    assert refusal_of(limits).code is Code.RATE_LIMITED_GLOBAL


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (RateLimit(5), "limits by level"),
        ({}, "limits by level"),
        ({"user": RateLimit(5)}, "knows the levels global, tenant, connector, tool, not 'user'"),
        ({"tenant": 5}, "one RateLimit for all names"),
        ({"tenant": {}}, "or one by name"),
        ({"global": {"a": RateLimit(5)}}, "takes one RateLimit, not"),
        ({"tool": {"a": 5}}, "each a RateLimit"),
        ({"tool": RateLimit(5, wait=2.0)}, r"reserve\(wait_max=2.0\)"),
    ],
)
def test_limits_that_cannot_work_are_refused_at_birth(levels: Any, words: str) -> None:  # noqa: ANN401 - what is refused
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match=words):
        RateLimiter(levels)


@pytest.mark.parametrize("arguments", [{"cost": -1}, {"cost": float("nan")}, {"cost": "1"}, {"wait_max": -1}])
def test_impossible_costs_and_waits_are_refused(clock: VirtualClock, arguments: dict[str, Any]) -> None:
    """A cost below 0 would be a gift, and a wait below 0 means nothing."""
    with pytest.raises(OptionError):
        limiter(clock, tenant=RateLimit(5)).reserve(**{"tenant": "acme", "wait_max": 1.0, **arguments})


def test_threads_never_get_more_than_the_limit(clock: VirtualClock) -> None:
    """The mutex makes check and charge one step, whatever the threads do."""
    limits = limiter(clock, all_of_them=RateLimit(100, per=1e6), tenant=RateLimit(30, per=1e6))
    let_in: list[str] = []

    def ask(tenant: str) -> None:
        for _ in range(100):
            try:
                limits.check(tenant=tenant)
            except RateLimited:
                continue
            let_in.append(tenant)

    threads = [threading.Thread(target=ask, args=(f"t{number % 4}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 100
    assert max(map(let_in.count, set(let_in))) == 30
