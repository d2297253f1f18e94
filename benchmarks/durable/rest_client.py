"""A client that costs little: 64 connections kept alive, bytes written by hand, and nothing read but what is needed.

It shares the machine with the server it measures, so what it spends is missing there. It is no client for other use:
no redirects, no chunks, no pipelining, one host. Every answer that is not 200 with a length is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_HOST = "127.0.0.1"


class RestError(RuntimeError):
    """An answer was not what a benchmark may count, or its connection broke."""


class Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._body_at = 0
        self._ends_at = 0
        self._answer: asyncio.Future[bytes] | None = None

    @property
    def lost(self) -> bool:
        """Whether no request can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Give the body to whoever waits, once all of it is here."""
        self._received += data
        if not self._ends_at and not self._measured():
            return
        if len(self._received) >= self._ends_at:
            self._give()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._fail(f"the connection was lost: {exc or 'closed by the server'}")

    async def ask(self, request: bytes) -> bytes:
        """Send a whole request; return the body of its answer. Raises `RestError` for any status but 200."""
        assert self._answer is None, "one request at a time"
        if self._transport is None or self.lost:
            raise RestError("the connection was lost before the request")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _measured(self) -> bool:
        """Find out where the answer ends; return False while its head is not complete, or is none to count."""
        end = self._received.find(_HEAD_END)
        if end < 0:
            return False
        head = self._received[:end].lower()
        at = head.find(_LENGTH)
        if not head.startswith(b"http/1.1 200") or at < 0:
            self._fail(f"not 200 with a length: {self._received[:500]!r}")
            return False
        self._body_at = end + len(_HEAD_END)
        self._ends_at = self._body_at + int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
        return True

    def _give(self) -> None:
        body, answer = self._received[self._body_at : self._ends_at], self._answer
        self._received, self._body_at, self._ends_at, self._answer = b"", 0, 0, None
        if answer is not None and not answer.done():
            answer.set_result(body)

    def _fail(self, why: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(RestError(why))


class Pool:
    """As many connections as requests may be on their way. Use it with ``async with``."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], connections: int) -> None:
        """Connect `connections` times once entered, and again for a connection that was closed while idle."""
        self._connect = connect
        self._count = connections
        self._all: set[Connection] = set()
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        """Connect all."""
        for _ in range(self._count):
            self._free.put_nowait(await self._connected())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        for connection in self._all:
            connection.close()

    async def ask(self, request: bytes) -> bytes:
        """Send a request on a connection that is free, once there is one; return the body of the answer."""
        connection = await self._free.get()
        if connection.lost:  # the server closes what was idle for long
            self._all.discard(connection)
            connection = await self._connected()
        body = await connection.ask(request)  # one that fails is not used again: the run ends with its error
        self._free.put_nowait(connection)
        return body

    async def _connected(self) -> Connection:
        connection = await self._connect()
        self._all.add(connection)
        return connection


async def connect(port: int) -> Connection:
    """Return a new connection to `port` of this machine. Raises `OSError`."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, _HOST, port)
    return connection


def post(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a whole POST request for JSON."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {_HOST}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + _HEAD_END + body
