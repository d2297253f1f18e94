"""RateLimit: at most so many calls in so much time, by the generic cell rate algorithm (GCRA).

The machine keeps the algorithm's continuous-state form, the leaky bucket as a meter (ITU-T I.371, Annex A),
because whole tokens then add up exactly. Every decision is O(1), and `retry_after` is exact to the nanosecond.
The limit holds for this process; several processes on a host each have their own.

Warm-up has the model of Guava's `SmoothWarmingUp`, which starts at a third of the rate, over time instead of over
stored permits. The limiter has a warmth of 0 to `warm_up` seconds, 0 at the start. It gains a second in each second
in which the bucket holds something, and loses one in each in which it is empty. At warmth w the bucket drains at
``limit / per * (1 + 2 * w / warm_up) / 3``. So in s seconds of use, from w on and as long as it warms up, there drain
``limit / per / 3 * (s * (1 + 2 * w / warm_up) + s**2 / warm_up)``, and each wait is the root of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, sqrt

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.policies.checks import require_number, require_seconds
from switchgear.policies.refusal import Refusal
from switchgear.policies.signatures import options

_ROUNDING_SECONDS = 1e-9  # what a clock may be off by when a call comes back after the wait that it was told
_ROUNDING_UNITS_MAX = 0.5  # and what that may be worth: a fast limit lets no whole call more in than it says
_CODE = Code.RATE_LIMITED_CONNECTOR


@options("RateLimit(10, per=1.0)")
@dataclass(frozen=True, slots=True)
class RateLimit:
    """Let `limit` calls through every `per` seconds, and up to `burst` at once.

    limit    cost units let through in each `per`; above 0.
    per      seconds, above 0; default 1.
    burst    size of the bucket in cost units, at least 1; default: `limit`, and at least 1; with `warm_up` it is
             1, since a burst goes at once, also when cold.
    wait     seconds a call may wait for its turn, at least 0; default 0: refuse at once.
    warm_up  seconds of use in which the rate grows from a third to full, after the start and after as long a
             time without use; at least 0; default 0: full at once.

    A call has cost 1 unless ``using(cost=…)`` says otherwise. Cost 0 takes nothing. A cost above `burst` can
    never fit and is refused for ever, without `retry_after`. Raises `OptionError` for options that cannot work.
    """

    limit: float
    per: float = field(default=1.0, kw_only=True)
    burst: float | None = field(default=None, kw_only=True)
    wait: float = field(default=0.0, kw_only=True)
    warm_up: float = field(default=0.0, kw_only=True)
    bucket: float = field(init=False, repr=False, compare=False)
    per_second: float = field(init=False, repr=False, compare=False)
    full_level: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and work out what the machine needs."""
        require_number("RateLimit(limit)", self.limit, above=0, example=10)
        require_seconds("RateLimit(per)", self.per, write="RateLimit(10, per=1.0)")
        require_seconds("RateLimit(wait)", self.wait, zero=True, write="RateLimit(10, wait=0.5)")
        require_seconds("RateLimit(warm_up)", self.warm_up, zero=True, write="RateLimit(10, warm_up=30.0)")
        usual = 1.0 if self.warm_up else max(1.0, self.limit)
        bucket = usual if self.burst is None else self.burst
        require_number("RateLimit(burst)", bucket, least=1, write="RateLimit(10, burst=20)")
        per_second = self.limit / self.per
        if not 0.0 < per_second < inf:
            raise OptionError(
                f"RateLimit(limit={self.limit!r}, per={self.per!r}) is no rate that can be counted; "
                "write for example RateLimit(10, per=60.0)"
            )
        object.__setattr__(self, "burst", bucket)
        object.__setattr__(self, "bucket", bucket)
        object.__setattr__(self, "per_second", per_second)
        rounding = min(_ROUNDING_SECONDS * (1.0 + per_second), _ROUNDING_UNITS_MAX)
        object.__setattr__(self, "full_level", bucket + rounding)


