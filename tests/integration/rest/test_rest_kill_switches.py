"""Kill switches over REST: tripping, being stopped, releasing, and what the answers say."""

from __future__ import annotations

import pytest

from switchgear.control.use_cases import TENANT_PERMISSIONS
from tests.integration.rest.support import READ, SLOW, Clients, Upstream

FREEZE = {"mode": "freeze", "reason": "it deletes orders"}


async def test_a_trip_refuses_with_423_and_names_the_switch(client: Clients) -> None:
    """SEMANTICS §1: 423 for a kill switch, with policy, state and dependency."""
    acme = client("acme", scope=TENANT_PERMISSIONS)
    tripped = await acme.put("/v1/kill-switches/connector:crm", json=FREEZE)
    assert (tripped.status_code, tripped.json()["switch"]["scope"]) == (200, "tenant")
    refused = await acme.post("/v1/intents", json=READ)
    problem = refused.json()
    assert refused.status_code == 423
    assert [problem[name] for name in ("code", "policy", "dependency", "state")] == [
        "KILL_SWITCH_ACTIVE",
        "kill_switch",
        "crm",
        "freeze",
    ]
    other = client("globex", scope=TENANT_PERMISSIONS)
    assert (await other.post("/v1/intents", json=READ)).status_code in {200, 202}


async def test_in_flight_work_is_in_the_answer(client: Clients, upstream: Upstream) -> None:
    """What had left before is named, since nothing calls it back."""
    acme = client("acme", scope=TENANT_PERMISSIONS)
    view = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).json()
    await upstream.reached.wait()
    tripped = (await acme.put("/v1/kill-switches/tenant:acme", json=FREEZE)).json()
    assert tripped["in_flight_count"] == 1
    assert [intent["id"] for intent in tripped["in_flight"]] == [view["id"]]


async def test_who_tripped_it_does_not_release_it(client: Clients) -> None:
    """SEMANTICS §9: another person; the refusal says so, and the switch stays on."""
    acme = client("acme", scope=TENANT_PERMISSIONS)
    await acme.put("/v1/kill-switches/tool:crm.read", json=FREEZE)
    refused = await acme.post("/v1/kill-switches/tool:crm.read/release", json={"reason": "fixed"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    listed = (await acme.get("/v1/kill-switches")).json()
    assert [item["target"] for item in listed["items"]] == ["tool:crm.read"]
    assert (listed["readable"], listed["last_proven_ago"] < 60.0) == (True, True)


async def test_the_platform_stops_every_tenant(client: Clients) -> None:
    """With `platform:kill` a switch is the platform's; a tenant sees it without reason and person."""
    await client("acme").put("/v1/kill-switches/global", json={**FREEZE, "mode": "stop_new"})
    globex = client("globex", scope=TENANT_PERMISSIONS)
    assert (await globex.post("/v1/intents", json=READ)).status_code == 423
    (item,) = (await globex.get("/v1/kill-switches")).json()["items"]
    assert (item["target"], item["scope"], item["reason"], item["by"]) == ("global", "platform", None, None)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/kill-switches/everything", FREEZE, 400),
        ("PUT", "/v1/kill-switches/global", FREEZE, 403),
        ("PUT", "/v1/kill-switches/tenant:acme", {"mode": "slow", "reason": "r"}, 400),
        ("PUT", "/v1/kill-switches/tenant:acme", {"mode": "freeze"}, 400),
        ("POST", "/v1/kill-switches/tenant:acme/release", {"reason": "r"}, 404),
    ],
)
async def test_what_cannot_be_is_answered_with_its_status(
    client: Clients, method: str, path: str, body: dict[str, str], status: int
) -> None:
    """Unknown targets and modes, missing reasons, reaching beyond the tenant, releasing what is not on."""
    answer = await client("acme", scope=TENANT_PERMISSIONS).request(method, path, json=body)
    assert answer.status_code == status
