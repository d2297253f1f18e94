"""Budgets over REST, against a real gear whose updates have one: refused, listed, reported as JSON and CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.use_cases import TENANT_PERMISSIONS
from tests.integration.rest.support import UPDATE, Clients, Upstream, register_tools


@pytest.fixture
async def gear(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Switchgear]:
    """Open a gear with a budget of two updates a day for each account."""
    file = tmp_path / "switchgear.toml"
    budget = '[[budgets]]\nname = "updates"\ntool = "crm.update"\nlimit = 2\nperiod = "day"\neach = ["account"]\n'
    file.write_text(f'[store]\nurl = "sqlite:///{tmp_path / "gear.db"}"\n{budget}')
    async with Switchgear.open(file) as opened:
        register_tools(opened, upstream)
        yield opened
        upstream.gate.set()


async def update(client: httpx2.AsyncClient, key: str) -> httpx2.Response:
    """Submit an update and wait for it."""
    return await client.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": key, "Prefer": "wait=10"})


async def test_a_spent_budget_is_a_limit_of_the_caller(client: Clients, upstream: Upstream) -> None:
    """429 with Retry-After, the code and the budget's name; another tenant has its own; a repeat finds its outcome."""
    acme = client()
    assert [(await update(acme, key)).status_code for key in ("k1", "k2")] == [200, 200]
    refused = await update(acme, "k3")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["dependency"], problem["state"]) == (
        429,
        "BUDGET_EXCEEDED",
        "updates",
        "exhausted",
    )
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert refused.json()["decision"] == "defer"
    assert (await update(client("globex"), "k3")).status_code == 200
    assert (await update(acme, "k1")).json()["replayed"] is True
    assert len(upstream.effects) == 3


async def test_budgets_are_listed_and_spending_is_reported(client: Clients) -> None:
    """What is left and what was spent, each tenant its own, as JSON and as CSV."""
    acme = client()
    await update(acme, "k1")
    await update(client("globex"), "k1")
    (budget,) = (await acme.get("/v1/budgets")).json()["items"]
    assert (budget["budget"], budget["account"], budget["used"], budget["held"], budget["left"], budget["state"]) == (
        "updates",
        "main",
        1,
        0,
        1,
        "open",
    )
    report = (await acme.get("/v1/budgets/report", params={"by": "tool,account"})).json()
    (line,) = report["items"]
    assert (line["tool"], line["account"], line["connector"], line["settled"]) == ("crm.update", "main", None, 1)
    table = await acme.get("/v1/budgets/report", params={"format": "csv"})
    assert table.headers["Content-Type"].startswith("text/csv")
    head, row = table.text.splitlines()
    assert head.startswith("tenant,period,budget,")
    assert row.startswith(f"acme,{budget['period']},updates,main,,,1,0,1,2,1")


async def test_what_cannot_be_asked_is_refused(client: Clients) -> None:
    """A period or breakdown that cannot be is 400, spending of others is 403, and every tenant is the platform's."""
    acme = client()
    for wrong in ({"period": "yesterday"}, {"by": "colour"}, {"by": "budget,tool"}, {"format": "xml"}):
        assert (await acme.get("/v1/budgets/report", params=wrong)).status_code == 400
    narrow = client("acme", TENANT_PERMISSIONS)
    assert (await narrow.get("/v1/budgets/report", params={"tenants": "all"})).status_code == 403
    await update(client("globex"), "k1")
    every = (await acme.get("/v1/budgets/report", params={"tenants": "all", "by": "tool"})).json()
    assert [line["tenant"] for line in every["items"]] == ["globex"]
