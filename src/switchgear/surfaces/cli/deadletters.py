"""The commands `deadletters list|show|requeue|discard`: what failed or was given up, and waits for a decision."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import ReasonOption, get, post
from switchgear.surfaces.cli.belongings import Rows
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.intents import draw_intent, draw_intents
from switchgear.surfaces.cli.keys import (
    IntentId,
    KeyAccountOption,
    KeyOption,
    by_key,
    check_account,
    id_named,
    key_query,
    path_of,
)
from switchgear.surfaces.cli.rendering import View, draw_more
from switchgear.surfaces.cli.session import (
    DEFAULT_URL,
    JsonFlag,
    Session,
    TokenOption,
    UrlOption,
    examples,
    session,
)

app = typer.Typer(no_args_is_help=True, help="Look after actions that failed or were given up.")

_PATH = "/v1/dead-letters"

ToolOption = Annotated[str | None, typer.Option("--tool", help="Only those of this tool.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many are looked at.")]
CursorOption = Annotated[str | None, typer.Option("--cursor", help="Continue where an earlier answer ended.")]
MaybeIntent = Annotated[
    str | None, typer.Argument(metavar="INTENT", help="The id of one; or say --tool and --key, or --all.")
]


@app.command(
    "list", epilog=examples("switchgear deadletters list", "switchgear deadletters list --tool crm.place_order")
)
def list_(
    *,
    tool: ToolOption = None,
    limit: LimitOption = 50,
    cursor: CursorOption = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the dead letters of your tenant, newest first."""
    return get(_PATH, draw_letters, url, token, as_json=as_json, query={"tool": tool, "limit": limit, "cursor": cursor})


@app.command(
    "show",
    epilog=examples(
        "switchgear deadletters show int_0190b6…",
        "switchgear deadletters show --tool crm.place_order --key order-17",
    ),
)
@by_key()
def show(
    intent: IntentId, *, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None
) -> int:
    """Show one: why it ended, as `intents show` does, and what may be done about it. Needs `intents:read`."""
    return get(path_of(intent), draw_letter, url, token, as_json=as_json)


@app.command(
    "requeue",
    epilog=examples(
        "switchgear deadletters requeue int_0190b6…",
        "switchgear deadletters requeue --tool crm.place_order --key order-17",
        "switchgear deadletters requeue --all --tool crm.place_order --limit 200 --per-second 5",
    ),
)
def requeue(
    intent: MaybeIntent = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them, newest first, up to --limit.")] = False,
    tool: Annotated[str | None, typer.Option("--tool", help="With --all or --key: of this tool.")] = None,
    key: KeyOption = None,
    account: KeyAccountOption = None,
    limit: LimitOption = 50,
    cursor: CursorOption = None,
    per_second: Annotated[
        float, typer.Option("--per-second", help="With --all: how many start in a second at most.")
    ] = 10.0,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Let one run again, or many at a bounded rate: with the same keys, fresh attempts and fresh time.

    Where one of many stays a dead letter, the exit code is 1, and each that stays is named with its reason.
    """
    check_account(key, account)
    if key is not None and not every:
        intent = id_named(intent, key_query(tool, key, account), url, token)
    if (intent is None) != every or (every and key is not None):
        raise failure_of_usage("name one dead letter, or say --all", advice="See: switchgear deadletters list")
    with session(url, token, as_json=as_json) as opened:
        if intent is not None:
            return _requeue_one(opened, intent)
        return _requeue_all(opened, {"tool": tool, "limit": limit, "cursor": cursor, "per_second": per_second})


@app.command(
    "discard",
    epilog=examples(
        'switchgear deadletters discard int_0190b6… --reason "the order was withdrawn"',
        'switchgear deadletters discard --tool crm.place_order --key order-17 --reason "the order was withdrawn"',
    ),
)
@by_key()
def discard(
    intent: IntentId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Put one away for good."""
    return post(_path_of(intent, "discard"), {"reason": reason}, draw_intent, url, token, as_json=as_json)


def draw_letters(console: Console, page: View) -> None:
    """Print a page of dead letters."""
    draw_intents(console, page, empty="no dead letters")


def draw_letter(console: Console, intent: View) -> None:
    """Print a dead letter, where its history is, and what may be done about it; or that it is none."""
    draw_intent(console, intent)
    if intent["state"] != "dead_lettered":
        console.print(f"[dim]it is no dead letter: {escape(intent['state'])}[/]", soft_wrap=True)
        return
    for name, value in _what_next(escape(intent["id"]), abandoned=intent["ended"] == "abandoned"):
        console.print(f"  [dim]{name:>10}[/]  {value}", soft_wrap=True)


def draw_requeued(console: Console, answer: View) -> None:
    """Print what a bulk requeue did."""
    console.print(f"{len(answer['requeued'])} run again, {len(answer['refused'])} stay")
    for letter in answer["refused"]:
        console.print(f"  {escape(letter['id'])}  {escape(letter['message'])}", soft_wrap=True)
    draw_more(console, answer)


def _what_next(letter: str, *, abandoned: bool) -> Rows:
    """Yield what may be done about a dead letter: what was abandoned may have happened, and never runs again."""
    yield ("history", f"switchgear intents events {letter}")
    if not abandoned:
        yield ("next", f"switchgear deadletters requeue {letter}: it runs again, with its key")
    yield ("next", f"switchgear deadletters discard {letter} --reason TEXT: it is put away for good")


def _requeue_one(opened: Session, intent: str) -> int:
    view = opened.client.post(_path_of(intent, "requeue"), {})
    opened.output.answer(view, lambda console: draw_intent(console, view))
    return ExitCode.OK


def _requeue_all(opened: Session, wish: View) -> int:
    known = {name: value for name, value in wish.items() if value is not None}
    answer = opened.client.post(f"{_PATH}/requeue", known)
    opened.output.answer(answer, lambda console: draw_requeued(console, answer))
    return ExitCode.FAILED if answer["refused"] else ExitCode.OK


def _path_of(intent: str, rest: str) -> str:
    return f"{_PATH}/{quote(intent, safe='')}/{rest}"
