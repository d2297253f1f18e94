"""The commands `sagas submit|list|show|events|cancel|resume`, and how sagas are drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import FACTS, Code, ExitCode
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
from switchgear.surfaces.cli.failures import failure_of_interrupt, failure_of_usage
from switchgear.surfaces.cli.rendering import Column, View, draw_events, draw_more, moment, styled, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session
from switchgear.surfaces.cli.submitting import AccountOption
from switchgear.surfaces.cli.typed_json import json_of
from switchgear.surfaces.cli.typed_times import length_option
from switchgear.surfaces.cli.waiting import WAIT_MAX, Awaited, until_settled

app = typer.Typer(no_args_is_help=True, help="Have several actions done, or all of them undone.")

_PATH = "/v1/sagas"
_NOT_ANSWERED = "interrupted before the server answered; see: switchgear sagas list"
_SHAPE = 'a list of steps, such as [{"tool": "crm.reserve", "arguments": {"item": "7"}}]'
_FILE_ADVICE = f"Name a JSON file that holds {_SHAPE}, or - for the input."

WaitForEndOption = Annotated[
    float, length_option("--wait", "Wait so long until it is at its end or stuck", most=WAIT_MAX)
]
SagaId = Annotated[str, typer.Argument(metavar="SAGA", help="The id of a saga, such as sga_0190….")]


@app.command(
    "submit",
    epilog=examples(
        "switchgear sagas submit order.json --key order-17",
        "switchgear sagas submit order.json --key order-17 --wait 30 --json",
    ),
)
def submit(
    steps: Annotated[str, typer.Argument(metavar="FILE", help="A JSON file with a list of steps; - reads input.")],
    *,
    key: Annotated[str, typer.Option("--key", help="Idempotency key: the same for every repeat of this one saga.")],
    account: AccountOption = None,
    wait: WaitForEndOption = 0.0,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Submit steps that are all done, in order, or all undone. The saga is recorded before this returns.

    Ctrl-C while waiting does not stop it.
    """
    body: dict[str, Any] = {"steps": steps_of(steps)} | ({} if account is None else {"account": account})
    with session(url, token, as_json=as_json) as opened:
        until = SYSTEM_CLOCK.monotonic() + wait
        try:
            saga: View = opened.client.post(_PATH, body, headers={"Idempotency-Key": json.dumps(key)})
        except KeyboardInterrupt:
            raise failure_of_interrupt(_NOT_ANSWERED) from None
        saga = until_settled(opened, saga, until, kind=SAGA) if wait else saga
        opened.output.answer(saga, lambda console: draw_saga(console, saga))
    return exit_code_of_saga(saga, waited=wait > 0)


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


@app.command(
    "show", epilog=examples("switchgear sagas show sga_0190b6…", "switchgear sagas show sga_0190b6… --wait 60")
)
def show(
    saga: SagaId,
    *,
    wait: WaitForEndOption = 0.0,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show one saga: how far each step is, and what it is stuck at. With --wait it ends as `sagas submit --wait` does.

    Each step names the action that does it, and below it what undoes it and what came to nothing before.
    """
    until = SYSTEM_CLOCK.monotonic() + wait
    with session(url, token, as_json=as_json) as opened:
        view: View = opened.client.get(_path_of(saga))
        view = until_settled(opened, view, until, kind=SAGA) if wait else view
        opened.output.answer(view, lambda console: draw_saga(console, view))
    return exit_code_of_saga(view, waited=True) if wait else ExitCode.OK


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


def saga_is_settled(saga: View) -> bool:
    """Return whether waiting is of no use: it is at its end, or stuck until a person says something."""
    return bool(saga["final"] or saga["stuck"])


def _path_of(saga: str, rest: str = "") -> str:
    return f"{_PATH}/{quote(saga, safe='')}{rest}"


SAGA = Awaited("saga", _path_of, saga_is_settled)


def steps_of(file: str) -> list[Any]:
    """Return the steps in a JSON file, or in the input for ``-``. Raises `CommandFailure` (USAGE) when it has none."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise failure_of_usage(f"{file} cannot be read: {why}", advice=_FILE_ADVICE) from error
    try:
        steps = json_of(text)
    except ValueError as error:
        raise failure_of_usage(f"{file} is not JSON: {error}", advice=_FILE_ADVICE) from error
    if not isinstance(steps, list):
        raise failure_of_usage(f"{file}: a saga is {_SHAPE}")
    return steps


def exit_code_of_saga(saga: View, *, waited: bool) -> int:
    """Return the exit code of a saga as it stands; that it is not at its end counts only when somebody waited.

    One that was undone ends with that of its reason; one that is stuck with that of what it is stuck at, and with
    IN_DOUBT where an action is in doubt.
    """
    stuck = saga["stuck"]
    if saga["state"] == "completed":
        return ExitCode.OK
    if stuck and stuck["intent"]:
        return ExitCode.IN_DOUBT
    if stuck or saga["final"]:
        code = (stuck or saga)["code"]
        return FACTS[Code(code)].exit_code if code else ExitCode.FAILED
    return ExitCode.TIMEOUT if waited else ExitCode.OK


def draw_saga(console: Console, saga: View) -> None:
    """Print one saga: its state, each step, and what it is stuck at."""
    again = " [dim](answered from the record of the first request)[/]" if saga.get("replayed") else ""
    console.print(f"[bold]{escape(saga['id'])}[/]  {_styled(saga['state'])}{again}")
    for name, value in _rows(saga):
        if value:
            console.print(f"  [dim]{name:>10}[/]  {value}", soft_wrap=True)
    table(console, _STEPS, [row for step in saga["steps"] for row in _step_rows(step)], empty="no steps")


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
        ("updated", moment(saga["updated_at"])),
    ]


def _advice(saga: View) -> str:
    stuck = saga["stuck"]
    if not stuck:
        return ""
    if stuck["intent"]:
        return f"switchgear intents resolve {escape(stuck['intent'])} …"
    return f"switchgear sagas resume {escape(saga['id'])} --how retry|done --reason …"


def _step_rows(step: View) -> Iterator[tuple[str, ...]]:
    """Yield the row of a step, and below it one for what undoes it and one for each action that came to nothing."""
    name = f"{step['name']} (pivot)" if step["pivot"] else step["name"]
    tool, phase, code = escape(step["tool"]), _styled(step["phase"]), escape(step["code"] or "")
    yield (escape(name), tool, phase, escape(step["intent"] or ""), code)
    if step["compensation"]:
        yield ("  undone by", escape(step["compensate"] or ""), "", escape(step["compensation"]), "")
    for earlier in step["earlier"]:
        yield ("  before that", "", "", f"[dim]{escape(earlier)}[/]", "")


def _styled(state: str) -> str:
    return styled(state) if state not in _STYLES else f"[{_STYLES[state]}]{escape(state)}[/]"


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
    Column("updated", whole=True, spare=True),
)
