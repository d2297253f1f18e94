"""Bounds how fast one tenant may submit, so that it cannot starve the others."""

from __future__ import annotations

from itertools import islice

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import RateLimited
from switchgear.core.scope import TENANTS_AT_HAND
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest
from switchgear.policies.rate_limit import RateLimit, RateLimitMachine, limiter_for

_LOOKED_AT_MAX = 16
"""So many buckets are looked at for one that has drained, so that a new tenant costs little."""


class TenantLimits:
    """A gate with one limit per tenant, in submissions per second.

    `TENANTS_AT_HAND` have a bucket of their own. Of more, one that has drained makes room, or the new ones share one.
    """

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        """Allow `rate` submissions a second (above 0) and `burst` at once (at least 1)."""
        self._limit = RateLimit(rate, per=1.0, burst=burst)
        self._monotonic = clock.monotonic
        self._buckets: dict[str, RateLimitMachine] = {}
        self._shared = limiter_for(self._limit)

    def check(self, request: GateRequest) -> Conditions:
        """Raise `RateLimited` (RATE_LIMITED_TENANT) with the exact wait when the tenant is too fast."""
        bucket = self._buckets.get(request.tenant) or self._bucket_of_new(request.tenant)
        wait = bucket.charge(self._monotonic(), 1.0)
        if wait:
            code = Code.RATE_LIMITED_TENANT
            raise RateLimited(code=code, policy="rate_limit", dependency="tenant", retry_after=wait)
        return NO_CONDITIONS

    def _bucket_of_new(self, tenant: str) -> RateLimitMachine:
        """Return the bucket of a tenant that has none yet."""
        if len(self._buckets) >= TENANTS_AT_HAND and not self._make_room():
            return self._shared
        bucket = self._buckets[tenant] = limiter_for(self._limit)
        return bucket

    def _make_room(self) -> bool:
        """Forget a bucket that has drained, if one of the first has. What is looked at in vain goes to the end."""
        now = self._monotonic()
        for tenant in list(islice(self._buckets, _LOOKED_AT_MAX)):
            bucket = self._buckets.pop(tenant)
            if bucket.is_clean(now):
                return True
            self._buckets[tenant] = bucket
        return False
