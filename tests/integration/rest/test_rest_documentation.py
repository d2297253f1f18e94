"""Where the `type` of a problem leads, through every place of the surface that answers with one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.surfaces.rest import RestLimits, Traffic, serve
from tests.integration.rest.support import Clients

BASE = "https://docs.example.com/switchgear"


@pytest.fixture
async def traffic() -> Traffic:
    """Return the traffic of a server whose pages are published."""
    return Traffic(RestLimits(), documentation=BASE)


@pytest.fixture
async def address(app: FastAPI, traffic: Traffic, gear: Switchgear) -> AsyncIterator[str]:
    """Serve the application on loopback and give its address."""
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, traffic, host="127.0.0.1", port=0, ready=listening.set_result, drain=gear.drain)
    )
    yield await asyncio.wait_for(listening, 30.0)
    traffic.stop()
    await serving


@pytest.mark.parametrize(
    ("method", "path", "tenant", "leads_to"),
    [
        ("GET", "/v1/tools", None, "access#tenant_unauthenticated"),
        ("GET", "/v1/nothing", "acme", "access#not_found"),
        ("DELETE", "/v1/tools", "acme", "invalid-request#invalid_argument"),
        ("GET", "/v1/intents/int_0", "acme", "access#not_found"),
    ],
)
async def test_a_problem_leads_to_its_runbook(
    client: Clients, method: str, path: str, tenant: str | None, leads_to: str
) -> None:
    """RFC 9457 §3.1.1: with `[server] documentation` the type is the page: edge, router or handler alike."""
    problem = (await client(tenant).request(method, path)).json()
    assert problem["type"] == f"{BASE}/runbooks/{leads_to}"


async def test_bytes_that_are_no_http_are_told_the_same(address: str) -> None:
    """The answer that is made below the application has the same type as all the others."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"this is no HTTP\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 30.0)
    writer.close()
    await writer.wait_closed()
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["type"] == f"{BASE}/runbooks/invalid-request#invalid_argument"
