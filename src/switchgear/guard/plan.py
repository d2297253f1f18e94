"""The plan of a guard: every option resolved once, shared by the guard's views and keyed members."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, cast

from switchgear.core.clock import Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, OptionError, Rejected
from switchgear.core.mutexes import ONE_THREAD_AT_A_TIME, Mutex, new_mutex
from switchgear.core.outcome import Verdict
from switchgear.guard.expiry import Timers
from switchgear.guard.injecting import Injector
from switchgear.guard.meter import Meter
from switchgear.guard.terms import checked_effect
from switchgear.policies.breaker import Breaker, BreakerState
from switchgear.policies.bulkhead import Bulkhead, BulkheadMachine
from switchgear.policies.checks import require_count, require_seconds
from switchgear.policies.errors import matches
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.places import Places, Priority
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.shedding import Shedding, SheddingMachine
from switchgear.policies.timeout import Timeout

MUTEXES = 16


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """What a guard was told, checked, and what follows from it.

    `timers` lead to the deadlines of the running loop. `timeout_seconds` and `slow_after` are infinite when not asked
    for. A call may wait `wait_max` seconds for its turn in the rate limit, and among `queue` others for a place.
    `passes` says that permits may pass the mutex by, `allows_straight` that drivers may as well, and `refuses_at_once`
    that an open breaker is the end of a call. The breaker is in its `first_state` until a call says otherwise. `born`
    is the monotonic second at which the plan was made. `successor` gives the member that a key has now. `dropped` holds
    calls that their callers dropped at a moment when they could not be settled.
    """

    name: str
    timeout: Timeout | None
    retry: Retry | None
    breaker: Breaker | None
    rate_limit: RateLimit | None
    bulkhead: Bulkhead | None
    shedding: Shedding | None = None
    hedge: Hedge | None = None
    fallback: Fallback | None = None
    faults: Faults | None = None
    effect: Effect | None = None
    deadline: float | None
    clock: Clock
    random: random.Random
    keys_max: int
    dry_run: bool = False
    meter: Meter = field(default_factory=Meter)
    dropped: deque[Any] = field(default_factory=deque)
    timers: Timers = field(init=False)
    timeout_seconds: float = field(init=False)
    slow_after: float = field(init=False)
    wait_max: float = field(init=False)
    queue: int = field(init=False)
    born: float = field(init=False)
    passes: bool = field(init=False)
    first_state: BreakerState = field(init=False)
    allows_straight: bool = field(init=False)
    refuses_at_once: bool = field(init=False)
    monotonic: Callable[[], float] = field(init=False)
    draw: Callable[[], float] = field(init=False)
    successor: Callable[[str], Any] | None = None
    injector: Injector | None = field(init=False)
    mutexes: tuple[Mutex, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Check the options that are not a policy's own."""
        if not self.name or not isinstance(cast("object", self.name), str):
            raise OptionError(f'Guard needs a name, not {self.name!r}; write for example Guard("github")')
        if not isinstance(cast("object", self.dry_run), bool):
            raise OptionError(f"Guard(dry_run) is True or False, not {self.dry_run!r}; write dry_run=True")
        for option, kind, example in _POLICIES:
            value = getattr(self, option)
            if value is not None and not isinstance(value, kind):
                raise OptionError(f"Guard({option}) takes a {kind.__name__}, not {value!r}; write {option}={example}")
        if self.effect is not None:
            self.effect = checked_effect(self.effect)  # reconfigured by its word, as it may be given to a guard
        check_together(self)
        _check_injected(self)
        if self.deadline is not None:
            require_seconds("Guard(deadline)", self.deadline, example=20.0)
        require_count("Guard(keys_max)", self.keys_max, example=10_000)
        self.monotonic = self.clock.monotonic
        self.draw = self.random.random
        self.mutexes = tuple(new_mutex() for _ in range(MUTEXES))
        self.timers = Timers(self.clock)
        self.timeout_seconds = inf if self.timeout is None else float(self.timeout.seconds)
        self.slow_after = inf if self.breaker is None else self.breaker.thresholds.slow_after
        self.wait_max = 0.0 if self.rate_limit is None else self.rate_limit.wait
        queueing = self.bulkhead or self.shedding
        self.queue = 0 if queueing is None else queueing.queue
        self.born = self.monotonic()
        warms_up = self.rate_limit is not None and self.rate_limit.warm_up > 0
        self.passes = ONE_THREAD_AT_A_TIME and not warms_up and self.shedding is None
        self.first_state = "closed" if self.breaker is None else self.breaker.first_state
        self.allows_straight = self.passes and (self.breaker is None or self.breaker.tenants == 1)
        self.refuses_at_once = self.retry is None and not self.dry_run and not _observes(self.breaker)

        self.injector = None if self.faults is None else Injector(self.faults, self.clock, self.timeout_seconds)

    def changed(self, **changes: Any) -> Plan:
        """Return this plan with other policies, and the same listeners, log and switch of faults.

        Raises `OptionError` for options that cannot work, and for taking in or dropping what holds places: calls that
        are under way would give back what they never took.
        """
        plan = replace(self, **changes)
        if (plan.bulkhead is None, plan.shedding is None) != (self.bulkhead is None, self.shedding is None):
            raise OptionError(
                "reconfigure cannot add or drop bulkhead= or shedding= while calls are under way; "
                "write the wanted limit into the one that the guard was made with"
            )
        if plan.injector is not None and self.injector is not None:
            plan.injector.go_on_from(self.injector)
        return plan

    def new_places(self) -> Places[Any] | None:
        """Return the machine of places that the options ask for."""
        if self.shedding is not None:
            return SheddingMachine(self.shedding)
        return None if self.bulkhead is None else BulkheadMachine(self.bulkhead)

    def patience(self, priority: Priority) -> float:
        """Return the seconds that a call may wait for a place."""
        if self.shedding is not None:
            return self.shedding.patience(priority)
        return 0.0 if self.bulkhead is None else self.bulkhead.max_wait

    def judge(self, error: BaseException, *, past_deadline: bool) -> Verdict:
        """Return what an error of the call says about the dependency.

        Refusals say nothing, nor does what is no `Exception`, nor a deadline of the caller that ran out.
        """
        if not isinstance(error, Exception) or never_left(error):
            return Verdict.IGNORED
        if isinstance(error, DeadlineExceeded) and past_deadline:
            return Verdict.IGNORED
        breaker = self.breaker
        if breaker is None:
            return Verdict.FAILURE
        if matches(breaker.ignore, error):
            return Verdict.IGNORED
        return Verdict.FAILURE if breaker.on is None or matches(breaker.on, error) else Verdict.SUCCESS


