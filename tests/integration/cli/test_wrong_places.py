"""Paths, addresses and words that cannot be: every command that takes one says so, and none of them breaks on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import run_in

pytestmark = pytest.mark.integration

AWAY = ("--url", "http://127.0.0.1:9")
"""Where no server is: what is read before a server is asked is told first, and nothing else happens."""
COMMANDS = {
    "restore": ("ledger", "restore", "{}", "--into", "new.db"),
    "restore into": ("ledger", "restore", "text.txt", "--into", "{}"),
    "rebuild": ("ledger", "rebuild", "{}", "--into", "new.db"),
    "rebuild by a configuration": ("ledger", "rebuild", "--into", "new.db", "--config", "{}"),
    "verify": ("ledger", "verify", "{}"),
    "verify with a key": ("ledger", "verify", "text.txt", "--key", "{}"),
    "verify with a checkpoint": ("ledger", "verify", "text.txt", "--checkpoint", "{}"),
    "key": ("ledger", "key", "{}"),
    "check": ("check", "--config", "{}"),
    "up": ("up", "--dev", "--config", "{}"),
    "token": ("token", "--tenant", "acme", "--config", "{}"),
    "a token of no tenant": ("token", "--tenant", "{}"),
    "address": ("intents", "list", "--url", "{}"),
    "address to wait for": ("wait", "--for", "0", "--url", "{}"),
    "arguments": ("submit", "a.tool", "--args", "@{}", *AWAY),
    "steps": ("sagas", "submit", "{}", "--key", "k", *AWAY),
}
WORDS = ("", "folder", "missing", "text.txt", "bytes", "a\0b", "x" * 5_000, "http://[", "\udcff")
MAKING = {
    "init": ("init", "under/{}"),
    "key": ("ledger", "key", "{}", "--name", "ledger.example.org"),
    "export": ("ledger", "export", "--output", "{}", *AWAY),
    "id": ("intents", "show", "{}", *AWAY),
    "key of an action": ("intents", "show", "--tool", "{}", "--key", "{}", *AWAY),
    "bearer": ("intents", "list", "--token", "{}", *AWAY),
}
"""Commands for which some of the words are good ones: they work, or find no server."""
FINE = (ExitCode.OK, ExitCode.USAGE, ExitCode.UNAVAILABLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what is no store, no export and no configuration."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello\n")
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 20)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_place_that_cannot_be_is_wrong_usage(folder: Path, name: str) -> None:
    """INVALID_ARGUMENT or what is wrong with the file, with a next step: never a defect, never a traceback."""
    for word in WORDS:
        ran = run_in(folder, *(one.replace("{}", word) for one in COMMANDS[name]), "--json")
        problem = json.loads(ran.errors)
        told = (word[:20], problem["code"], problem["detail"][:300])
        damaged = name == "rebuild" and problem["code"] == "LEDGER_CORRUPT"
        assert damaged or problem["code"] in {"INVALID_ARGUMENT", "INVALID_CONFIGURATION", "DEPENDENCY_FAILED"}, told
        assert ran.exit_code not in {ExitCode.OK, ExitCode.FAILED}, told
        assert problem["advice"], told
        assert "Traceback" not in ran.errors


@pytest.mark.parametrize("name", MAKING)
def test_what_may_be_good_works_or_says_why_not(folder: Path, name: str) -> None:
    """A word that a file or an action may have is taken; one that cannot be is wrong usage."""
    for word in (*WORDS, "ä", "a\nb"):
        ran = run_in(folder, *(one.replace("{}", word) for one in MAKING[name]), "--json")
        assert ran.exit_code in FINE, (word[:20], ran.errors)


def test_an_empty_backup_is_told_what_to_write(folder: Path) -> None:
    """Nothing was named, so that is said, and what to name."""
    ran = run_in(folder, "ledger", "restore", "", "--into", "new.db", "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT")
    assert "ledger backup" in ran.problem()["detail"]
    assert not (folder / "new.db").exists()


@pytest.mark.parametrize(
    "url", ["", "sqlite:///", "sqlite:///a%00b", "sqlite:///folder/", "nonsense", "http://x", "://"]
)
@pytest.mark.parametrize("command", ["check", "up", "rebuild"])
def test_a_store_that_cannot_be_is_a_mistake_in_the_configuration(folder: Path, url: str, command: str) -> None:
    """What the file says of the store is checked like all else in it, whichever command reads it first."""
    (folder / "switchgear.toml").write_text(f'[store]\nurl = "{url}"\n')
    words = {"check": ("check",), "up": ("up", "--dev", "--port", "0"), "rebuild": ("ledger", "rebuild", "--into", "n")}
    ran = run_in(folder, *words[command], "--json")
    assert ran.exit_code == ExitCode.USAGE, ran.errors
    assert ran.problem()["code"] in {"INVALID_ARGUMENT", "INVALID_CONFIGURATION"}


def test_a_path_that_the_system_refuses_is_wrong_usage(folder: Path) -> None:
    """A link that leads to itself is told in the system's words, not as a defect."""
    (folder / "loop").symlink_to("loop")
    for words in (("init", "loop/x"), ("ledger", "verify", "loop"), ("ledger", "restore", "loop", "--into", "n")):
        ran = run_in(folder, *words, "--json")
        assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT"), words
