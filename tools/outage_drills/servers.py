"""Real servers on loopback, each behind a fault proxy, with the real probe of its kind.

Redis and NATS are the programs of this machine; the others are a few lines here. Every process and socket is gone when
the block ends. A server whose program is missing is left out, and named.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio

from switchgear.adapters.nats.probe import NatsProbe
from switchgear.adapters.redis.probe import RedisProbe
from switchgear.health.dependency import Kind
from switchgear.health.probe import Probe
from switchgear.health.probes import HttpProbe, TcpProbe, UnixSocketProbe
from switchgear.testing.fault_proxy import FaultProxy

LOOPBACK = "127.0.0.1"
PROGRAMS = {Kind.REDIS: "redis-server", Kind.NATS: "nats-server"}
_QUESTION = b"NOOP\r\n"
_ANSWER = b"250 ready to take orders, and well\r\n"
_WELL = {"well": True}
_START_SECONDS_MAX = 10.0
_LOOK_SECONDS = 0.02

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Remote:
    """A real server behind `proxy`, the probe that asks how it is, and a question that others ask it."""

    kind: Kind
    proxy: FaultProxy
    probe: Probe
    question: Probe


def missing_programs() -> list[str]:
    """Return the programs that this machine lacks."""
    return [program for program in PROGRAMS.values() if shutil.which(program) is None]


@asynccontextmanager
async def remotes(folder: Path, *, seed: int, timeout: float) -> AsyncIterator[list[Remote]]:
    """Start a server of each kind, and yield them. A probe may take `timeout` seconds.

    Raises `RuntimeError` when a server does not start.
    """
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(start(folder, seed, timeout))
            for kind, start in STARTS.items()
            if PROGRAMS.get(kind) not in missing_programs()
        ]
        yield started


@asynccontextmanager
async def _redis(folder: Path, seed: int, timeout: float) -> AsyncIterator[Remote]:
    port = _free_port()
    words = ["--port", str(port), "--bind", LOOPBACK, "--dir", str(folder), "--save", "", "--appendonly", "no"]
    async with (
        _process([PROGRAMS[Kind.REDIS], *words], port, folder / "redis.log"),
        FaultProxy((LOOPBACK, port), seed=seed) as proxy,
    ):
        client = redis.asyncio.Redis(port=proxy.port)
        try:
            yield Remote(Kind.REDIS, proxy, RedisProbe(client, timeout=timeout), RedisProbe(client, timeout=timeout))
        finally:
            await client.aclose()


@asynccontextmanager
async def _nats(folder: Path, seed: int, timeout: float) -> AsyncIterator[Remote]:
    port = _free_port()
    words = ["-js", "-a", LOOPBACK, "-p", str(port), "-sd", str(folder / "streams")]
    async with (
        _process([PROGRAMS[Kind.NATS], *words], port, folder / "nats.log"),
        FaultProxy((LOOPBACK, port), seed=seed) as proxy,
    ):
        probe = NatsProbe(f"nats://{LOOPBACK}:{proxy.port}", timeout=timeout)
        yield Remote(Kind.NATS, proxy, probe, probe)


@asynccontextmanager
async def _http(_folder: Path, seed: int, timeout: float) -> AsyncIterator[Remote]:
    async with _listening(_answer_http) as port, FaultProxy((LOOPBACK, port), seed=seed) as proxy:
        probe = HttpProbe(f"http://{LOOPBACK}:{proxy.port}/health", says=lambda body: body == b"well", timeout=timeout)
        yield Remote(Kind.HTTP, proxy, probe, probe)


@asynccontextmanager
async def _tcp(_folder: Path, seed: int, timeout: float) -> AsyncIterator[Remote]:
    async with _listening(_answer_noop) as port, FaultProxy((LOOPBACK, port), seed=seed) as proxy:
        probe = TcpProbe(LOOPBACK, proxy.port, send=_QUESTION, expects=_ANSWER, timeout=timeout)
        yield Remote(Kind.TCP, proxy, probe, probe)


@asynccontextmanager
async def _unix_socket(folder: Path, seed: int, timeout: float) -> AsyncIterator[Remote]:
    path = str(folder / "api.sock")
    server = await asyncio.start_unix_server(_serving(_answer_line), path)
    async with server, FaultProxy(path, seed=seed) as proxy:
        probe = UnixSocketProbe(
            proxy.path, request={"do": "status"}, says=lambda answer: answer == _WELL, timeout=timeout
        )
        yield Remote(Kind.UNIX_SOCKET, proxy, probe, probe)


STARTS = {Kind.REDIS: _redis, Kind.NATS: _nats, Kind.HTTP: _http, Kind.TCP: _tcp, Kind.UNIX_SOCKET: _unix_socket}


# -- Servers of a few lines ------------------------------------------------------------------------------------


async def _answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell")


async def _answer_noop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer who asks. A greeting would also arrive where every question is lost."""
    await reader.readuntil(_QUESTION)
    writer.write(_ANSWER)


async def _answer_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(json.dumps(_WELL).encode() + b"\n")


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection at the end, whatever became of who was connected."""
    try:
        yield
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # who asked is gone, or what arrived was broken on its way: that is what drills do
    finally:
        writer.close()


def _serving(serve: Serve) -> Serve:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            await serve(reader, writer)

    return one


@asynccontextmanager
async def _listening(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(_serving(serve), LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


# -- Processes -------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def _process(command: Sequence[str], port: int, log: Path) -> AsyncIterator[None]:
    """Run a server until the block ends, once its port answers."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, cwd=log.parent)
    try:
        await _answers(process, port, log)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS_MAX
    while not await _connects(port):
        if time.monotonic() > ends or process.returncode is not None:
            said = await asyncio.to_thread(log.read_text, errors="replace")
            raise RuntimeError(f"a server did not start: {said[-2_000:]}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
