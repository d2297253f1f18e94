"""The fair queue against a naive model: nothing lost, nothing twice, places never exceeded, tenants in turn."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchgear.execution.queue import FairQueue, Ticket

TENANTS = st.sampled_from(["acme", "globex", "initech"])
LANES = st.sampled_from(["crm", "mail"])
PLACES = 2


class QueueMachine(RuleBasedStateMachine):
    """Random puts, takes, ends, pauses and passing of time."""

    def __init__(self) -> None:
        """Start empty at second 0."""
        super().__init__()
        self.queue = FairQueue(places_max=1000, tenant_max=1000, lane_places=PLACES)
        self.now = 0.0
        self.count = 0
        self.waiting: dict[str, Ticket] = {}
        self.running: list[Ticket] = []
        self.paused: dict[str, float] = defaultdict(float)

    @rule(tenant=TENANTS, lane=LANES, delay=st.sampled_from([0.0, 1.0, 5.0]))
    def put(self, tenant: str, lane: str, delay: float) -> None:
        """Queue one more."""
        self.count += 1
        ticket = Ticket(f"t{self.count}", tenant, lane, self.now + delay)
        self.queue.reserve(ticket.intent_id, tenant)
        self.queue.put(ticket, self.now)
        self.waiting[ticket.intent_id] = ticket

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """End a waiting intent: its ticket must never come out."""
        if self.waiting:
            intent_id = data.draw(st.sampled_from(sorted(self.waiting)))
            self.queue.release(intent_id)
            del self.waiting[intent_id]

    @rule()
    def take(self) -> None:
        """Take one: it must be allowed, and nothing may be refused that is allowed."""
        taken = self.queue.take(self.now)
        runnable = {t.intent_id for t in self.waiting.values() if self.may_run(t)}
        assert (taken is None) == (not runnable)
        if taken is not None:
            assert taken.intent_id in runnable
            del self.waiting[taken.intent_id]
            self.running.append(taken)

    @rule(back=st.booleans())
    def end(self, back: bool) -> None:  # noqa: FBT001 - hypothesis draws it by name
        """End the oldest that runs, or put it back."""
        if self.running:
            ticket = self.running.pop(0)
            if back:
                self.queue.put_back(ticket)
                self.waiting[ticket.intent_id] = ticket
            else:
                self.queue.release(ticket.intent_id)
            self.queue.done(ticket.lane)

    @rule(lane=LANES, seconds=st.sampled_from([0.5, 3.0]))
    def pause(self, lane: str, seconds: float) -> None:
        """Pause a lane."""
        self.queue.pause(lane, self.now + seconds, "CIRCUIT_OPEN")
        self.paused[lane] = max(self.paused[lane], self.now + seconds)

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def may_run(self, ticket: Ticket) -> bool:
        """Say naively whether a waiting ticket may run now."""
        places = PLACES - sum(t.lane == ticket.lane for t in self.running)
        return ticket.due <= self.now and places > 0 and self.paused[ticket.lane] <= self.now

    @invariant()
    def the_next_moment_is_never_too_late(self) -> None:
        """Whoever sleeps until `next_moment` misses nothing that time alone makes runnable."""
        moment = self.queue.next_moment(self.now)
        for ticket in self.waiting.values():
            ready_at = max(ticket.due, self.paused[ticket.lane])
            if ready_at > self.now and ticket.due > self.now:
                assert moment is not None
                assert moment <= ready_at


TestQueueMachine = QueueMachine.TestCase
