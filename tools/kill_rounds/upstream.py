"""The remote, a process of its own: ``python -m tools.kill_rounds.upstream --log FILE --seed N`` prints its port.

    GET  /read/{ref}           changes nothing
    POST /keyed                the same Idempotency-Key has one effect, and gets the same answer again
    PUT  /natural/{slot}       sets a value
    POST /reconcilable         GET /reconcilable/{ref} finds out whether it happened
    POST /opaque               nobody can find out

Every request is in the log, with a word, before anything is done, and every effect before it is answered. It is slow by
chance, and loses answers by chance: it hangs up before or after the effect, says 500 after it, or answers too late. An
effect happens also when the caller is gone. With ``--calm`` nothing of that goes wrong. It ends when its standard input
does, so it never outlives its caller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, Any]]
"""Status and body."""
TOO_LATE_SECONDS = 1.5
"""How long the slowest answers take: longer than a tool waits."""
_LOST = {False: (82, 7, 4, 2, 5), True: (91, 4, 2, 1, 2)}
"""Of a hundred requests, by whether they read: answered, and lost in each of the ways that `Weather.drawn` names."""
_HEAD_BYTES_MAX = 16_384
_BODY_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as it matters here. `ref` names the action, whatever its key is."""

    method: str
    tool: str
    ref: str
    key: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong with one request: seconds before and after the effect, and how its answer is lost."""

    before: float
    after: float
    lost: str

    @classmethod
    def drawn(cls, rng: random.Random, *, reads: bool) -> Weather:
        """Draw it. Most requests are quick and answered; reads lose fewer answers."""
        before = rng.uniform(0.0, rng.choices((0.01, 0.2), (85, 15))[0])
        lost = rng.choices(("", "hang up", "error", "late", "never began"), _LOST[reads])[0]
        return cls(before, TOO_LATE_SECONDS if lost == "late" else rng.uniform(0.0, 0.01), lost)


CALM = Weather(0.0, 0.0, "")


class Log:
    """What reached the remote and what it did: a line of JSON each, handed to the system before it goes on."""

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, what: str, request: Request) -> None:
        """Write one line."""
        line = {"what": what, "tool": request.tool, "ref": request.ref, "key": request.key, "slot": request.slot}
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


@dataclass(slots=True)
class Remote:
    """The state of the remote: what was applied, by key and by reference."""

    log: Log
    rng: random.Random
    calm: bool = False
    by_key: dict[str, int] = field(default_factory=dict)
    by_ref: dict[str, int] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    at_work: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    effects: int = 0

    async def serve(self, request: Request) -> Answer | None:
        """Carry out one request, and return status and answer; None when it is never answered."""
        self.log.write("arrived", request)
        weather = CALM if self.calm else Weather.drawn(self.rng, reads=request.method == "GET")
        if weather.lost == "never began":
            return None
        answer = await self._carried_out(request, weather.before)
        await asyncio.sleep(weather.after)
        if weather.lost == "hang up":
            return None
        return (500, {"error": "something broke afterwards"}) if weather.lost == "error" else answer

    async def _carried_out(self, request: Request, seconds: float) -> Answer:
        """Work for so many `seconds`, and answer. Of what is being done an honest remote does not say "not there"."""
        if request.tool == "read":
            return 200, {"ref": request.ref}
        async with self.at_work[request.ref]:
            await asyncio.sleep(seconds)
            effect = self.by_ref.get(request.ref) if request.tool == "find" else self._effect(request)
        return (404, {"error": "not there"}) if effect is None else (200, {"effect": effect, "ref": request.ref})

    def _effect(self, request: Request) -> int:
        known = self.by_key.get(request.key) if request.tool == "keyed" else None
        return self._apply(request) if known is None else known

    def _apply(self, request: Request) -> int:
        self.effects += 1
        self.by_ref[request.ref] = self.effects
        if request.key:
            self.by_key[request.key] = self.effects
        if request.slot:
            self.slots[request.slot] = request.ref
        self.log.write("applied", request)
        return self.effects


Serve = Callable[[Request], Awaitable[Answer | None]]


class Connections:
    """Speaks as much HTTP/1.1 as it takes: requests with a length, one after the other."""

    def __init__(self, serve: Serve) -> None:
        """Have `serve` carry out requests."""
        self._serve = serve
        self._works: set[asyncio.Task[Answer | None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        try:
            while (request := await _request(reader)) is not None:
                work = asyncio.ensure_future(self._serve(request))
                self._works.add(work)
                work.add_done_callback(self._works.discard)
                answer = await asyncio.shield(work)
                if answer is None:
                    break
                writer.write(_response(*answer))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller is gone; what it asked for is done all the same
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request whole; None when there is none any more."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head[0].split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = min(int(headers.get("content-length") or 0), _BODY_BYTES_MAX)
    body = json.loads(await reader.readexactly(length) or b"{}")
    tool, _, rest = path.strip("/").partition("/")
    tool = "find" if (method, tool) == ("GET", "reconcilable") else tool
    ref = body.get("ref") or rest
    slot = f"{ref.partition('-')[0]}/{rest}" if tool == "natural" else ""
    return Request(method, tool, ref, headers.get("idempotency-key", ""), slot)


def _response(status: int, answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve_until_input_ends(log: Path, seed: int, *, calm: bool) -> None:
    remote = Remote(Log(log), random.Random(seed), calm)
    server = await asyncio.start_server(Connections(remote.serve), "127.0.0.1", 0, limit=_HEAD_BYTES_MAX)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    os._exit(0)


def main() -> None:
    """Serve on loopback until standard input ends."""
    parser = argparse.ArgumentParser(prog="upstream")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--calm", action="store_true")
    options = parser.parse_args()
    asyncio.run(_serve_until_input_ends(options.log, options.seed, calm=options.calm))


if __name__ == "__main__":
    main()
