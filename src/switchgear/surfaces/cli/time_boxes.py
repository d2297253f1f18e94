"""The commands `time-boxes list|show|revert|extend|close`: actions that hold for a time only."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.surfaces.cli.asking import CursorOption, LimitOption, ReasonOption, get, post
from switchgear.surfaces.cli.rendering import (
    Column,
    View,
    draw_more,
    end_of_box,
    moment,
    revert_of_box,
    state_of_box,
    table,
    why_box_waits,
)
from switchgear.surfaces.cli.session import (
    DEFAULT_URL,
    JsonFlag,
    TokenOption,
    UrlOption,
    examples,
)

app = typer.Typer(no_args_is_help=True, help="Look after actions that are reverted when their time is over.")

_PATH = "/v1/time-boxes"

BoxId = Annotated[str, typer.Argument(metavar="TIME-BOX", help="The id of the time-box: that of its intent.")]


@app.command("list", epilog=examples("switchgear time-boxes list", "switchgear time-boxes list --state needs_operator"))
def list_(
    *,
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state, such as open.")] = None,
    limit: LimitOption = 50,
    cursor: CursorOption = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the time-boxes of your tenant, newest first."""
    return get(
        _PATH, draw_time_boxes, url, token, as_json=as_json, query={"state": state, "limit": limit, "cursor": cursor}
    )


@app.command("show", epilog=examples("switchgear time-boxes show int_0190b6…"))
def show(box: BoxId, *, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show one time-box."""
    return get(_path_of(box), draw_time_box, url, token, as_json=as_json)


@app.command("revert", epilog=examples('switchgear time-boxes revert int_0190b6… --reason "a false alarm"'))
def revert(
    box: BoxId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Revert an action now, before its time; or again after a person was called."""
    return post(_path_of(box, "/revert"), {"reason": reason}, draw_time_box, url, token, as_json=as_json)


@app.command("extend", epilog=examples('switchgear time-boxes extend int_0190b6… --by 3600 --reason "still looking"'))
def extend(
    box: BoxId,
    *,
    by: Annotated[float, typer.Option("--by", metavar="SECONDS", help="How much later it is to end, above 0.")],
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Move the end of a time-box, to at most 31 days from now."""
    return post(_path_of(box, "/extend"), {"seconds": by, "reason": reason}, draw_time_box, url, token, as_json=as_json)


@app.command("close", epilog=examples('switchgear time-boxes close int_0190b6… --reason "the account is deleted"'))
def close(
    box: BoxId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """End a time-box without a revert: the action stays."""
    return post(_path_of(box, "/close"), {"reason": reason}, draw_time_box, url, token, as_json=as_json)


def draw_time_boxes(console: Console, page: View) -> None:
    """Print a page of time-boxes; overdue ones and those that need a person stand out."""
    table(console, _COLUMNS, [_row(box) for box in page["items"]], empty="no time-boxes")
    draw_more(console, page)


def draw_time_box(console: Console, box: View) -> None:
    """Print one time-box."""
    console.print(f"{escape(box['id'])}  {state_of_box(box)}", soft_wrap=True)
    console.print(f"  {escape(box['tool'])}, reverted by {escape(box['undo'])}", soft_wrap=True)
    ends = "was to end" if box["begun_early"] else "ends"
    console.print(f"  {ends} {end_of_box(box)}")
    if revert := revert_of_box(box):
        console.print(f"  revert {revert}", soft_wrap=True)
    if why := why_box_waits(box):
        console.print(f"  {why}", soft_wrap=True)


def _row(box: View) -> tuple[str, ...]:
    return (
        escape(box["id"]),
        state_of_box(box),
        escape(box["tool"]),
        moment(box["reverts_at"]),
        why_box_waits(box),
    )


def _path_of(box: str, rest: str = "") -> str:
    return f"{_PATH}/{quote(box, safe='')}{rest}"


_COLUMNS = (
    Column("time-box", whole=True),
    Column("state"),
    Column("tool"),
    Column("ends", whole=True),
    Column("why", spare=True),
)
