"""Runs the command line here, or as a process of its own, and servers as processes of their own, each in a folder.

Starting Python and loading the command line takes a second. So a command runs in the process of the test, by the same
entry point, with folder, environment, input and output of its own. Where the process is the point, as for signals,
servers and what is on sys.path, it is `run_apart`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from switchgear.launch import main

_HEEDING_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""What runs in the background ignores Ctrl-C, and its children inherit that; these are to heed it all the same."""
SWITCHGEAR = [sys.executable, "-P", "-c", f"{_HEEDING_CTRL_C}; from switchgear.launch import main; main()"]
END_SECONDS = 120
LOG = "server.log"
RUNNING: list[Server] = []
"""The servers that run now: their logs belong to the report of a test that fails."""
TOOLS = """
[tools."slow.read"]
function = "slow_tools:read"
effect = "read_only"
timeout = 600.0

[tools."slow.write"]
function = "slow_tools:write"
effect = "opaque"
timeout = 600.0
"""
FUNCTIONS = '''
"""Tools that wait for a file, so that a test decides when they end."""
import asyncio
from pathlib import Path

HERE = Path(__file__).parent


async def read(call, name: str):
    (HERE / f"{name}.started").touch()
    while not (HERE / name).exists():
        await asyncio.sleep(0.01)
    return {"name": name, "attempt": call.attempt}


write = read
'''


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    exit_code: int
    output: str
    errors: str

    def document(self) -> dict[str, Any]:
        """Return the one JSON document on standard output."""
        assert self.output, self.errors
        document: dict[str, Any] = json.loads(self.output)
        return document

    def problem(self) -> dict[str, Any]:
        """Return the problem on standard error."""
        assert self.output == ""
        problem: dict[str, Any] = json.loads(self.errors)
        return problem


Run = Callable[..., Ran]


@dataclass(slots=True)
class Server:
    """A server on a port of its own, with its configuration and store in `folder`."""

    folder: Path
    process: subprocess.Popen[str]
    url: str

    @property
    def log(self) -> str:
        """What it has said so far, and servers before it in the same folder."""
        return log_in(self.folder)

    def signal(self, number: int) -> int:
        """Send a signal and return the exit code that the process ends with."""
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without settings of its own, and `variables`. No folder gets files that nobody wrote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    return {**kept, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run_in(folder: Path, *words: str, text: str = "", **variables: str) -> Ran:
    """Run one command line in `folder`, in this process: not from a thread, not from a running event loop."""
    output, errors = StringIO(), StringIO()
    apart = _as_a_process(folder, environment(**variables), StringIO(text))
    with apart, redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return Ran(int(ended.value.code), output.getvalue(), errors.getvalue())


def run_apart(folder: Path, *words: str, text: str | None = None, **variables: str) -> Ran:
    """Run one command line in `folder`, as a process of its own."""
    ended = subprocess.run(
        [*SWITCHGEAR, *words],
        cwd=folder,
        input=text,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def _as_a_process(folder: Path, variables: dict[str, str], text: StringIO) -> Iterator[None]:
    """Stand in `folder` with these variables and this input; what was imported from it is forgotten."""
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ, variables, clear=True):
        patch.chdir(folder)
        patch.setattr(sys, "stdin", text)
        patch.setattr(sys, "path", [*sys.path])
        here, before = Path.cwd(), set(sys.modules)
        try:
            yield
        finally:
            for name in set(sys.modules) - before:
                if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == here:
                    del sys.modules[name]


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Server]:
    """Run `up --dev` in `folder`; inside, it has said its address. Whatever is left of it is killed at the end.

    What is raised inside has the log of the server with it.
    """
    with (folder / LOG).open("a") as log:
        process = subprocess.Popen(
            [*SWITCHGEAR, "up", "--dev", "--port", "0", "--json", *words],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        server = Server(folder, process, address_of(process))
        RUNNING.append(server)
        yield server
    except BaseException as failed:
        failed.add_note(f"The server has said:\n{log_in(folder)}")
        raise
    finally:
        RUNNING[:] = [other for other in RUNNING if other.process is not process]
        process.kill()
        process.communicate(timeout=END_SECONDS)


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the address that `up` prints once it is up."""
    text = ""
    for line in process.stdout or ():
        text += line
        if line.startswith("}"):
            return str(json.loads(text)["url"])
    raise AssertionError(f"the server ended with {process.wait(END_SECONDS)} before it was up, and printed {text!r}")


def log_in(folder: Path) -> str:
    """Return what servers in `folder` have said."""
    log = folder / LOG
    return log.read_text(errors="replace") if log.exists() else ""


def prepare(folder: Path) -> Path:
    """Write a configuration with the template's tools and two slow ones."""
    assert run_in(folder, "init").exit_code == 0
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(TOOLS)
    (folder / "slow_tools.py").write_text(FUNCTIONS)
    return folder


def start_in(server: Server, *words: str) -> subprocess.Popen[str]:
    """Start one command line against `server`, and do not wait for it."""
    return subprocess.Popen(
        [*SWITCHGEAR, *words],
        cwd=server.folder,
        env=environment(SWITCHGEAR_URL=server.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object], *, told: Callable[[], object] = lambda: "") -> None:
    """Return once `condition` holds, at most two minutes later. What `told` returns then is what the failure says."""
    until = time.monotonic() + END_SECONDS
    while not condition():
        assert time.monotonic() < until, f"waited {END_SECONDS} s in vain; {told()}"
        time.sleep(0.02)


def wait_for_state(server: Server, intent: str, state: str) -> None:
    """Return once an intent is in `state`. A failure says how it stands, and all that is on record of it."""

    def asked(*words: str) -> Ran:
        return run_in(server.folder, "intents", *words, intent, "--url", server.url, "--json")

    wait_for(
        lambda: asked("show").document()["state"] == state,
        told=lambda: f"it is not {state}: {asked('show')}, {asked('events')}",
    )
