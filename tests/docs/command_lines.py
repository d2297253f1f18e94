"""Finds the command lines of `switchgear` in the documentation, and says what is wrong with one.

A line of a console or shell block is a whole command: it has to parse, options and their values included. In the middle
of a sentence a command is often only named: its words have to be commands and options.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from switchgear.surfaces.cli.application import app
from tests.docs.snippets import Snippet, name_of, snippets_of

_UsageError: Any = typer.BadParameter.__mro__[1]
"""What the framework raises for every command line that does not parse; it is not exported by its name."""
_SHELL = frozenset({"console", "sh"})
_IN_PROSE = re.compile(r"`(switchgear [^`]+)`")
_IN_SHELL = re.compile(r"(?:^|[|;&(] ?)(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?(switchgear(?: .*)?)$")
_ENDS = frozenset({"|", ">", ">>", "&", "&&", ";", ")", "||", "<"})
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command line: where it stands, its words after `switchgear`, whether it is whole or only named."""

    place: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        """Show it as a test's name."""
        return f"{self.place}: {' '.join(self.words)}"


def command_lines(page: Path, text: str | None = None) -> Iterator[CommandLine]:
    """Yield every command line of a page, or of `text` in its place, in blocks and in sentences."""
    text = page.read_text(encoding="utf-8") if text is None else text
    for snippet in snippets_of(page, text):
        if snippet.language in _SHELL:
            for line in _typed(snippet):
                yield from (
                    CommandLine(f"{snippet.page}:{snippet.line}", _words(found[1]), whole=True)
                    for found in _IN_SHELL.finditer(line)
                )
    for found in _IN_PROSE.finditer(_FENCED.sub("", text)):
        yield CommandLine(name_of(page), _words(found[1].replace("\n", " ")), whole=False)


def fault_of(line: CommandLine) -> str:
    """Return what is wrong with a command line, or nothing."""
    command, words, path = _root(), list(line.words), "switchgear"
    while words and words[0] in getattr(command, "commands", {}):
        path = f"{path} {words[0]}"
        command = command.commands[words.pop(0)]
    if not line.whole and (not words or words[0].isupper()):
        return ""
    return _parsed(command, path, words) if line.whole else _named(command, path, words)


@cache
def _root() -> Any:  # noqa: ANN401 - the framework's types are private
    return typer.main.get_command(app)


def _typed(snippet: Snippet) -> list[str]:
    """Return the lines that are typed; in a console block, the others are what is shown."""
    lines = snippet.source.replace("\\\n", "  ").splitlines()
    return [line for line in lines if line.startswith("$ ")] if snippet.language == "console" else lines


def _parsed(command: Any, path: str, words: list[str]) -> str:  # noqa: ANN401 - as above
    if hasattr(command, "commands") and not command.invoke_without_command:
        return "" if words in (["--help"], ["--version"]) else f"{path} has no command {words[:1]}"
    try:
        left = command.make_context(path, words).args
    except _UsageError as error:
        return str(error.format_message())
    return f"{path} takes no {left}" if left else ""


def _named(command: Any, path: str, words: list[str]) -> str:  # noqa: ANN401 - as above
    if hasattr(command, "commands") and not command.invoke_without_command and not words[0].startswith("--"):
        return f"{path} has no command {words[0]}"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word not in options]
    return f"{path} has no {', '.join(unknown)}" if unknown else ""


def _words(text: str) -> tuple[str, ...]:
    """Return the words up to where the shell takes over."""
    lexer = shlex.shlex(re.sub(r" \d>.*", "", text), posix=True, punctuation_chars="|>&;)<")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _ENDS:
            break
        words.append(word)
    return tuple(words[1:])
