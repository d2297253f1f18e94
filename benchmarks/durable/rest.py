"""Switchgear over REST: `switchgear up --dev` in a process of its own, on SQLite, with everything at its default.

Each action is one request that waits for its outcome (`Prefer: wait`), over 64 connections kept alive on loopback.
The client is this process; see `rest_client` for how little it does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks.durable.rest_client import Pool, RestError, connect, post

CONNECTIONS = 64
SECONDS_MAX = 50.0
"""How long the server lives at most: less than whoever started this process waits for it."""
_STOP_SECONDS = 5.0
_COMMAND = (sys.executable, "-P", "-c", "from switchgear.launch import main; main()")
_PATH = "/v1/intents"
_WAIT = 10
_CONFIGURATION = """\
[store]
url = "sqlite:///gear.db"

[tools."bench.act"]
function = "bench_tools:act"
effect = "keyed"
"""
_TOOLS = """\
effects = 0


async def act(call, number: int):
    global effects
    effects += 1
    return [number + call.attempt, effects]
"""


class _OverRest:
    """A server and 64 connections to it. Every outcome is checked; the tool says how often it has run."""

    variant = f"SQLite, defaults, {CONNECTIONS} connections"

    def __init__(self, pool: Pool, token: str) -> None:
        self.effects = 0
        self._pool = pool
        self._token = token

    async def act(self, number: int) -> float:
        """Submit with a wait, and make sure that it succeeded, with the value that this number has."""
        start = time.perf_counter()
        answer = await self._pool.ask(self._request(number))
        seconds = time.perf_counter() - start
        self._check(number, json.loads(answer))
        return seconds

    async def burst(self, numbers: range) -> None:
        """Submit all as tasks of their own, which wait for a free connection, and wait for all."""
        await asyncio.gather(*map(self.act, numbers))

    def syncs(self) -> None:
        """Return None: nobody asks the server how often its disk has synced."""

    def _request(self, number: int) -> bytes:
        body = json.dumps({"tool": "bench.act", "account": "main", "arguments": {"number": number}}).encode()
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": f'"key-{number}"',
            "Prefer": f"wait={_WAIT}",
        }
        return post(_PATH, headers, body)

    def _check(self, number: int, intent: dict[str, object]) -> None:
        match intent:
            case {"state": "succeeded", "value": [int(value), int(effects)]} if value == number + 1:
                self.effects = max(self.effects, effects)
            case _:
                raise RestError(f"action {number} ended as {intent}")


@asynccontextmanager
async def opening(folder: Path) -> AsyncIterator[_OverRest]:
    """Start a server on a new file in `folder`, and connect. Raises `TimeoutError` after `SECONDS_MAX`."""
    place = folder / "rest"
    place.mkdir()
    (place / "switchgear.toml").write_text(_CONFIGURATION, encoding="utf-8")
    (place / "bench_tools.py").write_text(_TOOLS, encoding="utf-8")
    async with asyncio.timeout(SECONDS_MAX), _serving(place) as port:
        token = await _token(place)  # before there are connections, which would be idle meanwhile
        async with Pool(partial(connect, port), CONNECTIONS) as pool:
            yield _OverRest(pool, token)


@asynccontextmanager
async def _serving(place: Path) -> AsyncIterator[int]:
    """Serve in `place`; yield the port. The server is gone at the end, whatever happened."""
    with (place / "server.log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            *_COMMAND, "up", "--dev", "--port", "0", "--json", cwd=place, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        yield await _port(server, place)
    finally:
        await _ended(server)


async def _port(server: Process, place: Path) -> int:
    """Return the port that the server says it listens on. Raises `RestError` with its last line when it ended."""
    text = b""
    assert server.stdout is not None, "piped above"
    async for line in server.stdout:
        text += line
        if line.startswith(b"}"):
            return int(str(json.loads(text)["url"]).rpartition(":")[2])
    lines = (place / "server.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise RestError(f"the server did not start: {lines[-1] if lines else 'it said nothing'}")


async def _ended(server: Process) -> None:
    """Stop the server in order, or at once when that takes too long."""
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


async def _token(place: Path) -> str:
    """Return a development token, made beside the store."""
    made = await asyncio.create_subprocess_exec(
        *_COMMAND, "token", "--tenant", "bench", "--json", cwd=place, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await made.communicate()
    return str(json.loads(answer)["token"])
