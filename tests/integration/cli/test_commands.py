"""Every command against a real server: its answer for people, its answer as JSON, and its failures."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from switchgear.core.codes import ExitCode
from switchgear.testing import FaultProxy, PerDirection, partition
from tests.integration.cli.harness import END_SECONDS, Run, Server, start_in, wait_for

pytestmark = pytest.mark.integration

WORDS = ("submit", "text.count_words", "--arg", "text=to be or not", "--wait", "10")


def submitted(gear: Run, *more: str) -> dict[str, Any]:
    """Submit the template's tool and return the intent."""
    ran = gear(*WORDS, *more, "--json")
    assert ran.exit_code == ExitCode.OK, ran.errors
    document: dict[str, Any] = ran.document()
    return document


def test_submit_waits_for_the_outcome(gear: Run) -> None:
    """One command carries an action through the whole house and back, and prints one JSON document."""
    intent = submitted(gear)
    assert (intent["state"], intent["value"]) == ("succeeded", {"words": 4, "tenant": "acme"})


def test_submit_for_people_shows_state_and_value(gear: Run) -> None:
    """Without --json the same answer is drawn, plain when it is no terminal."""
    ran = gear(*WORDS)
    assert "succeeded" in ran.output
    assert '"words": 4' in ran.output
    assert "\x1b" not in ran.output


