"""Tools, breakers, ledger, health, and the OpenAPI document over REST."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.surfaces.rest import Traffic
from tests.integration.rest.support import READ, UPDATE, Clients


async def test_tools_show_their_contracts(client: Clients) -> None:
    """A caller learns from the tool whether it needs a key and what it takes."""
    tools = {tool["name"]: tool for tool in (await client().get("/v1/tools")).json()["items"]}
    assert tools["crm.update"]["needs_key"] is True
    assert tools["crm.read"]["needs_key"] is False
    assert tools["crm.update"]["arguments_schema"]["required"] == ["contact_id"]


async def test_breakers_show_every_dependency(client: Clients) -> None:
    """The guards of all dependencies are listed; reading them changes nothing."""
    acme = client()
    await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    first = (await acme.get("/v1/breakers")).json()
    assert {breaker["dependency"]: breaker["state"] for breaker in first["items"]} == {
        "crm": "closed",
        "mail": "closed",
    }
    assert (await acme.get("/v1/breakers")).json() == first


async def test_the_ledger_is_read_in_order_and_verified(client: Clients) -> None:
    """Law 11: the chain is there to read page by page, and to verify by GET and POST alike."""
    acme = client()
    await acme.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": "k", "Prefer": "wait=10"})
    first = (await acme.get("/v1/ledger", params={"limit": 2})).json()
    rest = (await acme.get("/v1/ledger", params={"after": first["next_after"]})).json()
    entries = first["items"] + rest["items"]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert all(after["prev"] == before["hash"] for before, after in pairwise(entries))
    head = (await acme.get("/v1/ledger/head")).json()
    assert (head["seq"], head["hash"]) == (len(entries), entries[-1]["hash"])
    verified = (await acme.get("/v1/ledger/verify")).json()
    assert (verified["ok"], verified["fold_matches"], verified["entries"]) == (True, True, len(entries))
    assert (await acme.post("/v1/ledger/verify")).json() == verified


async def test_the_platforms_chain_is_read_with_its_permission_only(client: Clients) -> None:
    """Law 9: a tenant's own permission leads to its own chain; who reads the platform's is on record in it."""
    alone = client(scope=("ledger:read",))
    paths = ("/v1/ledger", "/v1/ledger/head", "/v1/ledger/verify", "/v1/ledger/export")
    for path in paths:
        refused = await alone.get(path, params={"chain": "platform"})
        assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED"), path
        assert (await client().get(path, params={"chain": "platform"})).status_code == 200, path
    assert (await client().get("/v1/ledger", params={"chain": "globex"})).status_code == 400
    page = (await client().get("/v1/ledger", params={"chain": "platform", "limit": 200})).json()
    readings = [item for item in page["items"] if item["type"] == "platform.ledger_read"]
    assert [item["facts"]["asked"] for item in readings] == ["list", "head", "verify", "export", "list"]
    assert {item["actor"] for item in readings} == {"service:acme"}


async def test_the_export_is_json_lines(client: Clients) -> None:
    """The export streams one JSON document a line, with every entry of the tenant."""
    acme = client()
    await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    response = await acme.get("/v1/ledger/export")
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert len(lines) >= (await acme.get("/v1/ledger/head")).json()["seq"]


async def test_health_needs_no_token(client: Clients) -> None:
    """SEMANTICS §12: health checks are about this process and ask nobody."""
    anybody = client(None)
    assert (await anybody.get("/livez")).json() == {"alive": True}
    ready = await anybody.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


async def test_a_stopping_server_is_not_ready_and_takes_nothing_new(client: Clients, traffic: Traffic) -> None:
    """SEMANTICS §12: not ready at once, new work is SHUTTING_DOWN, what is there can still be read."""
    acme = client()
    view = (await acme.post("/v1/intents", json=READ)).json()
    traffic.stop()
    ready = await client(None).get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    refused = await acme.post("/v1/intents", json=READ)
    assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
    assert refused.headers["retry-after"] == "1"
    assert (await acme.get(f"/v1/intents/{view['id']}")).status_code == 200
    assert (await client(None).get("/livez")).status_code == 200


async def test_a_drained_gear_is_not_ready(client: Clients, gear: Switchgear) -> None:
    """Readiness follows the gear itself, not only the server in front of it."""
    await gear.drain(1.0)
    ready = await client(None).get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["admission"]) == (503, "stopping")
    refused = await client().post("/v1/intents", json=READ)
    assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")


@pytest.mark.parametrize("path", ["/openapi.json"])
async def test_the_document_describes_every_route(client: Clients, path: str) -> None:
    """DESIGN: OpenAPI at /openapi.json."""
    document = (await client(None).get(path)).json()
    assert document["openapi"].startswith("3.1")
    assert {"/v1/intents", "/v1/ledger/export", "/readyz"} <= set(document["paths"])
