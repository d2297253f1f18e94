"""Who sees what: tokens, permissions, and two tenants that must look alone to each other."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.surfaces.rest.operation import Operation
from switchgear.surfaces.rest.operations import OPERATIONS
from tests.integration.rest.support import READ, SLOW, UPDATE, Clients, Tokens, Upstream

TRACEPARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
MISSING = "int_" + "0" * 32
BODIES = {
    "submitIntent": READ,
    "tripKillSwitch": {"mode": "stop_new", "reason": "because"},
    "releaseKillSwitch": {"reason": "because"},
    "cancelIntent": {"reason": "because"},
    "approveIntent": {},
    "rejectIntent": {"reason": "because"},
    "withdrawApproval": {},
    "resolveIntent": {"verdict": "applied", "evidence": "seen"},
    "forceIntent": {"reason": "because", "seconds": 60},
    "requeueDeadLetters": {},
    "discardDeadLetter": {"reason": "because"},
    "replayIntent": {"mode": "verify", "reason": "because"},
    "replayIntents": {"mode": "verify", "reason": "because", "state": "held"},
    "revertTimeBox": {"reason": "because"},
    "extendTimeBox": {"seconds": 60, "reason": "because"},
    "closeTimeBox": {"reason": "because"},
    "submitSaga": {"steps": [{"tool": "crm.read", "arguments": {"contact_id": "7"}}], "account": "main"},
    "cancelSaga": {"reason": "because"},
    "resumeSaga": {"how": "done", "reason": "because"},
    "signLedger": {},
    "makeBackup": {},
    "thawLedger": {"since": 0.0, "reason": "because"},
    "acceptTool": {"contract": "0" * 64},
    "archiveLedger": {"last_seq": 1, "hash": "0" * 64, "sha256": "0" * 64},
    "eraseIntent": {"reason": "because"},
}
QUERIES = {"showIntentByKey": {"tool": "crm.update", "key": "k-17"}}


def names(operation: Operation) -> str:
    """Name a parametrized case after its operation."""
    return operation.id


async def send(client: httpx2.AsyncClient, operation: Operation, intent_id: str = MISSING) -> httpx2.Response:
    """Call an operation as it is meant to be called."""
    path = operation.path.replace("{target}", "tenant:acme")
    for word in ("{intent_id}", "{saga_id}", "{time_box_id}"):
        path = path.replace(word, intent_id)
    headers = {**TRACEPARENT, "Idempotency-Key": '"k"'} if operation.id == "submitSaga" else TRACEPARENT
    body, query = BODIES.get(operation.id), QUERIES.get(operation.id)
    return await client.request(operation.method, path, json=body, params=query, headers=headers)


@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
async def test_every_operation_needs_a_token(client: Clients, operation: Operation) -> None:
    """Law 9: there is no anonymous read or write; a route that is new is in this table by itself."""
    refused = await send(client(None), operation)
    assert (refused.status_code, refused.json()["code"]) == (401, "TENANT_UNAUTHENTICATED")
    assert refused.headers["www-authenticate"] == 'Bearer realm="switchgear"'


@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
async def test_every_operation_needs_its_permission(client: Clients, operation: Operation) -> None:
    """Every operation is refused with all permissions but its own, and let in with its own alone."""
    others = tuple(permission for permission in PERMISSIONS if permission != operation.permission)
    refused = await send(client(scope=others), operation)
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    assert (await send(client(scope=(operation.permission,)), operation)).status_code in {200, 201, 202, 404, 409}


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 9000])
async def test_a_bad_token_is_401(client: Clients, token: str) -> None:
    """A token that cannot be read is answered as such, and never repeated in the answer."""
    refused = await client(None).get("/v1/intents", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 401
    assert len(token) < 10 or token not in refused.text


async def test_a_token_of_another_gear_is_401(client: Clients, tmp_path: Path) -> None:
    """A signature by a key that is not trusted here is no signature."""
    foreign = DevelopmentIssuer.create(tmp_path / "other-key")
    token = foreign.issue(tenant="acme", accounts=["main"], actor="x", scope=PERMISSIONS)
    refused = await client(None).get("/v1/intents", headers={"Authorization": f"Bearer {token}"})
    assert refused.headers["www-authenticate"] == 'Bearer realm="switchgear", error="invalid_token"'


async def test_an_account_outside_the_token_is_refused(client: Clients) -> None:
    """SEMANTICS §13: the body's account must be one of the claim's."""
    refused = await client().post("/v1/intents", json={**READ, "account": "treasury"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("tail", ["", "/events", "/cancel"])
async def test_a_foreign_intent_looks_like_a_missing_one(client: Clients, tail: str) -> None:
    """Law 9: byte for byte but for the id that was asked for, another tenant's thing does not exist."""
    foreign = (await client("acme").post("/v1/intents", json=READ)).json()["id"]
    answers = [await _look(client("rival"), intent_id, tail) for intent_id in (foreign, MISSING)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content.replace(foreign.encode(), MISSING.encode()) == answers[1].content
    assert [_stable(answer) for answer in answers[:1]] == [_stable(answer) for answer in answers[1:]]
    assert len((await client("acme").get(f"/v1/intents/{foreign}/events")).json()["items"]) >= 1


async def test_lists_ledgers_and_heads_are_a_tenants_own(client: Clients) -> None:
    """Law 9: lists, ledgers, counts and heads of another tenant do not leak."""
    acme, rival = client("acme"), client("rival")
    canary = {**UPDATE, "arguments": {"contact_id": "canary-acme", "email": "canary@acme.example"}}
    done = await acme.post("/v1/intents", json=canary, headers={"Idempotency-Key": "k-17", "Prefer": "wait=10"})
    assert done.json()["state"] == "succeeded"
    for operation in OPERATIONS:
        if operation.method == "GET":
            seen = await send(rival, operation, done.json()["id"])
            assert "canary" not in seen.text, operation.id
            assert "acme" not in seen.text, operation.id
    assert (await rival.get("/v1/intents")).json() == {"items": [], "next_cursor": None, "unreadable": []}
    assert (await rival.get("/v1/ledger")).json() == {"items": [], "next_after": None}
    assert (await rival.get("/v1/ledger/head")).json()["seq"] == 0


async def test_the_same_key_of_two_tenants_is_two_keys(client: Clients, upstream: Upstream) -> None:
    """SEMANTICS §7: an idempotency record belongs to tenant, account and tool."""
    headers = {"Idempotency-Key": "same", "Prefer": "wait=10"}
    ids = {
        (await client(tenant).post("/v1/intents", json=UPDATE, headers=headers)).json()["id"]
        for tenant in ("acme", "rival")
    }
    assert len(ids) == 2
    assert len(set(upstream.effects)) == 2


async def test_a_foreign_key_looks_like_one_that_was_never_used(client: Clients) -> None:
    """Law 9: what another tenant did with a key is not told, byte for byte; nor is it for an account not granted."""
    headers = {"Idempotency-Key": "order-17", "Prefer": "wait=10"}
    done = (await client("acme").post("/v1/intents", json=UPDATE, headers=headers)).json()
    looks = [
        await client("rival").get("/v1/intents/by-key", params={"tool": "crm.update", "key": key}, headers=TRACEPARENT)
        for key in ("order-17", "order-18")
    ]
    assert [look.status_code for look in looks] == [404, 404]
    assert looks[0].content.replace(b"order-17", b"order-18") == looks[1].content
    assert _stable(looks[0]) == _stable(looks[1])
    params = {"tool": "crm.update", "key": "order-17", "account": "treasury"}
    refused = await client("acme").get("/v1/intents/by-key", params=params)
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    assert done["id"] not in refused.text


async def test_a_foreign_cancel_changes_nothing(client: Clients, upstream: Upstream) -> None:
    """Law 9: a write to another tenant's intent is refused and leaves no trace in it."""
    acme = client("acme")
    view = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).json()
    await upstream.reached.wait()
    await client("rival").post(f"/v1/intents/{view['id']}/cancel", json={"reason": "mine"})
    assert (await acme.get(f"/v1/intents/{view['id']}")).json()["cancel_requested"] is False
    upstream.gate.set()


