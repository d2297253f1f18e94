"""Kill switches on the command line, against a real server."""

from __future__ import annotations

import pytest

from switchgear.core.codes import FACTS, Code, ExitCode
from tests.integration.cli.harness import Run, Server, run_in

pytestmark = pytest.mark.integration


def test_kill_on_stops_and_kill_off_lets_go(server: Server, gear: Run) -> None:
    """On, refused with the code and its exit code, listed, not released by who tripped it, released by another."""
    ran = gear("kill", "on", "tool:text.count_words", "--reason", "it miscounts")
    assert ran.exit_code == ExitCode.OK
    assert "freeze tool:text.count_words" in ran.output
    refused = gear("submit", "text.count_words", "--arg", "text=to be", "--json")
    assert refused.exit_code == ExitCode.REFUSED
    listed = gear("kill", "list", "--json").document()
    assert [(item["target"], item["reason"]) for item in listed["items"]] == [("tool:text.count_words", "it miscounts")]
    assert "last proven" in gear("kill", "list").output
    off = ("kill", "off", "tool:text.count_words", "--reason", "fixed")
    assert gear(*off).exit_code == FACTS[Code.PERMISSION_DENIED].exit_code
    ada = str(run_in(server.folder, "token", "--tenant", "acme", "--actor", "person:ada", "--json").document()["token"])
    assert "released tool:text.count_words" in gear(*off, SWITCHGEAR_TOKEN=ada).output
    assert gear("submit", "text.count_words", "--arg", "text=to be", "--wait", "30").exit_code == ExitCode.OK
