"""The HTTP connector against a real server on loopback that stalls, resets, redirects, lies and floods.

Waiting is done on a virtual clock: no test sleeps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from switchgear.connectors.credentials import Credentials, Reference
from switchgear.connectors.http import HttpConnection, HttpConnector, HttpOperation
from switchgear.core.clock import SYSTEM_CLOCK, Clock, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Succeeded, Uncertain
from tests.unit.connectors.calling import call_of

pytestmark = pytest.mark.integration

FAILURE, IGNORED, SUCCESS = Verdict.FAILURE, Verdict.IGNORED, Verdict.SUCCESS
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Remote:
    """A server that answers each request by `script` and keeps what it was sent."""

    script: Script
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            while request := await _request(reader):
                self.requests.append(request)
                self.seen.set()
                await self.script(writer)
        except ConnectionError:
            return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


def answering(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Script:
    """Return a script that answers with a status, a body and headers."""

    async def script(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        head = "\r\n".join([f"HTTP/1.1 {status} X", f"content-length: {size}", *headers, "", ""])
        writer.write(head.encode() + body)
        await writer.drain()

    return script


async def stalling(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.transport.abort()


async def babbling(writer: asyncio.StreamWriter) -> None:
    """Answer with what is no HTTP."""
    writer.write(b"SMTP ready\r\n\r\n")
    await writer.drain()
    writer.close()


async def breaking_off(writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent."""
    await answering(200, b'{"a":', "content-type: application/json", length=100)(writer)
    writer.close()


async def flooding(writer: asyncio.StreamWriter) -> None:
    """Send chunks for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    """Return a running server that answers 200 until told otherwise."""
    made = Remote(answering(200))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(made.serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _connector(
    remote: Remote, operation: HttpOperation | None = None, *, clock: Clock = SYSTEM_CLOCK, host: str = "127.0.0.1"
) -> HttpConnector:
    connection = HttpConnection(
        name="crm",
        base_url=f"http://{host}:{remote.port}/v1",
        headers={"Authorization": Reference("env", "TOKEN", "Bearer ")},
        response_bytes_max=65_536,
    )
    connector = HttpConnector(connection, Credentials({"TOKEN": "s3cret-token"}, Path()), clock=clock)
    connector.register("tool", operation or HttpOperation(method="POST", path="/orders"))
    return connector


async def _execute(remote: Remote, operation: HttpOperation | None = None, **arguments: object) -> Result:
    connector = _connector(remote, operation)
    try:
        return await connector.execute(call_of(arguments=arguments))
    finally:
        await connector.close()


async def test_one_call_is_one_request_on_the_wire(remote: Remote) -> None:
    """Path, query, headers, key and body arrive exactly as declared."""
    remote.script = answering(201, b'{"id": 9}', "content-type: application/json")
    operation = HttpOperation(method="POST", path="/orders/{id}", query=("dry",), idempotency_header="Idempotency-Key")
    assert await _execute(remote, operation, id="a/b c", dry=False, amount=2) == Succeeded({"id": 9})
    head, _, body = remote.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/orders/a%2Fb%20c?dry=false HTTP/1.1"
    headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
    assert headers[b"host"] == f"127.0.0.1:{remote.port}".encode()
    assert headers[b"authorization"] == b"bearer s3cret-token"
    assert headers[b"idempotency-key"] == b"key-1"
    assert headers[b"accept-encoding"] == b"identity"
    assert body == b'{"amount":2}'


@pytest.mark.parametrize("script", [resetting, babbling, breaking_off, flooding])
async def test_an_answer_that_breaks_is_doubt(remote: Remote, script: Script) -> None:
    """Reset, nonsense, an early end and a flood after the request left: uncertain, a failure of the dependency."""
    remote.script = script
    result = await _execute(remote)
    assert isinstance(result, Uncertain)
    assert (result.code, result.verdict) == (Code.DEPENDENCY_FAILED, FAILURE)
    assert len(remote.requests) == 1


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"<html>", "content-type: application/json"),
        (b"\x1f\x8b\x08", "content-encoding: gzip"),
        (b"x" * 70_000, "x: y"),
    ],
)
async def test_a_body_that_cannot_be_used_is_doubt(remote: Remote, body: bytes, header: str) -> None:
    """Garbage JSON, an unasked encoding and a body beyond the limit leave a 200 in doubt."""
    remote.script = answering(200, body, header)
    assert isinstance(await _execute(remote), Uncertain)


async def test_a_definite_refusal_stays_one_when_its_body_breaks_off(remote: Remote) -> None:
    """A 422 says what happened by its status alone."""
    remote.script = answering(422, b"nop", length=100)

    async def script(writer: asyncio.StreamWriter) -> None:
        await answering(422, b"nop", length=100)(writer)
        writer.close()

    remote.script = script
    result = await _execute(remote)
    assert isinstance(result, Refused)
    assert (result.retryable, result.verdict) == (False, SUCCESS)


@pytest.mark.parametrize(("method", "kind"), [("GET", Refused), ("POST", Uncertain)])
async def test_a_redirect_is_never_followed(remote: Remote, method: str, kind: type[Result]) -> None:
    """A redirect elsewhere ends here, and the place it names is never asked."""
    elsewhere = Remote(answering(200))
    server = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    remote.script = answering(302, b"", f"location: http://127.0.0.1:{port}/steal")
    operation = HttpOperation(method="GET" if method == "GET" else "POST", path="/orders")
    result = await _execute(remote, operation)
    server.close()
    assert isinstance(result, kind)
    assert not isinstance(result, Succeeded)
    assert result.code is Code.EGRESS_DENIED
    assert elsewhere.requests == []


async def test_nobody_listening_is_a_refusal_that_may_be_retried() -> None:
    """A refused connection applied nothing and is a failure of the dependency."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    result = await _execute(Remote(answering(200), port=port))
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.verdict) == (Code.DEPENDENCY_FAILED, True, FAILURE)


