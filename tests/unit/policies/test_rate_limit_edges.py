"""Rate limits and levels at their edges: what just fits, what drains when, and what other options take over."""

from math import inf, sqrt
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.policies.levels import (
    CODES,
    LEVELS,
    OTHERS,
    Bucket,
    LevelLimits,
    Standing,
    Taken,
    charge_all,
    read_levels,
    reserve_all,
    standing_of,
)
from switchgear.policies.rate_limit import RateLimit, RateLimitMachine, WarmingMachine, limiter_for
from switchgear.policies.refusal import Refusal

WARM = RateLimit(3, burst=6, warm_up=10.0)


def test_a_bucket_is_as_large_as_its_limit_and_at_least_one() -> None:
    """With a warm-up it is 1; a burst that is given is what it is."""
    sizes = {limit: RateLimit(limit).bucket for limit in (0.5, 1, 1.5, 20)}
    assert sizes == {0.5: 1.0, 1: 1.0, 1.5: 1.5, 20: 20}
    assert RateLimit(20, warm_up=1.0).bucket == 1.0
    assert (RateLimit(20, burst=1).bucket, RateLimit(20, burst=1, warm_up=1.0).bucket) == (1, 1)
    assert RateLimit(20, per=4.0).per_second == 5.0


def test_what_fits_to_the_nanosecond_fits() -> None:
    """A wait that was told may end a rounding early, but not earlier than that."""
    options = RateLimit(10, burst=1)
    assert options.full_level == pytest.approx(1.0 + 1e-9 * 11.0, abs=1e-15)
    for early, fits in ((1e-9, True), (1e-8, False)):
        machine = RateLimitMachine(options)
        assert machine.charge(0.0, 1.0) == 0.0
        assert (machine.charge(0.1 - early, 1.0) == 0.0) is fits


