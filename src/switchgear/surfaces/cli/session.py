"""Address and token of one command, found in the order option, environment, file of this folder; and its output.

The options are declared once here, so every command has the same ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from switchgear.surfaces.cli.address import URL_VARIABLE, USUAL_URL, is_loopback, usual_address
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.output import Output, console_on

DEFAULT_URL = USUAL_URL
"""What a command with a `UrlOption` has when nobody named an address: then it is looked for."""
TOKEN_FILE = Path("switchgear.token")


def _found(context: typer.Context, url: str) -> str:
    """Return the address that was named, else where `up` serves in this folder; a note says what is wrong with that."""
    source = context.get_parameter_source("url")
    if source is None or source.name != "DEFAULT":
        return url
    found = usual_address(os.environ)
    if found.note:
        console_on(stderr=True).print(f"[yellow]note[/] {escape(found.note)}", soft_wrap=True)
    return found.url


JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        envvar=URL_VARIABLE,
        callback=_found,
        help="Address of the server; else `server.host` and `server.port` of ./switchgear.toml, as `up` reads them.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SWITCHGEAR_TOKEN",
        show_envvar=True,
        help="Bearer token; else what `token --save` wrote in this folder, for a server on loopback.",
    ),
]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command that asks the server needs."""

    client: Client
    output: Output


@contextmanager
def session(url: str, token: str | None, *, as_json: bool) -> Iterator[Session]:
    """Open a client for `url`, with the given or the saved token."""
    with Client(url, token or saved_token(url)) as client:
        yield Session(client, Output(as_json=as_json))


def saved_token(url: str, file: Path = TOKEN_FILE) -> str | None:
    """Return the saved development token, or None. It is never sent anywhere but to loopback."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # no address at all, which the client says
        return None
    if not is_loopback(host) or not file.is_file():
        return None
    return file.read_text(encoding="ascii", errors="replace").strip() or None


def save_token(token: str, file: Path = TOKEN_FILE) -> None:
    """Write `token` to `file`, readable by its owner only."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write(token + "\n")


def confirmed(question: str, *, advice: str) -> bool:
    """Ask a person on the terminal, and return the answer.

    Raises `CommandFailure` (USAGE) with `advice` where the input is closed, so that nobody can answer.
    """
    try:
        if sys.stdin is not None:
            return typer.confirm(question, err=True)
    except typer.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
    typer.echo(err=True)
    raise failure_of_usage("nobody can be asked: the input is closed", advice=advice)


def examples(*lines: str) -> str:
    """Return the examples of a command, as its help shows them."""
    return "Examples:\n\n" + "\n\n".join(f"$ {line}" for line in lines)
