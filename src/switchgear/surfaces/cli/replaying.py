"""The command `intents replay`: verify, resume, or execute again, one action or many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import ReasonOption
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.keys import KeyAccountOption, KeyOption, check_account, id_named, key_query, path_of
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
from switchgear.surfaces.cli.typed_times import length_option, moment_option

EXAMPLES = examples(
    'switchgear intents replay int_0190b6… --mode verify --reason "audit 17"',
    'switchgear intents replay int_0190b6… --mode re-execute --reason "the remote is back"',
    'switchgear intents replay --tool crm.place_order --key order-17 --mode verify --reason "audit 17"',
    'switchgear intents replay --state held --tool crm.place_order --mode resume --reason "key renewed" --rate 5',
)
AT_ONCE = 10
"""How many of many replays one request asks for, so that progress can be shown."""
_BULK_PATIENCE = 60.0
_ENDS: Mapping[str, ExitCode] = {
    "gate": ExitCode.REFUSED,
    "in_doubt": ExitCode.IN_DOUBT,
    "changed_contract": ExitCode.CONFLICT,
    "interrupted": ExitCode.FAILED,
    "error": ExitCode.FAILED,
}
"""Cause of a failed replay -> exit code."""

MaybeIntent = Annotated[
    str | None,
    typer.Argument(metavar="INTENT", help="The id of one, or --tool and --key; or many by --state, --tool, --since."),
]
ModeOption = Annotated[str, typer.Option("--mode", metavar="MODE", help="verify, resume or re-execute.")]


def replay(
    intent: MaybeIntent = None,
    *,
    mode: ModeOption,
    reason: ReasonOption,
    wait: Annotated[float, length_option("--wait", "Wait so long for the end of one", most=60.0)] = 30.0,
    state: Annotated[str | None, typer.Option("--state", help="Many: those in this state.")] = None,
    tool: Annotated[str | None, typer.Option("--tool", help="Many: those of this tool; with --key, one.")] = None,
    key: KeyOption = None,
    account: KeyAccountOption = None,
    since: Annotated[
        float | None,
        moment_option("--since", "Many: those accepted since"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Many: how many at most.")] = 50,
    rate: Annotated[float, typer.Option("--rate", help="Many: how many a second at most.")] = 10.0,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Many: continue where an earlier one ended.")] = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Look at an action again (verify), let it go on (resume), or do again what has no effect now (re-execute).

    Many are replayed one after the other; it stops at the first that becomes in doubt. Where one of them fails, the
    exit code is 1.
    """
    check_account(key, account)
    if key is not None:
        intent, tool = id_named(intent, key_query(tool, key, account), url, token), None
    chosen = {"state": state, "tool": tool, "since": since}
    many = any(value is not None for value in chosen.values())
    if (intent is None) != many:
        raise failure_of_usage("name one intent, or choose many by --state, --tool or --since")
    wish = {"mode": mode, "reason": reason}
    with session(url, token, as_json=as_json) as opened:
        if intent is not None:
            return _replay_one(opened, intent, wish, wait)
        known = {name: value for name, value in chosen.items() if value is not None}
        return _replay_many(opened, {**wish, **known, "rate": rate}, limit, cursor)


def draw_replay(console: Console, view: View) -> None:
    """Print a replay and its intent."""
    console.print(f"[bold]{escape(view['mode'])}[/]  {_ended(view)}", soft_wrap=True)
    draw_intent(console, view["intent"])


def draw_items(console: Console, answer: View) -> None:
    """Print how each of many replays ended, and why they stopped."""
    for item in answer["items"]:
        console.print(f"  {escape(item['id'])}  {_ended(item)}", soft_wrap=True)
    if answer["stopped"] == "in_doubt":
        console.print("stopped: the last one is in doubt; find out what became of it before going on")
    draw_more(console, answer)


def _replay_one(opened: Session, intent: str, wish: Mapping[str, Any], wait: float) -> int:
    headers = {"Prefer": f"wait={math.ceil(wait)}"} if wait else {}  # a server waits whole seconds
    view = opened.client.post(path_of(intent, "/replay"), wish, headers=headers, patience=math.ceil(wait))
    opened.output.answer(view, lambda console: draw_replay(console, view))
    return _ENDS.get(view["cause"] or "", ExitCode.OK)


def _replay_many(opened: Session, wish: Mapping[str, Any], limit: int, cursor: str | None) -> int:
    """Ask for some at a time, and show how far it is after each answer."""
    done: list[View] = []
    answer: View = {"items": [], "stopped": None, "next_cursor": cursor}
    while True:
        more = {**wish, "limit": min(AT_ONCE, limit - len(done))}
        if answer["next_cursor"]:
            more["cursor"] = answer["next_cursor"]
        answer = opened.client.post("/v1/replays", more, patience=_BULK_PATIENCE)
        done += answer["items"]
        if answer["next_cursor"] is None or answer["stopped"] is not None or len(done) >= limit:
            break
        opened.output.note(f"{len(done)} of at most {limit}")
    whole = {**answer, "items": done}
    opened.output.answer(whole, lambda console: draw_items(console, whole))
    return _code_of_many(whole)


def _code_of_many(answer: View) -> int:
    if answer["stopped"] == "in_doubt":
        return ExitCode.IN_DOUBT
    if answer["stopped"] is not None:
        return ExitCode.TRY_LATER
    failed = any(item["cause"] or item["error"] for item in answer["items"])
    return ExitCode.FAILED if failed else ExitCode.OK


def _ended(view: View) -> str:
    if view["result"]:
        return f"[green]{escape(view['result'])}[/]"
    words = " ".join(escape(str(view[name])) for name in ("refusal", "detail") if view[name])
    failed = view["cause"] or view.get("error")
    return f"[red]{escape(failed)}[/] {words}" if failed else "[cyan]under way[/]"
