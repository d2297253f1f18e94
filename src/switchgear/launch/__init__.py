"""The console script. It checks that the extra `gear` is there, then runs the command line.

server    REST and engine as one server, for the commands that start one
ending    the end of a process in which something does not end

Rooms on one floor never import each other, so here, above them, is where REST and the command line meet. What
needs the extra is imported inside functions: without it there is a clear word instead of a traceback, and a
command that only asks a running server does not wait for a web framework to load (0.7 s of 1).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType

EXIT_WITHOUT_GEAR = 11
"""The exit code when the extra is not installed: `ExitCode.UNAVAILABLE`."""

_GEAR = (
    "fastapi",
    "httptools",
    "httpx2",
    "jsonschema",
    "jwt",
    "msgspec",
    "pydantic",
    "rich",
    "structlog",
    "typer",
    "uvicorn",
)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line (this process's own when None) and leave with its exit code."""
    missing = [name for name in _GEAR if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The command line needs the extra `gear`; not installed: {', '.join(missing)}.\n"
            "Install it with: pip install 'switchgear[gear]'\n"
        )
        sys.exit(EXIT_WITHOUT_GEAR)
    sys.exit(_run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    from switchgear.surfaces.cli.application import run
    from switchgear.surfaces.cli.services import Services

    services = Services(
        serve=lambda place, ready: int(_server().serve(place, ready)),
        embed=lambda place: _server().embed(place),
        issue_token=lambda configuration, grant: str(_server().issue_token(configuration, grant)),
    )
    return run(argv, services)


def _server() -> ModuleType:
    from switchgear.launch import server

    return server
