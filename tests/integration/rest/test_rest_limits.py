"""What happens at each bound of the REST surface, and what a client that goes away leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from switchgear.surfaces.rest import RestLimits, Traffic
from tests.integration.rest.support import READ, SLOW, UPDATE, Clients, Upstream, until


@pytest.fixture
def hasty() -> None:
    """Have a server that gives up a body soon; any other is patient with a slow machine."""


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> RestLimits:
    """Return bounds small enough to reach."""
    seconds = 0.05 if "hasty" in request.fixturenames else 60.0
    return RestLimits(requests_max=2, waits_max=3, waits_tenant_max=2, body_timeout=seconds)


async def test_law_10_requests_beyond_the_bound_are_shed(client: Clients, traffic: Traffic) -> None:
    """Law 10: beyond the bound the answer is SHED_OVERLOAD with a time to come back; health still answers."""
    acme = client()
    with traffic.place(), traffic.place():
        shed = await acme.get("/v1/tools")
        assert (shed.status_code, shed.json()["code"]) == (503, "SHED_OVERLOAD")
        assert shed.headers["retry-after"] == "1"
        assert (await acme.get("/livez")).status_code == 200
        assert (await acme.get("/readyz")).status_code == 200
    assert (await acme.get("/v1/tools")).status_code == 200


async def test_a_wait_gives_its_place_back(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """Requests that only wait do not keep others out, and are counted to the end."""
    acme = client()
    waits = [asyncio.create_task(_slow(acme, f"k{number}")) for number in range(2)]
    await until(lambda: traffic.waiting == 2)
    assert traffic.working == 0
    assert (await acme.get("/v1/tools")).status_code == 200
    upstream.gate.set()
    assert [(await wait).status_code for wait in waits] == [200, 200]
    assert (traffic.waiting, traffic.working) == (0, 0)


async def test_no_tenant_takes_every_wait(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """A tenant at its bound is answered without waiting, while another may still wait."""
    acme, rival = client("acme"), client("rival")
    waits = [asyncio.create_task(_slow(acme, f"k{number}")) for number in range(2)]
    await until(lambda: traffic.waiting == 2)
    unwaited = await _slow(acme, "k3")
    assert (unwaited.status_code, "preference-applied" in unwaited.headers) == (202, False)
    waits.append(asyncio.create_task(_slow(rival, "k1")))
    await until(lambda: traffic.waiting == 3)
    upstream.gate.set()
    assert {(await wait).status_code for wait in waits} == {200}


async def test_a_stop_ends_waits(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """A stopping server does not hold its callers: they get the intent as it is, and where to follow it."""
    wait = asyncio.create_task(_slow(client(), "k"))
    await until(lambda: traffic.waiting == 1)
    traffic.stop()
    assert (await wait).status_code == 202
    upstream.gate.set()


async def test_a_look_that_waits_is_counted_with_the_others(
    client: Clients, traffic: Traffic, upstream: Upstream
) -> None:
    """Law 10: one bound holds all who wait, whatever they asked; beyond it a look is answered at once, not refused."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).headers["location"]
    looks = [asyncio.create_task(acme.get(shown, headers={"Prefer": "wait=30"})) for _ in range(2)]
    await until(lambda: traffic.waiting == 2)
    assert traffic.working == 0
    unwaited = await acme.get(shown, headers={"Prefer": "wait=30"})
    assert (unwaited.status_code, unwaited.json()["final"]) == (200, False)
    assert "preference-applied" not in unwaited.headers
    upstream.gate.set()
    assert [(await look).json()["state"] for look in looks] == ["succeeded", "succeeded"]
    assert (traffic.waiting, traffic.working) == (0, 0)


