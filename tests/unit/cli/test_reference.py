"""The reference page of the command line, and help: complete, with examples, and up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text

from switchgear.core.codes import Code, ExitCode
from switchgear.surfaces.cli.application import app, run
from switchgear.surfaces.cli.reference import cli_reference
from switchgear.surfaces.cli.services import Services

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def _no(*_: object, **__: object) -> object:
    raise AssertionError("help needs no service")


NO_SERVICES = Services(serve=_no, embed=_no, issue_token=_no)  # type: ignore[arg-type] # never called here


def command_lines() -> list[list[str]]:
    """Return the words of every command."""
    found: list[list[str]] = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined] # a group
        children = getattr(command, "commands", None)
        found += [[name, child] for child in children] if children else [[name]]
    return found


def test_what_an_argument_is_called_is_one_word_in_capitals() -> None:
    """That it may be left out, or comes often, is for the framework to draw: two who draw it write [[INTENT]]."""
    for words in command_lines():
        command: Any = typer.main.get_command(app)
        for word in words:
            command = command.commands[word]
        for argument in (one for one in command.params if one.param_type_name == "argument"):
            assert re.fullmatch(r"[A-Z]+(-[A-Z]+)*", argument.metavar or ""), f"{words} {argument.name}"


def test_page_on_disk_is_the_generated_one() -> None:
    """The page says what the commands are now."""
    assert PAGE.read_text(encoding="utf-8") == cli_reference()


def test_page_names_every_exit_code_and_failure_code() -> None:
    """A script writer finds each exit code, and which failures end with it."""
    page = cli_reference()
    assert all(f"| {int(code)} | {code.name} |" in page for code in ExitCode)
    assert all(f"`{code}`" in page for code in Code)


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_has_help_with_examples(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help says what a command does and shows it in use; every command speaks JSON."""
    assert run([*words, "--help"], NO_SERVICES) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert f"$ switchgear {' '.join(words)}" in shown


def test_no_words_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The bare name is a question, not a mistake."""
    assert run([], NO_SERVICES) == ExitCode.OK
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["intents", "ledger"])
def test_bare_group_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The bare name of a group is a question too: help, exit code 0, and nothing on standard error."""
    assert run([group], NO_SERVICES) == ExitCode.OK
    shown = capsys.readouterr()
    assert ("list" in shown.out, shown.err) == (True, "")


def test_help_loses_no_word_to_markup() -> None:
    """Help is drawn as markup, so a word in square brackets would vanish: there is none."""
    texts = [part.strip() for part in cli_reference().split("|")]
    assert [text for text in texts if Text.from_markup(text).plain != text] == []


def test_defect_is_reported_with_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A defect of ours ends with a code and its place, never with a bare traceback or a success."""
    monkeypatch.chdir(tmp_path)
    assert run(["init"], NO_SERVICES) == ExitCode.OK
    assert run(["token", "--tenant", "acme"], NO_SERVICES) == ExitCode.FAILED
    shown = capsys.readouterr().err
    assert "INTERNAL" in shown
    assert "_no" in shown
