"""Evidence: whose calls failed lately. It keeps one tenant's bad credentials from opening a breaker for all.

A breaker that asks for several tenants trips only when the calls of that many have failed lately, or of all who
called, where there are fewer. What a window counts is not touched. Bounded: beyond 1,000 tenants the one heard of
longest ago is forgotten.
"""

from __future__ import annotations

from math import inf

from switchgear.core.outcome import Verdict

TENANTS_MAX = 1_000
_GRAINS = 100


class Evidence:
    """When each tenant last called, to a hundredth of the seconds, and when its calls last failed."""

    __slots__ = ("_called", "_failed", "_grain", "_seconds")

    def __init__(self, seconds: float) -> None:
        """Look back so many seconds."""
        self._seconds = seconds
        self._grain = seconds / _GRAINS
        self._called: dict[str | None, float] = {}
        self._failed: dict[str | None, float] = {}

    def hear(self, tenant: str | None, verdict: Verdict, now: float) -> None:
        """Take the outcome of a call of `tenant`. Calls without a tenant count as those of one."""
        if verdict is Verdict.IGNORED or (verdict is Verdict.SUCCESS and self.knows(tenant, now)):
            return
        _note(self._called, tenant, now)
        if verdict is Verdict.FAILURE:
            _note(self._failed, tenant, now)

    def knows(self, tenant: str | None, now: float) -> bool:
        """Return whether `tenant` has called so lately that one more success is no news."""
        return now - self._called.get(tenant, -inf) < self._grain

    def suffices(self, tenants: int, now: float) -> bool:
        """Return whether the calls of `tenants` have failed lately, or of all who called."""
        since = now - self._seconds
        failed = sum(at > since for at in self._failed.values())
        called = sum(at > since for at in self._called.values())
        return failed >= min(tenants, called)


def _note(moments: dict[str | None, float], tenant: str | None, now: float) -> None:
    moments.pop(tenant, None)
    if len(moments) >= TENANTS_MAX:
        del moments[next(iter(moments))]
    moments[tenant] = now
