"""The commands `intents list|show|events|cancel`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import draw_events, draw_intent, draw_intents
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

app = typer.Typer(no_args_is_help=True, help="Look at actions, and cancel them.")

IntentId = Annotated[str, typer.Argument(metavar="INTENT", help="The id of an intent, such as int_0190….")]


@app.command("list", epilog=examples("switchgear intents list --state in_doubt", "switchgear intents list --json"))
def list_(
    *,
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Continue where an earlier list ended.")] = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the actions of your tenant, newest first."""
    with session(url, token, as_json=as_json) as opened:
        page = opened.client.get("/v1/intents", {"state": state, "limit": limit, "cursor": cursor})
        opened.output.answer(page, lambda console: draw_intents(console, page))
    return ExitCode.OK


@app.command("show", epilog=examples("switchgear intents show int_0190b6"))
def show(
    intent: IntentId, *, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None
) -> int:
    """Show one action: its state, outcome, and what it waits for."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.get(_path(intent))
        opened.output.answer(view, lambda console: draw_intent(console, view))
    return ExitCode.OK


@app.command("events", epilog=examples("switchgear intents events int_0190b6"))
def events(
    intent: IntentId,
    *,
    after: Annotated[int, typer.Option("--after", min=0, help="Only entries after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 200,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show everything that the ledger has about one action, in order."""
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.get(_path(intent, "/events"), {"after": after, "limit": limit})
        opened.output.answer(answer, lambda console: draw_events(console, answer["items"]))
        if answer.get("next_after"):
            opened.output.note(f"more: --after {answer['next_after']}")
    return ExitCode.OK


@app.command("cancel", epilog=examples('switchgear intents cancel int_0190b6 --reason "customer withdrew"'))
def cancel(
    intent: IntentId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")],
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Cancel an action that has not left. One that has left only gets the wish on record."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.post(_path(intent, "/cancel"), {"reason": reason})
        opened.output.answer(view, lambda console: draw_intent(console, view))
    return ExitCode.OK


def _path(intent: str, rest: str = "") -> str:
    return f"/v1/intents/{quote(intent, safe='')}{rest}"
