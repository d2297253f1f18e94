"""What is printed while something takes its time: on a terminal, for people, and nowhere else."""

from __future__ import annotations

import io
import tomllib
from itertools import pairwise

import pytest
import typer
from rich.console import Console

from switchgear.assembly.templates import configuration_template
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.cli.output import Output, console_on, counting


def output_on(*, terminal: bool, as_json: bool = False) -> tuple[Output, io.StringIO]:
    """Return an output, and what it writes."""
    written = io.StringIO()
    output = Output(as_json=as_json)
    output.console = Console(file=written, force_terminal=terminal, width=80)
    return output, written


def test_a_terminal_shows_how_far_it_is() -> None:
    """Who waits in front of a terminal sees what is done, and how much of it."""
    output, written = output_on(terminal=True)
    with output.busy("exporting to a[b]") as tell:
        tell("2,000 lines of a[b]")
    assert "2,000 lines of a[b]" in written.getvalue()


@pytest.mark.parametrize(("terminal", "as_json"), [(False, False), (True, True), (False, True)])
def test_nothing_turns_in_a_pipe_or_in_json(*, terminal: bool, as_json: bool) -> None:
    """What a program reads holds the answer alone."""
    output, written = output_on(terminal=terminal, as_json=as_json)
    with output.busy("exporting") as tell:
        tell("2,000 lines")
    assert written.getvalue() == ""


def test_lines_are_counted_as_they_pass() -> None:
    """Every line comes through, and each thousand is told."""
    told: list[str] = []
    assert sum(1 for _ in counting(("x" for _ in range(2_500)), told.append)) == 2_500
    assert told == ["1,000 lines", "2,000 lines"]


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, with whatever value, switches colour off on a terminal (no-color.org)."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not console_on(stderr=False).no_color
    monkeypatch.setenv("NO_COLOR", "1")
    assert console_on(stderr=False).no_color


@pytest.mark.parametrize("terminal", [True, False])
def test_no_word_becomes_a_picture(*, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has written between colons is printed as it is."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    console = console_on(stderr=False)
    with console.capture() as captured:
        console.print("a :key: of :door:")
    assert ":key: of :door:" in captured.get()


def test_examples_name_tools_that_a_new_folder_has() -> None:
    """What help shows can be typed after `switchgear init`: each tool in it is in the file that is written."""
    tools = set(tomllib.loads(configuration_template())["tools"])
    named = [tool for line in examples() for tool in _tools_in(line.split())]
    assert set(named) <= tools
    assert len(named) > 5


def examples() -> list[str]:
    """Return every example of every command."""

    def epilogs(command: object) -> list[str]:
        children = getattr(command, "commands", {})
        return [getattr(command, "epilog", "") or "", *(text for one in children.values() for text in epilogs(one))]

    texts = epilogs(typer.main.get_command(app))
    return [line[2:] for text in texts for line in text.splitlines() if line.startswith("$ ")]


def _tools_in(words: list[str]) -> list[str]:
    """Return the tools that a command line names."""
    after = ("--tool", "submit", "accept")
    return [word for before, word in pairwise(words) if before in after and "crm." in word[:4]]