async def test_a_replay_that_waits_is_counted_with_the_others(client: Clients, traffic: Traffic) -> None:
    """Law 10: beyond the bound a replay is answered as it stands then, and does not say that it waited."""
    acme = client()
    done = await acme.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": "k", "Prefer": "wait=30"})
    path, wish = f"/v1/intents/{done.json()['id']}/replay", {"mode": "verify", "reason": "a customer asks"}
    with traffic.place(), traffic.wait("acme"), traffic.place(), traffic.wait("acme"):
        unwaited = await acme.post(path, json=wish, headers={"Prefer": "wait=30"})
    waited = await acme.post(path, json=wish, headers={"Prefer": "wait=30"})
    assert (unwaited.status_code, "preference-applied" in unwaited.headers) == (200, False)
    assert (waited.status_code, waited.headers["preference-applied"]) == (200, "wait=30")
    assert (traffic.waiting, traffic.working) == (0, 0)


async def test_a_stop_ends_a_look_that_waits(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """A stopping server answers with the intent as it is, and does not say that it waited."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).headers["location"]
    look = asyncio.create_task(acme.get(shown, headers={"Prefer": "wait=30"}))
    await until(lambda: traffic.waiting == 1)
    traffic.stop()
    answer = await look
    assert (answer.status_code, answer.json()["final"]) == (200, False)
    assert "preference-applied" not in answer.headers
    upstream.gate.set()


async def test_a_client_that_goes_away_ends_its_look(
    app: FastAPI, client: Clients, traffic: Traffic, upstream: Upstream
) -> None:
    """A look that nobody listens to any more gives its place back."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).headers["location"]
    gone = asyncio.Event()
    serving = asyncio.create_task(_raw(app, acme.build_request("GET", shown, headers={"Prefer": "wait=30"}), gone))
    await until(lambda: traffic.waiting == 1)
    gone.set()
    await serving
    assert traffic.waiting == 0
    upstream.gate.set()


@pytest.mark.usefixtures("hasty")
async def test_law_1_a_body_that_does_not_come_is_given_up(client: Clients) -> None:
    """Law 1: waiting for a body is bounded too."""
    never = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    refused = await client().post("/v1/intents", content=stalled(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (408, "INVALID_ARGUMENT")
    assert refused.headers["connection"] == "close"


async def test_a_cancelled_request_still_writes(client: Clients, app: FastAPI, traffic: Traffic) -> None:
    """SEMANTICS §7: a client that goes away detaches; it never aborts a write."""
    acme = client()
    request = asyncio.create_task(acme.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": "k"}))
    await until(lambda: traffic.detached > 0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await traffic.wait_settled(30.0)
    items = (await acme.get("/v1/intents")).json()["items"]
    assert [item["key"] for item in items] == ["k"]


async def test_a_client_that_goes_away_ends_its_wait(
    app: FastAPI, client: Clients, traffic: Traffic, upstream: Upstream
) -> None:
    """A wait nobody listens to any more gives its place back; the action goes on."""
    gone = asyncio.Event()
    headers = {"Idempotency-Key": "k", "Prefer": "wait=30"}
    request = client().build_request("POST", "/v1/intents", json=SLOW, headers=headers)
    serving = asyncio.create_task(_raw(app, request, gone))
    await until(lambda: traffic.waiting == 1)
    gone.set()
    await serving
    assert traffic.waiting == 0
    upstream.gate.set()


async def test_a_defect_is_an_answer_without_details(
    client: Clients, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours is INTERNAL with a trace, and says nothing of its inside."""
    acme = client()

    def broken() -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(traffic, "check_accepting", broken)
    refused = await acme.post("/v1/intents", json=READ)
    assert (refused.status_code, refused.json()["code"]) == (500, "INTERNAL")
    assert "secret" not in refused.text
    assert refused.json()["trace"] == refused.headers["traceparent"].split("-")[1]


async def _slow(acme: Any, key: str) -> Any:  # noqa: ANN401 - a client and its response, whatever made them
    return await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": key, "Prefer": "wait=30"})


async def _raw(app: FastAPI, request: httpx2.Request, gone: asyncio.Event) -> None:
    """Serve one request of a client that goes away once `gone` is set, as an ASGI server tells it."""
    body = [request.content]

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:  # noqa: ANN401 - an ASGI message nobody reads
        await asyncio.sleep(0)

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "query_string": b"",
        "headers": headers,
    }
    await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
