"""A day of traffic in virtual time: every policy at once, many tenants, scripted outages, and laws that always hold.

Everything is drawn from one seed; a run that fails says which. More days by hand:
``DAYS_OF_TRAFFIC=20 make test ARGS="-k a_day_of_traffic"``. What a single policy decides is in the tests beside this
one; here only what users are promised of all of them together, judged from outside of the guard.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    DeadlineExceeded,
    Fallback,
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
from switchgear.guard.meter import Event
from switchgear.policies.places import PRIORITIES
from switchgear.testing import (
    FakeUpstream,
    SimulatedLoop,
    TooManyRequests,
    assert_idle,
    at,
    capacity,
    fail,
    ok,
    outage,
    rate_limited,
    run_simulated,
    slow,
    stall,
)

DAYS = int(os.environ.get("DAYS_OF_TRAFFIC", "1"))
HOUR = 3_600.0
STEPS_MAX = 20_000_000

# The guard. Seconds, unless the name says otherwise.
TIMEOUT, DEADLINE, IMPATIENT = Timeout(2.0), 8.0, 1.0
BUDGET = RetryBudget(ratio=0.1, floor=0.1, window=30.0)
RETRY = Retry(attempts=3, on=(ConnectionError, DeadlineExceeded, TooManyRequests), base=0.2, cap=2.0, budget=BUDGET)
BREAKER = Breaker(
    failure_rate=0.5, minimum_calls=10, window=40.0, cooldown=10.0, cooldown_factor=2.0, cooldown_max=60.0, ramp=15.0
)
LIMIT, BULKHEAD = RateLimit(3, burst=10), Bulkhead(6, queue=10, max_wait=3.0)
SHEDDING = Shedding(initial=4, minimum=4, maximum=6, queue=10, max_wait=3.0, queue_age=1.0)
KEYS_MAX = 12

# The traffic: a steady tenant calls every second to every third, so that no window has too few of its calls.
STEADY = ("acme", "globex", "initech")
GAP = (1.0, 3.0)
STALE = "stale"

# The promises, in seconds.
OPENS_WITHIN = 40.0 + 2.0 + GAP[1] + 1.0
"""The window, a timeout, the call that meets the threshold, and the bucket of a second."""
CLOSES_WITHIN = 2.0 + 60.0 + 5 * GAP[1] + 2.0
"""A probe that began before the end, the longest cooldown, a call to be the probe (five: callers go away), and it."""
SERVES_WITHIN = CLOSES_WITHIN + BREAKER.ramp
"""The ramp is over as well: nothing is refused by a breaker."""
CALM = frozenset(
    {
        *("served", "cancelled", "hurried"),
        *("RATE_LIMITED_CONNECTOR", "BULKHEAD_FULL", "QUEUE_FULL", "QUEUE_EXPIRED", "SHED_OVERLOAD"),
    }
)
"""How calls may end while the upstream is well: our own limits refuse, and callers go away or have too little time."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong from `start` for `seconds`; `opens` says that every steady breaker has to open."""

    name: str
    start: float
    seconds: float
    opens: bool = False

    @property
    def end(self) -> float:
        """The first second after it."""
        return self.start + self.seconds


TROUBLES = (
    Trouble("down", 1 * HOUR, 600.0, opens=True),
    Trouble("slow", 2 * HOUR, 600.0, opens=True),
    Trouble("stalled", 5 * HOUR, 180.0, opens=True),
    Trouble("flapping", 7 * HOUR, 600.0),
    Trouble("rate_limited", 9 * HOUR, 600.0, opens=True),
    Trouble("one_percent", 12.5 * HOUR, 2 * HOUR),
    Trouble("blink", 16 * HOUR, 8.0),
    Trouble("overloaded", 18 * HOUR, 600.0),
    Trouble("down", 20 * HOUR, HOUR, opens=True),
    Trouble("slow", 22 * HOUR, 300.0, opens=True),
)


@dataclass(slots=True)
class Call:
    """One call of a caller: how many attempts arrived, how many run, and when the last one ended."""

    tenant: str
    attempts: int = 0
    running: int = 0
    ended: float = 0.0


