"""Time-boxes on the command line, against a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, serving, wait_for

pytestmark = pytest.mark.integration

TOOLS = """
[tools."door.lock"]
function = "door:lock"
effect = "natural"
resource = "door/{name}"

[tools."door.unlock"]
function = "door:unlock"
effect = "natural"
resource = "door/{name}"
revert = "door.lock"
"""
FUNCTIONS = '''
"""A door that is open while its file is there."""
from pathlib import Path


async def unlock(call, name: str):
    Path(f"{name}.open").touch()


async def lock(call, name: str):
    Path(f"{name}.open").unlink()
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with a tool that can be reverted."""
    folder = prepare(tmp_path_factory.mktemp("gear"))
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(TOOLS)
    (folder / "door.py").write_text(FUNCTIONS)
    with serving(folder) as running:
        yield running
        assert running.signal(signal.SIGTERM) == 0


def unlocked(gear: Run, name: str, seconds: str) -> str:
    """Open a door for some seconds and return the id of its time-box."""
    words = ("door.unlock", "--arg", f"name={name}", "--key", name, "--revert-after", seconds, "--wait", "20", "--json")
    return str(gear("submit", *words).document()["id"])


def test_a_door_is_open_for_a_while(server: Server, gear: Run) -> None:
    """`submit --revert-after` does it, and the server reverts it by itself."""
    box = unlocked(gear, "front", "0.5")
    wait_for(lambda: not (server.folder / "front.open").exists())
    wait_for(lambda: gear("time-boxes", "show", box, "--json").document()["state"] == "reverted")
    assert "reverted" in gear("time-boxes", "list").output


def test_it_is_extended_and_reverted_by_hand(server: Server, gear: Run) -> None:
    """Each with a reason; a box that has ended is a conflict."""
    box = unlocked(gear, "back", "3600")
    assert (server.folder / "back.open").exists()
    extended = gear("time-boxes", "extend", box, "--by", "60", "--reason", "late delivery")
    assert "extended once" in extended.output
    refused = gear("time-boxes", "extend", box, "--by", "0", "--reason", "")
    assert "--by: must be above 0, not 0; --reason: must not be empty" in refused.errors
    shown = gear("time-boxes", "show", "--tool", "door.unlock", "--key", "back").output
    assert ("extended by 1 min to" in shown, "late delivery" in shown) == (True, True)
    assert "late delivery" in gear("intents", "show", box).output
    assert gear("time-boxes", "revert", box, "--reason", "delivered").exit_code == ExitCode.OK
    wait_for(lambda: not (server.folder / "back.open").exists())
    wait_for(lambda: gear("time-boxes", "show", box, "--json").document()["state"] == "reverted")
    assert gear("time-boxes", "extend", box, "--by", "60", "--reason", "more").exit_code == ExitCode.CONFLICT


def test_it_is_closed_for_good(server: Server, gear: Run) -> None:
    """The action stays, and nothing is left to revert."""
    box = unlocked(gear, "side", "3600")
    assert "closed" in gear("time-boxes", "close", box, "--reason", "moved out").output
    assert gear("time-boxes", "revert", box, "--reason", "no").exit_code == ExitCode.CONFLICT
    assert (server.folder / "side.open").exists()
    told = gear("time-boxes", "events", "--tool", "door.unlock", "--key", "side", "--json").document()["items"]
    assert [entry["type"] for entry in told] == ["time_box.opened", "time_box.closed"]
    assert "moved out" in gear("time-boxes", "events", box).output


def test_what_is_not_there_is_not_found(gear: Run) -> None:
    """An id of nothing."""
    assert gear("time-boxes", "show", f"int_{'0' * 32}").exit_code == ExitCode.NOT_FOUND


def test_an_action_without_a_time_box_is_told_as_such(gear: Run) -> None:
    """The action is there: what it lacks is a box, which comes later where one was wished."""
    lasting = gear("submit", "door.unlock", "--arg", "name=cellar", "--key", "cellar", "--json").document()["id"]
    shown = gear("time-boxes", "show", "--tool", "door.unlock", "--key", "cellar")
    told = (
        f"{lasting} has no time-box: it is an action of door.unlock, which is succeeded and was submitted without one"
    )
    assert (shown.exit_code, told in shown.errors) == (ExitCode.NOT_FOUND, True)
    assert told in gear("time-boxes", "show", lasting).errors
    assert "switchgear intents show ID" in shown.errors
    later = ("--arg", "name=attic", "--key", "attic", "--revert-after", "1h", "--delay", "1h")
    assert gear("submit", "door.unlock", *later).exit_code == ExitCode.OK
    shown = gear("time-boxes", "show", "--tool", "door.unlock", "--key", "attic")
    assert "has no time-box yet: it begins when the action leaves" in shown.errors
