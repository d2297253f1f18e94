"""What the janitors of the example live in: a real Redis, the real runner, and the janitor as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from examples.session_janitor.settings import CLOSED, SESSIONS
from tests.integration.adapters.real_server import RealServer, pause
from tests.integration.adapters.redis.server import redis_server

ROOT = Path(__file__).parents[3]
EXAMPLE = "examples.session_janitor"
LIVE = ("ada", "bob", "cem")
LINE_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 60.0
OPEN = "open"


class Program:
    """A module of the example as a process, and the lines that it printed."""

    def __init__(self, module: str, *words: str) -> None:
        """Start it."""
        command = [sys.executable, "-m", f"{EXAMPLE}.{module}", *words]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, *, after: int = 0) -> int:
        """Wait until a line after the first `after` lines matches, and return the number of lines up to it."""
        return self.wait_until(lambda: self._found(pattern, after), f"no line {pattern!r} after {after}")

    def wait_until_well(self, name: str) -> int:
        """Wait until the last that was said of `name` is that it is healthy, and return the number of lines so far."""
        said = re.compile(f"^{re.escape(name)} is ([a-z]+)")

        def is_well() -> int:
            found = [match[1] for match in map(said.search, self.lines) if match]
            return len(self.lines) if found[-1:] == ["healthy"] else 0

        return self.wait_until(is_well, f"{name} is not well")

    def wait_until(self, condition: Callable[[], int], otherwise: str) -> int:
        """Wait until `condition`, which is asked after each line, is not 0, and return what it is."""
        with self._more:
            self._more.wait_for(lambda: self._ended or condition(), timeout=LINE_SECONDS_MAX)
            found = condition()
        if not found:
            pytest.fail("\n".join((f"{otherwise}, in the lines of:", *self.lines)))
        return found

    def stop(self) -> int:
        """End it by SIGTERM, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS_MAX)
        self._reader.join(STOP_SECONDS_MAX)
        return code

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_SECONDS_MAX)

    def _found(self, pattern: str, after: int) -> int:
        rows = enumerate(self.lines[after:], after + 1)
        return next((number for number, line in rows if re.search(pattern, line)), 0)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self._keep(line.decode().rstrip())
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _keep(self, line: str) -> None:
        with self._more:
            self.lines.append(line)
            self._more.notify_all()


class Runner:
    """The runner as a process that can be killed, paused and started again."""

    def __init__(self, path: Path) -> None:
        """Start it, and wait until it listens."""
        self.path = path
        self.start()

    def start(self) -> None:
        """Start it, with no memory of an earlier one."""
        self._program = Program("runner", str(self.path))
        self._program.wait_for(re.escape(str(self.path)))

    def kill(self) -> None:
        """End it at once; the file of its socket stays."""
        self._program.kill()

    def pause(self) -> None:
        """Make it stand still: the kernel still accepts connections in its name."""
        pause(self._program.process)

    def resume(self) -> None:
        """Let it go on."""
        self._program.process.send_signal(signal.SIGCONT)

    def ask(self, **request: str) -> dict[str, Any]:
        """Ask it, past every proxy."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STOP_SECONDS_MAX)
            connection.connect(str(self.path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
        return answer


@dataclass
class World:
    """Redis, the runner, and the sessions that they hold. It looks at both past every proxy."""

    redis: RealServer
    runner: Runner
    client: Redis

    def populate(self) -> None:
        """Let every live session be there, with its record and its process; those that are there stay."""
        for session in LIVE:
            self.runner.ask(op="start", session=session)
            self.client.hset(SESSIONS, session, OPEN)

    def add_leaver(self, session: str) -> None:
        """Add a session that is alive for now."""
        self.runner.ask(op="start", session=session)
        self.client.hset(SESSIONS, session, OPEN)

    def add_ended(self, session: str) -> None:
        """Add a session whose process has ended: its record is to be forgotten."""
        self.runner.ask(op="start", session=session)
        self.runner.ask(op="end", session=session)
        self.client.hset(SESSIONS, session, OPEN)

    def close(self, session: str) -> None:
        """Let the user of a session leave: its process is to be ended."""
        self.client.hset(SESSIONS, session, CLOSED)

    def live_records(self) -> list[str]:
        """Return the live sessions that Redis still has a record of."""
        return [session for session in LIVE if self.client.hget(SESSIONS, session) == OPEN]

    def live_processes(self) -> list[str]:
        """Return the live sessions that still run."""
        return [session for session in LIVE if self.runner.ask(op="exists", session=session)["exists"]]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run Redis and the runner, with live sessions."""
    with redis_server(folder) as server:
        runner = Runner(folder / "runner.sock")
        client = Redis(port=server.port, decode_responses=True, socket_timeout=STOP_SECONDS_MAX)
        try:
            made = World(server, runner, client)
            made.populate()
            yield made
        finally:
            client.close()
            runner.kill()


@contextmanager
def started(module: str, words: Sequence[str]) -> Iterator[Program]:
    """Run a janitor until the block ends."""
    program = Program(module, *words)
    try:
        yield program
    finally:
        program.kill()
