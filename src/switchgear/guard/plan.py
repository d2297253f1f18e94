"""The plan of a guard: every option resolved once, shared by the guard's views and keyed members."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.errors import DeadlineExceeded, OptionError, Rejected
from switchgear.core.outcome import Verdict
from switchgear.guard.expiry import Timers
from switchgear.guard.meter import Meter
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.checks import require_count, require_seconds
from switchgear.policies.errors import matches
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.timeout import Timeout


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """What a guard was told, checked, and what follows from it.

    `timers` lead to the deadlines of the running loop. `timeout_seconds` and `slow_after` are infinite when not
    asked for; `wait_max` is how many seconds a call may wait for its turn in the rate limit. `dropped` holds calls
    that their callers dropped at a moment when they could not be settled.
    """

    name: str
    timeout: Timeout | None
    retry: Retry | None
    breaker: Breaker | None
    rate_limit: RateLimit | None
    bulkhead: Bulkhead | None
    deadline: float | None
    clock: Clock
    random: random.Random
    keys_max: int
    meter: Meter = field(default_factory=Meter)
    dropped: deque[Any] = field(default_factory=deque)
    timers: Timers = field(init=False)
    timeout_seconds: float = field(init=False)
    slow_after: float = field(init=False)
    wait_max: float = field(init=False)

    def __post_init__(self) -> None:
        """Check the options that are not a policy's own."""
        if not self.name:
            raise OptionError(f'Guard needs a name, not {self.name!r}; write for example Guard("github")')
        for option, kind, example in _POLICIES:
            value = getattr(self, option)
            if value is not None and not isinstance(value, kind):
                raise OptionError(f"Guard({option}) takes a {kind.__name__}, not {value!r}; write {option}={example}")
        if self.deadline is not None:
            require_seconds("Guard(deadline)", self.deadline, example=20.0)
        require_count("Guard(keys_max)", self.keys_max, example=10_000)
        self.timers = Timers(self.clock)
        self.timeout_seconds = inf if self.timeout is None else float(self.timeout.seconds)
        self.slow_after = inf if self.breaker is None else self.breaker.thresholds.slow_after
        self.wait_max = 0.0 if self.rate_limit is None else self.rate_limit.wait

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


def never_left(error: BaseException) -> bool:
    """Return whether `error` says that nothing left the process."""
    return isinstance(error, Rejected) or (isinstance(error, DeadlineExceeded) and not error.sent)


_POLICIES: tuple[tuple[str, type, str], ...] = (
    ("timeout", Timeout, "Timeout(5.0)"),
    ("retry", Retry, "Retry(attempts=3, on=(ConnectionError,))"),
    ("breaker", Breaker, "Breaker()"),
    ("rate_limit", RateLimit, "RateLimit(10)"),
    ("bulkhead", Bulkhead, "Bulkhead(32)"),
)