@pytest.mark.parametrize("place", ["query", "header"])
async def test_the_tenant_is_never_taken_from_the_request(client: Clients, token: Tokens, place: str) -> None:
    """Law 9: tenant comes from the verified principal, never from path, query or body."""
    await client("acme").post("/v1/intents", json=READ)
    rival = client("rival")
    if place == "query":
        assert (await rival.get("/v1/intents", params={"tenant": "acme"})).status_code == 400
    else:
        headers = {"X-Tenant-ID": "acme", "X-Forwarded-User": token("acme")}
        assert (await rival.get("/v1/intents", headers=headers)).json()["items"] == []


async def _look(client: httpx2.AsyncClient, intent_id: str, tail: str) -> httpx2.Response:
    path = f"/v1/intents/{intent_id}{tail}"
    if tail == "/cancel":
        return await client.post(path, json={"reason": "because"}, headers=TRACEPARENT)
    return await client.get(path, headers=TRACEPARENT)


def _stable(answer: httpx2.Response) -> dict[str, str]:
    """Return the headers without our span, which differs in every answer."""
    return {name: re.sub(r"-[0-9a-f]{16}-", "-", value) for name, value in answer.headers.items()}


async def test_the_only_account_of_a_token_may_be_left_out(client: Clients, token: Tokens) -> None:
    """One rule for intents, keys and sagas: one account need not be said, and of several the refusal names them."""
    one = client()
    body = {"tool": "crm.update", "arguments": {"contact_id": "7"}}
    accepted = await one.post("/v1/intents", json=body, headers={"Idempotency-Key": '"k"'})
    found = await one.get("/v1/intents/by-key", params={"tool": "crm.update", "key": "k"})
    saga = await one.post("/v1/sagas", json={"steps": [body]}, headers={"Idempotency-Key": '"s"'})
    assert [answer.json()["account"] for answer in (accepted, found, saga)] == ["main"] * 3
    assert found.json()["id"] == accepted.json()["id"]
    two = client()
    two.headers["Authorization"] = f"Bearer {token(accounts=('main', 'branch'))}"
    for refused in (
        await two.post("/v1/intents", json=body, headers={"Idempotency-Key": '"k"'}),
        await two.get("/v1/intents/by-key", params={"tool": "crm.update", "key": "k"}),
        await two.post("/v1/sagas", json={"steps": [body]}, headers={"Idempotency-Key": '"s"'}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT")
        assert refused.json()["detail"] == "say which account: this token has branch, main"
