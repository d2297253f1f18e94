"""Shedding at its edges: the moments and durations at which a limit, a queue or a throttle decides otherwise."""

from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.places import Priority
from switchgear.policies.shedding import Shedding, SheddingMachine
from switchgear.policies.shedding.gradient import GradientLimit
from switchgear.policies.shedding.options import SHEDDABLE
from switchgear.policies.shedding.queue import FairQueue
from switchgear.policies.shedding.throttling import Throttle

GOOD, BAD, NOTHING = Verdict.SUCCESS, Verdict.FAILURE, Verdict.IGNORED


@dataclass(eq=False)
class Somebody:
    """A waiter."""

    priority: Priority = "critical"
    tenant: str | None = None
    expires_at: float = 1_000.0
    enqueued_at: float = 0.0


class Upstream:
    """A limit without smoothing and tolerance, under a full load, window by window."""

    def __init__(self, **options: Any) -> None:
        """Start at second 500 with a limit of 100."""
        plain = {"smoothing": 1.0, "tolerance": 1.0, "initial": 100, "headroom": 4.0, "long_window": 1_000.0}
        self.limit = GradientLimit(Shedding(**{**plain, **options}))
        self.now = 500.0

    def window(self, duration: float, *, seconds: float = 1.0) -> int:
        """Settle ten calls that end over so many seconds; return the limit after them."""
        for number in range(10):
            self.now += seconds if number == 9 else 0.0
            self.limit.settle(self.now, duration, GOOD, 150)
        return self.limit.limit


# -- The limit -----------------------------------------------------------------------------------------------


def test_an_ignored_call_and_a_fixed_limit_change_nothing() -> None:
    """The answer is that the limit has not changed."""
    upstream = Upstream()
    assert upstream.limit.settle(500.0, 1.0, NOTHING, 150) is False
    assert Upstream(minimum=100, maximum=100).limit.settle(500.0, 1.0, GOOD, 150) is False


def test_a_changed_limit_is_told() -> None:
    """With the call that completes the window, and with no other."""
    limit = Upstream().limit
    told = [limit.settle(500.0 + number, 1.0, GOOD, 150) for number in range(11)]
    assert told == [False] * 9 + [True, False]


def test_a_window_as_quick_as_usual_teaches_nothing_under_load() -> None:
    """The second lesson still moves the usual by a half, however many windows alike came before it."""
    upstream = Upstream()
    assert [upstream.window(1.0) for _ in range(5)] == [104, 108, 112, 116, 120]
    assert upstream.window(0.5) == 124
    assert upstream.window(1.0) == int(124 * 0.75 + 4)


def test_a_window_longer_than_the_long_one_becomes_the_usual() -> None:
    """Its weight is 1 and never more: the usual does not overshoot what was measured."""
    upstream = Upstream(long_window=10.0)
    upstream.window(1.0)
    upstream.window(0.75, seconds=20.0)
    assert upstream.limit.limit == 108
    upstream.window(0.8)
    assert upstream.limit.limit < 108
    upstream = Upstream(long_window=10.0)
    upstream.window(1.0)
    upstream.window(0.75, seconds=20.0)
    assert upstream.window(0.75) == 112


def test_a_usual_duration_fades_above_twice_the_present_one_only() -> None:
    """Exactly twice is not above: 3 seconds, then 1, make 2, and a window of 2 is as usual."""
    upstream = Upstream()
    upstream.window(3.0)
    upstream.window(1.0)
    assert upstream.window(2.0) == 112


def test_a_dip_may_begin_exactly_a_long_window_after_the_first_lesson() -> None:
    """At that moment, and not before it."""
    for seconds, dips in ((9.0, False), (10.0, True)):
        upstream = Upstream(long_window=10.0)
        upstream.window(1.0)
        limit = upstream.window(1.25, seconds=seconds)
        assert (limit < 60) is dips


def dipping(upstream: Upstream) -> GradientLimit:
    """Return a limit that has just begun to dip: to half of itself, from second 511 on."""
    upstream.window(1.0)
    assert upstream.window(1.25, seconds=10.0) == int((104 / 1.25 + 4) / 2)
    return upstream.limit


