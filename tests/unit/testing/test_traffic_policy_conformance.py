"""Shedding, hedge, fallback, retry budget and faults, under the public conformance suite for policies."""

from __future__ import annotations

from random import Random

from switchgear.core.clock import Clock
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Fault, Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout
from switchgear.testing import PolicyConformance


class TestShedding(PolicyConformance):
    """A limit that adapts, with a queue."""

    capacity_is_fixed = False

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that adapts between two and eight."""
        return Guard("api", shedding=Shedding(initial=4, minimum=2, maximum=8, queue=3), clock=clock, random=random)

    def make_refusing_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard without a queue whose one place is taken."""
        guard = Guard("api", shedding=Shedding(initial=1, minimum=1, maximum=1), clock=clock, random=random)
        guard.permit_nowait()
        return guard


class TestFixedShedding(TestShedding):
    """A limit that stays, so that a single lost place shows."""

    capacity_is_fixed = True

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard with three places."""
        return Guard("api", shedding=Shedding(minimum=3, maximum=3, queue=3), clock=clock, random=random)


class TestHedge(PolicyConformance):
    """Copies of slow calls, each with a place of its own."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that sends a copy while the work is still under way."""
        return Guard(
            "api", hedge=Hedge(after=0.2), bulkhead=Bulkhead(6), effect="read_only", clock=clock, random=random
        )


class TestFallback(PolicyConformance):
    """An answer for calls that fail."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that answers for failed calls."""
        return Guard(
            "api",
            fallback=Fallback(value="cached", on=ConnectionError),
            bulkhead=Bulkhead(2, queue=2),
            effect="read_only",
            clock=clock,
            random=random,
        )


class TestRetryBudget(PolicyConformance):
    """Retries that run out."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard with few repeats."""
        budget = RetryBudget(ratio=0.1, floor=0.2, window=10.0)
        retry = Retry(attempts=3, on=ConnectionError, base=0.1, budget=budget)
        return Guard("api", retry=retry, bulkhead=Bulkhead(3), clock=clock, random=random)


class TestFaults(PolicyConformance):
    """Latency and errors on purpose."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard whose faults are switched on."""
        faults = Faults(
            Fault("latency", rate=0.5, seconds=0.5), Fault("error", rate=0.3, error=ConnectionError), seed=1
        )
        guard = Guard("api", faults=faults, bulkhead=Bulkhead(3, queue=2), clock=clock, random=random)
        guard.inject_faults()
        return guard


class TestAllTraffic(PolicyConformance):
    """Everything at once."""

    capacity_is_fixed = False

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard with every policy of this page, and a breaker."""
        return Guard(
            "api",
            timeout=Timeout(2.0),
            retry=Retry(attempts=2, on=ConnectionError, base=0.1),
            breaker=Breaker(failures=5, cooldown=10.0),
            shedding=Shedding(initial=4, minimum=2, maximum=8, queue=3),
            hedge=Hedge(after=0.2),
            fallback=Fallback(value="cached", on=ConnectionError),
            effect="read_only",
            clock=clock,
            random=random,
        )
