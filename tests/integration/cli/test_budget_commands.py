"""The command `budget` against a real server that has one."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Iterator

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, serving

pytestmark = pytest.mark.integration

BUDGET = '\n[[budgets]]\nname = "words"\ntool = "text.*"\nlimit = 1\nperiod = "total"\n'
ASK = ("submit", "text.count_words", "--arg", "text=to be", "--wait", "30", "--json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with a budget for the tests of this file."""
    folder = prepare(tmp_path_factory.mktemp("gear"))
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(BUDGET)
    with serving(folder) as running:
        yield running
        assert running.signal(signal.SIGTERM) == 0


def test_the_command_shows_what_is_left_and_what_was_spent(gear: Run) -> None:
    """People get a table, machines JSON or CSV; what no budget covers ends with the exit code of a refusal."""
    assert gear(*ASK).exit_code == ExitCode.OK
    refused = gear(*ASK)
    assert (refused.exit_code, refused.problem()["code"]) == (ExitCode.REFUSED, "BUDGET_EXCEEDED")
    (budget,) = gear("budget", "--json").document()["items"]
    assert (budget["budget"], budget["used"], budget["left"], budget["state"]) == ("words", 1, 0, "exhausted")
    assert "exhausted" in gear("budget").output
    assert "text.count_words" in gear("budget", "--by", "tool").output
    (line,) = csv.DictReader(io.StringIO(gear("budget", "--by", "tool", "--csv").output))
    assert (line["tool"], line["used"], line["held"]) == ("text.count_words", "1", "0")
    assert gear("budget", "--period", "yesterday").exit_code == ExitCode.USAGE
