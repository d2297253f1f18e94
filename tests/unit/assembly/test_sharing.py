"""A gear that several tenants share: a guard of each tenant's own beside the shared one, and shares of the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear import Code, DeadlineExceeded, NotApplied, Switchgear
from switchgear.assembly import guards
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.contract import Call
from switchgear.ledger.events import read
from switchgear.testing import VirtualClock

FILE = """
[store]
url = "memory://"

[limits.tenants.globex]
weight = 2.0

[dependencies.crm.guard]
bulkhead = { limit = 1 }
tenant_breaker = { failures = 2, cooldown = 60.0, jitter = 0.0 }

[dependencies.plain.guard]
tenant_breaker = false
"""


async def test_one_tenants_refused_credentials_do_not_stop_another(tmp_path: Path) -> None:
    """Its own breaker opens, is recorded with the tenant as key, and the shared one stays closed."""
    (tmp_path / "switchgear.toml").write_text(FILE)
    clock = VirtualClock()
    async with Switchgear.open(tmp_path / "switchgear.toml", start=False, clock=clock) as gear:
        calls: list[str] = []

        @gear.tool("crm.sync", effect="keyed")
        async def sync(call: Call) -> None:
            calls.append(call.tenant)
            if call.tenant == "acme":
                raise NotApplied("revoked", code=Code.PERMISSION_DENIED)

        acme = gear.acting_as(tenant="acme", account="main", actor="service:sync")
        globex = gear.acting_as(tenant="globex", account="main", actor="service:sync")
        for key in ("a", "b", "c"):
            await acme.submit("crm.sync", key=key)
            await globex.submit("crm.sync", key=key)
        with pytest.raises(DeadlineExceeded):  # the third of acme waits
            await gear.run_until_idle(timeout=30.0)
        assert (calls.count("acme"), calls.count("globex"), gear.guards.of("crm").state) == (2, 3, "closed")
        await gear.run_until_idle(timeout=60.0)
        assert calls.count("acme") == 3


async def test_shares_come_from_the_file(tmp_path: Path) -> None:
    """A tenant of weight 2 gets two turns for each one of another."""
    (tmp_path / "switchgear.toml").write_text(FILE)
    async with Switchgear.open(tmp_path / "switchgear.toml", start=False) as gear:
        calls: list[str] = []

        @gear.tool("crm.sync", effect="keyed")
        async def sync(call: Call) -> None:
            calls.append(call.tenant)

        for tenant in ("acme", "globex"):
            acting = gear.acting_as(tenant=tenant, account="main", actor="service:sync")
            for key in ("a", "b", "c", "d"):
                await acting.submit("crm.sync", key=key)
        await gear.run_until_idle(timeout=30.0)
        assert calls[:6] == ["acme", "globex", "globex", "acme", "globex", "globex"]


async def test_a_tenants_own_guard_may_be_switched_off(tmp_path: Path) -> None:
    """Then the shared one is all there is; by default there is one, with state of its own for each tenant."""
    (tmp_path / "switchgear.toml").write_text(FILE)
    async with Switchgear.open(tmp_path / "switchgear.toml", start=False) as gear:
        assert gear.guards.own_of("plain", "acme") is None
        own = gear.guards.own_of("search", "acme")
        assert own is not None
        for _ in range(5):
            own.permit_nowait().fail()
        other = gear.guards.own_of("search", "globex")
        assert other is not None
        assert (own.state, other.state, gear.guards.of("search").state) == ("open", "closed", "closed")
        assert [guard.name for guard in gear.guards.all()] == ["search"]
        seen = {}
        for tenant in ("acme", "globex"):
            acting = gear.acting_as(tenant=tenant, account="main", actor="person:ann")
            (seen[tenant],) = gear.control.breakers.list(acting.principal)
        (whole,) = gear.control.breakers.list(gear.acting_as_platform(actor="person:ops").principal)
        assert {tenant: (view.state, view.tenant_state) for tenant, view in seen.items()} == {
            "acme": ("closed", "open"),
            "globex": ("closed", "closed"),
        }
        wait = seen["acme"].tenant_retry_after
        assert wait is not None
        assert 0 < wait <= 60 * 1.2
        assert (whole.tenant_state, whole.queued) == (None, 0)


async def test_law_10_guards_of_tenants_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more are held than tenants are kept at hand; while none can be forgotten, new tenants share one."""
    monkeypatch.setattr(guards, "TENANTS_AT_HAND", 2)
    async with Switchgear.open(store="memory://", start=False) as gear:

        def state_of(tenant: str, *, failures: int = 0) -> str:
            own = gear.guards.own_of("search", tenant)
            assert own is not None
            for _ in range(failures):
                own.permit_nowait().fail()
            return own.state

        assert [state_of(tenant, failures=5) for tenant in ("acme", "globex")] == ["open", "open"]
        assert state_of("initech") == "closed"
        state_of("initech", failures=5)
        assert state_of("umbrella") == "open"


async def test_what_a_tenants_own_breaker_does_is_on_the_platforms_chain(tmp_path: Path) -> None:
    """The event names the tenant as its key, and the dependency in its stream."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url) as gear:
        own = gear.guards.own_of("crm", "acme")
        assert own is not None
        for _ in range(5):
            own.permit_nowait().fail()
    async with Switchgear.open(store=url, start=False) as gear:
        events = [read(entry) for entry in await gear.store.entries(PLATFORM_TENANT)]
        opened = [event for event in events if event.type == "breaker.opened"]
        assert [(event.stream, event.facts["key"]) for event in opened] == [("breaker:crm", "acme")]
