"""One answer of a command: drawn for people, or one JSON document on standard output and nothing else.

Colour and drawing only on a terminal; NO_COLOR and a pipe make it plain. Failures go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import Code
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.rendering import span

_PIPE_WIDTH = 160
_CODES = frozenset(Code)
_TOLD_EVERY = 1_000

Tell = Callable[[str], None]
"""Says how far something is that takes its time."""


class Output:
    """Where one command's answer goes. `as_json` chooses the form."""

    def __init__(self, *, as_json: bool) -> None:
        """Draw on this process's standard output and standard error."""
        self.as_json = as_json
        self.console = console_on(stderr=False)
        self._errors = console_on(stderr=True)

    def answer(self, document: Mapping[str, Any], draw: Callable[[Console], None]) -> None:
        """Print the answer: `document` as JSON, or whatever `draw` draws."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
            sys.stdout.flush()
        else:
            draw(self.console)

    def note(self, text: str) -> None:
        """Tell people something beside the answer; machines are not told."""
        if not self.as_json:
            self.console.print(escape(text), style="dim", highlight=False)

    @contextmanager
    def busy(self, text: str) -> Iterator[Tell]:
        """Turn a spinner while something takes its time, on a terminal and for people alone.

        Yields what says how far it is: it stands in the place of `text`.
        """
        if self.as_json or not self.console.is_terminal:
            yield unheard
            return
        with self.console.status(escape(text)) as status:
            yield lambda told: status.update(escape(told))

    def fail(self, failure: CommandFailure) -> None:
        """Print a failure to standard error."""
        if self.as_json:
            sys.stderr.write(json.dumps(failure.document(), ensure_ascii=False, indent=2, default=str) + "\n")
        else:
            draw_failure(self._errors, failure)


def counting(lines: Iterable[str], tell: Tell) -> Iterator[str]:
    """Yield `lines`, and tell every thousand how many there were."""
    for number, line in enumerate(lines, 1):
        if number % _TOLD_EVERY == 0:
            tell(f"{number:,} lines")
        yield line


def unheard(_: str) -> None:
    """Tell nobody: there is no terminal."""


def console_on(*, stderr: bool) -> Console:
    """Return a console that is plain and does not fold lines early when it is no terminal."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=False, emoji=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=_PIPE_WIDTH, no_color=True, emoji=False)
    return console


def draw_failure(console: Console, failure: CommandFailure) -> None:
    """Print what happened, where, what to do next and where to read on, for people."""
    problem = failure.problem
    code = problem.get("code") or (f"HTTP {problem['status']}" if problem.get("status") else "")
    detail = problem.get("detail") or problem.get("title") or "It failed."
    mark = f"[bold red]{escape(str(code))}[/] " if code else ""
    console.print(f"{mark}{escape(str(detail))}", soft_wrap=True)
    for text in map(_error_text, problem.get("errors") or ()):
        if text not in str(detail):
            console.print(f"  - {escape(text)}", soft_wrap=True)
    for name, value in _particulars(failure):
        console.print(f"[dim]{name:>6}[/] {escape(value)}", soft_wrap=True)


def _error_text(item: object) -> str:
    if isinstance(item, dict):
        return ": ".join(str(item[name]) for name in ("where", "pointer", "detail", "message") if item.get(name))
    return str(item)


def _particulars(failure: CommandFailure) -> list[tuple[str, str]]:
    problem = failure.problem
    retry_after = problem.get("retry_after")
    bound = problem.get("code") == Code.IDEMPOTENCY_CONFLICT
    first = str(problem.get("state") or "") if bound else ""
    dependency = "" if bound else " ".join(str(problem[name]) for name in ("dependency", "state") if problem.get(name))
    rows = (
        ("where", failure.where),
        ("first request:", first),
        ("what", dependency),
        ("when", "" if retry_after is None else f"try again in {span(float(retry_after))}"),
        ("next", failure.advice),
        ("see", f"switchgear explain {problem['code']}" if problem.get("code") in _CODES else ""),
        ("trace", str(problem.get("trace") or "")),
    )
    return [(name, value) for name, value in rows if value]
