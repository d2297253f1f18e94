"""The command `dependencies`: where they stand, what may be destroyed only while they are well, and how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import Column, View, moment, span, styled, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

EXAMPLES = examples("switchgear dependencies", "switchgear dependencies --destructive --json")

DestructiveFlag = Annotated[
    bool, typer.Option("--destructive", help="List what deletes or cuts off, and what it requires.")
]


def dependencies(
    *,
    destructive: DestructiveFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show where each dependency stands: its state, for how long, why, and when it is looked at again."""
    path, draw = (
        ("/v1/destructive-operations", draw_destructive) if destructive else ("/v1/dependencies", draw_dependencies)
    )
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.get(path)
        opened.output.answer(answer, lambda console: draw(console, answer["items"]))
    return ExitCode.OK


def draw_dependencies(console: Console, dependencies: Sequence[View]) -> None:
    """Print where dependencies stand. Columns that only the platform sees are empty for others."""
    rows = [
        (
            f"{escape(one['name'])}{' [bold](critical)[/]' if one['critical'] else ''}",
            f"{styled(one['state'])}{' (flapping)' if one['flapping'] else ''}",
            span(one["state_age"]),
            "" if one["retry_after"] is None else span(one["retry_after"]),
            escape(one["reason"] or ""),
        )
        for one in dependencies
    ]
    table(console, _COLUMNS, rows, empty="no dependencies are declared")


def draw_destructive(console: Console, operations: Sequence[View]) -> None:
    """Print destructive operations, what they require, and how they were held back last."""
    rows = [
        (escape(one["operation"]), escape(", ".join(one["requires"])), *_last_blocked(one["last_blocked"]))
        for one in operations
    ]
    table(console, _DESTRUCTIVE, rows, empty="nothing destructive is registered")


def _last_blocked(last: View | None) -> tuple[str, str]:
    return ("", "") if last is None else (moment(last["at"]), escape(f"{last['code']}: {last['message']}"))


_COLUMNS = (
    Column("dependency"),
    Column("state", whole=True),
    Column("for", whole=True),
    Column("looked at in", whole=True),
    Column("why"),
)
_DESTRUCTIVE = (
    Column("operation"),
    Column("requires"),
    Column("last blocked", whole=True),
    Column("why"),
)