@pytest.mark.parametrize(
    ("ended", "duration", "measured"),
    [(512.5, 0.5, True), (512.25, 0.5, False), (512.0, 0.0, True), (513.0, -0.5, False), (513.0, inf, False)],
)
def test_only_calls_of_the_calm_are_measured(ended: float, duration: float, *, measured: bool) -> None:
    """One that began with the calm counts, one from before does not; so does one without length, none without sense."""
    upstream = Upstream(long_window=10.0)
    limit = dipping(upstream)
    lowered = limit.limit
    limit.settle(512.0, 9.0, GOOD, lowered + 1)
    for _ in range(10):
        limit.settle(ended, duration, GOOD, lowered)
    assert (limit.limit > lowered) is measured


def test_the_calm_begins_when_no_more_than_the_lowered_limit_are_left() -> None:
    """The call that ends is one of those in flight; one more than that is not calm yet."""
    for extra, measured in ((1, True), (2, False)):
        limit = dipping(Upstream(long_window=10.0))
        lowered = limit.limit
        limit.settle(512.0, 9.0, GOOD, lowered + extra)
        for _ in range(10):
            limit.settle(512.5, 0.5, GOOD, lowered + extra)
        assert (limit.limit > lowered) is measured


def test_a_dip_that_learns_nothing_ends_after_a_long_window() -> None:
    """Exactly then, and not before."""
    limit = dipping(Upstream(long_window=10.0))
    lowered = limit.limit
    assert limit.settle(520.9, inf, BAD, lowered) is False
    assert limit.settle(521.0, inf, BAD, lowered) is True
    assert limit.limit > lowered


# -- The machine ---------------------------------------------------------------------------------------------


def full(limit: int = 1, **options: Any) -> SheddingMachine[Somebody]:
    """Return a machine with a fixed limit and every place taken."""
    made: SheddingMachine[Somebody] = SheddingMachine(Shedding(minimum=limit, maximum=limit, **{"queue": 8, **options}))
    while made.admit(0.0, "critical_plus", None, 0.5) is None:
        pass
    return made


def test_nobody_waits_at_first() -> None:
    """Also before there is a queue at all."""
    machine = full()
    assert machine.waiting == 0
    assert machine.leave(Somebody()) is False


@pytest.mark.parametrize(("duration", "advice"), [(0.0, 0.9), (0.5, 0.95), (11.0, 2.0), (inf, 1.0), (-1.0, 1.0)])
def test_a_call_that_took_no_time_takes_part_in_the_advice(duration: float, advice: float) -> None:
    """Durations move the estimate by a tenth; endless and senseless ones do not."""
    machine = full()
    machine.record(0.0, duration, GOOD)
    assert machine.refusal().retry_after == pytest.approx(advice)


@pytest.mark.parametrize(
    ("code", "state", "decision"),
    [
        (Code.SHED_OVERLOAD, "overloaded", "defer"),
        (Code.QUEUE_FULL, "full", "defer"),
        (Code.QUEUE_EXPIRED, "stale", "defer"),
    ],
)
def test_each_refusal_has_its_state(code: Code, state: str, decision: str) -> None:
    """The policy is named, and the words of the state are those of the page."""
    refusal = full().refusal(code)
    assert (refusal.policy, refusal.code, refusal.state, refusal.decision) == ("shedding", code, state, decision)


def test_shares_are_whole_places_and_one_at_least() -> None:
    """A rounding of the share never costs a place: 0.7 of 10 are 7."""
    machine: SheddingMachine[Somebody] = SheddingMachine(
        Shedding(minimum=10, maximum=10, shares={"sheddable_plus": 0.7, "sheddable": 0.01})
    )
    taken = 0
    while machine.admit(0.0, "sheddable_plus", None, 0.5) is None:
        taken += 1
    assert taken == 7


# -- Options -------------------------------------------------------------------------------------------------


def test_sheddable_calls_are_the_two_lower_classes() -> None:
    """They give up after `queue_age`; the others wait as long as `max_wait`."""
    options = Shedding(queue=1, max_wait=9.0, queue_age=2.0)
    assert frozenset({"sheddable_plus", "sheddable"}) == SHEDDABLE
    waits = [options.patience(priority) for priority in ("critical_plus", "critical", "sheddable_plus", "sheddable")]
    assert waits == [9.0, 9.0, 2.0, 2.0]
    assert Shedding(max_wait=9.0).patience("sheddable") == 9.0


