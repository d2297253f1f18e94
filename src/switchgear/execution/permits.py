"""The two permits of one attempt: of the dependency's guard, shared by all tenants, and of the tenant's own there.

The shared guard is about the dependency: outages, what it can take. The tenant's own is about what is the tenant's
alone: its credentials, its quota. Both let an attempt in, or neither is charged. A refusal by the tenant's own guard
speaks for no other tenant.
"""

from __future__ import annotations

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, RateLimited, Rejected
from switchgear.core.outcome import Verdict
from switchgear.execution.attempt import Ended
from switchgear.execution.contract import Refused, Succeeded
from switchgear.guard import Guard, Permit

_SUCCESS = Verdict.SUCCESS
OWN_BREAKER = "tenant_breaker"
"""What a refusal by the breaker of a tenant's own guard names as its policy."""
OWN_RATE_LIMIT = "tenant_rate_limit"
"""The same for its rate limit."""


class Permits(msgspec.Struct, eq=False):
    """What lets one attempt leave, made by `admit`. Settle it once, in every path; settling again does nothing."""

    _shared: Permit
    _own: Permit | None

    def refund(self) -> None:
        """Say that nothing left."""
        self._shared.refund()
        if self._own is not None:
            self._own.refund()

    def ignore(self) -> None:
        """Say that the attempt tells nothing about anybody."""
        self._shared.ignore()
        if self._own is not None:
            self._own.ignore()

    def settle(self, ended: Ended, *, impatient: bool) -> None:
        """Tell the guards what the attempt says; a deadline of the caller's (`impatient`) says nothing."""
        result = ended.result
        if isinstance(result, Succeeded) and result.verdict is _SUCCESS:  # first: nearly all are
            self._shared.succeed()
            if self._own is not None:
                self._own.succeed()
            return
        _settle_shared(self._shared, ended, impatient=impatient)
        if self._own is not None:
            _settle_own(self._own, ended)


def admit(shared: Guard, own: Guard | None, *, cost: float, tenant: str) -> Permits:
    """Return the permits of an attempt for `tenant`. Raises `Rejected` when one guard refuses: nothing is charged."""
    try:
        held = None if own is None else own.permit_nowait(cost=None if cost == 1 else cost)  # the usual goes unsaid
    except (RateLimited, CircuitOpen) as refusal:
        raise _of_one_tenant(refusal, shared.name) from None
    try:
        permits = Permits(shared.permit_nowait(cost=cost, tenant=tenant), held)
    except BaseException:
        if held is not None:
            held.refund()
        raise
    return permits


def speaks_for_one_tenant(refusal: Rejected) -> bool:
    """Return whether a refusal is about its tenant alone, so that others go on."""
    return refusal.code is Code.RATE_LIMITED_TENANT or refusal.policy == OWN_BREAKER


def _of_one_tenant(refusal: RateLimited | CircuitOpen, dependency: str) -> Rejected:
    """Return what a refusal by the tenant's own guard says to those who know one guard of a dependency."""
    if isinstance(refusal, RateLimited):
        return RateLimited(
            "the tenant's own limit for this dependency is used up",
            code=Code.RATE_LIMITED_TENANT,
            policy=OWN_RATE_LIMIT,
            dependency=dependency,
            retry_after=refusal.retry_after,
            decision=refusal.decision,
        )
    return CircuitOpen(
        "the dependency keeps refusing this tenant's credentials or quota",
        code=Code.CIRCUIT_OPEN,
        policy=OWN_BREAKER,
        dependency=dependency,
        state=refusal.state,
        retry_after=refusal.retry_after,
    )


def _settle_shared(permit: Permit, ended: Ended, *, impatient: bool) -> None:
    verdict = ended.result.verdict
    if ended.timed_out:
        permit.time_out(by_timeout=not impatient)
    elif verdict is Verdict.SUCCESS:
        permit.succeed()
    elif verdict is Verdict.FAILURE and not impatient:
        permit.fail()
    elif isinstance(ended.result, Refused) and verdict is Verdict.IGNORED:
        permit.refund()
    else:
        permit.ignore()


def _settle_own(permit: Permit, ended: Ended) -> None:
    """Tell the tenant's own guard: only an answer says whether the tenant is let in there."""
    match ended.result:
        case Succeeded():
            permit.succeed()
        case Refused(of_tenant=True):
            permit.fail()
        case Refused(verdict=Verdict.IGNORED):
            permit.refund()
        case Refused(verdict=Verdict.SUCCESS):
            permit.succeed()
        case _:
            permit.ignore()
