"""Unix sockets, blocking and asynchronous, against a real server that stalls, breaks, lies and floods."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from switchgear.adapters.unix_socket import AsyncUnixClient, BrokenAnswer, UnixClient
from switchgear.core.codes import Code
from switchgear.core.deadline import deadline
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, Invalid, RateLimited, RetryExhausted
from switchgear.core.operations import operations_with
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry

pytestmark = pytest.mark.integration

Script: TypeAlias = Callable[[socket.socket, bytes], None]
Kind: TypeAlias = type[UnixClient] | type[AsyncUnixClient]
BOUND_SECONDS = 60.0
"""What a slow machine may take until a bound of a fraction of a second has ended a call."""
SHORT = operations_with({"unix.connect": 0.2, "unix.request": 0.2})


class Daemon:
    """A server on a unix socket that answers each connection by `script`, and counts the requests it got."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script: Script = echo
        self.requests: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening; the file stays, as that of a daemon that died does."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            received = b""
            while not received.endswith((b"\n", b"}", b"]", b'"')):
                received += connection.recv(65_536)
            self.requests.append(received)
            try:
                self.script(connection, received)
            except OSError:
                return  # the client has gone, as some tests want


def echo(connection: socket.socket, received: bytes) -> None:
    """Answer with what came."""
    connection.sendall(received)


def stall(connection: socket.socket, received: bytes) -> None:
    """Answer nothing until the client goes."""
    connection.recv(1)


