"""A destructive tool over REST: held in an outage with all its facts, and forced once by another person."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.execution.contract import Call
from switchgear.health import Dependency
from tests.integration.rest.support import Clients

BODY = {"tool": "vault.delete", "arguments": {}, "account": "main"}
SECONDS_MAX = 60.0
FORCE = {"reason": "checked by hand", "seconds": 60}


@pytest.fixture
def destroyed(gear: Switchgear) -> list[str]:
    """Add a destructive tool whose dependency is down."""
    gear.dependency(Dependency("vault", kind="function", down_after=1))
    gear.health.observe("vault", "negative", "probe")
    calls: list[str] = []

    @gear.tool("vault.delete", destructive=True)
    async def delete(call: Call) -> str:
        calls.append(call.intent_id)
        return "deleted"

    return calls


def as_person(issuer: DevelopmentIssuer, actor: str) -> dict[str, str]:
    """Return the headers of a person of the same tenant."""
    token = issuer.issue(tenant="acme", accounts=("main",), actor=actor, scope=PERMISSIONS)
    return {"Authorization": f"Bearer {token}"}


async def until(client: httpx2.AsyncClient, intent: str, state: str) -> dict[str, object]:
    """Return the intent once it is in `state`."""
    ends = time.monotonic() + SECONDS_MAX
    while True:
        view: dict[str, object] = (await client.get(f"/v1/intents/{intent}")).json()
        if view["state"] == state:
            return view
        assert time.monotonic() < ends, view
        await asyncio.sleep(0.01)


async def test_held_then_forced_once(client: Clients, issuer: DevelopmentIssuer, destroyed: list[str]) -> None:
    """The caller sees dependency and state; who asked, and an agent, cannot force it; another person can, once."""
    rest = client()
    accepted = await rest.post("/v1/intents", json=BODY, headers={"Idempotency-Key": '"k"'})
    held = await until(rest, accepted.json()["id"], "held")
    assert isinstance(held["hindrance"], dict)
    assert (held["waiting_for"], held["hindrance"]["dependency"], held["hindrance"]["state"]) == (
        "DESTRUCTIVE_BLOCKED",
        "vault",
        "unhealthy",
    )
    path = f"/v1/intents/{held['id']}/force"
    for refused in (
        await rest.post(path, json=FORCE),
        await rest.post(path, json=FORCE, headers=as_person(issuer, "agent:cleaner")),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    ben = as_person(issuer, "person:ben")
    for wrong in ({**FORCE, "reason": " "}, {**FORCE, "seconds": 3_601}, {**FORCE, "seconds": 0}, {"reason": "x"}):
        assert (await rest.post(path, json=wrong, headers=ben)).status_code == 400
    assert destroyed == []
    forced = await rest.post(path, json=FORCE, headers=ben)
    assert (forced.status_code, forced.json()["force"]["by"], forced.json()["force"]["overrode"]) == (
        200,
        "person:ben",
        ["vault"],
    )
    done = await until(rest, str(held["id"]), "succeeded")
    assert (destroyed, done["value"]) == ([held["id"]], "deleted")
    late = await rest.post(path, json=FORCE, headers=ben)
    assert (late.status_code, late.json()["code"]) == (409, "ILLEGAL_TRANSITION")
    assert (await client("globex").post(path, json=FORCE)).status_code == 404
