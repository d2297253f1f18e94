"""Approving on the command line, against a real server whose writes need approval."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Ran, Run, Server, prepare, run_in, serving

pytestmark = pytest.mark.integration

RULE = '\n[[approvals]]\nname = "counting"\ntool = "text.*"\n'
ASK = ("submit", "text.count_words", "--arg", "text=to be", "--wait", "30", "--json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with a rule for the tests of this file."""
    folder = prepare(tmp_path_factory.mktemp("gear"))
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(RULE)
    with serving(folder) as running:
        yield running
        assert running.signal(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def ada(server: Server, gear: Run) -> Run:
    """Run command lines as somebody else than who asks."""
    ran = run_in(server.folder, "token", "--tenant", "acme", "--actor", "person:ada", "--json")
    token = str(ran.document()["token"])

    def run(*words: str, text: str | None = None) -> Ran:
        return gear(*words, text=text, SWITCHGEAR_TOKEN=token)

    return run


def asked(gear: Run) -> dict[str, Any]:
    """Submit what needs approval."""
    ran = gear(*ASK)
    assert ran.exit_code == ExitCode.TRY_LATER
    view = ran.document()
    assert view["state"] == "pending_approval"
    return view


def test_approve_shows_the_action_asks_and_is_on_record_as_the_command_line(gear: Run, ada: Run) -> None:
    """What waits is listed; the arguments and the digest are shown before the question."""
    view = asked(gear)
    assert view["id"] in ada("intents", "list", "--state", "pending_approval").output
    declined = ada("intents", "approve", view["id"], text="n\n")
    assert (declined.exit_code, "not approved" in declined.output) == (ExitCode.REFUSED, True)
    ran = ada("intents", "approve", view["id"], text="y\n")
    assert ran.exit_code == ExitCode.OK
    for shown in ('{"text": "to be"}', view["approval"]["digest"], "0 of 1", "1 of 1 by person:ada"):
        assert shown in ran.output
    events = ada("intents", "events", view["id"], "--json").document()["items"]
    (given,) = [event for event in events if event["type"] == "intent.approval_given"]
    assert (given["facts"]["by"], given["facts"]["channel"]) == ("person:ada", "cli")


def test_machines_name_the_digest_or_say_yes(gear: Run, ada: Run) -> None:
    """With --json nobody is asked: the digest is given, or --yes."""
    view = asked(gear)
    closed = ada("intents", "approve", view["id"], text="")
    assert closed.exit_code == ExitCode.USAGE
    assert "--yes" in closed.errors
    mute = ada("intents", "approve", view["id"], "--json")
    assert (mute.exit_code, "--digest" in mute.errors) == (ExitCode.USAGE, True)
    stale = ada("intents", "approve", view["id"], "--digest", "0" * 64, "--json")
    assert (stale.exit_code, stale.problem()["code"]) == (ExitCode.CONFLICT, "APPROVAL_STALE")
    own = gear("intents", "approve", view["id"], "--yes", "--json")
    assert (own.exit_code, own.problem()["code"]) == (ExitCode.ACCESS, "PERMISSION_DENIED")
    ran = ada("intents", "approve", view["id"], "--yes", "--json")
    assert ran.document()["approval"]["granted_by"] == ["person:ada"]


def test_reject_and_withdraw(gear: Run, ada: Run) -> None:
    """A no ends it; a yes that was never given cannot be taken back from what is over."""
    view = asked(gear)
    assert ada("intents", "withdraw", view["id"], "--json").document()["state"] == "pending_approval"
    ended = ada("intents", "reject", view["id"], "--reason", "not now", "--json").document()
    assert (ended["state"], ended["message"]) == ("rejected", "not now")
    assert ada("intents", "withdraw", view["id"]).exit_code == ExitCode.CONFLICT