@dataclass(slots=True)
class Record:
    """What reached the upstream of one tenant, and what its callers got. Moments are seconds of the day."""

    members: list[Guard] = field(default_factory=list)
    inside: int = 0
    level: float = 0.0
    updated: float = 0.0
    arrived: int = 0
    answered: int = 0
    failed: int = 0
    cut: int = 0
    firsts: list[float] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)

    def drain(self, now: float, per_second: float) -> None:
        """Let the bucket of a naive limiter drain until `now`."""
        self.level = max(0.0, self.level - (now - self.updated) * per_second)
        self.updated = now

    def arrive(self, call: Call, now: float) -> None:
        """Note an attempt; a repeat at the moment at which it was decided on."""
        self.arrived += 1
        self.inside += 1
        if call.attempts == 0:
            self.firsts.append(now)
        else:
            self.repeats.append(now if call.running else call.ended)
        call.attempts += 1
        call.running += 1


class Day:
    """The traffic of some hours, and what everybody saw of it."""

    def __init__(self, seed: int, *, hours: float = 24.0, shedding: bool = False) -> None:
        """Draw the day from `seed`. Two kinds of guard: with a bulkhead, or with shedding, hedges and a fallback."""
        self.rng = Random(seed)
        self.seconds = hours * HOUR
        self.sheds = shedding
        self.records: dict[str, Record] = {}
        self.held: set[str | None] = set()
        self.ends: list[tuple[float, float, str]] = []
        self.kinds: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.broken: list[str] = []
        self.guests = 0
        shift = self.rng.uniform(0.0, 0.4 * HOUR)
        moved = (replace(trouble, start=trouble.start + shift) for trouble in TROUBLES)
        self.troubles = [trouble for trouble in moved if trouble.end + SERVES_WITHIN < self.seconds]
        self.one_percent = [trouble for trouble in self.troubles if trouble.name == "one_percent"]
        self.limit, self.places = LIMIT, SHEDDING.maximum if shedding else BULKHEAD.limit
        self.slack = SHEDDING.queue if shedding else 0

    async def live(self) -> str:
        """Live the day, judge it, and return the digest of everything that happened."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        self.loop, self.clock, self.started = loop, loop.clock, loop.time()
        self.guard = self._guard()
        self.guard.subscribe(self._hear)
        self.upstream = FakeUpstream(at(0.0, ok(latency=0.1)), capacity(50.0), clock=self.clock)
        for trouble in self.troubles:
            self._script(trouble)
        async with asyncio.TaskGroup() as self.callers:
            self._plan_the_day()
            await self._watch()
        await self.clock.sleep_async(HOUR)  # timers of a traffic that comes no more run out
        self._judge()
        return f"{loop.trace_hash} {sorted(self.kinds.items())}"

    @property
    def now(self) -> float:
        """The second of the day."""
        return self.clock.monotonic() - self.started

    # -- What is there ---------------------------------------------------------------------------------------

    def _guard(self) -> Guard:
        if self.sheds:
            return Guard(
                "crm",
                timeout=TIMEOUT,
                retry=RETRY,
                deadline=DEADLINE,
                breaker=BREAKER,
                rate_limit=replace(LIMIT, wait=1.0),
                shedding=SHEDDING,
                hedge=Hedge(after=0.5),
                fallback=Fallback(value=STALE, on=CircuitOpen),
                effect="read_only",
                keys_max=KEYS_MAX,
                clock=self.clock,
                random=self.rng,
            )
        return Guard(
            "crm",
            timeout=TIMEOUT,
            retry=RETRY,
            deadline=DEADLINE,
            breaker=BREAKER,
            rate_limit=LIMIT,
            bulkhead=BULKHEAD,
            keys_max=KEYS_MAX,
            clock=self.clock,
            random=self.rng,
        )

    def _script(self, trouble: Trouble) -> None:
        """Let the upstream play a trouble."""
        start, seconds, then = trouble.start, trouble.seconds, self.upstream.then
        if trouble.name in {"down", "blink"}:
            then(outage(start, seconds))
        elif trouble.name == "slow":
            then(outage(start, seconds, slow(5.0)))
        elif trouble.name == "stalled":
            then(stall(start, seconds))
        elif trouble.name == "rate_limited":
            then(outage(start, seconds, rate_limited(3.0)))
        elif trouble.name == "flapping":
            then(*(outage(start + second, 10.0) for second in range(0, int(seconds), 25)))
        elif trouble.name == "overloaded":
            self._at(start, lambda: then(capacity(0.5, queue=5)))
            self._at(trouble.end - 15.0, lambda: then(capacity(50.0)))  # the queue is worked off slowly

    def _plan_the_day(self) -> None:
        """Set the traffic going, and what else happens."""
        for tenant in STEADY:
            self._arrive(tenant)
        self._burst()
        self._visit()
        for hour in (3.0, 7.2, 13.0, 19.0, 23.0):
            self._at(hour * HOUR, lambda: self.clock.jump_wall(self.rng.choice([-HOUR, -2.0, 2.0, 30 * HOUR])))
        for hour in (4.0, 11.5, 20.9):  # the last one lies in an outage
            self._at(hour * HOUR, self._reconfigure)

    def _at(self, second: float, callback: Callable[[], object]) -> None:
        if second < self.seconds:
            self.loop.call_at(self.started + second, callback)

    # -- Traffic ---------------------------------------------------------------------------------------------

    def _arrive(self, tenant: str) -> None:
        """Let a steady tenant call, now and from now on."""
        if self.now < self.seconds:
            self._call(tenant)
            self.loop.call_later(self.rng.uniform(*GAP), self._arrive, tenant)

    def _burst(self) -> None:
        """Let one tenant call many times at once, from time to time."""
        if self.now < self.seconds:
            tenant = self.rng.choice(STEADY)
            for _ in range(self.rng.randrange(15, 45)):
                self._call(tenant)
            self.loop.call_later(self.rng.uniform(100.0, 500.0), self._burst)

    def _visit(self) -> None:
        """Let somebody call who was never there before, from time to time."""
        if self.now < self.seconds:
            self.guests += 1
            for _ in range(self.rng.randrange(1, 6)):
                self._call(f"guest-{self.guests}")
            self.loop.call_later(self.rng.uniform(60.0, 300.0), self._visit)

    def _call(self, tenant: str) -> None:
        self.callers.create_task(self._make_call(tenant))

    async def _make_call(self, tenant: str) -> None:
        """Call as a caller does, who may be in a hurry or go away; note how it ended, and that it ended in time."""
        guard, longest = self._member(tenant), DEADLINE
        if self.sheds:
            guard = guard.using(tenant=tenant, priority=self.rng.choice(PRIORITIES))
        if self.rng.random() < 0.05:
            guard, longest = guard.using(deadline=IMPATIENT), IMPATIENT
        if self.rng.random() < 0.1:
            task = asyncio.current_task()
            assert task is not None
            self.loop.call_later(self.rng.uniform(0.0, self.rng.choice([0.2, 5.0])), task.cancel)
        began = self.now
        kind = await self._kind_of(guard, Call(tenant))
        kind = "hurried" if kind == "late" and longest == IMPATIENT else kind
        self.ends.append((began, self.now, kind))
        self.kinds[kind] += 1
        if kind == "served":
            self.records[tenant].served.append(self.now)
        assert self.now - began <= longest + 1e-6, f"a call of {tenant} took {self.now - began} s: {kind}"
        assert not self.broken, self.broken

    async def _kind_of(self, guard: Guard, call: Call) -> str:
        """Return how a call ended, in a word."""
        try:
            return "served" if await guard.call(self._attempt, call) is None else STALE
        except asyncio.CancelledError:
            return "cancelled"
        except Rejected as error:
            return str(error.code)
        except DeadlineExceeded:
            return "late"
        except RetryExhausted:
            return "exhausted"
        except (ConnectionError, TooManyRequests):
            return "failed"

    async def _attempt(self, call: Call) -> object:
        """Reach the upstream: what the guard guards. Counts from outside what the guard must have counted as well."""
        record = self.records[call.tenant]
        record.arrive(call, self.now)
        self._check_arrival(call.tenant, record)
        if self._fails_by_chance():
            self.upstream.then(fail(ConnectionResetError))
        try:
            value = await self.upstream.call_async(tenant=call.tenant)
        except asyncio.CancelledError:
            record.cut += 1
            raise
        except (ConnectionError, TooManyRequests):
            record.failed += 1
            raise
        finally:
            record.inside -= 1
            call.running -= 1
            call.ended = self.now
        record.answered += 1
        return value

    def _fails_by_chance(self) -> bool:
        """Return whether this is the one attempt of a hundred."""
        return any(one.start <= self.now < one.end for one in self.one_percent) and self.rng.random() < 0.01

    def _check_arrival(self, tenant: str, record: Record) -> None:
        """Hold the arrival of an attempt against places and rate limit."""
        record.drain(self.now, self.limit.per_second)
        record.level += 1.0
        if record.level > self.limit.full_level + self.slack:
            self.broken.append(f"{tenant}: the limiter let {record.level} through at once")
        if record.inside > self.places:
            self.broken.append(f"{tenant}: {record.inside} calls inside, at {self.places} places")

    # -- The guard, looked at from outside --------------------------------------------------------------------

    def _member(self, tenant: str) -> Guard:
        """Return the guard of a tenant, and remember it, since the registry may forget it."""
        member = self.guard.key(tenant)
        if tenant not in self.held:
            self.held = {one.key for one in self.guard.members()}
            self.records.setdefault(tenant, Record()).members.append(member)
        return member

    def _hear(self, event: Event) -> None:
        """Listen to events."""
        self.told[event.kind] += 1
        if event.kind == "opened" and event.key in self.records:
            self.records[event.key].opened.append(self.now)

    def _reconfigure(self) -> None:
        """Go on with other limits, there and back again. What is open stays open."""
        states = {tenant: self.guard.key(tenant).state for tenant in STEADY if tenant in self.held}
        for record in self.records.values():
            record.drain(self.now, self.limit.per_second)
        smaller = self.limit.burst == LIMIT.burst
        self.limit = RateLimit(5, burst=6) if smaller else LIMIT
        timeout, breaker = (Timeout(1.5), replace(BREAKER, cooldown_max=50.0)) if smaller else (TIMEOUT, BREAKER)
        if self.sheds:
            shedding = replace(SHEDDING, maximum=5) if smaller else SHEDDING
            limit = replace(self.limit, wait=1.0)
            self.guard.reconfigure(timeout=timeout, breaker=breaker, rate_limit=limit, shedding=shedding)
            self._take_places(shedding.maximum)
        else:
            bulkhead = replace(BULKHEAD, limit=4) if smaller else BULKHEAD
            self.guard.reconfigure(timeout=timeout, breaker=breaker, rate_limit=self.limit, bulkhead=bulkhead)
            self._take_places(bulkhead.limit)
        assert states == {tenant: self.guard.key(tenant).state for tenant in states}

    def _take_places(self, places: int) -> None:
        """Hold arrivals against other places: more at once, fewer when calls under way have ended."""

        def take() -> None:
            self.places = places

        self.places = max(self.places, places)
        self._at(self.now + DEADLINE, take)

    async def _watch(self) -> None:
        """Look every ten minutes, until the day is over, whether anything grows."""
        while self.now < self.seconds:
            await self.clock.sleep_async(600.0)
            statistics = self.guard.statistics()
            assert statistics.keys <= KEYS_MAX
            assert statistics.keys_overflowed == 0  # guests who are gone make room
            assert statistics.events_dropped == statistics.listener_errors == 0
            assert self.loop.timers < 500
            assert len(asyncio.all_tasks()) < 250
            assert self.upstream.in_flight == sum(record.inside for record in self.records.values())

    # -- Judging the day -------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """Check what can only be said at the end."""
        self._nothing_is_left()
        self._statistics_add_up()
        for tenant in STEADY:
            self._repeats_keep_to_the_budget(self.records[tenant])
            for trouble in self.troubles:
                self._breaker_keeps_its_word(tenant, trouble)
        odd = [(began, ended, kind) for began, ended, kind in self.ends if kind not in CALM]
        for begin, end in self._calms():
            bad = [one for one in odd if begin <= one[0] and one[1] <= end]
            assert not bad, f"calls that ended badly while the upstream was well: {bad[:5]}"

    def _nothing_is_left(self) -> None:
        """No place, waiter, timer or task outlives the calls."""
        assert len(asyncio.all_tasks()) == 1
        assert self.loop.timers == 0
        assert self.upstream.in_flight == 0
        for member in self._members():
            assert_idle(member)

    def _statistics_add_up(self) -> None:
        """The guard has counted what the upstream received, and told what it counted."""
        received = Counter(one.tenant for one in self.upstream.calls)
        for tenant, record in self.records.items():
            counts = [member.statistics() for member in record.members]
            assert sum(one.calls for one in counts) == record.arrived == received[tenant]
            assert sum(one.successes for one in counts) == record.answered
            timeouts = sum(one.timeouts for one in counts)
            assert sum(one.failures for one in counts) == record.failed + timeouts
            assert sum(one.ignored for one in counts) == record.cut - timeouts
            assert sum(one.retries + one.hedges for one in counts) >= len(record.repeats)
        totals = [member.statistics() for member in self._members()]
        assert sum(one.rejected for one in totals) == self.told["refused"]
        assert sum(one.circuit_breaker_opened for one in totals) == self.told["opened"]
        assert sum(one.circuit_breaker_closed for one in totals) == self.told["closed"]
        assert sum(one.fallbacks for one in totals) == self.kinds[STALE]
        assert self.upstream.answered + self.upstream.abandoned == len(self.upstream.calls)

    def _repeats_keep_to_the_budget(self, record: Record) -> None:
        """In no window are there more repeats than the budget promises.

        It spreads calls evenly between two looks, so they count at most twice as densely as they ever came.
        """
        window, repeats = BUDGET.window, sorted(record.repeats)
        densest = max(_within(sorted(record.firsts), window))
        assert max(_within(repeats, window), default=0) <= 2 * BUDGET.ratio * densest + BUDGET.floor * window

    def _breaker_keeps_its_word(self, tenant: str, trouble: Trouble) -> None:
        """It opens in time, it serves again in time, and one error of a hundred does not open it."""
        record = self.records[tenant]
        opened = [moment - trouble.start for moment in record.opened]
        if trouble.opens:
            assert any(0.0 <= after <= OPENS_WITHIN for after in opened), (tenant, trouble)
        if trouble.name == "one_percent":
            assert not any(0.0 <= after <= trouble.seconds for after in opened), (tenant, trouble)
        assert any(0.0 < moment - trouble.end <= CLOSES_WITHIN for moment in record.served), (tenant, trouble)

    def _calms(self) -> list[tuple[float, float]]:
        """Return from when to when the upstream is well, and the guard has come back to that."""
        begin = (0.0, *(trouble.end + SERVES_WITHIN for trouble in self.troubles))
        end = (*(trouble.start for trouble in self.troubles), self.seconds)
        return list(zip(begin, end, strict=True))

    def _members(self) -> list[Guard]:
        """Return the guards of all keys, forgotten ones included, each once."""
        return [member for record in self.records.values() for member in record.members]


def _within(moments: list[float], seconds: float) -> Iterator[int]:
    """Return, for each of the sorted `moments`, how many lie in the `seconds` up to it."""
    first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        yield last - first + 1


def live(seed: int, *, hours: float = 24.0, shedding: bool = False) -> str:
    """Live a day and return its digest."""
    return run_simulated(Day(seed, hours=hours, shedding=shedding).live(), seed=seed, steps_max=STEPS_MAX)


@pytest.mark.parametrize("seed", range(DAYS))
@pytest.mark.parametrize("shedding", [False, True], ids=["bulkhead", "shedding"])
def test_a_day_of_traffic_breaks_no_law(seed: int, *, shedding: bool) -> None:
    """Places, limits, budgets, deadlines and the breaker's promises hold through a whole day of outages."""
    live(seed, shedding=shedding)


@pytest.mark.parametrize("shedding", [False, True], ids=["bulkhead", "shedding"])
def test_the_same_seed_gives_the_same_traffic(*, shedding: bool) -> None:
    """A day that fails can be lived again, step by step, from its seed."""
    first, second, other = (live(seed, hours=2.0, shedding=shedding) for seed in (7, 7, 8))
    assert first == second != other
