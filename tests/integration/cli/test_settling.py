"""The commands that settle what is in doubt and look after dead letters, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, run_in, serving

pytestmark = pytest.mark.integration

TOOLS = """
[tools."mail.send"]
function = "lost_tools:lose"
effect = "opaque"

[tools."user.delete"]
function = "lost_tools:refuse"
effect = "opaque"
"""
FUNCTIONS = '''
"""Tools that lose their answer, and tools that refuse."""
from switchgear import NotApplied


async def lose(call, to: str):
    raise ConnectionResetError("the line broke")


async def refuse(call, to: str):
    raise NotApplied("no such user")
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose tools lose and refuse."""
    folder = prepare(tmp_path_factory.mktemp("settling"))
    _add_tools(folder)
    with serving(folder) as running:
        yield running


def _add_tools(folder: Path) -> None:
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(TOOLS)
    (folder / "lost_tools.py").write_text(FUNCTIONS)


def submitted(gear: Run, tool: str, key: str) -> str:
    """Submit, wait, and return the id."""
    ran = gear("submit", tool, "--arg", "to=ada", "--key", key, "--wait", "10", "--json")
    return str(ran.document()["id"])


def test_resolve_settles_a_doubt(gear: Run) -> None:
    """A person says what became of it, with evidence and a value."""
    intent = submitted(gear, "mail.send", "letter-1")
    assert "1  in_doubt" in gear("intents", "doubts").output
    evidence = ("--evidence", "asked the postmaster")
    ran = gear("intents", "resolve", intent, "--applied", *evidence, "--value", '{"id": 9}', "--json")
    assert (ran.exit_code, ran.document()["state"], ran.document()["value"]) == (ExitCode.OK, "succeeded", {"id": 9})
    resolved = f"resolved  applied by {ran.document()['actor']}"
    assert resolved in gear("intents", "show", intent).output
    assert gear("intents", "show", intent, "--json").document()["resolution"]["evidence"] == "asked the postmaster"
    again = gear(*("intents", "resolve", "--tool", "mail.send", "--key", "letter-1", "--applied"), *evidence, "--json")
    assert (again.exit_code, again.problem()["code"]) == (ExitCode.CONFLICT, "ILLEGAL_TRANSITION")


@pytest.mark.parametrize("words", [(), ("--applied", "--abandon"), ("--applied", "--value", "{no json")])
def test_resolve_wants_one_verdict_and_a_value_in_json(gear: Run, words: tuple[str, ...]) -> None:
    """What is not clear is not sent."""
    ran = gear("intents", "resolve", "int_0", "--evidence", "seen", *words, "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT")


def test_what_was_abandoned_is_a_dead_letter_that_is_only_discarded(gear: Run) -> None:
    """Requeuing it is refused with the reason; discarding needs one."""
    intent = submitted(gear, "mail.send", "letter-2")
    assert gear("intents", "resolve", intent, "--abandon", "--evidence", "the server is gone").exit_code == ExitCode.OK
    ran = gear("deadletters", "requeue", intent, "--json")
    assert (ran.exit_code, "may have been applied" in ran.problem()["detail"]) == (ExitCode.CONFLICT, True)
    assert "faster" not in ran.problem()["advice"], "nobody was"
    shown = gear("deadletters", "show", "--tool", "mail.send", "--key", "letter-2").output
    assert ("deadletters discard" in shown, "deadletters requeue" in shown) == (True, False)
    assert "abandoned" in shown
    assert "given up: the server is gone" in shown
    ran = gear("deadletters", "discard", intent, "--reason", "sent by hand", "--json")
    assert ran.document()["state"] == "discarded"
    assert "it is no dead letter: discarded" in gear("deadletters", "show", intent).output


def test_dead_letters_are_listed_and_requeued(gear: Run) -> None:
    """One by one, or many at a bounded rate; what is refused is named."""
    first, second = submitted(gear, "user.delete", "u-1"), submitted(gear, "user.delete", "u-2")
    listed = gear("deadletters", "list", "--tool", "user.delete", "--json").document()["items"]
    assert [letter["id"] for letter in listed] == [second, first]
    by_key = ("--tool", "user.delete", "--key", "u-1")
    shown = gear("deadletters", "show", *by_key)
    told = ("no such user", f"intents events {first}", f"deadletters requeue {first}", f"deadletters discard {first}")
    assert (shown.exit_code, [word for word in told if word not in shown.output]) == (ExitCode.OK, [])
    assert gear("deadletters", "show", first, "--json").document()["id"] == first
    assert gear("deadletters", "requeue", *by_key, "--json").document()["id"] == first
    ran = gear("deadletters", "requeue", "--all", "--tool", "user.delete", "--per-second", "100")
    assert (ran.exit_code, "run again, 0 stay" in ran.output) == (ExitCode.OK, True)
    assert gear("deadletters", "requeue", "--json").exit_code == ExitCode.USAGE
    assert gear("deadletters", "requeue", first, "--all", "--json").exit_code == ExitCode.USAGE
    assert gear("deadletters", "requeue", *by_key, "--all", "--json").exit_code == ExitCode.USAGE
    assert run_in(Path(), "deadletters", "--help").exit_code == ExitCode.OK
