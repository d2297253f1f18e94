"""An action that is named by its idempotency key instead of its id, and ids for the shell that goes on with them.

What is done with the action that is found is for the commands to say.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import session

IntentIdOrKey = Annotated[
    str | None,
    typer.Argument(metavar="INTENT", help="The id of an intent, such as int_0190…; or say --tool and --key instead."),
]
KeyToolOption = Annotated[str | None, typer.Option("--tool", help="The tool that --key belongs to.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="The idempotency key that it was submitted with.")]
KeyAccountOption = Annotated[
    str | None,
    typer.Option("--account", help="The account that --key belongs to; the token's own if it has only one."),
]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids and nothing else, one a line.")]

_BOTH = "Name it by its id, or write --tool TOOL --key KEY."


def path_of(intent: str, rest: str = "") -> str:
    """Return where an intent, and the `rest` of it, is found on a server."""
    return f"/v1/intents/{quote(intent, safe='')}{rest}"


def key_query(tool: str | None, key: str | None, account: str | None = None) -> dict[str, Any]:
    """Return what a request says of a key; nothing where none is meant. Raises `CommandFailure` (USAGE) for a half."""
    if tool is None and key is None:
        return {}
    if tool is None or key is None:
        raise failure_of_usage("a key belongs to a tool: --tool and --key go together", advice=_BOTH)
    return {"tool": tool, "key": key, "account": account}


def named(client: Client, intent: str | None, query: dict[str, Any]) -> View:
    """Return the action with the id `intent`, or the one that a `query` of `key_query` finds.

    Raises `CommandFailure`: USAGE for both or neither, NOT_FOUND when there is none.
    """
    if (intent is None) == (not query):
        raise failure_of_usage("which action is meant?", advice=_BOTH)
    if intent is not None:
        return client.get(path_of(intent))
    return client.get("/v1/intents/by-key", query)


def id_named(intent: str | None, query: dict[str, Any], url: str, token: str | None) -> str:
    """Return the id `intent`, or that of the action which a `query` finds; a server is asked for that alone.

    Raises as `named` does.
    """
    if intent is not None and not query:
        return intent
    with session(url, token, as_json=True) as opened:
        return str(named(opened.client, intent, query)["id"])


def draw_ids(console: Console, page: View) -> None:
    """Print the ids of a page, or of one intent, one a line."""
    for intent in page.get("items", (page,)):
        console.print(intent["id"], soft_wrap=True, highlight=False)


def is_quiet(*, quiet: bool, as_json: bool) -> bool:
    """Return whether only ids are wished. Raises `CommandFailure` (USAGE) when a document is wished as well."""
    if quiet and as_json:
        raise failure_of_usage("--quiet prints ids and --json a document", advice="Write one of them.")
    return quiet
