"""Real servers on loopback: found on the machine, started on a free port in a folder of their own, ended by pid.

Where the program is missing, a test is skipped with the reason; in CI it fails instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.ports import free_port

STARTED_WITHIN_SECONDS = 40.0


def find_program(name: str) -> str:
    """Return the path of `name`, skip the test, or fail it in CI."""
    path = shutil.which(name)
    if path is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{name} is not installed; tools/install-servers does it")
    assert path is not None
    return path


def pause(process: subprocess.Popen[bytes]) -> None:
    """Make a child process stand still, and wait until all of its threads do."""
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


class RealServer:
    """One server process that can be killed and started again on the same port and folder."""

    def __init__(self, program: str, arguments: Callable[[int, Path], Sequence[str]], folder: Path) -> None:
        """Prepare; `arguments` takes port and folder."""
        self.port = free_port()
        self._folder = folder
        self._command = [find_program(program), *arguments(self.port, folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until its port answers."""
        log = self._folder / "server.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=out, cwd=self._folder)
        ends = time.monotonic() + STARTED_WITHIN_SECONDS
        while not self._answers():
            if time.monotonic() > ends or self._process.poll() is not None:
                raise AssertionError(f"{self._command[0]} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End the process at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Make the process stand still: it answers nothing, and its connections stay."""
        if self._process is not None:
            pause(self._process)

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
