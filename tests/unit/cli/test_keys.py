"""An action is named by its id or by its idempotency key, in every command that takes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import pytest
import typer.main

from switchgear.surfaces.cli import deadletters, intents, keys, replaying
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.keys import IntentId, by_key
from switchgear.surfaces.cli.session import DEFAULT_URL, TokenOption, UrlOption

FOUND = {"id": "int_1", "time_box": {"id": "int_1.2"}}
OPTIONS = {"url": DEFAULT_URL, "token": None}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - the framework's own
    """Yield every command with its whole name."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, below in command.commands.items():
        yield from commands(below, (*path, name))


def test_what_takes_the_id_of_an_action_takes_its_key() -> None:
    """A law for all commands, those to come included: whoever has only the key needs no detour."""
    named = {
        name: {option.name for option in command.params}
        for name, command in commands(typer.main.get_command(app))
        if any((one.metavar or "").strip("[]") in ("INTENT", "TIME-BOX") for one in command.params)
    }
    assert {"intents show", "intents resolve", "time-boxes events", "deadletters requeue"} <= named.keys()
    lacking = [name for name, options in named.items() if not {"tool", "key", "account"} <= options]
    assert lacking == []


class _Server:
    """Answers every question with one action, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.client = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End nothing."""

    def get(self, path: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a question."""
        self.asked.append((path, query))
        return FOUND


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    """Return a server that knows one action."""
    made = _Server()
    monkeypatch.setattr(keys, "session", lambda *_words, **_options: made)
    return made


@by_key()
def plain(intent: IntentId, *, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Return how long the id is."""
    assert (url, token) == (DEFAULT_URL, None)
    return len(intent)


@by_key(id_of=lambda view: str(view["time_box"]["id"]))
def boxed(intent: IntentId, *, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Return how long the id of the time-box is."""
    assert (url, token) == (DEFAULT_URL, None)
    return len(intent)


@pytest.mark.parametrize(("command", "length"), [(plain, len("int_1")), (boxed, len("int_1.2"))])
def test_a_key_stands_for_the_id_that_the_command_wants(server: _Server, command: keys.Command, length: int) -> None:
    """The server is asked once, by tool, key and account."""
    assert command(intent=None, tool="crm.order", key="k", account="main", **OPTIONS) == length
    assert server.asked == [("/v1/intents/by-key", {"tool": "crm.order", "key": "k", "account": "main"})]


def test_an_id_needs_no_server(server: _Server) -> None:
    """Nothing is asked for what is known."""
    assert plain(intent="int_19", tool=None, key=None, account=None, **OPTIONS) == len("int_19")
    assert server.asked == []


@pytest.mark.parametrize(
    "line",
    [
        ("intents", "cancel", "int_1", "--reason", "r"),
        ("deadletters", "requeue", "int_1"),
        ("deadletters", "requeue", "--all"),
        ("intents", "replay", "int_1", "--mode", "resume", "--reason", "r"),
        ("intents", "replay", "--state", "dead_lettered", "--mode", "re-execute", "--reason", "r"),
    ],
)
def test_an_account_without_a_key_is_refused(line: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """It chooses nothing: whoever means one account never has the actions of all of them done again."""
    for module in (keys, intents, replaying, deadletters):
        monkeypatch.setattr(module, "session", None, raising=False)
    command = typer.main.get_command(app)
    with pytest.raises(CommandFailure, match="--account says whose --key is meant"):
        command.main([*line, "--account", "main"], standalone_mode=False)


@pytest.mark.parametrize(
    ("intent", "tool", "key"),
    [(None, None, None), ("int_1", "t", "k"), (None, "t", None), (None, None, "k"), ("int_1", None, "k")],
)
def test_neither_both_or_half_of_a_name_is_none(
    server: _Server, intent: str | None, tool: str | None, key: str | None
) -> None:
    """A wrong command line says how to write it, before a server is asked."""
    with pytest.raises(CommandFailure) as failure:
        plain(intent=intent, tool=tool, key=key, account="main", **OPTIONS)
    assert "--tool TOOL --key KEY" in failure.value.advice
    assert server.asked == []