def test_a_limit_starts_at_twenty_or_what_its_bounds_allow() -> None:
    """Unless it is said; a bound itself is allowed."""
    starts = [
        Shedding(minimum=30).start,
        Shedding(maximum=10).start,
        Shedding(initial=5, minimum=5).start,
        Shedding(initial=50, maximum=50).start,
        Shedding(minimum=7, maximum=7).start,
    ]
    assert starts == [30, 10, 5, 50, 7]


def test_bounds_of_options_may_be_met() -> None:
    """A long window as long as the window, shares that are alike, a throttle and weights of 1."""
    assert Shedding(window=5.0, long_window=5.0).long_window == 5.0
    assert Shedding(throttle=1).throttle == 1
    alike = Shedding(shares={"critical": 0.8, "sheddable_plus": 0.8, "sheddable": 0.8})
    assert list(alike.shares.values()) == [1.0, 0.8, 0.8, 0.8]
    assert Shedding(queue=1, weights={"acme": 1}).weights == {"acme": 1}
    assert Shedding(tolerance=1).tolerance == 1


# -- The queue -----------------------------------------------------------------------------------------------


def queue_of(*waiters: Somebody, **options: Any) -> FairQueue[Somebody]:
    """Return a queue in which these stand."""
    queue: FairQueue[Somebody] = FairQueue(Shedding(queue=8, max_wait=9.0, **options))
    for waiter in waiters:
        queue.add(waiter)
    return queue


def test_a_waiter_is_over_at_its_end_and_a_sheddable_one_beyond_the_age() -> None:
    """At `expires_at` it is; at `queue_age` it is not yet; a critical one has no age."""
    for waiter, now, over in (
        (Somebody(expires_at=5.0), 4.9, False),
        (Somebody(expires_at=5.0), 5.0, True),
        (Somebody("sheddable"), 2.0, False),
        (Somebody("sheddable"), 2.1, True),
        (Somebody("critical"), 2.1, False),
    ):
        queue = queue_of(waiter, queue_age=2.0)
        assert (queue.next(now) is None) is over
        assert len(queue) == int(not over)


def test_a_queue_is_stale_beyond_its_age() -> None:
    """A waiter of the class or above that is older than the age, and not one that is as old; never without an age."""
    queue = queue_of(Somebody("critical", enqueued_at=1.0), queue_age=2.0)
    assert queue.is_stale(3.0, "critical") is False
    assert queue.is_stale(3.1, "critical") is True
    assert queue.is_stale(3.1, "sheddable") is True
    assert queue.is_stale(3.1, "critical_plus") is False
    assert queue_of(Somebody(enqueued_at=1.0)).is_stale(99.0, "sheddable") is False


def test_the_newest_of_the_lowest_class_makes_room() -> None:
    """For a higher class only."""
    first, second, middle = Somebody("sheddable"), Somebody("sheddable"), Somebody("critical")
    queue = queue_of(first, second, middle)
    assert queue.newest_below("critical_plus") is second
    assert queue.newest_below("sheddable_plus") is second
    assert queue.newest_below("sheddable") is None
    queue.remove(second)
    queue.remove(first)
    assert queue.newest_below("critical_plus") is middle
    assert queue.newest_below("critical") is None


def test_a_tenant_of_weight_two_is_served_twice_in_its_turn() -> None:
    """Then the next one is; what its turn left over is not kept when its last waiter went."""
    heavy = [Somebody(tenant="heavy") for _ in range(5)]
    light = [Somebody(tenant="light") for _ in range(3)]
    queue = queue_of(*heavy, *light, weights={"heavy": 2.0})
    served = []
    while (waiter := queue.next(0.0)) is not None:
        queue.serve(waiter)
        served.append(waiter.tenant)
    assert served == ["heavy", "heavy", "light", "heavy", "heavy", "light", "heavy", "light"]
    assert len(queue) == 0


def test_a_weight_that_is_no_whole_number_adds_up() -> None:
    """One and a half: one in the first turn, two in the second. Calls without a tenant share one turn of weight 1."""
    heavy = [Somebody(tenant="heavy") for _ in range(6)]
    free = [Somebody() for _ in range(4)]
    queue = queue_of(*heavy, *free, weights={"heavy": 1.5})
    served = []
    while (waiter := queue.next(0.0)) is not None:
        queue.serve(waiter)
        served.append(waiter.tenant)
    assert served[:8] == ["heavy", None, "heavy", "heavy", None, "heavy", None, "heavy"]


