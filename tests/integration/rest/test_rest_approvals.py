"""Approving, rejecting and withdrawing over REST, against a real gear whose updates need approval."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from tests.integration.rest.support import UPDATE, Upstream, register_tools

As = Callable[..., httpx2.AsyncClient]


@pytest.fixture
async def gear(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Switchgear]:
    """Open a gear with a rule about updates."""
    file = tmp_path / "switchgear.toml"
    rules = '[[approvals]]\nname = "updates"\ntool = "crm.update"\n'
    file.write_text(f'[store]\nurl = "sqlite:///{tmp_path / "gear.db"}"\n{rules}')
    async with Switchgear.open(file) as opened:
        register_tools(opened, upstream)
        yield opened
        upstream.gate.set()


@pytest.fixture
async def acting(app: FastAPI, issuer: DevelopmentIssuer) -> AsyncIterator[As]:
    """Return a maker of clients that act as somebody."""
    opened: list[httpx2.AsyncClient] = []

    def make(actor: str, tenant: str = "acme", scope: tuple[str, ...] = PERMISSIONS) -> httpx2.AsyncClient:
        token = issuer.issue(tenant=tenant, accounts=("main",), actor=actor, scope=scope)
        transport = httpx2.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {token}"}
        opened.append(httpx2.AsyncClient(transport=transport, base_url="http://rest", headers=headers))
        return opened[-1]

    yield make
    for one in opened:
        await one.aclose()


async def submitted(acting: As) -> dict[str, Any]:
    """Submit an update and return what was answered."""
    headers = {"Idempotency-Key": '"order-17"', "Prefer": "wait=30"}
    answer = await acting("service:orders").post("/v1/intents", json=UPDATE, headers=headers)
    assert answer.status_code == 202
    view: dict[str, Any] = answer.json()
    return view


async def test_no_connection_waits_for_a_person(acting: As, upstream: Upstream) -> None:
    """`Prefer: wait` is answered at once with 202 and what is waited for; the yes lets it go."""
    view = await submitted(acting)
    assert (view["state"], view["waiting_for"]) == ("pending_approval", "APPROVAL_REQUIRED")
    ada = acting("user:ada")
    (waiting,) = (await ada.get("/v1/intents?state=pending_approval")).json()["items"]
    assert (waiting["id"], waiting["arguments"]) == (view["id"], UPDATE["arguments"])
    answer = await ada.post(f"/v1/intents/{view['id']}/approve", json={"digest": waiting["approval"]["digest"]})
    assert (answer.status_code, answer.json()["approval"]["granted_by"]) == (200, ["user:ada"])
    again = {"Idempotency-Key": '"order-17"', "Prefer": "wait=30"}
    done = await acting("service:orders").post("/v1/intents", json=UPDATE, headers=again)
    assert (done.status_code, done.json()["state"], done.json()["replayed"]) == (200, "succeeded", True)
    assert upstream.effects == [view["id"]]


REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("service:orders", "approve", {}, 403, "PERMISSION_DENIED"),
    ("agent:seven", "approve", {}, 403, "PERMISSION_DENIED"),
    ("user:ada", "approve", {"digest": "0" * 64}, 409, "APPROVAL_STALE"),
    ("user:ada", "approve", {"digest": "short"}, 400, "INVALID_ARGUMENT"),
    ("user:ada", "approve", {"channel": "python"}, 400, "INVALID_ARGUMENT"),
    ("user:ada", "reject", {}, 400, "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize(("actor", "what", "body", "status", "code"), REFUSALS)
async def test_a_refusal_is_a_problem_with_its_code(
    acting: As, actor: str, what: str, body: dict[str, Any], status: int, code: str
) -> None:
    """Who may not, what was not seen, and what cannot be read is said so, and nothing is on record."""
    view = await submitted(acting)
    answer = await acting(actor).post(f"/v1/intents/{view['id']}/{what}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    stands = (await acting("user:ada").get(f"/v1/intents/{view['id']}")).json()
    assert (stands["state"], stands["approval"]["granted_by"]) == ("pending_approval", [])


async def test_a_no_and_its_channel_are_on_record(acting: As, upstream: Upstream) -> None:
    """The ledger says who rejected it, through what; the reason is the intent's message."""
    view = await submitted(acting)
    ada = acting("user:ada")
    answer = await ada.post(f"/v1/intents/{view['id']}/reject", json={"reason": "wrong account", "channel": "cli"})
    assert (answer.json()["state"], answer.json()["message"]) == ("rejected", "wrong account")
    last = (await ada.get(f"/v1/intents/{view['id']}/events")).json()["items"][-1]
    assert (last["type"], last["facts"]["by"], last["facts"]["channel"]) == ("intent.rejected", "user:ada", "cli")
    late = await ada.post(f"/v1/intents/{view['id']}/approve", json={})
    assert (late.status_code, late.json()["code"], upstream.effects) == (409, "ILLEGAL_TRANSITION", [])


async def test_another_tenant_sees_nothing_to_approve(acting: As) -> None:
    """Law 9: it looks like an intent that does not exist."""
    view = await submitted(acting)
    globex = acting("user:gil", tenant="globex")
    for what, body in (("approve", {}), ("reject", {"reason": "no"}), ("withdraw", {})):
        answer = await globex.post(f"/v1/intents/{view['id']}/{what}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert (await globex.get("/v1/intents?state=pending_approval")).json()["items"] == []
