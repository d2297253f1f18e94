"""The commands `sagas submit|list|show|events|cancel|resume`, and how sagas are drawn."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import (
    AfterOption,
    CursorOption,
    LimitOption,
    ReasonOption,
    StateOption,
    get,
    get_entries,
    post,
)
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.rendering import Column, View, draw_events, draw_more, moment, styled, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

app = typer.Typer(no_args_is_help=True, help="Have several actions done, or all of them undone.")

_PATH = "/v1/sagas"
_SHAPE = 'a list of steps, such as [{"tool": "crm.reserve", "arguments": {"item": "7"}}]'

SagaId = Annotated[str, typer.Argument(metavar="SAGA", help="The id of a saga, such as sga_0190….")]


@app.command("submit", epilog=examples("switchgear sagas submit order.json --key order-17"))
def submit(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON file with a list of steps; - reads input.")],
    *,
    key: Annotated[str, typer.Option("--key", help="Idempotency key: the same for every repeat of this one saga.")],
    account: Annotated[str, typer.Option("--account", help="The account of the tenant to act for.")] = "main",
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Submit steps that are all done, in order, or all undone. The saga is recorded before this returns."""
    body = {"steps": steps_of(file), "account": account}
    with session(url, token, as_json=as_json) as opened:
        saga = opened.client.post(_PATH, body, headers={"Idempotency-Key": json.dumps(key)})
        opened.output.answer(saga, lambda console: draw_saga(console, saga))
    return ExitCode.OK


@app.command("list", epilog=examples("switchgear sagas list --state stuck", "switchgear sagas list --json"))
def list_(
    *,
    state: StateOption = None,
    limit: LimitOption = 50,
    cursor: CursorOption = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the sagas of your tenant, newest first."""
    return get(_PATH, draw_sagas, url, token, as_json=as_json, query={"state": state, "limit": limit, "cursor": cursor})


@app.command("show", epilog=examples("switchgear sagas show sga_0190b6…"))
def show(saga: SagaId, *, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show one saga: how far each step is, and what it is stuck at."""
    return get(_path_of(saga), draw_saga, url, token, as_json=as_json)


@app.command("events", epilog=examples("switchgear sagas events sga_0190b6…"))
def events(
    saga: SagaId,
    *,
    after: AfterOption = 0,
    limit: LimitOption = 200,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show everything that the ledger has about one saga, in order; its intents have entries of their own."""
    query = {"after": after, "limit": limit}
    return get_entries(_path_of(saga, "/events"), draw_events, url, token, as_json=as_json, query=query)


@app.command("cancel", epilog=examples('switchgear sagas cancel sga_0190b6… --reason "customer withdrew"'))
def cancel(
    saga: SagaId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Begin no further step, and undo what succeeded."""
    return post(_path_of(saga, "/cancel"), {"reason": reason}, draw_saga, url, token, as_json=as_json)


@app.command(
    "resume",
    epilog=examples(
        'switchgear sagas resume sga_0190b6… --how retry --reason "the booking service is back"',
        'switchgear sagas resume sga_0190b6… --how done --reason "refunded by hand, ticket 4711"',
    ),
)
def resume(
    saga: SagaId,
    *,
    how: Annotated[str, typer.Option("--how", help="retry: run what is missing again. done: it was done by hand.")],
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Let a stuck saga go on."""
    return post(_path_of(saga, "/resume"), {"how": how, "reason": reason}, draw_saga, url, token, as_json=as_json)


def steps_of(file: str) -> list[Any]:
    """Return the steps in a JSON file, or in the input for ``-``. Raises `CommandFailure` (USAGE) when it has none."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        steps = json.loads(text)
    except (OSError, ValueError) as error:
        raise failure_of_usage(f"{file}: {error}") from error
    if not isinstance(steps, list):
        raise failure_of_usage(f"{file}: a saga is {_SHAPE}")
    return steps


def draw_saga(console: Console, saga: View) -> None:
    """Print one saga: its state, each step, and what it is stuck at."""
    again = " [dim](answered from the record of the first request)[/]" if saga.get("replayed") else ""
    console.print(f"[bold]{escape(saga['id'])}[/]  {_styled(saga['state'])}{again}")
    for name, value in _rows(saga):
        if value:
            console.print(f"  [dim]{name:>10}[/]  {value}", soft_wrap=True)
    table(console, _STEPS, [_step_row(step) for step in saga["steps"]], empty="no steps")


def draw_sagas(console: Console, page: View) -> None:
    """Print a page of sagas."""
    rows = [
        (
            escape(item["id"]),
            _styled(item["state"]),
            escape(item["key"]),
            escape((item["stuck"] or item)["code"] or ""),
            moment(item["updated_at"]),
        )
        for item in page["items"]
    ]
    table(console, _SAGAS, rows, empty="no sagas")
    draw_more(console, page)


def _rows(saga: View) -> list[tuple[str, str]]:
    stuck = saga["stuck"]
    reason = " ".join(escape(str(saga[name])) for name in ("code", "message") if saga[name])
    return [
        ("key", escape(saga["key"])),
        ("by", f"{escape(saga['actor'])} in {escape(saga['account'])}"),
        ("undone for", reason),
        ("stuck at", f"{escape(stuck['step'])}: {escape(stuck['code'])} {escape(stuck['message'])}" if stuck else ""),
        ("next", _advice(saga)),
        ("updated", f"{moment(saga['updated_at'])} UTC"),
    ]


def _advice(saga: View) -> str:
    stuck = saga["stuck"]
    if not stuck:
        return ""
    if stuck["intent"]:
        return f"switchgear intents resolve {escape(stuck['intent'])} …"
    return f"switchgear sagas resume {escape(saga['id'])} --how retry|done --reason …"


def _step_row(step: View) -> tuple[str, ...]:
    name = f"{step['name']} (pivot)" if step["pivot"] else step["name"]
    return (
        escape(name),
        escape(step["tool"]),
        _styled(step["phase"]),
        escape(step["compensation"] or step["intent"] or ""),
        escape(step["code"] or ""),
    )


def _styled(state: str) -> str:
    return styled(state) if state not in _STYLES else f"[{_STYLES[state]}]{escape(state)}[/]"


def _path_of(saga: str, rest: str = "") -> str:
    return f"{_PATH}/{quote(saga, safe='')}{rest}"


_STYLES = {
    "completed": "green",
    "applied": "green",
    "running": "cyan",
    "compensating": "yellow",
    "compensated": "yellow",
    "stuck": "bold magenta",
    "unknown": "bold magenta",
    "not_applied": "red",
    "compensation_failed": "bold red",
    "compensation_unknown": "bold magenta",
}
_STEPS = (
    Column("step"),
    Column("tool"),
    Column("phase", whole=True),
    Column("intent", whole=True),
    Column("code"),
)
_SAGAS = (
    Column("saga", whole=True),
    Column("state", whole=True),
    Column("key"),
    Column("code"),
    Column("updated (UTC)", whole=True, spare=True),
)
