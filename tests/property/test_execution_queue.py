"""The fair queue against a naive model: nothing lost, nothing twice, no bound exceeded, nothing held back in vain."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchgear.execution.lines import AGEING, QUANTUM, Ticket
from switchgear.execution.queue import FairQueue
from switchgear.execution.shares import Share
from switchgear.policies.places import PRIORITIES, Priority

TENANTS = st.sampled_from(["acme", "globex", "initech"])
LANES = st.sampled_from(["crm", "mail"])
PLACES = 2
SLOTS = 1
AGE_MAX = 40.0
SHARES = {"globex": Share(weight=0.3, slots=SLOTS), "initech": Share(weight=4.0)}


class QueueMachine(RuleBasedStateMachine):
    """Random puts, takes, ends, pauses, expiries and passing of time. Only "globex" has slots."""

    def __init__(self) -> None:
        """Start empty at second 0."""
        super().__init__()
        self.queue = FairQueue(places_max=1000, tenant_max=1000, lane_places=PLACES, age_max=AGE_MAX, shares=SHARES)
        self.now = 0.0
        self.count = 0
        self.waiting: dict[str, Ticket] = {}
        self.ranks: dict[str, float] = {}
        self.running: list[Ticket] = []
        self.paused: dict[tuple[str, str | None], float] = defaultdict(float)

    @rule(
        tenant=TENANTS,
        lane=LANES,
        delay=st.sampled_from([0.0, 1.0, 5.0]),
        safe=st.booleans(),
        cost=st.sampled_from([0, 1, 1, 7]),
        priority=st.sampled_from(PRIORITIES),
    )
    def put(self, tenant: str, lane: str, delay: float, safe: bool, cost: int, priority: Priority) -> None:  # noqa: FBT001 - hypothesis draws it by name
        """Queue one more."""
        self.count += 1
        ticket = Ticket(f"t{self.count}", tenant, lane, self.now + delay, safe, cost, priority)
        self.queue.reserve(ticket.intent_id, tenant)
        self.queue.put(ticket, self.now)
        self.wait(ticket, ticket.due)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """End a waiting intent: its ticket must never come out."""
        if self.waiting:
            intent_id = data.draw(st.sampled_from(sorted(self.waiting)))
            self.queue.release(intent_id)
            del self.waiting[intent_id]

    @rule(probing=st.booleans())
    def take(self, probing: bool) -> None:  # noqa: FBT001 - hypothesis draws it by name
        """Take one: it must be allowed, and nothing may be refused that is allowed."""
        taken = self.queue.take(self.now, lambda _lane: probing)
        runnable = {t.intent_id: t for t in self.waiting.values() if self.ready_at(t) <= self.now and self.has_room(t)}
        assert (taken is None) == (not runnable)
        if taken is None:
            return
        assert runnable[taken.intent_id] == taken
        if probing:
            assert taken.safe or not any(t.safe for t in runnable.values() if t.lane == taken.lane)
        else:
            self.is_first_of_its_line(taken, list(runnable.values()))
        del self.waiting[taken.intent_id]
        self.running.append(taken)

    @rule(how=st.sampled_from(["done", "put back", "deferred"]))
    def end(self, how: str) -> None:
        """End the oldest that runs, put it back, or let it stand at the end of its line."""
        if not self.running:
            return
        ticket = self.running.pop(0)
        if how == "put back":
            self.queue.put_back(ticket)
            self.wait(ticket, ticket.due)
        elif how == "deferred":
            self.queue.put(ticket, self.now)
            self.wait(ticket, self.now)
        else:
            self.queue.release(ticket.intent_id)
        self.queue.done(ticket)

    @rule(lane=LANES, tenant=st.none() | TENANTS, seconds=st.sampled_from([0.5, 3.0]))
    def pause(self, lane: str, tenant: str | None, seconds: float) -> None:
        """Pause a lane, or one tenant in it."""
        self.queue.pause(lane, self.now + seconds, "CIRCUIT_OPEN", tenant=tenant)
        self.paused[lane, tenant] = max(self.paused[lane, tenant], self.now + seconds)

    @rule(lane=LANES, tenant=st.none() | TENANTS)
    def resume(self, lane: str, tenant: str | None) -> None:
        """End a pause early."""
        self.queue.resume(lane, "CIRCUIT_OPEN", tenant=tenant)
        self.paused[lane, tenant] = 0.0

    @rule()
    def expire(self) -> None:
        """What is sheddable and due for too long comes out, all of it and nothing else."""
        self.queue.promote(self.now)  # what is due by now stands in its line
        expired = {ticket.intent_id for ticket in self.queue.expired(self.now)}
        old = {t.intent_id for t in self.waiting.values() if t.due < self.now - AGE_MAX and "sheddable" in t.priority}
        assert expired == old
        for intent_id in expired:
            self.queue.release(intent_id)
            del self.waiting[intent_id]

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def wait(self, ticket: Ticket, since: float) -> None:
        """Note that a ticket waits, and how it ranks within its line."""
        self.waiting[ticket.intent_id] = ticket
        self.ranks[ticket.intent_id] = since + PRIORITIES.index(ticket.priority) * AGEING

    def ready_at(self, ticket: Ticket) -> float:
        """Say naively when time alone lets a waiting ticket run."""
        return max(ticket.due, self.paused[ticket.lane, None], self.paused[ticket.lane, ticket.tenant])

    def has_room(self, ticket: Ticket) -> bool:
        """Say naively whether lane and tenant have a place for one more."""
        beside = [t for t in self.running if t.lane == ticket.lane]
        slots = SLOTS if ticket.tenant == "globex" else PLACES
        return len(beside) < PLACES and sum(t.tenant == ticket.tenant for t in beside) < slots

    def is_first_of_its_line(self, taken: Ticket, runnable: list[Ticket]) -> None:
        """Nothing of another class of the same tenant and lane had waited so long that it should have gone before."""
        rank = self.ranks[taken.intent_id]
        for other in runnable:
            if (other.tenant, other.lane) == (taken.tenant, taken.lane) and other.priority != taken.priority:
                first = min(
                    self.ranks[t.intent_id]
                    for t in runnable
                    if (t.tenant, t.lane, t.priority, t.safe) == (other.tenant, other.lane, other.priority, other.safe)
                )
                assert rank <= max(first, self.ranks[other.intent_id])

    @invariant()
    def the_next_moment_is_never_too_late(self) -> None:
        """Whoever sleeps until `next_moment` misses nothing that time alone makes runnable, and never spins."""
        self.queue.promote(self.now)
        moment = self.queue.next_moment()
        assert moment is None or moment > self.now
        for ticket in self.waiting.values():
            if self.ready_at(ticket) > self.now and self.has_room(ticket):
                assert moment is not None
                assert moment <= self.ready_at(ticket)

    @invariant()
    def what_waits_is_counted(self) -> None:
        """The count of a lane is that of its due tickets."""
        due = Counter(ticket.lane for ticket in self.waiting.values() if ticket.due <= self.now)
        assert {lane: self.queue.waiting(lane) for lane in ("crm", "mail")} == {"crm": due["crm"], "mail": due["mail"]}


TestQueueMachine = QueueMachine.TestCase

WEIGHTS = st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.5, 10.0]), min_size=2, max_size=5)


@given(weights=WEIGHTS, cost_max=st.sampled_from([1, 3, 20]), seed=st.integers(0, 10_000))
def test_over_any_window_backlogged_tenants_share_by_weight(weights: list[float], cost_max: int, seed: int) -> None:
    """What two tenants that wait all the time get, by weight, differs by two quanta and a dearest ticket of each."""
    rng = random.Random(seed)
    names = [f"t{number}" for number in range(len(weights))]
    shares = {name: Share(weight=weight) for name, weight in zip(names, weights, strict=True)}
    subject = FairQueue(places_max=10_000, tenant_max=10_000, lane_places=1, shares=shares)
    for number in range(2 * len(names)):
        add(subject, names[number % len(names)], number, rng.randint(1, cost_max))
    got = dict.fromkeys(names, 0.0)
    history = [dict(got)]
    for number in range(1_000, 1_400):
        taken = subject.take(0.0)
        assert taken is not None
        subject.release(taken.intent_id)
        add(subject, taken.tenant, number, rng.randint(1, cost_max))
        subject.done(taken)
        got[taken.tenant] += taken.cost / shares[taken.tenant].weight
        history.append(dict(got))
    for one, other in pairwise(sorted(names)):
        ahead = [at[one] - at[other] for at in history]
        bound = 2 * QUANTUM + cost_max / shares[one].weight + cost_max / shares[other].weight
        assert max(ahead) - min(ahead) <= bound + 1e-6


@given(
    rate=st.sampled_from([0.5, 1.0, 3.0, 50.0]),
    steps=st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0]), min_size=5, max_size=60),
)
def test_a_tenant_with_a_rate_gets_so_much_and_no_more(rate: float, steps: list[float]) -> None:
    """In no window more attempts than the rate and one second's worth; and none is held back longer than it must."""
    subject = FairQueue(places_max=10_000, tenant_max=10_000, lane_places=10_000, shares={"t": Share(rate=rate)})
    for number in range(400):
        add(subject, "t", number, 1, lane=f"l{number % 2}")
    now, taken_at = 0.0, list[float]()
    for step in steps:
        now += step
        while subject.take(now) is not None:
            taken_at.append(now)
        burst = max(1.0, rate)
        for start, first in enumerate(taken_at):
            assert len(taken_at) - start <= burst + rate * (now - first) + 1e-6
        moment = subject.next_moment()
        if len(taken_at) < 400:
            assert moment is not None
            assert now < moment <= now + 1.0 / rate + 1e-6


def add(subject: FairQueue, tenant: str, number: int, cost: int, lane: str = "crm") -> None:
    """Queue one more."""
    ticket = Ticket(f"i{number}", tenant, lane, 0.0, cost=cost)
    subject.reserve(ticket.intent_id, tenant)
    subject.put(ticket, 0.0)
