"""Every command line of the documentation is one that the command line takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.command_lines import CommandLine, command_lines, fault_of
from tests.docs.snippets import ROOT, name_of, pages

_PAGES = [page for page in pages() if any(command_lines(page))]


@pytest.mark.parametrize("page", _PAGES, ids=name_of)
def test_every_command_line_is_one(page: Path) -> None:
    """Nobody copies a command, an option or a value of one that is not there."""
    assert [f"{line}: {fault}" for line in command_lines(page) if (fault := fault_of(line))] == []


@pytest.mark.parametrize(
    ("words", "whole", "fault"),
    [
        ("intents show int_1", True, ""),
        ("sagas cancel", True, "Missing argument 'SAGA'."),
        ("intents shwo int_1", True, "switchgear intents has no command ['shwo']"),
        ("intents force int_1 --for", True, "Option '--for' requires an argument."),
        ("submit mail.send body=x", True, "switchgear submit takes no ['body=x']"),
        ("token --tenant", False, ""),
        ("intents", False, ""),
        ("token --tenent acme", False, "switchgear token has no --tenent"),
        ("tokn", False, "switchgear has no command tokn"),
    ],
)
def test_what_is_wrong_is_found(words: str, whole: object, fault: str) -> None:
    """The finder sees a missing argument, a mistyped command and a mistyped option, and passes what is right."""
    assert fault_of(CommandLine("here", tuple(words.split()), whole=bool(whole))) == fault


def test_lines_are_found_where_people_write_them() -> None:
    """In blocks behind a prompt, a variable or a pipe, continued over lines, and in the middle of a sentence."""
    page = ROOT / "docs" / "index.md"
    text = (
        "Then `switchgear kill\nlist`.\n\n```console\n$ A=1 switchgear up --dev > log 2> errors &\n"
        "switchgear is not here\n```\n"
        "\n```sh\ncat x | switchgear submit t --args - --key k\nswitchgear token \\\n  --tenant acme\n```\n"
    )
    found = [(line.words, line.whole) for line in command_lines(page, text)]
    assert found == [
        (("up", "--dev"), True),
        (("submit", "t", "--args", "-", "--key", "k"), True),
        (("token", "--tenant", "acme"), True),
        (("kill", "list"), False),
    ]
