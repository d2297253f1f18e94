"""Nobody calls an engine lost that may still send, whatever pauses and silences; and no lost one ever writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.execution.leases.lease import Instant, Lease, LeaseOptions
from switchgear.execution.leases.watch import Watch
from switchgear.lab.simulation import simulate
from tests.effort import examples

OPTIONS = LeaseOptions(shared=True, ttl=15.0, margin=3.0)
SECONDS = st.sampled_from((0.0, 0.0, 0.1, 2.0, 5.0, 11.0, 14.0, 16.0, 40.0))
PACES = st.floats((OPTIONS.ttl - OPTIONS.margin) / OPTIONS.ttl + 1e-6, 1.2)
BATCHES, BATCH = 4, 15
FIRST = 304
"""The first of the seeds with several engines that `test_engine_simulation` leaves out: every fourth is one."""


class Pair:
    """One engine that beats and one that watches it, each with a clock of its own, and the row between them."""

    def __init__(self, pace: float) -> None:
        """Let the clock of the engine run at `pace` to that of the watcher."""
        self.pace = pace
        self.own, self.other = VirtualClock(), VirtualClock()
        self.lease, self.watch = Lease("eng_a", OPTIONS, self.own), Watch(OPTIONS.ttl)
        self.version = 1
        self.sent: Instant | None = None
        self.landed = False
        self.began = self.other.monotonic()
        self.sign: tuple[int, int] | None = None
        self.lease.joined(self.lease.now())

    def wait(self, seconds: float) -> None:
        """Let time pass for both."""
        self.own.advance(seconds * self.pace)
        self.other.advance(seconds)

    def send(self) -> None:
        """Send a beat; nothing is known of the one before any more."""
        self.sent, self.landed = self.lease.now(), False

    def land(self) -> None:
        """Let the beat commit."""
        if self.sent is not None and not self.landed:
            self.version, self.landed = self.version + 1, True

    def acknowledge(self) -> None:
        """Let the engine hear of it."""
        if self.sent is not None and self.landed:
            self.lease.heard(self.sent)
            self.sent = None

    def begin(self) -> None:
        """Begin to look."""
        self.began, self.sign = self.other.monotonic(), None

    def read(self) -> None:
        """See where the row stands."""
        self.sign = (1, self.version)

    def end(self) -> None:
        """Go by what was seen: whoever is called lost must be fenced, and stay so."""
        if self.sign is None:
            return
        sign, self.sign = self.sign, None
        if self.watch.overdue("eng_a", sign, began=self.began, read=self.other.monotonic()):
            assert self.lease.fenced

    def look(self) -> None:
        """Look in no time."""
        self.begin()
        self.read()
        self.end()


ACTS = (Pair.send, Pair.land, Pair.acknowledge, Pair.begin, Pair.read, Pair.end, Pair.look, Pair.look)


@given(st.lists(st.tuples(st.sampled_from(ACTS), SECONDS), max_size=60), PACES)
@settings(max_examples=examples(1_000))
def test_whoever_is_called_lost_sends_nothing_any_more(
    acts: list[tuple[Callable[[Pair], None], float]], pace: float
) -> None:
    """Beats are acknowledged late or never, looks take long, clocks run a fifth apart: the margin covers it."""
    pair = Pair(pace)
    for act, seconds in acts:
        pair.wait(seconds)
        act(pair)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_append_of_a_lost_engine_commits(batch: int) -> None:
    """Engines that share a store stand still at any moment, end, and wake up late: every law holds, and this one."""
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        seed = FIRST + 4 * number
        replay = f"switchgear lab simulate --seed {seed} --trace"
        assert not (problems := simulate(seed).problems), "\n".join((replay, *problems))
