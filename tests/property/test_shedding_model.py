"""Laws of shedding: a stateful walk against a naive model, fairness between tenants, and a limit that stays sane."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from switchgear.core.outcome import Verdict
from switchgear.policies.places import PRIORITIES, Priority
from switchgear.policies.shedding import Shedding, SheddingMachine
from switchgear.policies.shedding.throttling import Throttle
from tests.effort import examples

CLASSES = st.sampled_from(PRIORITIES)
TENANTS = st.sampled_from(["a", "b", "c", None])
VERDICTS = st.sampled_from(list(Verdict))
DURATIONS = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 1.0, inf, 1e9]))
SHARES: dict[Priority, float] = {"critical_plus": 1.0, "critical": 0.95, "sheddable_plus": 0.8, "sheddable": 0.6}
WEIGHTS = {"a": 2, "b": 3}
QUEUE, QUEUE_AGE = 6, 4.0


@dataclass(eq=False)
class Somebody:
    """A waiter, and how its wait ended."""

    priority: Priority
    tenant: str | None
    enqueued_at: float
    expires_at: float
    ended: str = ""

    def is_over(self, now: float) -> bool:
        """Return whether it gets no place any more."""
        old = self.priority in ("sheddable_plus", "sheddable") and now - self.enqueued_at > QUEUE_AGE
        return old or now >= self.expires_at


@dataclass
class Model:
    """The places and the queue as one would explain them: one list of waiters, one of tenants in turn a class."""

    taken: int = 0
    waiting: list[Somebody] = field(default_factory=list)
    turns: dict[Priority, list[str | None]] = field(default_factory=lambda: {priority: [] for priority in PRIORITIES})
    credit: dict[tuple[Priority, str | None], float] = field(default_factory=dict)

    def room(self, priority: Priority, limit: int) -> int:
        """Return how many places may be taken for a call of that class to get one."""
        return max(1, int(SHARES[priority] * limit + 1e-9))

    def admit(self, priority: Priority, limit: int) -> bool:
        """Take a place, or not."""
        fits = self.taken < self.room(priority, limit)
        self.taken += fits
        return fits

    def is_stale(self, priority: Priority, now: float) -> bool:
        """Return whether a waiter of that class or above is too old."""
        above = PRIORITIES[: PRIORITIES.index(priority) + 1]
        return any(waiter.priority in above and now - waiter.enqueued_at > QUEUE_AGE for waiter in self.waiting)

    def enqueue(self, waiter: Somebody, now: float) -> tuple[bool, Somebody | None]:
        """Let it stand, push one out for it, or neither."""
        if self.is_stale(waiter.priority, now):
            return False, None
        out = None
        if len(self.waiting) >= QUEUE:
            lowest = max(PRIORITIES.index(other.priority) for other in self.waiting)
            if lowest <= PRIORITIES.index(waiter.priority):
                return False, None
            out = [other for other in self.waiting if other.priority == PRIORITIES[lowest]][-1]
            self.remove(out)
        self.waiting.append(waiter)
        if waiter.tenant not in self.turns[waiter.priority]:
            self.turns[waiter.priority].append(waiter.tenant)
            self.credit[waiter.priority, waiter.tenant] = 0
        return True, out

    def lane(self, priority: Priority, tenant: str | None) -> list[Somebody]:
        """Return who waits of one tenant in one class."""
        return [waiter for waiter in self.waiting if (waiter.priority, waiter.tenant) == (priority, tenant)]

    def remove(self, waiter: Somebody) -> None:
        """Take it out; a tenant without waiters has no turn."""
        self.waiting.remove(waiter)
        if not self.lane(waiter.priority, waiter.tenant):
            self.turns[waiter.priority].remove(waiter.tenant)

    def turn(self, now: float) -> Somebody | None:
        """Return whose turn it is, dropping those at the head whose time is over."""
        for priority in PRIORITIES:
            while self.turns[priority]:
                waiter = self.lane(priority, self.turns[priority][0])[0]
                if not waiter.is_over(now):
                    return waiter
                waiter.ended = "dropped"
                self.remove(waiter)
        return None

    def grant(self, now: float, limit: int) -> list[Somebody]:
        """Pass free places on."""
        granted = []
        while (waiter := self.turn(now)) is not None and self.taken < self.room(waiter.priority, limit):
            key = waiter.priority, waiter.tenant
            if self.credit[key] < 1:
                self.credit[key] += WEIGHTS.get(waiter.tenant or "", 1)
            self.credit[key] -= 1
            self.remove(waiter)
            turns = self.turns[waiter.priority]
            if waiter.tenant in turns and self.credit[key] < 1:
                turns.append(turns.pop(0))
            self.taken += 1
            granted.append(waiter)
        return granted


class SheddingWalk(RuleBasedStateMachine):
    """Any interleaving of arrivals, ends, waits and departures behaves as the model says, while the limit moves."""

    waiters = Bundle("waiters")

    def __init__(self) -> None:
        """Set both up alike; the limit moves quickly."""
        super().__init__()
        self.now = 1_000.0
        self.model = Model()
        self.machine: SheddingMachine[Somebody] = SheddingMachine(
            Shedding(
                initial=4,
                minimum=2,
                maximum=9,
                smoothing=0.7,
                window=0.5,
                long_window=5.0,
                queue=QUEUE,
                queue_age=QUEUE_AGE,
                weights=WEIGHTS,
            )
        )

    @rule(priority=CLASSES, tenant=TENANTS, count=st.integers(1, 4))
    def admit(self, priority: Priority, tenant: str | None, count: int) -> None:
        """Ask both for places. No place is given above the limit."""
        for _ in range(count):
            refusal = self.machine.admit(self.now, priority, tenant, 0.5)
            assert (refusal is None) == self.model.admit(priority, self.machine.limit)
            if refusal is None:
                assert self.machine.taken <= self.machine.limit
            else:
                assert refusal.retry_after is not None
                assert 0 <= refusal.retry_after < inf

    @rule(target=waiters, priority=CLASSES, tenant=TENANTS, patience=st.floats(0.1, 20.0))
    def arrive(self, priority: Priority, tenant: str | None, patience: float) -> Somebody | None:
        """Let somebody stand in both queues if there is no place, as a guard does in one section."""
        refusal = self.machine.admit(self.now, priority, tenant, 0.5)
        if self.model.admit(priority, self.machine.limit):
            assert refusal is None
            return None
        assert refusal is not None
        waiter = Somebody(priority, tenant, self.now, self.now + patience)
        stands, out = self.machine.enqueue(waiter, self.now)
        assert stands == self.machine.queues(refusal)
        assert (stands, out) == self.model.enqueue(waiter, self.now)
        if out is not None:
            assert not out.ended
            out.ended = "pushed out"
            assert PRIORITIES.index(out.priority) > PRIORITIES.index(priority)
        if not stands:
            return None
        return waiter

    @rule(waiter=consumes(waiters))
    def leave(self, waiter: Somebody | None) -> None:
        """Give up, unless the wait has ended otherwise."""
        if waiter is None:
            return
        assert self.machine.leave(waiter) == (not waiter.ended)
        if not waiter.ended:
            waiter.ended = "left"
            self.model.remove(waiter)

    @precondition(lambda self: self.model.taken)
    @rule(count=st.integers(1, 12), duration=DURATIONS, verdict=VERDICTS)
    def end(self, count: int, duration: float, verdict: Verdict) -> None:
        """End calls. An ignored one never moves the limit."""
        for _ in range(min(count, self.model.taken)):
            before = self.machine.limit
            granted = self.machine.release(self.now, duration, verdict)
            self.model.taken -= 1
            self._check(granted, self.model.grant(self.now, self.machine.limit))
            assert verdict is not Verdict.IGNORED or self.machine.limit == before

    @precondition(lambda self: self.model.taken)
    @rule()
    def give_back(self) -> None:
        """Take back a place that no call used. It never moves the limit."""
        before = self.machine.limit
        granted = self.machine.refund(self.now)
        self.model.taken -= 1
        self._check(granted, self.model.grant(self.now, self.machine.limit))
        assert self.machine.limit == before

    @rule(eighths=st.integers(1, 40))
    def wait(self, eighths: int) -> None:
        """Let time pass."""
        self.now += eighths / 8

    def _check(self, granted: Sequence[Somebody], expected: Sequence[Somebody]) -> None:
        """Nobody gets a place twice or too late, nor before a higher class, nor above the limit."""
        assert granted == expected
        for waiter in granted:
            assert not waiter.ended
            assert not waiter.is_over(self.now)
            waiter.ended = "granted"
        ranks = [PRIORITIES.index(waiter.priority) for waiter in granted]
        assert ranks == sorted(ranks)
        alive = [PRIORITIES.index(waiter.priority) for waiter in self.model.waiting if not waiter.is_over(self.now)]
        assert not ranks or not alive or ranks[-1] <= min(alive)
        assert not granted or self.machine.taken <= self.machine.limit

    @invariant()
    def nobody_is_lost(self) -> None:
        """Both count alike, and everything is within its bounds."""
        assert self.machine.taken == self.model.taken
        assert self.machine.waiting == len(self.model.waiting) <= QUEUE
        assert 2 <= self.machine.limit <= 9

    def teardown(self) -> None:
        """Whatever happened, once the calls have ended nobody waits: no waiter is forgotten, no place wedged."""
        while self.model.taken:
            self._check(self.machine.refund(self.now), self._model_refund())
        assert self.machine.waiting == 0
        assert self.machine.taken == 0

    def _model_refund(self) -> list[Somebody]:
        self.model.taken -= 1
        return self.model.grant(self.now, self.machine.limit)


TestSheddingWalk = SheddingWalk.TestCase
TestSheddingWalk.settings = settings(max_examples=examples(150), stateful_step_count=50)


@given(weights=st.tuples(st.integers(1, 9), st.integers(1, 9)), more=st.integers(0, 5), served=st.integers(1, 150))
def test_two_tenants_that_wait_are_served_by_their_weights(weights: tuple[int, int], more: int, served: int) -> None:
    """While both wait, the rounds they were served differ by one at most, whoever else waits."""
    machine: SheddingMachine[Somebody] = SheddingMachine(
        Shedding(minimum=1, maximum=1, queue=10_000, weights={"a": weights[0], "b": weights[1]})
    )
    assert machine.admit(0.0, "critical", None, 0.5) is None
    for tenant in ("a", "b", *(f"other {number}" for number in range(more))):
        for _ in range(served):
            machine.enqueue(Somebody("critical", tenant, 0.0, 1.0), 0.0)
    counts = dict.fromkeys(("a", "b"), 0)
    for _ in range(served):
        (waiter,) = machine.refund(0.0)
        counts[waiter.tenant or ""] = counts.get(waiter.tenant or "", 0) + 1
        assert abs(counts["a"] / weights[0] - counts["b"] / weights[1]) <= 1


@given(
    calls=st.lists(st.tuples(st.floats(0, 10), st.floats(allow_nan=True), VERDICTS, st.integers(0, 300)), max_size=200),
    tolerance=st.floats(1, 100),
    smoothing=st.floats(0.01, 1),
    headroom=st.floats(0.001, 1e6),
    bounds=st.tuples(st.integers(1, 50), st.integers(50, 500)),
)
def test_the_limit_is_a_number_within_its_bounds(
    calls: list[tuple[float, float, Verdict, int]],
    tolerance: float,
    smoothing: float,
    headroom: float,
    bounds: tuple[int, int],
) -> None:
    """Whatever durations it is told, nonsense included, the limit and the advice are finite and within bounds."""
    minimum, maximum = bounds
    machine: SheddingMachine[Somebody] = SheddingMachine(
        Shedding(
            minimum=minimum,
            maximum=maximum,
            tolerance=tolerance,
            smoothing=smoothing,
            headroom=headroom,
            window=0.01,
            long_window=1.0,
        )
    )
    now = 0.0
    for pause, duration, verdict, taken in calls:
        now += pause
        machine.taken = taken
        machine.record(now, duration, verdict)
        assert minimum <= machine.limit <= maximum
        advice = machine.refusal().retry_after
        assert advice is not None
        assert isfinite(advice)


@given(
    ends=st.lists(st.tuples(st.floats(0, 30), VERDICTS), max_size=80),
    arrivals=st.lists(CLASSES, max_size=40),
    factor=st.floats(1, 4),
)
def test_a_throttle_is_exact_and_never_shuts_out_everybody(
    ends: list[tuple[float, Verdict]], arrivals: list[Priority], factor: float
) -> None:
    """The share equals a recount of the window, is below 1, and the lowest draw that is let in is below 1 as well."""
    throttle, now, told = Throttle(factor, 120.0), 5_000.0, list[tuple[float, Verdict]]()
    for pause, verdict in ends:
        now += pause
        throttle.settle(now, verdict)
        told.append((now, verdict))
        recent = [said for when, said in told if int(when / 10) > int(now / 10) - 12 and said is not Verdict.IGNORED]
        accepted = recent.count(Verdict.SUCCESS)
        assert throttle.share(now) == max(0.0, (len(recent) - factor * accepted) / (len(recent) + 1)) < 1
    highest: Priority = min(arrivals, key=PRIORITIES.index, default="critical")
    for priority in arrivals:
        throttle.turns_away(now, priority, 0.999_999)
    assert not throttle.turns_away(now, highest, 1 - 1e-9)