@pytest.mark.parametrize("limit", [5e8, 1e9, 1e12, 1e300])
def test_a_fast_limit_lets_no_whole_call_more_in_than_it_says(limit: float) -> None:
    """Beyond a billion a second a nanosecond is worth whole calls; the burst is kept to the call all the same."""
    machine = RateLimitMachine(RateLimit(limit, burst=3))
    assert [machine.charge(1e6, 1.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0 / limit]
    assert machine.charge(1e6 + 1e-6, 3.0) == 0.0


@pytest.mark.parametrize("warm_up", [0.0, 10.0])
def test_what_fills_the_bucket_to_its_very_rim_fits(warm_up: float) -> None:
    """The rim is a rounding above the burst."""
    options = RateLimit(10, burst=2, warm_up=warm_up)
    assert limiter_for(options).charge(0.0, options.full_level) == 0.0


def test_a_short_rest_earns_no_more_than_a_long_one() -> None:
    """A bucket that has just drained holds nothing, and not less than that."""
    machine = RateLimitMachine(RateLimit(1, burst=2))
    machine.charge(0.0, 1.0)
    assert machine.charge(1.5, 2.0) == 0.0
    assert machine.amount == 2.0


def test_a_wait_that_ends_just_before_it_is_warm_is_exact() -> None:
    """The last bit of the warm-up is still slower than the full rate."""
    machine = limiter_for(RateLimit(3, burst=30, warm_up=10.0))
    machine.charge(0.0, 30.0)
    assert machine.charge(0.0, 19.5) == pytest.approx(5.0 * (sqrt(8.8) - 1.0), rel=1e-9)
    assert machine.charge(0.0, 20.0) == pytest.approx(10.0, rel=1e-9)
    assert machine.charge(0.0, 20.5) == pytest.approx(10.0 + 0.5 / 3.0, rel=1e-9)


def test_a_cost_that_never_fits_is_refused_for_ever() -> None:
    """A cost of the whole bucket fits once it has drained; one above never does, and says so."""
    machine = RateLimitMachine(RateLimit(2, burst=4))
    assert machine.charge(0.0, 1.0) == 0.0
    assert machine.charge(0.0, 4.0) == 0.5
    assert machine.charge(0.0, 4.1) == inf
    refusal = machine.refusal(inf)
    assert (refusal.policy, refusal.code, refusal.state) == ("rate_limit", Code.RATE_LIMITED_CONNECTOR, "limited")
    assert (refusal.retry_after, refusal.decision) == (None, "reject")
    assert refusal.reason == "the cost of the call is above the burst of 4, so it can never fit"
    later = machine.refusal(0.5)
    assert (later.policy, later.code, later.state) == ("rate_limit", Code.RATE_LIMITED_CONNECTOR, "limited")
    assert (later.retry_after, later.decision, later.reason) == (0.5, "defer", "")


def test_cost_zero_takes_nothing_and_a_bucket_never_holds_less_than_nothing() -> None:
    """After a long pause the burst is there once, and not twice."""
    machine = RateLimitMachine(RateLimit(1, burst=2))
    assert machine.charge(100.0, 0.0) == 0.0
    assert machine.charge(100.0, 2.0) == 0.0
    assert machine.charge(100.0, 1.0) == 1.0
    assert machine.level(101.5) == 0.5
    assert machine.level(200.0) == 0.0
    machine.refund(5.0)
    assert machine.amount == 0.0
    assert machine.charge(200.0, 2.0) == 0.0
    machine.refund(0.5)
    assert machine.level(200.0) == 1.5


@pytest.mark.parametrize("warm_up", [0.0, 1e-6])
def test_a_reservation_takes_its_turn_up_to_the_longest_wait(warm_up: float) -> None:
    """A wait exactly as long as allowed is taken, a longer one takes nothing."""
    machine = limiter_for(RateLimit(1, burst=1, warm_up=warm_up))
    machine.charge(0.0, 1.0)
    wait = machine.charge(0.0, 1.0)
    assert wait == pytest.approx(1.0, abs=1e-5)
    assert machine.reserve(0.0, 1.0, wait * 0.99) == wait
    assert machine.level(0.0) == 1.0
    assert machine.reserve(0.0, 1.0, wait) == wait
    assert machine.level(0.0) == 2.0
    assert machine.reserve(0.5, 1.0, 10.0) == pytest.approx(1.5, abs=1e-5)
    assert machine.updated == 0.5
    assert machine.reserve(50.0, 1.0, 10.0) == 0.0


@pytest.mark.parametrize("after", [RateLimit(10, burst=5), RateLimit(10, burst=5, warm_up=4.0)])
def test_other_options_take_over_what_is_in_the_bucket(after: RateLimit) -> None:
    """It stays, and drains from now on as they say; the old machine is untouched."""
    machine = RateLimitMachine(RateLimit(1, burst=4))
    machine.charge(10.0, 3.0)
    under = machine.under(after, 11.0)
    assert (under.options, under.amount, under.updated) == (after, 2.0, 11.0)
    assert type(under) is type(limiter_for(after))
    assert machine.level(11.0) == 2.0


def test_what_may_have_drained_is_not_given_back_twice() -> None:
    """A refund of a call that held its cost for a while returns what is left of it, and at least nothing."""
    for held, left in ((0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (9.0, 3.0)):
        machine = RateLimitMachine(RateLimit(2, burst=4))
        machine.charge(0.0, 3.0)
        machine.refund(2.0, held)
        assert machine.amount == left


@pytest.mark.parametrize(("limit", "per"), [(1e-300, 1e300), (1e300, 1e-300)])
def test_a_rate_is_a_number_that_can_be_counted(limit: float, per: float) -> None:
    """Neither nothing nor endless, though limit and seconds are both numbers."""
    with pytest.raises(OptionError) as refused:
        RateLimit(limit, per=per)
    assert refused.value.message == (
        f"RateLimit(limit={limit!r}, per={per!r}) is no rate that can be counted; "
        "write for example RateLimit(10, per=60.0)"
    )


def test_clean_means_drained_and_for_a_warm_up_cold_as_well() -> None:
    """Forgetting such a one changes nothing for the calls to come."""
    machine = RateLimitMachine(RateLimit(1, burst=4))
    assert machine.is_clean(0.0) is True
    machine.charge(0.0, 2.0)
    assert (machine.is_clean(1.9), machine.is_clean(2.0)) == (False, True)
    warming = limiter_for(WARM)
    assert warming.is_clean(0.0) is True
    warming.charge(0.0, 1.0)
    assert warming.is_clean(0.5) is False
    assert warming.is_clean(1.0) is False
    assert warming.is_clean(5.0) is True


def test_a_cold_limit_drains_at_a_third_and_grows_as_it_is_used() -> None:
    """After s seconds of use there drained ``rate / 3 * (s + s * s / warm_up)``, as the text of the module has it."""
    machine = limiter_for(WARM)
    machine.charge(0.0, 6.0)
    for seconds in (0.5, 1.0, 2.0, 3.0):
        assert machine.level(seconds) == pytest.approx(6.0 - (seconds + seconds**2 / 10.0))
    drained = 5.0 * (sqrt(1.0 + 4.0 * 6.0 / 10.0) - 1.0)
    assert machine.level(drained - 1e-6) > 0.0
    assert machine.level(drained) == pytest.approx(0.0, abs=1e-9)
    assert machine.charge(0.0, 1.0) == pytest.approx(5.0 * (sqrt(1.0 + 0.4) - 1.0))
    assert machine.charge(0.0, 6.1) == inf


def test_a_warm_limit_drains_at_its_full_rate_and_cools_without_use() -> None:
    """It warms while the bucket holds something, up to its warm-up, and loses a second in each second of rest."""
    machine = limiter_for(RateLimit(3, burst=100, warm_up=10.0))
    assert isinstance(machine, WarmingMachine)
    machine.charge(0.0, 80.0)
    assert machine.level(10.0) == pytest.approx(60.0)
    assert machine.level(15.0) == pytest.approx(45.0)
    assert machine.charge(20.0, 70.0) == 0.0
    assert machine.charge(20.0, 3.0) == pytest.approx(1.0)
    assert machine.level(21.0) == pytest.approx(97.0)
    empty = 20.0 + 100.0 / 3.0
    assert machine.level(empty) == pytest.approx(0.0, abs=1e-9)
    assert machine.charge(empty + 4.0, 50.0) == 0.0
    assert machine.level(empty + 5.0) == pytest.approx(50.0 - (2.2 + 0.1))


def test_a_warm_limit_stays_as_warm_as_new_options_allow() -> None:
    """A shorter warm-up caps it; a longer one keeps the seconds; without one there is nothing to keep."""
    machine = limiter_for(RateLimit(3, burst=100, warm_up=10.0))
    machine.charge(0.0, 80.0)
    for warm_up, a_second in ((5.0, 3.0), (20.0, 1.0 + 2.0 * 8.0 / 20.0 + 1.0 / 20.0)):
        under = machine.under(RateLimit(3, burst=100, warm_up=warm_up), 8.0)
        level = under.level(8.0)
        assert level == pytest.approx(machine.level(8.0))
        assert under.level(9.0) == pytest.approx(level - a_second)
    plain = machine.under(RateLimit(3, burst=100), 8.0)
    assert type(plain) is RateLimitMachine
    assert plain.level(9.0) == pytest.approx(machine.level(8.0) - 3.0)


# -- Levels --------------------------------------------------------------------------------------------------


def buckets_of(*limits: RateLimit) -> list[Bucket]:
    """Return a bucket for each limit, at one level after the other."""
    return [Bucket(level, f"name-{level}", limit) for level, limit in zip(LEVELS, limits, strict=False)]


def test_levels_stand_in_this_order_and_have_these_codes() -> None:
    """Widest first, each with a code of its own; a bucket knows its level and its name."""
    assert [(bucket.level, bucket.name) for bucket in buckets_of(RateLimit(1))] == [("global", "name-global")]
    assert LEVELS == ("global", "tenant", "connector", "tool")
    assert OTHERS == "*"
    assert dict(CODES) == {level: Code(f"RATE_LIMITED_{level.upper()}") for level in LEVELS}


def test_the_longest_wait_names_its_level_and_nothing_is_taken() -> None:
    """Whatever fitted is given back; the refusal says which level, and for how long."""
    buckets = buckets_of(RateLimit(10), RateLimit(1, burst=2), RateLimit(2))
    assert charge_all(buckets, 0.0, 2.0) is None
    refusal = charge_all(buckets, 0.0, 2.0)
    assert refusal is not None
    assert (refusal.code, refusal.retry_after) == (Code.RATE_LIMITED_TENANT, 2.0)
    assert [bucket.machine.level(0.0) for bucket in buckets] == [2.0, 2.0, 2.0]
    never = charge_all(buckets, 0.0, 3.0)
    assert never is not None
    assert (never.code, never.retry_after, never.decision) == (Code.RATE_LIMITED_TENANT, None, "reject")
    assert charge_all([], 0.0, 1.0) is None


def test_a_reservation_waits_for_the_slowest_level() -> None:
    """Every level counts the call from now on; a wait that is too long takes nothing anywhere."""
    buckets = buckets_of(RateLimit(10, burst=2), RateLimit(1, burst=2))
    assert reserve_all(buckets, 0.0, 2.0, 5.0) == 0.0
    assert reserve_all(buckets, 0.0, 2.0, 2.0) == 2.0
    assert [bucket.machine.level(0.0) for bucket in buckets] == [4.0, 4.0]
    refused = reserve_all(buckets, 0.0, 2.0, 3.9)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.retry_after) == (Code.RATE_LIMITED_TENANT, 4.0)
    assert [bucket.machine.level(0.0) for bucket in buckets] == [4.0, 4.0]
    assert reserve_all([], 0.0, 1.0, 5.0) == 0.0


def test_giving_back_returns_only_what_has_not_drained() -> None:
    """What was there first drains first, so after a while less is ours, and in the end nothing."""
    for later, left in ((0.0, 2.0), (1.0, 0.0), (1.5, 0.0), (2.5, 0.0)):
        buckets = buckets_of(RateLimit(2, burst=10))
        charge_all(buckets, 0.0, 2.0)
        charge_all(buckets, 0.0, 2.0)
        taken = Taken(buckets, 2.0, 0.0)
        assert (taken.cost, taken.at) == (2.0, 0.0)
        taken.give_back(later)
        assert buckets[0].machine.level(later) == left
    buckets = buckets_of(RateLimit(2, burst=10))
    charge_all(buckets, 0.0, 4.0)
    taken = Taken(buckets, 4.0, 0.0)
    charge_all(buckets, 1.5, 8.0)
    taken.give_back(1.5)
    assert buckets[0].machine.level(1.5) == 8.0
    taken.give_back(3.0)
    assert buckets[0].machine.level(3.0) == 5.0


@pytest.mark.parametrize(
    ("cost", "now", "remaining", "reset"),
    [
        (0.0, 0.0, 4.0, 0.0),
        (1.0, 0.0, 3.0, 0.5),
        (1.0, 0.25, 3.5, 0.25),
        (4.0, 0.0, 0.0, 0.5),
        (4.0, 0.25, 0.5, 0.25),
        (4.0, 2.0, 4.0, 0.0),
        (1.0, 0.4999999, 4.0, 0.0),
    ],
)
def test_a_standing_tells_what_is_left_and_when_there_is_one_more(
    cost: float, now: float, remaining: float, reset: float
) -> None:
    """Rounded to a millionth; asking changes nothing."""
    (bucket,) = buckets_of(RateLimit(2, burst=4))
    bucket.machine.charge(0.0, cost)
    before = bucket.machine.level(now)
    standing = standing_of(bucket, now)
    assert standing == Standing("global", bucket.machine.options, remaining, standing.reset)
    assert standing.reset == pytest.approx(reset)
    assert bucket.machine.level(now) == before


def test_a_standing_of_a_bucket_that_is_reserved_ahead_has_nothing_left() -> None:
    """Never less than nothing; a bucket that is no whole number fills to its size."""
    (bucket,) = buckets_of(RateLimit(1, burst=2.5))
    bucket.machine.charge(0.0, 2.5)
    bucket.machine.reserve(0.0, 1.0, 9.0)
    assert standing_of(bucket, 0.0) == Standing("global", bucket.machine.options, 0.0, 2.0)
    assert standing_of(bucket, 3.25) == Standing("global", bucket.machine.options, 2.25, 0.25)


def test_asking_how_a_bucket_stands_never_takes_what_fits_by_rounding() -> None:
    """A fast limit fits a unit a little early; the standing says that it is there, and leaves it there."""
    (bucket,) = buckets_of(RateLimit(10_000, burst=4))
    bucket.machine.charge(0.0, 1.000005)
    standing = standing_of(bucket, 0.0)
    assert (standing.remaining, standing.reset) == (2.999995, 0.0)
    assert bucket.machine.level(0.0) == pytest.approx(1.000005, abs=1e-12)


def test_limits_are_read_by_level_widest_first() -> None:
    """One limit of a level stands for every name; the global level has one name; a star stands for the others."""
    one, two, three = RateLimit(1), RateLimit(2), RateLimit(3)
    read = read_levels({"tool": {"a": one, "*": two}, "tenant": three, "global": one, "connector": {"b": two}})
    assert read == (
        LevelLimits("global", {"": one}, None),
        LevelLimits("tenant", {}, three),
        LevelLimits("connector", {"b": two}, None),
        LevelLimits("tool", {"a": one}, two),
    )
    assert [level.of("a") for level in read] == [None, three, None, one]
    assert [level.of("") for level in read] == [one, three, None, two]
    assert read_levels({"tool": one}) == (LevelLimits("tool", {}, one),)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {},
            (
                "RateLimiter needs limits by level, not {}; write for example "
                'RateLimiter({"global": RateLimit(1000), "tenant": RateLimit(10)})'
            ),
        ),
        (
            5,
            (
                "RateLimiter needs limits by level, not 5; write for example "
                'RateLimiter({"global": RateLimit(1000), "tenant": RateLimit(10)})'
            ),
        ),
        (
            {"tenant": RateLimit(1), "user": RateLimit(1), "host": 1},
            (
                "RateLimiter knows the levels global, tenant, connector, tool, not 'user'; write for example "
                'RateLimiter({"global": RateLimit(1000), "tenant": RateLimit(10)})'
            ),
        ),
        (
            {"global": 5},
            (
                "RateLimiter at level 'global' takes one RateLimit, not 5; write for example "
                'RateLimiter({"global": RateLimit(10)})'
            ),
        ),
        (
            {"global": {"a": 5}},
            (
                "RateLimiter at level 'global' takes one RateLimit, not {'a': 5}; write for example "
                'RateLimiter({"global": RateLimit(10)})'
            ),
        ),
        (
            {"tool": {}},
            (
                "RateLimiter at level 'tool' takes one RateLimit for all names, or one by name, not {}; "
                'write for example RateLimiter({"tool": RateLimit(10)})'
            ),
        ),
        (
            {"tool": {"a": 5}},
            (
                "RateLimiter at level 'tool' takes limits that are each a RateLimit, not 5; write for example "
                'RateLimiter({"tool": RateLimit(10)})'
            ),
        ),
        (
            {"tool": {5: RateLimit(1)}},
            (
                "RateLimiter names each tool by a text of 1 to 200 characters, not 5; write for example "
                'RateLimiter({"tool": {"acme": RateLimit(10)}})'
            ),
        ),
        (
            {"tool": RateLimit(1, wait=0.5)},
            (
                "RateLimit(wait=0.5) waits inside a guard only; at level 'tool' ask with reserve(wait_max=0.5), "
                'and write for example RateLimiter({"tool": RateLimit(10)})'
            ),
        ),
    ],
)
def test_limits_that_cannot_work_say_what_to_write_instead(limits: Any, said: str) -> None:  # noqa: ANN401 - anything
    """The message names the level, shows what was given, and what would work."""
    with pytest.raises(OptionError) as refused:
        read_levels(limits)
    assert refused.value.message == said
