"""What a command line loads: who only asks a server does not wait for the parts of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER_PARTS = (
    *("fastapi", "starlette", "uvicorn", "msgspec", "sqlite3", "cryptography", "jwt", "jsonschema", "mcp", "structlog"),
    *("switchgear.assembly", "switchgear.control", "switchgear.connectors", "switchgear.execution", "switchgear.gates"),
    *("switchgear.health", "switchgear.lab", "switchgear.ledger", "switchgear.storage", "switchgear.testing"),
    "switchgear.surfaces.rest",
)
PROGRAM = """
import sys
from contextlib import suppress
from switchgear.launch import main

with suppress(SystemExit):
    main(sys.argv[1:])
sys.stderr.write("\\nLOADED " + " ".join(sys.modules))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("kill", "--help"),
        ("intents", "list", "--url", "http://127.0.0.1:1", "--token", "none"),
        ("submit", "demo.greet", "--wait", "1", "--url", "http://127.0.0.1:1", "--token", "none"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_who_asks_a_server_loads_no_part_of_one(arguments: tuple[str, ...]) -> None:
    """The engine, its stores and the web framework take longer to load than a question takes to answer."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    loaded = set(done.stderr.rpartition("LOADED ")[2].split())
    assert "switchgear.surfaces.cli.application" in loaded
    assert loaded.isdisjoint(SERVER_PARTS)