def _observes(breaker: Breaker | None) -> bool:
    return breaker is not None and breaker.mode == "observe"


def never_left(error: BaseException) -> bool:
    """Return whether `error` says that nothing left the process."""
    return isinstance(error, Rejected) or (isinstance(error, DeadlineExceeded) and not error.sent)


def _check_injected(plan: Plan) -> None:
    """Raise `OptionError` for a clock or randomness that would fail in the first call that asks for it."""
    if not _has(plan.clock, *_OF_A_CLOCK):
        raise OptionError(f"Guard(clock) takes a clock, not {plan.clock!r}; write clock=VirtualClock()")
    if not _has(plan.random, "random"):
        raise OptionError(f"Guard(random) takes a random.Random, not {plan.random!r}; write random=Random(7)")


def _has(given: object, *methods: str) -> bool:
    """Return whether `given` has these methods, being an object and not its class."""
    return not isinstance(given, type) and all(callable(getattr(given, method, None)) for method in methods)


def check_together(plan: Plan) -> None:
    """Raise `OptionError` for policies that cannot work together, with what to write instead."""
    if plan.bulkhead is not None and plan.shedding is not None:
        raise OptionError(
            "Guard takes bulkhead= or shedding=, not both: shedding bounds the calls in flight by itself; "
            f"write shedding=Shedding(maximum={plan.bulkhead.limit}) and drop bulkhead="
        )
    if plan.hedge is not None and (plan.effect is None or not plan.effect.repeats):
        raise OptionError(
            "Guard(hedge) sends a call twice, so the calls have to be declared safe for that; "
            'write effect="read_only" (or "keyed", "natural") beside hedge='
        )
    if plan.fallback is not None and plan.effect is not Effect.READ_ONLY:
        raise OptionError(
            "Guard(fallback) would tell the caller of a write that it happened, so the calls have to be declared "
            'as reading only; write effect="read_only" beside fallback='
        )
    if plan.faults is not None and plan.faults.hangs and plan.timeout is None and plan.deadline is None:
        raise OptionError(
            "Guard(faults) has a hang, and nothing would end it; write timeout=Timeout(5.0) or deadline=20.0 as well"
        )


_OF_A_CLOCK = tuple(name for name in vars(Clock) if not name.startswith("_"))
_POLICIES: tuple[tuple[str, type, str], ...] = (
    ("timeout", Timeout, "Timeout(5.0)"),
    ("retry", Retry, "Retry(attempts=3, on=(ConnectionError,))"),
    ("breaker", Breaker, "Breaker()"),
    ("rate_limit", RateLimit, "RateLimit(10)"),
    ("bulkhead", Bulkhead, "Bulkhead(32)"),
    ("shedding", Shedding, "Shedding(maximum=64)"),
    ("hedge", Hedge, "Hedge(after=0.2)"),
    ("fallback", Fallback, "Fallback(value=[])"),
    ("faults", Faults, 'Faults(Fault("latency", rate=0.1, seconds=1.0))'),
)
