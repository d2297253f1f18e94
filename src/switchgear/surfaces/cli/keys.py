"""An action that is named by its idempotency key instead of its id, and ids for the shell that goes on with them.

What is done with the action that is found is for the commands to say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import session

IntentId = Annotated[str, typer.Argument(metavar="INTENT", help="The id of an intent, such as int_0190….")]
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
    check_account(key, account)
    if tool is None and key is None:
        return {}
    if tool is None or key is None:
        raise failure_of_usage("a key belongs to a tool: --tool and --key go together", advice=_BOTH)
    return {"tool": tool, "key": key, "account": account}


def check_account(key: str | None, account: str | None) -> None:
    """Raise `CommandFailure` (USAGE) for an account without a key: it would choose nothing, and seem to."""
    if key is None and account is not None:
        raise failure_of_usage("--account says whose --key is meant, and chooses nothing else", advice=_BOTH)


def _own_id(view: View) -> str:
    return str(view["id"])


def id_named(
    intent: str | None, query: dict[str, Any], url: str, token: str | None, *, id_of: Callable[[View], str] = _own_id
) -> str:
    """Return the id `intent`, or what `id_of` says of the action that a `query` finds: only for that a server is asked.

    Raises `CommandFailure`: USAGE for both or neither, NOT_FOUND when there is none.
    """
    if (intent is None) == (not query):
        raise failure_of_usage("which action is meant?", advice=_BOTH)
    if intent is not None:
        return intent
    with session(url, token, as_json=True) as opened:
        return id_of(opened.client.get("/v1/intents/by-key", query))


Command = Callable[..., int]
"""Does what one command says, with the words of its line by name, and returns its exit code."""


def by_key(*, id_of: Callable[[View], str] = _own_id) -> Callable[[Command], Command]:
    """Return what lets a command that takes an id first take --tool, --key and --account in its place.

    `id_of` says of the action that is found which id the command wants: by default its own. The command has the options
    --url and --token. One that is called with neither an id nor a key, or with both, fails with USAGE.
    """

    def made(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        first, *others = signature.parameters.values()

        def named_by_key(**words: Any) -> int:
            query = key_query(*(words.pop(option.name) for option in _KEY_OPTIONS))
            found = id_named(words.pop(first.name), query, words["url"], words["token"], id_of=id_of)
            return command(found, **words)

        maybe = first.replace(annotation=_or_key(first.annotation), default=None)
        return _shown_as(command, named_by_key, signature.replace(parameters=[maybe, *_KEY_OPTIONS, *others]))

    return made


def _or_key(annotation: Any) -> Any:  # noqa: ANN401 - an annotation is what one has written
    """Return what is said of an argument that names something by its id, for one that may be left out."""
    argument = copy(annotation.__metadata__[0])
    argument.help = f"{argument.help.rstrip('.')}; or say --tool and --key instead."
    return Annotated[str | None, argument]


def _shown_as(command: Command, named_by_key: Command, signature: inspect.Signature) -> Command:
    """Return `named_by_key` with the name and the words of `command`, and a `signature` that says what it takes."""
    named_by_key.__name__, named_by_key.__doc__ = command.__name__, command.__doc__
    named_by_key.__module__ = command.__module__
    named_by_key.__signature__ = signature  # type: ignore[attr-defined] # what inspect looks at first
    named_by_key.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    return named_by_key


_KEY_OPTIONS = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("tool", None, KeyToolOption),
        ("key", None, KeyOption),
        ("account", None, KeyAccountOption),
    )
)
"""What every command takes that finds an action by its key."""


def draw_ids(console: Console, page: View) -> None:
    """Print the ids of a page, or of one intent, one a line."""
    for intent in page.get("items", (page,)):
        console.print(intent["id"], soft_wrap=True, highlight=False)


def is_quiet(*, quiet: bool, as_json: bool) -> bool:
    """Return whether only ids are wished. Raises `CommandFailure` (USAGE) when a document is wished as well."""
    if quiet and as_json:
        raise failure_of_usage("--quiet prints ids and --json a document", advice="Write one of them.")
    return quiet
