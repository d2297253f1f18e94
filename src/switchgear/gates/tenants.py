"""Bounds how fast one tenant may submit, so that it cannot starve the others."""

from __future__ import annotations

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import RateLimited
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest
from switchgear.guard import Guard
from switchgear.policies.rate_limit import RateLimit


class TenantLimits:
    """A gate with one limit per tenant, in submissions per second."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        """Allow `rate` submissions a second (above 0) and `burst` at once (at least 1)."""
        self._guard = Guard("tenants", rate_limit=RateLimit(rate, per=1.0, burst=burst), clock=clock)

    def check(self, request: GateRequest) -> Conditions:
        """Raise `RateLimited` (RATE_LIMITED_TENANT) with the exact wait when the tenant is too fast."""
        try:
            self._guard.key(request.tenant).call(_submitted)
        except RateLimited as refusal:
            raise RateLimited(
                code=Code.RATE_LIMITED_TENANT,
                policy="rate_limit",
                dependency="tenant",
                retry_after=refusal.retry_after,
                decision=refusal.decision,
            ) from None
        return NO_CONDITIONS


def _submitted() -> None:
    """Stand for the one call that a submission counts as."""
