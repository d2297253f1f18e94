"""What most commands do: ask the server one thing, and print its answer. And the options that lists share.

Which path, which words and how the answer is drawn is for the command to say. What asks twice, or asks a person in
between, opens its own `session`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import session

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it goes on record.")]
StateOption = Annotated[str | None, typer.Option("--state", help="Only those in this state.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")]
CursorOption = Annotated[str | None, typer.Option("--cursor", help="Continue where an earlier list ended.")]
AfterOption = Annotated[int, typer.Option("--after", min=0, help="Only entries after this number.")]

Draw = Callable[[Console, View], None]
"""Prints an answer for people."""


def get(
    path: str, draw: Draw, url: str, token: str | None, *, as_json: bool, query: Mapping[str, Any] | None = None
) -> int:
    """Ask for what is at `path` and print it. Raises `CommandFailure` for a refusal, and when nobody answers."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.get(path, query)
        opened.output.answer(view, lambda console: draw(console, view))
    return ExitCode.OK


def post(path: str, body: Mapping[str, Any], draw: Draw, url: str, token: str | None, *, as_json: bool) -> int:
    """Have done what is at `path` and print what it is then. Raises as `get` does."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.post(path, dict(body))
        opened.output.answer(view, lambda console: draw(console, view))
    return ExitCode.OK


def get_entries(
    path: str,
    draw: Callable[[Console, Sequence[View]], None],
    url: str,
    token: str | None,
    *,
    as_json: bool,
    query: Mapping[str, Any],
) -> int:
    """Ask for a page of the ledger's entries at `path`, such as `query` wants. Raises as `get` does."""
    with session(url, token, as_json=as_json) as opened:
        page = opened.client.get(path, query)
        opened.output.answer(page, lambda console: draw(console, page["items"]))
        if page.get("next_after"):
            opened.output.note(f"more: --after {page['next_after']}")
    return ExitCode.OK
