"""Backups and restore mode over REST: made, listed, refused while frozen, thawed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS, TENANT_PERMISSIONS
from switchgear.gates.restoring.files import restore
from switchgear.surfaces.rest import RestLimits, Traffic, create_app
from tests.integration.rest.support import READ, UPDATE, Clients, Tokens, Upstream, register_tools

KEY = {"Idempotency-Key": '"k"'}


@pytest.fixture
async def frozen(
    tmp_path: Path, issuer: DevelopmentIssuer, token: Tokens, upstream: Upstream
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a store that was restored from a backup, and return a client with every permission."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/old.db") as gear:
        made = await gear.acting_as_platform(actor="user:ops").backups.make()
    await asyncio.to_thread(restore, tmp_path / "backups" / made.file, tmp_path / "new.db")
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/new.db") as gear:
        register_tools(gear, upstream)
        app = create_app(gear.control, issuer.verifier(), traffic=Traffic(RestLimits()))
        headers = {"Authorization": f"Bearer {token(scope=PERMISSIONS)}"}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://rest", headers=headers) as client:
            yield client


async def test_a_backup_is_made_and_listed(client: Clients, tmp_path: Path) -> None:
    """The answer is the manifest; the list has it; a tenant's permissions are not enough."""
    made = await client().post("/v1/ledger/backups", json={})
    assert made.status_code == 200
    listed = (await client().get("/v1/ledger/backups")).json()
    assert [item["file"] for item in listed["items"]] == [made.json()["file"]]
    assert listed["folder"] == str(tmp_path / "backups")
    tenant = client(scope=TENANT_PERMISSIONS)
    for answer in (
        await tenant.post("/v1/ledger/backups", json={}),
        await tenant.get("/v1/ledger/backups"),
        await tenant.post("/v1/ledger/thaw", json={"since": 0, "reason": "r"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")


async def test_a_frozen_server_refuses_writes_until_it_is_thawed(frozen: httpx2.AsyncClient) -> None:
    """503 with the code and what to do; reads are answered; `/readyz` says why."""
    ready = await frozen.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["restore"]) == (503, "RESTORE_PENDING")
    refused = await frozen.post("/v1/intents", json=UPDATE, headers=KEY)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["decision"]) == (503, "RESTORE_PENDING", "defer")
    assert (await frozen.post("/v1/intents", json=READ)).status_code in {200, 202}
    listed = (await frozen.get("/v1/ledger/backups")).json()
    thawed = await frozen.post("/v1/ledger/thaw", json={"since": listed["restored_from"], "reason": "looked"})
    assert (thawed.status_code, thawed.json()["in_doubt"]) == (200, 0)
    assert (await frozen.get("/readyz")).status_code == 200
    assert (await frozen.post("/v1/intents", json=UPDATE, headers=KEY)).status_code in {200, 202}


async def test_a_store_that_is_not_frozen_cannot_be_thawed(client: Clients) -> None:
    """409; and what is no time is 400."""
    answer = await client().post("/v1/ledger/thaw", json={"since": 0, "reason": "r"})
    assert (answer.status_code, answer.json()["code"]) == (409, "ILLEGAL_TRANSITION")
    assert (await client().post("/v1/ledger/thaw", json={"since": -1, "reason": "r"})).status_code == 400
