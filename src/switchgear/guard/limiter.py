"""`RateLimiter`: limits at several levels with a bucket a name, for callers that are no guarded call.

It is made for what comes in: requests by tenant and route. A guard limits what goes out. Blocking and async code use
it alike, from any thread, since nothing in here waits. The arithmetic is in `switchgear.policies.levels`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.deadline import current_deadline
from switchgear.core.errors import OptionError, RateLimited
from switchgear.core.mutexes import new_mutex
from switchgear.policies.checks import require_count, require_number, require_seconds
from switchgear.policies.levels import (
    CODES,
    NAME_LENGTH_MAX,
    Bucket,
    Level,
    LevelLimits,
    Standing,
    Taken,
    charge_all,
    read_levels,
    reserve_all,
    standing_of,
)
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.refusal import Refusal

Names = Mapping[Level, str | None]

_OVERFLOW_NAME = "@overflow"
_LOOKED_AT_MAX = 16


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """How a limiter stands.

    charged   calls let in, refunded ones included; `refused` counts the others by code.
    keys      buckets held for names that were seen; `keys_evicted` had drained and made room.
    keys_overflowed   calls whose name had to share a bucket, because `keys_max` names had none to spare.
    """

    charged: int
    refused: Mapping[Code, int]
    keys: int
    keys_evicted: int
    keys_overflowed: int


class Charge:
    """What one call took, in every level. Give it back when nothing was done for it."""

    __slots__ = ("_limiter", "_names", "_refunded", "_taken")

    def __init__(self, limiter: RateLimiter, names: Names, buckets: Sequence[Bucket], now: float, cost: float) -> None:
        """Remember what was taken. Made by a limiter, not by users."""
        self._limiter = limiter
        self._names = names
        self._taken = Taken(buckets, cost, now)
        self._refunded = False

    @property
    def cost(self) -> float:
        """The cost units taken at each level."""
        return self._taken.cost

    @property
    def refunded(self) -> bool:
        """Whether it was given back."""
        return self._refunded

    def refund(self) -> None:
        """Give back what has not drained meanwhile. A second time does nothing."""
        limiter = self._limiter
        with limiter.lock:
            if self._refunded:
                return
            self._refunded = True
            self._taken.give_back(limiter.clock.monotonic())

    def standings(self) -> tuple[Standing, ...]:
        """Return how each level stands now for this call's names, widest level first."""
        return self._limiter.standings_of(self._names)


class Reservation(Charge):
    """A charge whose turn comes in `wait` seconds from when it was made; 0 means now."""

    __slots__ = ("wait",)

    def __init__(
        self, limiter: RateLimiter, names: Names, buckets: Sequence[Bucket], now: float, cost: float, wait: float
    ) -> None:
        """Remember what was taken, and when its turn comes."""
        super().__init__(limiter, names, buckets, now, cost)
        self.wait = wait

    def cancel(self) -> None:
        """Give the turn back. A second time does nothing."""
        self.refund()


