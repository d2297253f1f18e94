"""A real HTTP/1.1 server on loopback that does what a script says: good answers, bad ones and none at all.

It speaks raw bytes over asyncio streams, in a thread with a loop of its own, so that blocking and asynchronous
clients meet the same one. It counts what it really received. Not a server for anything but tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Act = Callable[[asyncio.StreamWriter, "Server"], Awaitable[bool]]
"""What to do with one request. Returns whether the connection stays open."""


def answer(status: int = 200, body: bytes = b"ok", **headers: str) -> Act:
    """Answer at once. Underscores in the names of headers become dashes."""

    async def act(writer: asyncio.StreamWriter, _server: Server) -> bool:
        writer.write(_head(status, headers, f"Content-Length: {len(body)}") + body)
        await writer.drain()
        return True

    return act


def chunked(status: int, *parts: bytes, pause: float = 0.0) -> Act:
    """Answer in chunks, waiting `pause` seconds before each."""

    async def act(writer: asyncio.StreamWriter, server: Server) -> bool:
        writer.write(_head(status, {}, "Transfer-Encoding: chunked"))
        for part in (*parts, b""):
            await writer.drain()
            await server.pause(pause)
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
        return True

    return act


def reset() -> Act:
    """Read the request and reset the connection."""

    async def act(writer: asyncio.StreamWriter, _server: Server) -> bool:
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        writer.transport.abort()
        return False

    return act


def hang_up() -> Act:
    """Read the request and close the connection without an answer."""

    async def act(_writer: asyncio.StreamWriter, _server: Server) -> bool:
        return False

    return act


def half(status: int = 200, body: bytes = b"half") -> Act:
    """Announce a body twice as long as what is sent, then close."""

    async def act(writer: asyncio.StreamWriter, _server: Server) -> bool:
        writer.write(_head(status, {}, f"Content-Length: {2 * len(body)}") + body)
        await writer.drain()
        return False

    return act


def garbage() -> Act:
    """Answer what is no HTTP."""

    async def act(writer: asyncio.StreamWriter, _server: Server) -> bool:
        writer.write(b"\x00\x01 this is no status line\r\n\r\n")
        await writer.drain()
        return False

    return act


def silence(seconds: float = 30.0, then: Act | None = None) -> Act:
    """Read the request and say nothing for `seconds`, or until the server stops; then act."""

    async def act(writer: asyncio.StreamWriter, server: Server) -> bool:
        await server.pause(seconds)
        return await then(writer, server) if then is not None else False

    return act


@dataclass(slots=True)
class Server:
    """The server. Each request takes the next act of the script; when it is empty, ``200 ok``.

    `received` holds the requests, `arrived` is set with the first, `connections` counts those accepted.
    """

    script: list[Act] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _started: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many requests it really received."""
        return len(self.received)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._loop.close()

    async def pause(self, seconds: float) -> None:
        """Wait, but not past the end of the server."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _serve(self) -> None:
        tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
            tasks[task] = writer
            task.add_done_callback(tasks.pop)

        listening = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        listening.close()
        for task, writer in list(tasks.items()):
            writer.transport.abort()  # whoever does not read cannot keep it from ending
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for request in _requests(reader):
                self.received.append(request)
                self.arrived.set()
                act = self.script.pop(0) if self.script else answer()
                if not await act(writer, self):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as some tests make it do
        finally:
            writer.close()


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[Received]:
    while line := await reader.readline():
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (header := (await reader.readline()).decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        yield Received(method, path, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts: list[bytes] = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def _head(status: int, headers: dict[str, str], *lines: str) -> bytes:
    named = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Status", *named, *lines, "", ""]).encode("latin-1")


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """Yield a URL on loopback where nobody listens: the port is taken, and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextlib.contextmanager
def full_port() -> Iterator[str]:
    """Yield a URL on loopback where nobody accepts any more: connecting to it hangs."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