async def test_a_stalled_answer_ends_at_the_deadline(remote: Remote) -> None:
    """The deadline bounds the wait, and since the request left, the action is in doubt."""
    remote.script, clock = stalling, VirtualClock()
    connector = _connector(remote, clock=clock)
    running = asyncio.create_task(connector.execute(call_of(seconds=3.0, clock=clock)))
    await remote.seen.wait()
    await clock.elapse(2.9)
    assert not running.done()
    await clock.elapse(0.2)
    assert await running == Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time", FAILURE)
    await connector.close()


async def test_a_body_that_stalls_ends_at_the_deadline(remote: Remote) -> None:
    """A status without its body does not hold the call either."""
    sent = asyncio.Event()

    async def script(writer: asyncio.StreamWriter) -> None:
        await answering(200, b"{", length=10)(writer)
        sent.set()
        await asyncio.Event().wait()

    remote.script, clock = script, VirtualClock()
    connector = _connector(remote, clock=clock)
    running = asyncio.create_task(connector.execute(call_of(seconds=3.0, clock=clock)))
    await sent.wait()
    await clock.elapse(3.0)
    assert isinstance(await running, Uncertain)
    await connector.close()


async def test_a_passed_deadline_sends_nothing(remote: Remote) -> None:
    """A call whose time is up does not leave."""
    clock = VirtualClock()
    connector = _connector(remote, clock=clock)
    call = call_of(seconds=1.0, clock=clock)
    clock.advance(2.0)
    running = asyncio.create_task(connector.execute(call))
    await clock.elapse(0.0)
    result = await running
    assert isinstance(result, Refused)
    assert (result.code, result.retryable) == (Code.DEADLINE_EXCEEDED, True)
    assert remote.requests == []
    await connector.close()