class RateLimiter:
    """Limits by level: global, tenant, connector, tool, any of them.

    levels    a `RateLimit` for each level. At the other levels than global each name has a bucket of its own; a
              mapping gives names of up to 200 characters limits of their own; ``"*"`` is for all others. A name that
              is not in it, without ``"*"``, is free at that level.
    keys_max  buckets held at most for names that come in; default 10,000. At the maximum a bucket that has drained
              makes room. When none is found, new names share one bucket a level, and that is counted.
    clock     to be replaced in tests.

    All levels are checked together and charged together: a refusal charges nothing. A level whose connector or tool
    is not given does not apply. A tenant has to be given where there is a tenant level. The limits hold for this
    process. Raises `OptionError` for options that cannot work.
    """

    __slots__ = ("__weakref__", "_charged", "_levels", "_refused", "_registry", "clock", "lock")

    def __init__(
        self,
        levels: Mapping[Level, RateLimit | Mapping[str, RateLimit]],
        *,
        keys_max: int = 10_000,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Start with every bucket empty."""
        require_count("RateLimiter(keys_max)", keys_max, example=10_000)
        self._levels = read_levels(levels)
        self._registry = _Registry(self._levels, keys_max)
        self._charged = 0
        self._refused: dict[Code, int] = {}
        self.clock = clock
        self.lock = new_mutex()

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that have limits, widest first."""
        return tuple(limits.level for limits in self._levels)

    def check(
        self, *, tenant: str | None = None, connector: str | None = None, tool: str | None = None, cost: float = 1.0
    ) -> Charge:
        """Charge `cost` (at least 0; 0 only looks) at every level, now.

        Raises `RateLimited` with the code of the level that makes the call wait longest and with that wait as
        `retry_after`; it is None when the cost is above a burst, so that it can never fit. Raises `OptionError` for
        a cost or name that cannot be.
        """
        names = _names(tenant, connector, tool)
        require_number("RateLimiter.check(cost)", cost, least=0, example=3)
        with self.lock:
            now = self.clock.monotonic()
            buckets = self._buckets(names, now)
            refusal = charge_all(buckets, now, cost)
            if refusal is None:
                self._charged += 1
                return Charge(self, names, buckets, now, cost)
            self._count(refusal)
        raise _error(refusal, names)

    def reserve(
        self,
        *,
        tenant: str | None = None,
        connector: str | None = None,
        tool: str | None = None,
        cost: float = 1.0,
        wait_max: float,
    ) -> Reservation:
        """Charge `cost` at every level ahead of its time, when its turn comes within `wait_max` seconds.

        The caller waits for as long as the reservation says, or cancels it. A deadline in force bounds the wait too.
        Raises as `check` does.
        """
        names = _names(tenant, connector, tool)
        require_number("RateLimiter.reserve(cost)", cost, least=0, example=3)
        require_seconds("RateLimiter.reserve(wait_max)", wait_max, zero=True, example=0.5)
        with self.lock:
            now = self.clock.monotonic()
            buckets = self._buckets(names, now)
            wait = reserve_all(buckets, now, cost, min(wait_max, self._left(now)))
            if not isinstance(wait, Refusal):
                self._charged += 1
                return Reservation(self, names, buckets, now, cost, wait)
            self._count(wait)
        raise _error(wait, names)

    def standings(
        self, *, tenant: str | None = None, connector: str | None = None, tool: str | None = None
    ) -> tuple[Standing, ...]:
        """Return how each level stands for these names, widest first. It takes nothing and makes no bucket."""
        return self.standings_of(_names(tenant, connector, tool))

    def standings_of(self, names: Names) -> tuple[Standing, ...]:
        """Return how each level stands for `names`, by level."""
        with self.lock:
            now = self.clock.monotonic()
            return tuple(
                standing_of(bucket, now)
                for limits in self._levels
                if (name := _name_at(limits.level, names)) is not None
                and (bucket := self._registry.look(limits, name)) is not None
            )

    def statistics(self) -> LimiterStatistics:
        """Return the counters. Reading them changes nothing."""
        with self.lock:
            registry = self._registry
            return LimiterStatistics(
                self._charged, dict(self._refused), len(registry), registry.evicted, registry.overflowed
            )

    def _buckets(self, names: Names, now: float) -> list[Bucket]:
        """Return the buckets of a call, widest level first, making those that are not there."""
        found: list[Bucket] = []
        for limits in self._levels:
            name = _name_at(limits.level, names)
            bucket = None if name is None else self._registry.bucket(limits, name, now, found)
            if bucket is not None:
                found.append(bucket)
        return found

    def _left(self, now: float) -> float:
        """Return the seconds until the deadline in force, at least 0."""
        ends = current_deadline()
        return inf if ends is None else max(0.0, ends.moment_on(self.clock) - now)

    def _count(self, refusal: Refusal) -> None:
        self._refused[refusal.code] = self._refused.get(refusal.code, 0) + 1


class _Registry:
    """The buckets of a limiter, used under its mutex. Configured names keep theirs; the others share `keys_max`."""

    __slots__ = ("_configured", "_keys_max", "_overflow", "_seen", "evicted", "overflowed")

    def __init__(self, levels: Sequence[LevelLimits], keys_max: int) -> None:
        self._keys_max = keys_max
        self._configured = {
            (limits.level, name): Bucket(limits.level, name, limit)
            for limits in levels
            for name, limit in limits.named.items()
        }
        self._seen: OrderedDict[tuple[Level, str], Bucket] = OrderedDict()
        self._overflow: dict[Level, Bucket] = {}
        self.evicted = 0
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._seen)

    def bucket(self, limits: LevelLimits, name: str, now: float, in_use: Sequence[Bucket]) -> Bucket | None:
        """Return the bucket of a name, making it at first use; None when the name is free. `in_use` is not evicted."""
        key = (limits.level, name)
        bucket = self._seen.get(key)
        if bucket is not None:
            self._seen.move_to_end(key)
            return bucket
        bucket = self._configured.get(key)
        return bucket if bucket is not None or limits.others is None else self._make(key, limits.others, now, in_use)

    def look(self, limits: LevelLimits, name: str) -> Bucket | None:
        """Return the bucket of a name as it is, or one as a new name has it; None when the name is free."""
        key, limit = (limits.level, name), limits.of(name)
        known = self._seen.get(key) or self._configured.get(key)
        return known or (None if limit is None else self._new_name(limits.level, name, limit))

    def _new_name(self, level: Level, name: str, limit: RateLimit) -> Bucket:
        """Return what a name gets that has no bucket yet, as it stands before anything is evicted."""
        full = len(self._seen) >= self._keys_max
        return (self._overflow.get(level) if full else None) or Bucket(level, name, limit)

    def _make(self, key: tuple[Level, str], limit: RateLimit, now: float, in_use: Sequence[Bucket]) -> Bucket:
        level, name = key
        if len(self._seen) < self._keys_max or self._evict(now, in_use):
            bucket = self._seen[key] = Bucket(level, name, limit)
            return bucket
        self.overflowed += 1
        return self._overflow.setdefault(level, Bucket(level, _OVERFLOW_NAME, limit))

    def _evict(self, now: float, in_use: Sequence[Bucket]) -> bool:
        """Forget the first drained bucket among those longest unused. What is looked at in vain goes to the end."""
        for _ in range(min(_LOOKED_AT_MAX, len(self._seen))):
            key, bucket = self._seen.popitem(last=False)
            if bucket not in in_use and bucket.machine.is_clean(now):
                self.evicted += 1
                return True
            self._seen[key] = bucket
        return False


def _names(tenant: str | None, connector: str | None, tool: str | None) -> Names:
    return {"tenant": tenant, "connector": connector, "tool": tool}


def _name_at(level: Level, names: Names) -> str | None:
    """Return the name of the bucket at a level, or None when the level does not apply."""
    if level == "global":
        return ""
    name = names[level]
    if name is None and level != "tenant":
        return None
    if not isinstance(name, str) or not name:
        raise OptionError(f'RateLimiter needs a {level} as text, not {name!r}; write for example {level}="acme"')
    return name if len(name) <= NAME_LENGTH_MAX else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _error(refusal: Refusal, names: Names) -> RateLimited:
    """Return the error of a refusal. It names the connector or tool; of a tenant or all it says just that."""
    level = next(level for level, code in CODES.items() if code is refusal.code)
    return RateLimited(
        refusal.reason,
        code=refusal.code,
        policy=refusal.policy,
        dependency=(names[level] or level) if level in {"connector", "tool"} else level,
        state=refusal.state,
        retry_after=refusal.retry_after,
        decision=refusal.decision,
    )