# -- The throttle --------------------------------------------------------------------------------------------


def test_a_bucket_of_the_throttle_is_a_twelfth_of_its_window() -> None:
    """What was asked for leaves with its bucket: at the end of the window, and not before."""
    throttle = Throttle(2.0, 120.0)
    assert throttle.bucket_seconds == 10.0
    throttle.settle(0.0, BAD)
    throttle.settle(10.0, BAD)
    assert throttle.share(119.9) == pytest.approx(2 / 3)
    assert throttle.share(120.0) == pytest.approx(1 / 2)
    assert throttle.share(130.0) == 0.0
    throttle.settle(130.0, BAD)
    assert throttle.share(1e6) == 0.0
    throttle.settle(1e6, BAD)
    assert throttle.share(1e6) == pytest.approx(1 / 2)


def test_the_share_is_that_of_the_book() -> None:
    """Requests beyond K times what was accepted, of all and one; none while the dependency keeps up."""
    throttle = Throttle(2.0, 120.0)
    for verdict in (GOOD, BAD, BAD, NOTHING):
        throttle.settle(0.0, verdict)
    assert throttle.share(0.0) == pytest.approx(1 / 4)
    throttle.settle(0.0, GOOD)
    assert throttle.share(0.0) == 0.0


def test_a_window_of_another_length_forgets_and_another_factor_does_not() -> None:
    """Counts of other buckets mean something else."""
    throttle = Throttle(2.0, 120.0)
    for verdict in (GOOD, BAD, BAD, BAD):
        throttle.settle(50.0, verdict)
    throttle.reconfigure(1.0, 120.0)
    assert throttle.share(50.0) == pytest.approx(3 / 5)
    throttle.reconfigure(1.0, 60.0)
    assert (throttle.share(50.0), throttle.bucket_seconds) == (0.0, 5.0)
    throttle.settle(50.0, BAD)
    assert throttle.share(104.9) == pytest.approx(1 / 2)
    assert throttle.share(110.0) == 0.0


def test_a_new_window_begins_with_its_first_bucket() -> None:
    """What is counted right after the change leaves at the end of the new window, as it would have from the start."""
    throttle = Throttle(1.0, 120.0)
    throttle.reconfigure(1.0, 60.0)
    throttle.settle(0.0, BAD)
    assert throttle.share(59.9) == pytest.approx(1 / 2)
    assert throttle.share(60.0) == 0.0


def test_a_draw_at_the_share_lets_the_call_out() -> None:
    """Below it the call is held back, and counts as asked for; the lowest class goes first."""
    for draw, held in ((0.49, True), (0.5, False)):
        throttle = Throttle(1.0, 120.0)
        throttle.settle(0.0, BAD)
        assert throttle.turns_away(0.0, "critical", draw) is held
        assert throttle.share(0.0) == pytest.approx(2 / 3 if held else 1 / 2)
    throttle = Throttle(1.0, 120.0)
    throttle.settle(0.0, BAD)
    assert throttle.turns_away(0.0, "sheddable", 0.0) is True
    assert throttle.turns_away(0.0, "critical", 0.99) is False


def test_what_was_learned_a_long_window_ago_may_be_forgotten() -> None:
    """Then it is clean whatever is held back; before that, only when nothing is."""
    machine: SheddingMachine[Somebody] = SheddingMachine(Shedding(throttle=2.0, long_window=60.0))
    machine.record(0.0, 1.0, GOOD)
    assert machine.is_clean(1.0) is True
    for _ in range(5):
        machine.record(0.0, 1.0, BAD)
    assert [machine.is_clean(now) for now in (1.0, 59.9, 60.0)] == [False, False, True]


def test_another_factor_of_the_throttle_acts_at_once() -> None:
    """What was counted stays, and is judged by the new factor."""
    machine: SheddingMachine[Somebody] = SheddingMachine(Shedding(throttle=2.0))
    for verdict in (GOOD, BAD, BAD):
        machine.record(0.0, 1.0, verdict)
    assert machine.is_clean(1.0) is False
    machine.reconfigure(Shedding(throttle=3.0))
    assert machine.is_clean(1.0) is True


def test_a_queue_of_one_is_a_queue() -> None:
    """A call that found no place may wait in it; where there is none, nobody may."""
    for places, queues in ((1, True), (0, False)):
        machine = full(queue=places)
        assert machine.queues(machine.refusal()) is queues