async def test_cancellation_passes(remote: Remote) -> None:
    """A cancelled attempt raises, and its connection is not used again."""
    remote.script = stalling
    connector = _connector(remote)
    running = asyncio.create_task(connector.execute(call_of()))
    await remote.seen.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    remote.script = answering(200)
    assert await connector.execute(call_of()) == Succeeded(None)
    assert remote.connections == 2
    await connector.close()


async def test_an_echoed_secret_is_hidden(remote: Remote) -> None:
    """A remote that echoes our credential does not get it into results or messages."""
    for status in (200, 422, 500):
        remote.script = answering(status, b'{"got": "Bearer s3cret-token"}', "content-type: application/json")
        result = await _execute(remote)
        assert "s3cret" not in repr(result)
        assert "[hidden]" in repr(result)


async def test_cookies_of_one_call_never_reach_another(remote: Remote) -> None:
    """Nothing of one tenant's answer is carried into another's request."""
    remote.script = answering(200, b"", "set-cookie: session=acme; Path=/")
    connector = _connector(remote)
    await connector.execute(call_of(tenant="acme"))
    await connector.execute(call_of(tenant="other"))
    await connector.close()
    assert b"cookie" not in remote.requests[1].lower()
    assert remote.connections == 1


async def test_a_limit_keeps_the_remote_s_wish(remote: Remote) -> None:
    """429 with Retry-After comes back with its seconds."""
    remote.script = answering(429, b"slow down", "retry-after: 12")
    result = await _execute(remote)
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.retry_after) == (Code.RATE_LIMITED_CONNECTOR, True, 12.0)


async def test_a_name_is_resolved_and_the_working_address_is_used(remote: Remote) -> None:
    """Localhost may name an address where nobody listens; the next one is tried."""
    connector = _connector(remote, host="localhost")
    assert await connector.execute(call_of()) == Succeeded(None)
    assert f"localhost:{remote.port}".encode() in remote.requests[0]
    await connector.close()


async def test_concurrent_calls_do_not_mix(remote: Remote) -> None:
    """Each of many calls at once gets its own answer."""

    async def script(writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"requests": len(remote.requests)}).encode()
        await answering(200, body, "content-type: application/json")(writer)

    remote.script = script
    connector = _connector(remote)
    results = await asyncio.gather(*(connector.execute(call_of(n=n)) for n in range(40)))
    await connector.close()
    assert all(isinstance(result, Succeeded) for result in results)
    assert len(remote.requests) == 40


@pytest.mark.parametrize("arguments", [{"id": ".."}, {"id": ""}, {"other": 1}])
async def test_bad_arguments_send_nothing(remote: Remote, arguments: dict[str, object]) -> None:
    """What cannot be put into the request is refused for good before anything leaves."""
    result = await _execute(remote, HttpOperation(method="DELETE", path="/c/{id}"), **arguments)
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.verdict) == (Code.INVALID_ARGUMENT, False, IGNORED)
    assert remote.requests == []


async def test_a_missing_credential_sends_nothing(remote: Remote) -> None:
    """Without its secret a request does not leave, and the refusal names the place only."""
    connection = HttpConnection(
        name="crm", base_url=f"http://127.0.0.1:{remote.port}", headers={"A": Reference("env", "GONE")}
    )
    connector = HttpConnector(connection, Credentials({}, Path()))
    connector.register("tool", HttpOperation(method="GET", path="/"))
    result = await connector.execute(call_of())
    assert isinstance(result, Refused)
    assert result.code is Code.INVALID_CONFIGURATION
    assert "GONE" in result.message
    assert remote.requests == []
    await connector.close()


async def test_an_unregistered_tool_is_refused(remote: Remote) -> None:
    """A connector without the operation says so instead of failing."""
    connector = _connector(remote)
    result = await connector.execute(call_of("unknown"))
    assert isinstance(result, Refused)
    assert result.code is Code.TOOL_UNREGISTERED
