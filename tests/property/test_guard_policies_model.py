"""A guard with every policy at once, driven at random: its books balance after each step, nothing is left at the end.

The model is small: who is inside the dependency at this moment, how many have ever arrived there, and how much time
has passed. What a caller gets is not looked at here, only what the guard holds, grants and counts.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from switchgear import (
    Breaker,
    DeadlineExceeded,
    Fallback,
    Fault,
    Faults,
    Guard,
    Hedge,
    RateLimit,
    Rejected,
    Retry,
    RetryBudget,
    RetryExhausted,
    Shedding,
    Timeout,
)
from switchgear.guard import Permit
from switchgear.guard.expiry import Timers
from switchgear.policies.places import PRIORITIES
from switchgear.testing import VirtualClock
from tests.effort import examples

PLACES = 3
QUEUE = 2
BURST = 6
PER_SECOND = 4.0
FLOOR = 0.004
WINDOW = 1_000.0  # longer than any run, so that nothing in it is ever forgotten
RATIO = 0.25


def make(clock: VirtualClock, *, dry_run: bool) -> Guard:
    """Return a guard with every policy, in which everything can happen within a few steps."""
    return Guard(
        "api",
        timeout=Timeout(4.0),
        retry=Retry(
            attempts=3,
            on=OSError,
            backoff="constant",
            base=0.5,
            budget=RetryBudget(ratio=RATIO, floor=FLOOR, window=WINDOW),
        ),
        deadline=10.0,
        breaker=Breaker(failures=3, cooldown=2.0, jitter=0.0, ignore=KeyError),
        rate_limit=RateLimit(PER_SECOND, burst=BURST, wait=1.0),
        shedding=Shedding(minimum=PLACES, maximum=PLACES, queue=QUEUE, max_wait=3.0, queue_age=1.0),
        hedge=Hedge(after=1.0, on=BlockingIOError),
        fallback=Fallback(value="cached", on=(ConnectionError, RetryExhausted, DeadlineExceeded)),
        faults=Faults(
            Fault("latency", rate=0.3, seconds=0.5),
            Fault("error", rate=0.2, error=ConnectionError),
            Fault("hang", rate=0.1),
        ),
        effect="read_only",
        dry_run=dry_run,
        clock=clock,
    )


ERRORS: tuple[type[Exception], ...] = (ConnectionError, BlockingIOError, KeyError, ValueError)


class EveryPolicy(RuleBasedStateMachine):
    """Calls, permits, answers, cancellations and time, in any order."""

    def __init__(self) -> None:
        """Start with an event loop of its own."""
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.inside: list[asyncio.Future[str]] = []
        self.tasks: list[asyncio.Future[Any]] = []
        self.permits: list[Permit] = []
        self.arrived = self.made = 0
        self.dry_run = False

    @initialize(dry_run=st.booleans())
    def begin(self, dry_run: bool) -> None:  # noqa: FBT001 - drawn
        """Make the guard; every third one only watches."""
        self.dry_run = dry_run
        self.guard = make(self.clock, dry_run=dry_run)
        self.guard.subscribe(self.broken_listener)

    def broken_listener(self, _event: object) -> None:
        """Raise, as no listener should; no call may notice."""
        raise RuntimeError("listener")

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the tasks run along with `work`."""
        self.loop.run_until_complete(work)

    async def upstream(self) -> str:
        """Wait for the answer that a rule gives."""
        end: asyncio.Future[str] = self.loop.create_future()
        self.inside.append(end)
        self.arrived += 1
        try:
            return await end
        finally:
            self.inside.remove(end)

    async def send(self, guard: Guard) -> None:
        """Start a call and let it come as far as it can without any time passing."""
        self.made += 1
        self.tasks.append(asyncio.ensure_future(guard.call(self.upstream)))
        await self.clock.elapse(0.0)

    # -- What may happen -----------------------------------------------------------------------------------------

    @rule(
        effect=st.sampled_from(["read_only", "keyed", "opaque"]),
        priority=st.sampled_from(PRIORITIES),
        tenant=st.sampled_from(["a", "b"]),
        deadline=st.sampled_from([None, 0.75, 5.0]),
    )
    def call(self, effect: str, priority: Any, tenant: str, deadline: float | None) -> None:  # noqa: ANN401 - a `Priority`
        """Make a call on some terms."""
        terms = self.guard.using(effect=effect, priority=priority, tenant=tenant, deadline=deadline)
        self.run(self.send(terms))

    @rule()
    def take_permit(self) -> None:
        """Ask for a permit without waiting."""
        try:
            self.permits.append(self.guard.permit_nowait())
        except Rejected:
            return
        self.arrived += 1
        self.made += 1

    @precondition(lambda self: self.permits)
    @rule(at=st.integers(0, 9), how=st.sampled_from(["succeed", "fail", "ignore", "refund"]))
    def settle_permit(self, at: int, how: str) -> None:
        """End the call of a permit; one that is refunded never was."""
        if how == "refund":
            self.arrived -= 1
            self.made -= 1
        getattr(self.permits.pop(at % len(self.permits)), how)()
        self.run(self.clock.elapse(0.0))

    @rule(times=st.integers(1, 12), error=st.sampled_from([None, None, *ERRORS]))
    def serve(self, times: int, error: type[Exception] | None) -> None:
        """Have the dependency answer whatever comes for a while, all in the same way."""
        for _ in range(times):
            for end in self.inside:
                if not end.done():
                    end.set_result("answer") if error is None else end.set_exception(error())
            self.run(self.clock.elapse(0.25))

    @precondition(lambda self: self.inside)
    @rule(at=st.integers(0, 9), error=st.sampled_from([None, None, *ERRORS]))
    def answer(self, at: int, error: type[Exception] | None) -> None:
        """Have the dependency end one of the calls that are inside."""
        end = self.inside[at % len(self.inside)]
        if not end.done():
            end.set_result("answer") if error is None else end.set_exception(error())
        self.run(self.clock.elapse(0.0))

    @precondition(lambda self: self.tasks)
    @rule(at=st.integers(0, 9))
    def cancel(self, at: int) -> None:
        """Have a caller lose interest."""
        self.tasks[at % len(self.tasks)].cancel()
        self.run(self.clock.elapse(0.0))

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 4.0]), wall=st.sampled_from([0.0, -3600.0, 3600.0]))
    def wait(self, seconds: float, wall: float) -> None:
        """Let time pass; what people's clocks do meanwhile is of no consequence."""
        self.clock.jump_wall(wall)
        self.run(self.clock.elapse(seconds))

    @rule(on=st.booleans())
    def switch_faults(self, on: bool) -> None:  # noqa: FBT001 - drawn
        """Switch fault injection on or off."""
        self.guard.inject_faults(on=on)

    # -- What always holds ---------------------------------------------------------------------------------------

    @invariant()
    def books_balance(self) -> None:
        """Every attempt let in has ended in one way or is still running; whoever is inside was let in."""
        statistics = self.guard.statistics()
        ended = statistics.successes + statistics.failures + statistics.ignored
        assert statistics.calls == ended + statistics.in_flight
        assert len(self.inside) + len(self.permits) <= statistics.in_flight
        assert min(statistics.in_flight, statistics.waiting, statistics.retries, statistics.hedges) >= 0

    @invariant()
    def limits_hold(self) -> None:
        """Never more inside than there are places, never more in the queue, never more arrivals than tokens."""
        statistics = self.guard.statistics()
        if self.dry_run:
            assert (statistics.rejected, statistics.waiting) == (0, 0)
            return
        assert statistics.in_flight <= PLACES
        assert statistics.waiting <= QUEUE
        assert self.arrived <= BURST + PER_SECOND * (self.clock.monotonic() - 1_000.0) + 1e-6

    @invariant()
    def repeats_stay_within_the_budget(self) -> None:
        """Whatever is retried and hedged, the dependency sees few calls more than its callers made."""
        assert self.arrived <= (1.0 + RATIO) * self.made + FLOOR * WINDOW + 1e-6

    def teardown(self) -> None:
        """End everything: the guard holds nothing, no task or timer is left, and the places can be taken again."""
        for permit in self.permits:
            permit.ignore()
        for task in self.tasks:
            task.cancel()
        if hasattr(self, "guard"):
            self.run(self.clock.elapse(30.0))
            self.check_idle()
        self.loop.close()

    def check_idle(self) -> None:
        """Assert that the guard is as good as new."""
        assert all(task.done() for task in self.tasks)
        assert not asyncio.all_tasks(self.loop)
        for task in self.tasks:
            assert task.cancelled() or task.exception() is None or isinstance(task.exception(), Exception)
        statistics = self.guard.statistics()
        assert (statistics.in_flight, statistics.waiting, statistics.abandoned, self.inside) == (0, 0, 0, [])
        self.run(self.count_timers())
        self.guard.permit_nowait().succeed()
        assert self.guard.state == "closed"
        permits = [self.guard.using(priority="critical_plus").permit_nowait() for _ in range(PLACES)]
        assert self.guard.statistics().in_flight == len(permits)

    async def count_timers(self) -> None:
        """Assert that no deadline is left behind in this loop."""
        assert Timers(self.clock).expiries().armed == 0


TestEveryPolicy = EveryPolicy.TestCase
TestEveryPolicy.settings = settings(max_examples=examples(60), stateful_step_count=40)
