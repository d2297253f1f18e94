"""`/livez`, `/readyz` and `/healthz` over REST: what they touch, what they say, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.health import Health
from switchgear.control.intents import Intents, Seen
from switchgear.control.self_test import LET_THROUGH
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.gates.kill_switches.switches import SELF_PROBE
from switchgear.storage.sqlite.store import SqliteStore
from switchgear.surfaces.rest import Traffic, create_app
from switchgear.surfaces.rest import app as application
from tests.integration.rest.support import READ, Clients

PLATFORM = ("platform:read",)


async def test_health_is_health_json_for_anybody(client: Clients) -> None:
    """SEMANTICS §12: disk, memory, breakers, queue ages, ledger, switches and self-test, without a token."""
    answer = await client(None).get("/healthz")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/health+json")
    assert answer.headers["cache-control"] == "no-store"
    checks = answer.json()["checks"]
    assert {"disk:free", "memory:available", "breakers:state", "queue:age", "ledger:state"} <= set(checks)
    assert {"kill_switches:state", "self_test:state", "engine:state", "doubts:count"} <= set(checks)
    assert all(check["status"] in {"pass", "warn"} for found in checks.values() for check in found)


async def test_law_9_names_and_counts_are_shown_to_the_platform_alone(client: Clients) -> None:
    """No token, or a tenant's, shows how a breaker stands; the platform's shows which."""
    await client().post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    for anybody in (client(None), client(scope=("breakers:read",))):
        (seen,) = (await anybody.get("/healthz")).json()["checks"]["breakers:state"]
        assert set(seen) == {"status", "componentType", "time"}
    whole = (await client(scope=PLATFORM).get("/healthz")).json()["checks"]
    assert {found["componentId"] for found in whole["breakers:state"]} == {"crm", "mail"}


async def test_a_bad_token_is_refused(client: Clients) -> None:
    """Who shows a token wants to be known; one that is not good is never taken for none."""
    refused = await client(None).get("/healthz", headers={"Authorization": "Bearer a.b.c"})
    assert (refused.status_code, refused.json()["code"]) == (401, "TENANT_UNAUTHENTICATED")


async def test_a_ledger_that_cannot_record_is_neither_ready_nor_healthy(
    client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both say the code, and no more: the message may name a file."""

    async def broken(_store: SqliteStore) -> None:
        raise StoreError("/srv/secret.db: read-only", code=Code.LEDGER_UNAVAILABLE)

    monkeypatch.setattr(SqliteStore, "check", broken)
    ready, health = await client(None).get("/readyz"), await client(None).get("/healthz")
    assert (ready.status_code, ready.json()["parts"]["ledger"]) == (503, "LEDGER_UNAVAILABLE")
    (ledger,) = health.json()["checks"]["ledger:state"]
    assert (health.status_code, health.json()["status"], ledger["output"]) == (503, "fail", "LEDGER_UNAVAILABLE")
    assert (ready.headers["retry-after"], health.headers["retry-after"]) == ("1", "1")
    assert "secret" not in ready.text + health.text


async def test_live_touches_nothing(client: Clients, gear: Switchgear, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEMANTICS §12: `/livez` never touches a dependency: nothing that hangs or is ill is its affair."""

    async def hanging(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    anybody = client(None)
    for name in ("check", "get", "scan", "page", "append", "head"):
        monkeypatch.setattr(SqliteStore, name, hanging)
    monkeypatch.setattr(gear.engine, "defect", "RuntimeError: gone")
    answer = await asyncio.wait_for(anybody.get("/livez"), 30.0)
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


async def test_a_stopping_server_fails(client: Clients, traffic: Traffic) -> None:
    """Not ready at once, and health says the same."""
    traffic.stop()
    answer = await client(None).get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "fail")
    assert "stopping" in answer.json()["description"]


async def test_rest_is_tried_before_it_is_trusted(client: Clients, gear: Switchgear) -> None:
    """SEMANTICS §12: a denied action goes through the application; nothing of it is on record or in a list."""
    anybody = client(None)
    assert (await anybody.get("/readyz")).json()["parts"]["self_test"] == "ok"
    proven = {name for name in gear.control.readiness.self_test.proven if name.startswith("rest")}
    assert proven == {"rest authentication", "rest signature", "rest kill_switch", "rest permission"}
    assert SELF_PROBE not in (await client().get("/v1/tools")).text
    await gear.drain(1.0)
    streams = [entry.stream for entry in await gear.store.entries(PLATFORM_TENANT)]
    assert [stream for stream in streams if not stream.startswith("tool:")] == []  # contracts are there after a while


async def test_the_frozen_tool_is_refused_over_rest(client: Clients) -> None:
    """What the self-test tries, anybody can try: it is frozen, with the code of a kill switch."""
    body = {"tool": SELF_PROBE, "arguments": {}, "account": "main"}
    refused = await client().post("/v1/intents", json=body)
    assert (refused.status_code, refused.json()["code"]) == (423, "KILL_SWITCH_ACTIVE")


async def test_rest_that_goes_round_the_gates_is_not_ready(
    client: Clients, gear: Switchgear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break the way from REST to the gates on purpose: Python was proven, REST is found, and stays out of service."""
    acme = gear.acting_as(tenant="acme", account="main", actor="test")
    intent = await gear.engine.intent("acme", (await acme.submit("crm.read", {"contact_id": "7"})).id)

    async def accepted(_intents: Intents, principal: Principal, **_: object) -> Seen:
        return Seen(gear.engine, principal, intent)

    monkeypatch.setattr(Intents, "submit", accepted)
    anybody = client(None)
    ready = await anybody.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["self_test"]) == (503, LET_THROUGH)
    monkeypatch.undo()
    assert (await anybody.get("/readyz")).status_code == 503
    assert gear.control.readiness.self_test.state == f"{LET_THROUGH}: rest kill_switch, rest permission"


async def test_an_application_that_lets_anybody_in_is_not_ready(
    gear: Switchgear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break authentication on purpose: requests without a token, and with one that nobody signed, are let in."""

    class Anybody:
        def verify(self, _token: str) -> Principal:
            return Principal("acme", "anybody", frozenset({"main"}), frozenset({"tools:read"}))

    monkeypatch.setattr(application, "bearer_token", lambda _headers: "")
    create_app(gear.control, Anybody())
    view = await gear.control.readiness.check()
    assert view.parts["self_test"] == f"{LET_THROUGH}: rest authentication, rest signature"


async def test_health_is_asked_of_one_process_at_a_time(client: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 10: a hundred monitors measure once."""
    asked: list[Health] = []
    measured: Callable[[Health], Awaitable[object]] = Health._measured  # noqa: SLF001 - counts what is behind it

    async def counted(health: Health) -> object:
        asked.append(health)
        return await measured(health)

    monkeypatch.setattr(Health, "_measured", counted)
    anybody = client(None)
    answers = await asyncio.gather(*(anybody.get("/healthz") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(asked) <= 2
