"""Every policy of the guard, under the public conformance suite."""

from __future__ import annotations

from random import Random

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Retry, Timeout
from switchgear.core.clock import Clock
from switchgear.testing import PolicyConformance


class TestBreakerByRow(PolicyConformance):
    """Consecutive failures."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a closed guard."""
        return Guard("api", breaker=Breaker(failures=3, cooldown=30.0, cooldown_factor=2.0), clock=clock, random=random)

    def make_refusing_guard(self, clock: Clock, random: Random) -> Guard:
        """Return an open one."""
        guard = self.make_guard(clock, random)
        for _ in range(3):
            guard.permit_nowait().fail()
        return guard


class TestBreakerByRate(TestBreakerByRow):
    """Rates over a window, with a ramp and several probes."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a closed guard."""
        breaker = Breaker(
            failure_rate=0.5, slow_rate=0.5, slow_after=5.0, minimum_calls=3, window=60.0, probes=3, ramp=10.0
        )
        return Guard("api", breaker=breaker, clock=clock, random=random)


class TestBulkhead(PolicyConformance):
    """Few places and a queue."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return an idle guard."""
        return Guard("api", bulkhead=Bulkhead(2, queue=3, max_wait=5.0), clock=clock, random=random)

    def make_refusing_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard without a queue whose places are taken."""
        guard = Guard("api", bulkhead=Bulkhead(2), clock=clock, random=random)
        guard.permit_nowait()
        guard.permit_nowait()
        return guard


class TestRateLimit(PolicyConformance):
    """A small bucket, and waiting for a turn."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard with a full burst."""
        return Guard("api", rate_limit=RateLimit(2, burst=3, wait=4.0), clock=clock, random=random)

    def make_refusing_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that does not wait, its burst used up."""
        guard = Guard("api", rate_limit=RateLimit(2, burst=3), clock=clock, random=random)
        for _ in range(3):
            guard.permit_nowait().succeed()
        return guard


class TestWarmingRateLimit(TestRateLimit):
    """A limit that starts cold."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a cold guard."""
        return Guard("api", rate_limit=RateLimit(2, warm_up=20.0, wait=4.0), clock=clock, random=random)


class TestRetry(PolicyConformance):
    """Attempts with back-off between them."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that tries three times."""
        return Guard("api", retry=Retry(attempts=3, on=ConnectionError), clock=clock, random=random)


class TestTimeout(PolicyConformance):
    """Attempts that are bounded, and the guard's deadline."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard whose calls end in time."""
        return Guard("api", timeout=Timeout(2.0), deadline=8.0, clock=clock, random=random)


class TestShortTimeout(PolicyConformance):
    """Attempts that run into their timeout, so that expiry and the caller's cancellation meet."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard whose attempts are cut off before they end."""
        return Guard(
            "api",
            timeout=Timeout(0.25),
            retry=Retry(attempts=2, on=TimeoutError, backoff="constant", base=0.1),
            clock=clock,
            random=random,
        )


class TestEverything(PolicyConformance):
    """All policies in one guard."""

    def make_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard whose calls can be suspended everywhere: queue, turn, attempt, back-off."""
        return Guard(
            "api",
            timeout=Timeout(2.0),
            retry=Retry(on=ConnectionError, attempts=3, backoff="constant", base=0.5),
            deadline=8.0,
            breaker=Breaker(failures=5, cooldown=10.0),
            rate_limit=RateLimit(4, burst=3, wait=3.0),
            bulkhead=Bulkhead(2, queue=4, max_wait=3.0),
            clock=clock,
            random=random,
        )

    def make_refusing_guard(self, clock: Clock, random: Random) -> Guard:
        """Return a guard that is open, and whose limit and places are left."""
        guard = self.make_guard(clock, random)
        for _ in range(5):
            clock.sleep(1.0)
            guard.permit_nowait().fail()
        return guard
