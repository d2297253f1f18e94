"""How fast one tenant may submit: exact waits, a bucket a tenant, and a bound on how many there are."""

from __future__ import annotations

import pytest
from msgspec import structs

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import RateLimited
from switchgear.gates import tenants
from switchgear.gates.gate import NO_CONDITIONS, GateRequest, Stage
from switchgear.gates.tenants import TenantLimits

REQUEST = GateRequest(
    stage=Stage.ADMISSION,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="crm.update",
    contract="",
    requires=("crm",),
    effect=Effect.KEYED,
    destructive=False,
    cost=7,
    payload="",
    at=0.0,
    deadline_at=60.0,
)


def let_in(gate: TenantLimits, tenant: str) -> bool:
    """Return whether one more submission of `tenant` passes."""
    try:
        return gate.check(structs.replace(REQUEST, tenant=tenant)) is NO_CONDITIONS
    except RateLimited:
        return False


def test_a_submission_counts_as_one_whatever_it_costs() -> None:
    """The burst passes at once, then one a period; the refusal says exactly when, and whose limit it is."""
    clock = VirtualClock()
    gate = TenantLimits(4.0, 2.0, clock)
    assert [let_in(gate, "acme") for _ in range(3)] == [True, True, False]
    with pytest.raises(RateLimited) as refused:
        gate.check(REQUEST)
    refusal = refused.value
    assert (refusal.code, refusal.policy, refusal.dependency) == (Code.RATE_LIMITED_TENANT, "rate_limit", "tenant")
    assert refusal.retry_after == pytest.approx(0.25)
    assert refusal.decision == "defer"
    clock.advance(0.25)
    assert [let_in(gate, "acme"), let_in(gate, "acme")] == [True, False]


def test_one_tenant_uses_up_nothing_of_another() -> None:
    """Each has a bucket of its own."""
    gate = TenantLimits(1.0, 1.0, VirtualClock())
    assert [let_in(gate, name) for name in ("acme", "globex", "acme", "globex")] == [True, True, False, False]


def test_buckets_are_bounded_and_no_limit_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has drained makes room; else new tenants share one bucket, and nobody gets rid of a limit."""
    monkeypatch.setattr(tenants, "TENANTS_AT_HAND", 2)
    clock = VirtualClock()
    gate = TenantLimits(1.0, 1.0, clock)
    assert [let_in(gate, name) for name in ("a", "b", "c", "d", "a", "b")] == [True, True, True, False, False, False]
    clock.advance(1.0)
    assert [let_in(gate, name) for name in ("a", "e", "f", "e", "a")] == [True, True, True, False, False]


def test_a_search_for_room_looks_at_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tenants there are, nobody waits for a long search: the next one goes on where it ended."""
    monkeypatch.setattr(tenants, "TENANTS_AT_HAND", 40)
    clock = VirtualClock()
    gate = TenantLimits(1.0, 1.0, clock)
    known = [f"tenant{number}" for number in range(40)]
    assert all(let_in(gate, name) for name in known)
    clock.advance(1.0)
    assert all(let_in(gate, name) for name in known[:33]), "of the first 33 no bucket has drained from now on"
    assert [let_in(gate, name) for name in ("new0", "new1", "new2")] == [True, False, True]
