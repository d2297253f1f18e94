"""The process that is killed: server and engine as `switchgear up --dev` runs them, on one folder.

It is forked from a process that has done nothing but import, so that a round costs the start of the engine and not
that of Python. It is a process of its own all the same, with a number of its own, and is killed by it. One that is
left behind ends by itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from switchgear.assembly.configuration import load
from switchgear.launch import server
from switchgear.surfaces.cli.services import Place

LIFE_SECONDS_MAX = 600
"""After so many seconds an engine ends by itself, whatever became of who started it."""
READY_SECONDS_MAX = 60.0
END_SECONDS_MAX = 120.0
_LOOK_SECONDS = 0.003

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["switchgear.launch.server", "tools.kill_rounds.engine"])


def serve(folder: str, connection: Connection) -> None:
    """Serve what the configuration in `folder` says until a signal, and send the address through `connection`."""
    signal.alarm(LIFE_SECONDS_MAX)
    log = os.open(Path(folder) / "engine.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.exit(server.serve(Place(load(Path(folder) / "switchgear.toml")), connection.send))


@dataclass(slots=True)
class EngineProcess:
    """One engine at a time on the configuration in `folder`."""

    folder: Path
    url: str = ""
    _process: ForkServerProcess | None = field(default=None, repr=False)
    _said: Connection | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the next one; it is not ready yet."""
        assert self._process is None, "one at a time"
        self.url = ""
        self._said, says = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=serve, args=(str(self.folder), says))
        self._process.start()
        says.close()

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def ready(self) -> bool:
        """Whether it has said its address by now. Raises `RuntimeError` when it ended before."""
        assert self._said is not None
        if not self.url and self._said.poll():
            try:
                self.url = self._said.recv()
            except EOFError:
                tail = (self.folder / "engine.log").read_text()[-2_000:]
                raise RuntimeError(f"the engine ended before it was ready: {tail}") from None
        return bool(self.url)

    async def wait_ready(self) -> None:
        """Return once it answers requests. Raises `RuntimeError` when it ends before, `TimeoutError` after a minute."""
        until = time.monotonic() + READY_SECONDS_MAX
        while not self.ready():
            if time.monotonic() > until:
                raise TimeoutError(f"the engine was not ready within {READY_SECONDS_MAX:g} s")
            await asyncio.sleep(_LOOK_SECONDS)

    async def kill(self) -> None:
        """Kill it with signal 9, at once, and wait until it is gone. Nothing happens when none runs."""
        if self._process is not None:
            self._process.kill()
            await self._gone()

    async def stop(self) -> int:
        """Ask it to stop in order, and return its exit code; kill it when it does not."""
        assert self._process is not None
        self._process.terminate()
        return await self._gone()

    async def _gone(self) -> int:
        process, said = self._process, self._said
        assert process is not None
        assert said is not None
        self._process = self._said = None
        await asyncio.to_thread(process.join, END_SECONDS_MAX)
        if process.exitcode is None:
            process.kill()
            await asyncio.to_thread(process.join)
        code = process.exitcode
        process.close()
        said.close()
        return -1 if code is None else code
