"""The commands `time-boxes list|show|events|revert|extend|close`: actions that last for a time only."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.surfaces.cli.asking import (
    AfterOption,
    CursorOption,
    LimitOption,
    ReasonOption,
    get,
    get_entries,
    post,
)
from switchgear.surfaces.cli.keys import by_key
from switchgear.surfaces.cli.rendering import (
    Column,
    View,
    captured_of_box,
    changes_of_box,
    draw_events,
    draw_more,
    end_of_box,
    is_cut_short,
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
from switchgear.surfaces.cli.typed_times import length_option

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


def _id_of_box(intent: View) -> str:
    """Return the id of the time-box of an action. Without one it is the action's own: the server says what that is."""
    return str((intent["time_box"] or intent)["id"])


_boxed_by_key = by_key(id_of=_id_of_box)


@app.command(
    "show",
    epilog=examples(
        "switchgear time-boxes show int_0190b6…", "switchgear time-boxes show --tool idp.deactivate --key incident-42"
    ),
)
@_boxed_by_key
def show(box: BoxId, *, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show one time-box: until when, what reverts it and how that went, who ended or extended it and why."""
    return get(_path_of(box), draw_time_box, url, token, as_json=as_json)


@app.command(
    "events",
    epilog=examples(
        "switchgear time-boxes events int_0190b6…",
        "switchgear time-boxes events --tool idp.deactivate --key incident-42",
    ),
)
@_boxed_by_key
def events(
    box: BoxId,
    *,
    after: AfterOption = 0,
    limit: LimitOption = 200,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show everything that the ledger has about one time-box, in order; its action and its revert have their own."""
    query = {"after": after, "limit": limit}
    return get_entries(_path_of(box, "/events"), draw_events, url, token, as_json=as_json, query=query)


@app.command("revert", epilog=examples('switchgear time-boxes revert int_0190b6… --reason "a false alarm"'))
@_boxed_by_key
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
@_boxed_by_key
def extend(
    box: BoxId,
    *,
    seconds: Annotated[
        float,
        length_option("--by", "How much later it is to end, above 0"),
    ],
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Move the end of a time-box, to at most 31 days from now."""
    body = {"seconds": seconds, "reason": reason}
    return post(_path_of(box, "/extend"), body, draw_time_box, url, token, as_json=as_json)


@app.command("close", epilog=examples('switchgear time-boxes close int_0190b6… --reason "the account is deleted"'))
@_boxed_by_key
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
    ends = "was to end" if is_cut_short(box) else "ends"
    console.print(f"  {ends} {end_of_box(box)}")
    for name, value in (*captured_of_box(box), *changes_of_box(box)):
        console.print(f"  {name} {value}", soft_wrap=True)
    if revert := revert_of_box(box):
        console.print(f"  revert {revert}", soft_wrap=True)
    if why := why_box_waits(box):
        console.print(f"  {why}", soft_wrap=True)
    if box["state"] == "needs_operator" and box["revert_state"] in _FAILED:
        for command, effect in _A_PERSON_MAY:
            console.print(f"  next {command} {escape(box['id'])} --reason TEXT: {effect}", soft_wrap=True)


def _row(box: View) -> tuple[str, ...]:
    return (
        escape(box["id"]),
        state_of_box(box),
        escape(box["tool"]),
        ("was " if is_cut_short(box) else "") + moment(box["reverts_at"]),
        why_box_waits(box),
    )


def _path_of(box: str, rest: str = "") -> str:
    return f"{_PATH}/{quote(box, safe='')}{rest}"


_FAILED = ("failed", "dead_lettered", "cancelled")
_A_PERSON_MAY = (
    ("switchgear time-boxes revert", "it is tried again"),
    ("switchgear time-boxes close", "the action stays"),
)
_COLUMNS = (
    Column("time-box", whole=True),
    Column("state"),
    Column("tool"),
    Column("ends", whole=True),
    Column("why", spare=True),
)
