"""The server on a real socket: hostile connections, stopping in order, stopping at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.core.errors import OptionError
from switchgear.core.scope import Principal
from switchgear.surfaces.rest import RestLimits, Traffic, run_server, serve
from tests.integration.rest.support import READ, SLOW, Clients, Tokens, Upstream

pytestmark = pytest.mark.integration


@dataclass
class Served:
    """A server that is running: its address, and the task that ends when it has stopped."""

    url: str
    port: int
    ended: asyncio.Task[bool]


@pytest.fixture
def hasty() -> None:
    """Have a server that is to give up soon; any other is patient with a slow machine."""


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> RestLimits:
    """Return bounds small enough to reach."""
    seconds = 0.3 if "hasty" in request.fixturenames else 60.0
    return RestLimits(header_timeout=seconds, body_timeout=seconds, header_limit_bytes=4096, grace=25.0)


@asynccontextmanager
async def running(app: FastAPI, traffic: Traffic, drain: Callable[[float], Awaitable[object]]) -> AsyncIterator[Served]:
    """Serve `app` on a free port of loopback while the block runs."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, traffic, host="127.0.0.1", port=0, ready=address.set_result, drain=drain))
    url = await asyncio.wait_for(address, 30.0)
    try:
        yield Served(url, int(url.rpartition(":")[2]), serving)
    finally:
        if not traffic.stopping:
            traffic.stop()
        await asyncio.wait_for(serving, 30.0)


@pytest.fixture
async def served(app: FastAPI, traffic: Traffic, gear: Switchgear) -> AsyncIterator[Served]:
    """Return a running server."""
    async with running(app, traffic, gear.drain) as server:
        yield server


async def exchange(port: int, sent: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 30.0)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_requests_are_served(served: Served, token: Tokens) -> None:
    """The whole way over a socket."""
    headers = {"Authorization": f"Bearer {token()}", "Prefer": "wait=10"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers) as client:
        response = await client.post("/v1/intents", json=READ)
    assert (response.status_code, response.json()["state"]) == (200, "succeeded")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 8192,
    ],
)
async def test_what_is_no_http_is_a_problem(served: Served, sent: bytes) -> None:
    """Even bytes that are no request get a problem document, and the connection is closed."""
    answer = await exchange(served.port, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code":"INVALID_ARGUMENT"' in answer


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHost:"])
async def test_law_1_a_head_that_does_not_come_is_given_up(served: Served, sent: bytes) -> None:
    """Law 1: a connection that says nothing, or never ends its head, is closed after its time."""
    assert await exchange(served.port, sent) == b""


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_is_shorter_than_announced_is_given_up(served: Served, token: Tokens) -> None:
    """A `Content-Length` that lies costs a bounded wait and has no effect."""
    head = (
        f"POST /v1/intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    )
    answer = await exchange(served.port, head.encode())
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_hangs_up_leaves_its_intent(
    served: Served, token: Tokens, client: Clients, traffic: Traffic, upstream: Upstream
) -> None:
    """SEMANTICS §7: disconnect after submit detaches."""
    headers = {"Authorization": f"Bearer {token()}", "Prefer": "wait=30", "Idempotency-Key": "k"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers) as gone:
        posting = asyncio.ensure_future(gone.post("/v1/intents", json=SLOW, timeout=60.0))
        await asyncio.wait_for(upstream.reached.wait(), 30.0)
        posting.cancel()
    upstream.gate.set()
    ended = await client().post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k", "Prefer": "wait=10"})
    assert (ended.status_code, ended.headers["idempotency-replayed"]) == (200, "true")
    assert len(upstream.effects) == 1


async def test_a_stop_lets_work_end_and_answers_meanwhile(
    app: FastAPI, traffic: Traffic, gear: Switchgear, token: Tokens, upstream: Upstream
) -> None:
    """SEMANTICS §12: not ready at once, new work refused, what is dispatched ends, then the server closes."""
    async with running(app, traffic, gear.drain) as server:
        headers = {"Authorization": f"Bearer {token()}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
            view = (await client.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).json()
            await upstream.reached.wait()
            traffic.stop()
            assert (await client.get("/readyz")).status_code == 503
            refused = await client.post("/v1/intents", json=READ)
            assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
            assert not server.ended.done()
            upstream.gate.set()
        assert await asyncio.wait_for(server.ended, 30.0) is True
    principal = gear.acting_as(tenant="acme", account="main", actor="test")
    assert (await principal.intent(view["id"])).state == "succeeded"


async def test_a_second_stop_stops_now(app: FastAPI, traffic: Traffic) -> None:
    """SEMANTICS §12: the second signal does not wait for anything."""
    never = asyncio.Event()

    async def stuck(_grace: float) -> None:
        await never.wait()

    async with running(app, traffic, stuck) as server:
        traffic.stop()
        traffic.stop()
        assert await asyncio.wait_for(server.ended, 30.0) is False


async def test_a_second_signal_is_obeyed_also_before_the_drain_has_begun(
    gear: Switchgear, issuer: DevelopmentIssuer, token: Tokens, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEMANTICS §12: while a write that was accepted is still under way, now is now: closing the gear waits no more."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    writing = asyncio.Event()

    async def never(_principal: Principal) -> None:
        writing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(gear.control.keeping, "sign", never)
    serving = asyncio.create_task(run_server(gear, "127.0.0.1", 0, address.set_result, verifier=issuer.verifier()))
    headers = {"Authorization": f"Bearer {token()}"}
    async with httpx2.AsyncClient(base_url=await address, headers=headers) as client:
        accepted = await client.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})
        await upstream.reached.wait()
        signing = asyncio.create_task(client.post("/v1/ledger/checkpoint", json={}))
        await writing.wait()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
        assert await asyncio.wait_for(serving, 30.0) is False
        await asyncio.gather(signing, return_exceptions=True)
    assert (accepted.status_code, gear.engine.stopped) == (202, True)
    await asyncio.wait_for(gear.end(), 9.0)  # the grace is longer, and nobody opens the gate
    assert upstream.effects == []


async def test_law_1_what_is_accepted_and_what_is_dispatched_share_one_grace(app: FastAPI) -> None:
    """Law 1: a stop has one bound. What the writes that are under way have used up, the attempts do not get again."""
    never, traffic = asyncio.Event(), Traffic(RestLimits(grace=0.3))
    left: list[float] = []

    async def drain(grace: float) -> None:
        left.append(grace)

    async with running(app, traffic, drain) as server:
        writing = asyncio.create_task(traffic.detach(never.wait()))
        await asyncio.sleep(0)
        traffic.stop()
        assert await asyncio.wait_for(server.ended, 30.0) is True
        never.set()
        await writing
    assert [grace < 0.1 for grace in left] == [True]


async def test_a_taken_port_is_said_so(app: FastAPI, traffic: Traffic, gear: Switchgear) -> None:
    """An address that cannot be bound is a clear error before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port {port}"):
            await serve(app, traffic, host="127.0.0.1", port=port, ready=print, drain=gear.drain)
