"""The commands `ledger backup|backups|restore|thaw`, and how they are drawn. Restoring is offline: it opens files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.core.errors import Invalid
from switchgear.surfaces.cli.asking import get
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import Column, View, counted, moment, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session
from switchgear.surfaces.cli.typed_times import moment_option

BACKUP_EXAMPLES = examples("switchgear ledger backup", "switchgear ledger backup --json")
LIST_EXAMPLES = examples("switchgear ledger backups")
RESTORE_EXAMPLES = examples("switchgear ledger restore backups/gear-20261121T090000.000000Z.db --into restored.db")
THAW_EXAMPLES = examples(
    'switchgear ledger thaw --since 2026-11-21T09:00:00Z --reason "disk lost, restored from 09:00"'
)

BACKUP_PATIENCE = 1_800.0
"""How many seconds longer than usual a backup or a thaw may take."""


def backup(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Copy the whole store, of all tenants, while it runs, into the folder of backups on the server."""
    with session(url, token, as_json=as_json) as opened:
        with opened.output.busy("copying the store"):
            view = opened.client.post("/v1/ledger/backups", {}, patience=BACKUP_PATIENCE)
        text = f"{view['file']}  {view['bytes']:,} bytes, {counted(len(view['heads']), 'chain')}"
        opened.output.answer(view, lambda console: console.print(escape(text), soft_wrap=True))
    return ExitCode.OK


def list_(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """List the backups in the folder of the server, newest first."""
    return get("/v1/ledger/backups", draw_backups, url, token, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup, with its manifest beside it.")],
    *,
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="Make this new store.")],
    as_json: JsonFlag = False,
) -> int:
    """Make a new store from a backup, offline. It is frozen until `ledger thaw`: what happened since is forgotten."""
    from switchgear.gates.restoring.files import restore as restored

    output = Output(as_json=as_json)
    try:
        with output.busy("checking and copying the backup"):
            mark = restored(file, into)
    except Invalid as error:
        raise failure_of_usage(error.message, advice="See `switchgear ledger backups`.") from error
    document = {"file": str(into), "backup_at": mark.backup_at, "restored_at": mark.restored_at, "sha256": mark.sha256}
    output.answer(document, lambda console: draw_restored(console, document))
    return ExitCode.OK


def thaw(
    *,
    since: Annotated[
        float,
        moment_option("--since", "When the backup was made"),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why. It stays on record.")],
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Let a restored store go on: what may have been executed from TIME on is in doubt."""
    body = {"since": since, "reason": reason}
    with session(url, token, as_json=as_json) as opened:
        with opened.output.busy("naming what is in doubt"):
            view = opened.client.post("/v1/ledger/thaw", body, patience=BACKUP_PATIENCE)
        opened.output.answer(view, lambda console: draw_thawed(console, view))
    return ExitCode.OK


def draw_backups(console: Console, answer: View) -> None:
    """Print a list of backups, and what is to be known beside it."""
    rows = [_row(item) for item in answer["items"]]
    table(console, _COLUMNS, rows, empty=f"no backups in {escape(answer['folder'])}")
    if answer["under_way"]:
        console.print(f"{escape(answer['under_way'])} is being made")
    if answer["frozen"]:
        console.print(
            f"[bold red]this store came from a backup of {moment(answer['restored_from'])} and is frozen[/]: "
            "see `switchgear ledger thaw --help`"
        )


def draw_restored(console: Console, found: View) -> None:
    """Print what a restore made, and what comes next."""
    at = moment(found["backup_at"])
    console.print(f"{escape(found['file'])} is the store as it was at {at}, and frozen", soft_wrap=True)
    console.print(
        "next: start the server on it, compare with the remotes, then\n"
        f'switchgear ledger thaw --since {at} --reason "…"',
        soft_wrap=True,
    )


def draw_thawed(console: Console, found: View) -> None:
    """Print what a thaw came to."""
    console.print(f"the store goes on; {_are(found['in_doubt'], 'action')} in doubt: see `switchgear intents doubts`")
    if found["sagas"] or found["time_boxes"]:
        waiting = (counted(found["sagas"], "saga"), counted(found["time_boxes"], "time-box", plural="time-boxes"))
        console.print(f"waiting for a person: {' and '.join(waiting)}")
    if found["unreadable"]:
        console.print(
            f"[red]{counted(found['unreadable'], 'record')} cannot be read[/]; the log of the server names them"
        )


def _row(item: View) -> tuple[str, ...]:
    if item["problem"]:
        return (escape(item["file"]), "", "", f"[red]{escape(item['problem'])}[/]")
    return (escape(item["file"]), moment(item["created_at"]), f"{item['bytes']:,}", escape(item["sha256"][:12]))


def _are(number: int, noun: str) -> str:
    return f"{counted(number, noun)} {'is' if number == 1 else 'are'}"


_COLUMNS = (
    Column("file", whole=True),
    Column("made", whole=True),
    Column("bytes", whole=True),
    Column("sha256", whole=True),
)
