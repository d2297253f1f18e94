"""Reads the fenced blocks of the documentation and runs them as a reader would.

The blocks of one page run in order in an empty folder. Python blocks share a namespace and an event loop; `await` may
stand at the top. A block marked `text output` right after one is what it printed. A block marked `json file=NAME`, or
whatever it is written in, is saved under that name. Console blocks run line by line in a shell, and what they show has
to come. A block that is not run says why in a comment just before it: ``<!-- not executed: reason -->``.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS_MAX = 240.0
_FILE = re.compile(r"\w+ file=(?P<name>\S+)")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
_REASON = re.compile(r"<!-- not executed: (?P<reason>[^>]+) -->\s*\Z")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block: its page, the line it starts on, its language, its text, why it is not run (or None)."""

    page: str
    line: int
    language: str
    source: str
    reason: str | None


def pages() -> list[Path]:
    """Return every page of documentation of this clone."""
    return [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """Return a page's path inside the clone."""
    return page.relative_to(ROOT).as_posix()


def snippets_of(page: Path, text: str | None = None) -> list[Snippet]:
    """Return the fenced blocks of a page in order, or of `text` in its place."""
    text = page.read_text(encoding="utf-8") if text is None else text
    return [_snippet(name_of(page), text, found) for found in _FENCE.finditer(text)]


def run_page(snippets: Sequence[Snippet], folder: Path) -> None:
    """Run the blocks of one page in order, in `folder`, which is the present directory."""
    module = types.ModuleType("documentation")
    with asyncio.Runner() as runner:
        for position, snippet in enumerate(snippets):
            if snippet.reason is not None:
                continue
            if snippet.language == "python":
                _compare(snippets[position + 1 : position + 2], _run_block(snippet, module, runner))
            elif file := _FILE.fullmatch(snippet.language):
                (folder / file["name"]).write_text(snippet.source, encoding="utf-8")
            elif snippet.language == "console":
                _run_console(snippet, folder)


def _compare(following: Sequence[Snippet], printed: str) -> None:
    """Compare what a block printed with the output block after it, if there is one."""
    for output in following:
        if output.language == "text output":
            assert printed.rstrip() == output.source.rstrip(), (
                f"{output.page}:{output.line} shows other output: {printed}"
            )


def _run_console(snippet: Snippet, folder: Path) -> None:
    """Run each `$ ` line. It has to end well, and each line shown after it has to be in what it prints."""
    printed: list[str] = []
    for line in snippet.source.splitlines():
        if line.startswith("$ "):
            printed = _run_command(snippet, line[2:], folder)
        elif line.strip():
            assert line.strip() in printed, f"{snippet.page}:{snippet.line}: {line!r} is not in {printed}"


def _run_command(snippet: Snippet, command: str, folder: Path) -> list[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    finished = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    assert finished.returncode == 0, f"{snippet.page}: {command}\n{finished.stdout}{finished.stderr}"
    return [line.strip() for line in finished.stdout.splitlines()]


def _snippet(name: str, text: str, found: re.Match[str]) -> Snippet:
    before = text[: found.start()]
    reason = _REASON.search(before)
    return Snippet(
        page=name,
        line=before.count("\n") + 2,
        language=found["info"].strip(),
        source=inspect.cleandoc(found["body"]) if found["indent"] else found["body"],
        reason=reason["reason"].strip() if reason else None,
    )


def _run_block(snippet: Snippet, module: types.ModuleType, runner: asyncio.Runner) -> str:
    source = "\n" * (snippet.line - 1) + snippet.source
    code = compile(source, snippet.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    block: Any = types.FunctionType(code, vars(module))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        pending = block()
        if inspect.iscoroutine(pending):
            runner.run(pending)
    return printed.getvalue()