def half(connection: socket.socket, received: bytes) -> None:
    """Send half an answer, byte by byte, and close."""
    for byte in received[: len(received) // 2]:
        connection.sendall(bytes([byte]))


def reset(connection: socket.socket, received: bytes) -> None:
    """Close at once."""


def nonsense(connection: socket.socket, received: bytes) -> None:
    """Answer with what is no JSON."""
    connection.sendall(b"<html>\n")


def flood(connection: socket.socket, received: bytes) -> None:
    """Never end the line."""
    while True:
        connection.sendall(b"x" * 65_536)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Run a server."""
    running = Daemon(tmp_path / "d.sock")
    yield running
    running.close()


@pytest.fixture(params=[UnixClient, AsyncUnixClient], ids=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Try both clients."""
    chosen: Kind = request.param
    return chosen


async def asked(client: UnixClient | AsyncUnixClient, value: object, effect: str = "opaque") -> object:
    """Make a request, from a thread for the blocking client, as in a program."""
    if isinstance(client, UnixClient):
        return await asyncio.to_thread(client.request, value, effect=effect)
    return await client.request(value, effect=effect)


async def test_a_request_has_its_answer(daemon: Daemon, kind: Kind) -> None:
    """In both framings, small and large, many at once: nobody gets another's answer."""
    for framing in ("lines", "length"):
        client = kind(daemon.path, Guard("daemon"), framing=framing)
        values = [{"n": number, "pad": "é" * 10_000 * (number % 3)} for number in range(20)]
        assert await asyncio.gather(*(asked(client, value) for value in values)) == values


async def test_bytes_go_as_they_are(daemon: Daemon, kind: Kind) -> None:
    """The length-prefixed framing takes any bytes."""
    client = kind(daemon.path, Guard("daemon"), framing="length")
    message = b"\x00\n\xff" * 100 + b"}"
    answer = client.request_bytes(message)
    assert (await answer if inspect.isawaitable(answer) else answer) == message
    assert daemon.requests == [struct.pack(">I", len(message)) + message]


async def test_a_missing_or_refusing_socket_is_a_failure_and_nothing_left(tmp_path: Path, kind: Kind) -> None:
    """Both count, and open the breaker, which then does not even look at the file."""
    died = Daemon(tmp_path / "died.sock")
    died.close()
    cases: list[tuple[Path, type[OSError]]] = [
        (tmp_path / "missing.sock", FileNotFoundError),
        (died.path, ConnectionRefusedError),
    ]
    for path, error in cases:
        guard = Guard("daemon", breaker=Breaker(failures=2))
        client = kind(path, guard)
        for _ in range(2):
            with pytest.raises(error):
                await asked(client, 1)
        with pytest.raises(CircuitOpen):
            await asked(client, 1)


@pytest.mark.parametrize("script", [half, reset, nonsense, flood])
async def test_a_broken_answer_may_have_happened_and_is_not_asked_again(
    daemon: Daemon, kind: Kind, script: Script
) -> None:
    """The request got there. Only what may run twice is repeated."""
    daemon.script = script
    guard = Guard("daemon", retry=Retry(attempts=3, on=OSError, base=0.0))
    client = kind(daemon.path, guard)
    with pytest.raises((BrokenAnswer, ConnectionResetError)):
        await asked(client, {"do": "it"})
    assert (len(daemon.requests), guard.statistics().failures) == (1, 1)
    with pytest.raises(RetryExhausted):
        await asked(client, {"look": "there"}, effect="read_only")
    assert len(daemon.requests) == 4


async def test_a_silent_server_has_its_code(daemon: Daemon, kind: Kind) -> None:
    """The request left; the answer did not come in time."""
    daemon.script = stall
    guard = Guard("daemon", breaker=Breaker(failures=5))
    client = kind(daemon.path, guard, operations=SHORT)
    with pytest.raises(DeadlineExceeded) as caught:
        await asked(client, 1)
    assert (caught.value.code, caught.value.sent, caught.value.operation) == (
        Code.TIMEOUT_UNIX_REQUEST,
        True,
        "unix.request",
    )
    assert guard.statistics().failures == 1


async def test_a_dripping_server_is_bounded_as_a_whole(daemon: Daemon, kind: Kind) -> None:
    """Each byte comes in time, the answer never does: the bound is for the whole."""

    def drip(connection: socket.socket, received: bytes) -> None:
        while True:
            connection.sendall(b"1")
            time.sleep(0.02)

    daemon.script = drip
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await asked(kind(daemon.path, Guard("daemon"), operations=SHORT), 1)
    assert time.monotonic() - started < BOUND_SECONDS


async def test_a_full_backlog_is_a_connect_that_is_late(tmp_path: Path, kind: Kind) -> None:
    """Nobody accepts: the caller learns that nothing left, the breaker that the server cannot keep up."""
    path = tmp_path / "full.sock"
    listener, waiting = socket.socket(socket.AF_UNIX), []
    listener.bind(str(path))
    listener.listen(0)
    for _ in range(8):
        filler = socket.socket(socket.AF_UNIX)
        filler.setblocking(False)  # noqa: FBT003 - the socket's own signature
        waiting.append(filler)
        try:
            filler.connect(str(path))
        except BlockingIOError:
            break
    guard = Guard("daemon", breaker=Breaker(failures=5))
    with pytest.raises(DeadlineExceeded) as caught:
        await asked(kind(path, guard, operations=SHORT), 1)
    assert (caught.value.code, caught.value.sent) == (Code.TIMEOUT_UNIX_CONNECT, False)
    assert guard.statistics().failures == 1
    for each in [*waiting, listener]:
        each.close()


async def test_the_callers_deadline_is_tighter_and_blames_nobody(daemon: Daemon, kind: Kind) -> None:
    """An impatient caller must not open the breaker for all."""
    daemon.script = stall
    guard = Guard("daemon", breaker=Breaker(failures=1))
    with deadline(0.1), pytest.raises(DeadlineExceeded):
        await asked(kind(daemon.path, guard), 1)
    assert guard.state == "closed"


async def test_what_is_too_large_never_leaves_and_costs_nothing(daemon: Daemon, kind: Kind) -> None:
    """The limit is ours: the rate limit gets its cost back."""
    guard = Guard("daemon", rate_limit=RateLimit(1, per=1000.0, burst=1))
    client = kind(daemon.path, guard, frame_bytes_max=100)
    with pytest.raises(Invalid) as caught:
        await asked(client, "x" * 200)
    assert caught.value.code is Code.PAYLOAD_TOO_LARGE
    assert daemon.requests == []
    assert await asked(client, "fits") == "fits"
    with pytest.raises(RateLimited):
        await asked(client, "fits")


async def test_cancelling_a_request_closes_its_connection(daemon: Daemon) -> None:
    """The server sees the end, and the guard learns nothing."""
    gone = threading.Event()

    def wait_for_end(connection: socket.socket, received: bytes) -> None:
        connection.recv(1)
        gone.set()

    daemon.script = wait_for_end
    guard = Guard("daemon", breaker=Breaker(failures=1))
    asking = asyncio.ensure_future(AsyncUnixClient(daemon.path, guard).request(json.loads("1")))
    while not daemon.requests:  # noqa: ASYNC110 - the server is a thread, which sets no event of a loop
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(gone.wait, 60.0)
    assert (guard.state, guard.statistics().in_flight) == ("closed", 0)
