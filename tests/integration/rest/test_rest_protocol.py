"""Hostile connections, byte by byte: what is bounded, and that no answer is taken for another's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI

from switchgear.surfaces.rest import RestLimits, Traffic, serve
from switchgear.surfaces.rest.protocol import PIPELINED_MAX
from tests.integration.rest.support import READ, SLOW, Tokens, Upstream
from tests.turns import turns

pytestmark = pytest.mark.integration

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BROKEN = b"no HTTP at all\r\n\r\n"


@pytest.fixture
def hasty() -> None:
    """Have a server that is to give up soon; any other is patient with a slow machine."""


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> RestLimits:
    """Return bounds small enough to reach."""
    seconds = 0.3 if "hasty" in request.fixturenames else 60.0
    return RestLimits(header_timeout=seconds, body_timeout=seconds, header_limit_bytes=4096, grace=25.0)


@pytest.fixture
async def port(app: FastAPI, traffic: Traffic) -> AsyncIterator[int]:
    """Serve the application, and return the port."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def nothing(_grace: float) -> None:
        await asyncio.sleep(0)

    serving = asyncio.create_task(
        serve(app, traffic, host="127.0.0.1", port=0, ready=address.set_result, drain=nothing)
    )
    yield int((await asyncio.wait_for(address, 30.0)).rpartition(":")[2])
    traffic.stop()
    await asyncio.wait_for(serving, 30.0)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and close again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send the pieces one after the other, and return all that comes until the server closes."""
    async with connected(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        with suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), 30.0)
    return b""


def submitting(token: str, body: bytes, *headers: str) -> bytes:
    """Return a request that submits `body`, with more headers."""
    lines = (
        "POST /v1/intents HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def test_a_connection_is_used_again(port: int) -> None:
    """Requests that follow one another, or are sent ahead within the bound, are answered in order."""
    answer = await exchange(port, LIVE, LIVE + LIVE, LAST)
    assert answer.count(b"HTTP/1.1 200 ") == 4


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"\r\n" * 4096,
    ],
)
async def test_what_a_parser_may_let_pass_is_refused(port: int, sent: bytes) -> None:
    """RFC 9112: what two servers could read in two ways is refused with a problem document."""
    answer = await exchange(port, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


async def test_law_1_a_head_in_pieces_has_the_same_bound(port: int) -> None:
    """Law 1: many short headers, or one without end, are refused at the same number of bytes."""
    begin = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    for pieces in ([b"a: b\r\n" * 64] * 11, [b"a: "] + [b"b" * 512] * 8):
        assert (await exchange(port, begin, *pieces)).startswith(b"HTTP/1.1 400 ")


async def test_law_1_a_trailer_is_bounded(port: int, token: Tokens) -> None:
    """Law 1: what follows a body is held to the bound of a head."""
    head = submitting(token(), b"2\r\n{}\r\n0\r\n", "Transfer-Encoding: chunked")
    async with connected(port) as (reader, writer):
        writer.write(head)
        await turns(100)  # the body is read by itself: what comes in with it does not count
        writer.write(b"a: " + b"b" * 4094)
        answer = await asyncio.wait_for(reader.read(), 30.0)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_trailer_is_no_header(port: int, token: Tokens) -> None:
    """A trailer cannot say what the head did not: a token after the body is no token."""
    chunked = b"2\r\n{}\r\n0\r\nAuthorization: Bearer " + token().encode() + b"\r\n\r\n"
    head = b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await exchange(port, head + chunked)).startswith(b"HTTP/1.1 401 ")


async def test_bytes_after_a_request_are_not_its_answer(port: int, token: Tokens, upstream: Upstream) -> None:
    """A request that was accepted gets its own answer, also when what follows it is no HTTP."""
    body = json.dumps(SLOW).encode()
    sent = submitting(token(), body, f"Content-Length: {len(body)}", "Idempotency-Key: k", "Prefer: wait=10")
    async with connected(port) as (reader, writer):
        writer.write(sent + BROKEN)
        await asyncio.wait_for(upstream.reached.wait(), 30.0)
        upstream.gate.set()
        answer = await asyncio.wait_for(reader.read(), 30.0)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.usefixtures("hasty")
async def test_a_half_head_behind_a_request_does_not_cut_its_answer(
    port: int, token: Tokens, upstream: Upstream
) -> None:
    """Law 1: a further head that never ends costs its connection, after the answer that is under way."""
    body = json.dumps(SLOW).encode()
    sent = submitting(token(), body, f"Content-Length: {len(body)}", "Idempotency-Key: k", "Prefer: wait=10")
    async with connected(port) as (reader, writer):
        writer.write(sent + b"GET /livez HT")
        await asyncio.wait_for(upstream.reached.wait(), 30.0)
        asyncio.get_running_loop().call_later(0.6, upstream.gate.set)
        answer = await asyncio.wait_for(reader.read(), 30.0)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_law_1_requests_sent_ahead_are_few(port: int) -> None:
    """Law 1: of a flood of requests in one piece a bounded number is answered, then the connection ends."""
    answer = await exchange(port, LIVE * 500)
    assert answer.count(b"HTTP/1.1 200 ") == PIPELINED_MAX + 1


async def test_a_broken_body_is_answered(port: int, token: Tokens) -> None:
    """A body whose chunks are no chunks is refused at once, and nothing is recorded."""
    answer = await exchange(port, submitting(token(), b"nonsense\r\n", "Transfer-Encoding: chunked"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("sent", [LIVE + b"\r\n", b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"])
async def test_law_1_what_follows_an_answer_has_its_time(port: int, sent: bytes) -> None:
    """Law 1: an empty line, or a body that nobody wants any more, does not keep a connection."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\r\n" if sent.startswith(LIVE) else b"x")
        await asyncio.wait_for(reader.read(), 30.0)


async def test_an_upgrade_is_not_taken(port: int) -> None:
    """RFC 9110 §7.8: a server may ignore an upgrade, and answers as if it had not been asked for."""
    asked = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with connected(port) as (reader, writer):
        writer.write(asked)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(LAST)
        assert (await asyncio.wait_for(reader.read(), 30.0)).count(b"HTTP/1.1 200 ") == 1


async def test_a_body_is_asked_for_where_its_client_waits_for_that(port: int, token: Tokens) -> None:
    """RFC 9110 §10.1.1: `Expect: 100-continue` is answered before the body is read."""
    body = json.dumps(READ).encode()
    head = submitting(token(), b"", f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close")
    async with connected(port) as (reader, writer):
        writer.write(head)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(body)
        assert (await asyncio.wait_for(reader.read(), 30.0)).startswith(b"HTTP/1.1 202 ")