class RateLimitMachine:
    """The meter of one limit: `amount` cost units were in the bucket at the monotonic second `updated`.

    A driver in a hurry does what `charge` does by itself.
    """

    __slots__ = ("amount", "options", "updated")

    def __init__(self, options: RateLimit) -> None:
        """Start empty: the whole burst is there to be used."""
        self.options = options
        self.amount = 0.0
        self.updated = 0.0

    def charge(self, now: float, cost: float) -> float:
        """Take `cost` (at least 0) if it fits now. Return 0, or the seconds until it will; infinity if never."""
        options = self.options
        level = self.amount - (now - self.updated) * options.per_second
        after = level + cost if level > 0.0 else cost
        if after <= options.full_level:
            self.amount = after
            self.updated = now
            return 0.0
        return inf if cost > options.bucket else (after - options.bucket) / options.per_second

    def reserve(self, now: float, cost: float, wait_max: float) -> float:
        """Take `cost` ahead of its time when its turn comes within `wait_max` seconds.

        Return the seconds to wait; above `wait_max` (infinity if never) nothing was taken.
        """
        wait = self.charge(now, cost)
        if 0.0 < wait <= wait_max:
            self.amount = self.level(now) + cost
            self.updated = now
        return wait

    def refund(self, cost: float, held: float = 0.0) -> None:
        """Give back what a call took that never left. What may have drained in `held` seconds is not given twice."""
        self.amount = max(0.0, self.amount - max(0.0, cost - held * self.options.per_second))

    def under(self, options: RateLimit, now: float) -> RateLimitMachine:
        """Return the machine to go on with under other options: what is in the bucket stays, and drains as they say."""
        machine = limiter_for(options)
        machine.amount, machine.updated = self.level(now), now
        return machine

    def is_clean(self, now: float) -> bool:
        """Return whether it stands as a new one does."""
        return self.level(now) == 0.0

    def level(self, now: float) -> float:
        """Return the cost units in the bucket, 0 when it has drained; above the burst while calls wait their turn."""
        return max(0.0, self.amount - (now - self.updated) * self.options.per_second)

    def refusal(self, wait: float) -> Refusal:
        """Say no, for `wait` seconds as `charge` returned them."""
        if wait == inf:
            return Refusal(
                "rate_limit",
                _CODE,
                "limited",
                None,
                "reject",
                f"the cost of the call is above the burst of {self.options.bucket:g}, so it can never fit",
            )
        return Refusal("rate_limit", _CODE, "limited", wait)


class WarmingMachine(RateLimitMachine):
    """The meter of a limit with a warm-up: how warm it was, as well."""

    __slots__ = ("warmth",)

    def __init__(self, options: RateLimit) -> None:
        """Start empty and cold."""
        super().__init__(options)
        self.warmth = 0.0
        """As of `updated`, in seconds; see the top of this module."""

    def charge(self, now: float, cost: float) -> float:
        """Take `cost` if it fits now, as `RateLimitMachine.charge` does."""
        options = self.options
        level, warmth = self._at(now)
        after = level + cost
        if after <= options.full_level:
            self.amount, self.warmth, self.updated = after, warmth, now
            return 0.0
        return inf if cost > options.bucket else self._seconds_to_drain(after - options.bucket, warmth)

    def reserve(self, now: float, cost: float, wait_max: float) -> float:
        """Take `cost` ahead of its time, as `RateLimitMachine.reserve` does."""
        wait = self.charge(now, cost)
        if 0.0 < wait <= wait_max:
            level, self.warmth = self._at(now)
            self.amount, self.updated = level + cost, now
        return wait

    def under(self, options: RateLimit, now: float) -> RateLimitMachine:
        """Return the machine to go on with, as warm as this one where it can be."""
        machine = super().under(options, now)
        if isinstance(machine, WarmingMachine):
            machine.warmth = min(self._at(now)[1], options.warm_up)
        return machine

    def is_clean(self, now: float) -> bool:
        """Return whether it stands as a new one does: drained and cold."""
        return self._at(now) == (0.0, 0.0)

    def level(self, now: float) -> float:
        """Return the cost units in the bucket, 0 when it has drained."""
        return self._at(now)[0]

    def _at(self, now: float) -> tuple[float, float]:
        """Return level and warmth at `now`."""
        passed = now - self.updated
        in_use = self._seconds_to_drain(self.amount, self.warmth)
        warmth = min(self.warmth + min(passed, in_use), self.options.warm_up)
        if passed >= in_use:
            return 0.0, max(0.0, warmth - (passed - in_use))
        return max(0.0, self.amount - self._drained(passed, self.warmth)), warmth

    def _drained(self, seconds: float, warmth: float) -> float:
        """Return what drains in so many seconds of use."""
        options = self.options
        cold = min(seconds, options.warm_up - warmth)
        warming = (cold * (1.0 + 2.0 * warmth / options.warm_up) + cold * cold / options.warm_up) / 3.0
        return (warming + seconds - cold) * options.per_second

    def _seconds_to_drain(self, amount: float, warmth: float) -> float:
        """Return the seconds of use in which `amount` drains: the inverse of `_drained`."""
        options = self.options
        cold = options.warm_up - warmth
        more = amount - self._drained(cold, warmth)
        if more >= 0.0:
            return cold + more / options.per_second
        thirds = 3.0 * amount / options.per_second
        slope = 1.0 + 2.0 * warmth / options.warm_up
        return 2.0 * thirds / (slope + sqrt(slope * slope + 4.0 * thirds / options.warm_up))


def limiter_for(options: RateLimit) -> RateLimitMachine:
    """Return the machine of these options."""
    return WarmingMachine(options) if options.warm_up else RateLimitMachine(options)