def test_submit_with_the_same_key_finds_the_same_action(gear: Run) -> None:
    """Law 3: a repeat is answered from the record and says so; another payload is a conflict with its exit code."""
    first, again = submitted(gear, "--key", "order-17"), submitted(gear, "--key", "order-17")
    assert (again["id"], again["replayed"]) == (first["id"], True)
    ran = gear("submit", "text.count_words", "--arg", "text=other", "--key", "order-17", "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.CONFLICT, "IDEMPOTENCY_CONFLICT")


def test_an_action_is_found_by_its_key(gear: Run) -> None:
    """`intents show` and `events` take the key that it was submitted with: one question, no detour."""
    intent = submitted(gear, "--key", "order-18")
    named = ("--tool", "text.count_words", "--key", "order-18")
    assert gear("intents", "show", *named, "--json").document()["id"] == intent["id"]
    assert intent["id"] in gear("intents", "show", *named, "--wait", "5").output
    entries = gear("intents", "events", *named, "--json").document()["items"]
    assert {entry["stream"] for entry in entries} == {intent["id"]}
    ran = gear("intents", "show", "--tool", "text.count_words", "--key", "order-19", "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.NOT_FOUND, "NOT_FOUND")
    assert "order-19" in ran.problem()["detail"]
    ran = gear("intents", "cancel", *named, "--reason", "withdrawn", "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.CONFLICT, "ILLEGAL_TRANSITION")


def test_ids_alone_are_for_the_shell(gear: Run) -> None:
    """--quiet prints ids, one a line, and nothing else; together with --json it is a wrong command line."""
    intent = submitted(gear, "--key", "order-20")
    named = ("--tool", "text.count_words", "--key", "order-20")
    assert gear("intents", "show", *named, "--quiet").output == f"{intent['id']}\n"
    assert gear("intents", "list", "--limit", "1", "-q").output == f"{intent['id']}\n"
    assert gear("intents", "list", "--state", "rejected", "--quiet").output == ""
    for words in (("list",), ("show", "int_1")):  # of which there is none: it is told before a server is asked
        assert gear("intents", *words, "--quiet", "--json").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "words", [(), ("int_1", "--tool", "t", "--key", "k"), ("--tool", "t"), ("--key", "k"), ("int_1", "--key", "k")]
)
def test_an_action_is_named_in_one_way(gear: Run, words: tuple[str, ...]) -> None:
    """Its id, or tool and key: neither, both or half of one is a wrong command line, and says how to write it."""
    ran = gear("intents", "show", *words, "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT")
    assert "--tool TOOL --key KEY" in ran.problem()["advice"]


def test_submit_schedules_a_start(gear: Run) -> None:
    """--delay and --priority are kept with the action; a word that is no priority is named."""
    words = ("submit", "text.count_words", "--arg", "text=a", "--json")
    before = time.time()
    intent = gear(*words, "--delay", "600", "--priority", "sheddable").document()
    assert (intent["state"], intent["priority"]) == ("ready", "sheddable")
    assert before + 600 <= intent["not_before"] <= time.time() + 600
    assert gear(*words, "--not-before", "4000000000", "--deadline", "60").exit_code == ExitCode.USAGE
    assert gear(*words, "--priority", "urgent").exit_code == ExitCode.USAGE


def test_submit_reads_arguments_from_input(gear: Run) -> None:
    """--args - reads the arguments from standard input."""
    ran = gear("submit", "text.count_words", "--args", "-", "--wait", "10", "--json", text='{"text": "one"}')
    assert ran.document()["value"]["words"] == 1


def test_wait_that_ends_early_is_told_by_the_exit_code(gear: Run, server: Server) -> None:
    """When the time of --wait is up the answer is the action as it stands, and the exit code says so."""
    ran = gear("submit", "slow.read", "--arg", "name=late", "--wait", "0.2", "--json")
    assert (ran.exit_code, ran.document()["final"]) == (ExitCode.TIMEOUT, False)
    (server.folder / "late").touch()


def test_show_waits_for_the_outcome(gear: Run, server: Server) -> None:
    """`intents show --wait` ends as `submit --wait` does: with the outcome, or with the action as it stands then."""
    intent = gear("submit", "slow.read", "--arg", "name=shown", "--json").document()["id"]
    ran = gear("intents", "show", intent, "--wait", "0.1", "--json")
    assert (ran.exit_code, ran.document()["final"]) == (ExitCode.TIMEOUT, False)
    (server.folder / "shown").touch()
    ran = gear("intents", "show", intent, "--wait", "60", "--json")
    assert (ran.exit_code, ran.document()["state"]) == (ExitCode.OK, "succeeded")


def test_server_is_waited_for(gear: Run, server: Server) -> None:
    """A script that has started a server goes on when it is ready, and not for ever where nobody comes."""
    assert gear("wait", "--json").document()["url"] == server.url
    assert gear("wait").output == f"ready {server.url}\n"
    ran = gear("wait", "--for", "0.1", "--json", SWITCHGEAR_URL="http://127.0.0.1:9")
    assert (ran.exit_code, "not ready within" in ran.problem()["detail"]) == (ExitCode.UNAVAILABLE, True)


@pytest.mark.parametrize("form", ["text", "json"])
def test_interrupted_wait_names_what_goes_on(server: Server, gear: Run, form: str) -> None:
    """Ctrl-C ends the waiting with 130 and one word about the action, which goes on; never with a traceback."""
    assert gear("tools").exit_code == ExitCode.OK
    name, more = f"patience-{form}", ["--json"] if form == "json" else []
    fault = PerDirection(down=partition())
    with FaultProxy.in_thread(("127.0.0.1", urlsplit(server.url).port or 0), fault=fault) as proxy:
        through = replace(server, url=f"http://127.0.0.1:{proxy.port}")
        waiting = start_in(through, "submit", "slow.read", "--arg", f"name={name}", "--wait", "600", *more)
        wait_for((server.folder / f"{name}.started").exists)
        submitted_bytes = proxy.counts.bytes_up
        proxy.heal()  # now the answer comes through; before it there is no id to name
        wait_for(lambda: proxy.counts.bytes_up > submitted_bytes)
        waiting.send_signal(signal.SIGINT)
        output, errors = waiting.communicate(timeout=END_SECONDS)
    (server.folder / name).touch()
    assert (waiting.returncode, output) == (130, "")
    intent = gear("intents", "list", "--limit", "1", "--json").document()["items"][0]["id"]
    told = f"{intent} goes on; see: switchgear intents show {intent}"
    if form == "json":
        problem = json.loads(errors)
        assert (problem["detail"], problem["intent"], problem["exit_code"]) == (told, intent, 130)
    else:
        assert errors == told + "\n"


def test_number_that_the_tool_wants_as_text_is_explained(gear: Run) -> None:
    """A refused --arg says how the value is written as text."""
    ran = gear("submit", "crm.get_contact", "--arg", "contact_id=7")
    assert ran.exit_code == ExitCode.USAGE
    assert """--arg 'contact_id="7"'""" in ran.errors


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (("submit", "no.such_tool"), ExitCode.NOT_FOUND, "NOT_FOUND"),
        (("submit", "text.count_words", "--arg", "text=7"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("submit", "text.count_words", "--account", "other", "--arg", "text=a"), ExitCode.ACCESS, "PERMISSION_DENIED"),
        (("submit", "slow.write", "--arg", "name=x"), ExitCode.USAGE, "IDEMPOTENCY_KEY_REQUIRED"),
        (("submit", "text.count_words", "--args", "[1]"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("intents", "show", "int_missing"), ExitCode.NOT_FOUND, "NOT_FOUND"),
        (("intents", "show", "../../readyz"), ExitCode.NOT_FOUND, "NOT_FOUND"),
        (("intents", "list", "--state", "none"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("intents", "list", "--limit", "0"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("intents", "list", "--cursor", "x"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("tools", "--token", "nonsense"), ExitCode.ACCESS, "TENANT_UNAUTHENTICATED"),
        (("ledger", "verify", "missing.jsonl"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("ledger", "export"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("nonsense",), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("submit",), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("tools", "--nonsense"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("token", "--tenant", "acme", "--scope", "everything"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("token", "--tenant", "@platform"), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("up",), ExitCode.USAGE, "INVALID_ARGUMENT"),
        (("up", "--dev", "--host", "0.0.0.0"), ExitCode.USAGE, "INVALID_CONFIGURATION"),  # noqa: S104 - to be refused
        (("check", "--config", "missing.toml"), ExitCode.USAGE, "INVALID_ARGUMENT"),
    ],
)
def test_failure_is_a_problem_document_with_its_exit_code(
    gear: Run, words: tuple[str, ...], exit_code: ExitCode, code: str
) -> None:
    """With --json a failure leaves standard output empty and says on standard error what happened and what to do."""
    ran = gear(*words, "--json")
    problem = ran.problem()
    assert (ran.exit_code, problem["code"], problem["exit_code"]) == (exit_code, code, exit_code)
    assert problem["detail"]
    assert problem["advice"]


def test_failure_for_people_says_where_and_what_next(gear: Run) -> None:
    """Without --json the same is said in words on standard error."""
    ran = gear("tools", SWITCHGEAR_URL="http://127.0.0.1:9")
    assert ran.exit_code == ExitCode.UNAVAILABLE
    assert "no server is running at http://127.0.0.1:9" in ran.errors
    assert "switchgear up --dev" in ran.errors
    assert ran.output == ""


def test_intents_are_listed_shown_and_told(gear: Run) -> None:
    """list, show and events answer for people and as JSON, and pages continue where they ended."""
    intent = submitted(gear)["id"]
    submitted(gear)
    first = gear("intents", "list", "--limit", "1", "--json").document()
    second = gear("intents", "list", "--limit", "1", "--cursor", first["next_cursor"], "--json").document()
    assert first["items"][0]["id"] > second["items"][0]["id"] == intent
    assert gear("intents", "show", intent, "--json").document()["state"] == "succeeded"
    types = [event["type"] for event in gear("intents", "events", intent, "--json").document()["items"]]
    assert types == ["intent.accepted", "intent.dispatched", "intent.succeeded"]
    for words, word in ((("list",), intent), (("show", intent), intent), (("events", intent), "intent.succeeded")):
        ran = gear("intents", *words)
        assert (ran.exit_code, word in ran.output) == (ExitCode.OK, True)


def test_cancel_asks_when_it_has_left(gear: Run, server: Server) -> None:
    """A cancel after dispatch is a wish on record and hides no outcome."""
    intent = gear("submit", "slow.read", "--arg", "name=asked", "--json").document()["id"]
    wait_for((server.folder / "asked.started").exists)
    view = gear("intents", "cancel", intent, "--reason", "changed my mind", "--json").document()
    assert (view["state"], view["cancel_requested"]) == ("dispatched", True)
    assert "its outcome still counts" in gear("intents", "show", intent).output
    (server.folder / "asked").touch()


@pytest.mark.parametrize(
    "words",
    [
        ("tools",),
        ("breakers",),
        ("dependencies",),
        ("dependencies", "--destructive"),
        ("ledger", "head"),
        ("ledger", "list"),
        ("ledger", "list", "--platform"),
    ],
)
def test_what_is_known_is_shown_both_ways(gear: Run, words: tuple[str, ...]) -> None:
    """Each looking command answers for people, and as exactly one JSON document."""
    submitted(gear)
    assert gear(*words).output
    assert isinstance(gear(*words, "--json").document(), dict)


def test_ledger_is_exported_and_verified_offline(gear: Run, tmp_path: Path) -> None:
    """An export verifies without a server; one changed letter is found and its entry named."""
    submitted(gear)
    file = tmp_path / "acme.jsonl"
    assert gear("ledger", "verify", "--json").document()["problem"] is None
    assert gear("ledger", "export", "--output", str(file), "--json").document()["file"] == str(file)
    elsewhere = {"SWITCHGEAR_URL": "http://127.0.0.1:9"}
    assert gear("ledger", "verify", str(file), "--json", **elsewhere).document()["problem"] is None
    file.write_text(file.read_text().replace("intent.dispatched", "intent.dispatcheD", 1))
    ran = gear("ledger", "verify", str(file), "--json", **elsewhere)
    assert (ran.exit_code, ran.document()["first_bad_seq"]) == (ExitCode.VERIFY_FAILED, 2)


def test_export_never_overwrites(gear: Run, tmp_path: Path) -> None:
    """An export is written to a new file only."""
    file = tmp_path / "there"
    file.write_text("mine")
    assert gear("ledger", "export", "--output", str(file)).exit_code == ExitCode.USAGE
    assert file.read_text() == "mine"


def test_export_to_the_terminal_is_the_same_lines(gear: Run) -> None:
    """Without --output the lines go to standard output, ready for a pipe."""
    lines = gear("ledger", "export").output.splitlines()
    assert json.loads(lines[0])["tenant"] == "acme"
    assert json.loads(lines[-1])["count"] == len(lines) - 2


def test_another_tenant_sees_nothing(gear: Run) -> None:
    """Law 9: another tenant's action looks like one that does not exist."""
    intent = submitted(gear)["id"]
    other = gear("token", "--tenant", "globex", "--json").document()["token"]
    missing = gear("intents", "show", intent, "--token", other, "--json")
    assert (missing.exit_code, missing.problem()["code"]) == (ExitCode.NOT_FOUND, "NOT_FOUND")
    assert gear("intents", "list", "--token", other, "--json").document()["items"] == []
