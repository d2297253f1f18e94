"""The command `ledger rebuild`: rebuilds the rows of a store from its ledger, into a new file. No server is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.core.errors import Invalid, OptionError
from switchgear.surfaces.cli.address import CONFIGURATION_FILE
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.output import Output, Tell
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.serving import ConfigOption, loaded
from switchgear.surfaces.cli.session import JsonFlag, examples

EXAMPLES = examples(
    "switchgear ledger rebuild --into rebuilt.db",
    "switchgear ledger rebuild backup.db --into rebuilt.db --json",
)
_SHOWN_MAX = 20
_EVERY = 100_000
_OFTEN = 1_000


def rebuild(
    store: Annotated[
        Path | None, typer.Argument(metavar="STORE", help="The file of a store; the configured one if not given.")
    ] = None,
    *,
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="Write to this new file.")],
    config: ConfigOption = CONFIGURATION_FILE,
    as_json: JsonFlag = False,
) -> int:
    """Rebuild the state of a store from its ledger into a new file, and compare.

    The store is only read, as it is at this moment. The new file is a whole store: the entries as they are, and rows
    that are what the entries say. A record that is damaged is named with its code and never stops the rest. Exit code
    10 when something differs.
    """
    from switchgear.execution import rebuild as rebuilding
    from switchgear.storage.sqlite.offline import NewFile, StoreFile

    file = _named(store) if store is not None else _configured(config)
    output = Output(as_json=as_json)

    try:
        with output.busy(f"rebuilding {file}") as tell, StoreFile(file) as source, NewFile(into) as target:
            found = rebuilding.rebuild(source, target, _teller(output, tell))
    except Invalid as error:
        raise failure_of_usage(error.message, advice="Name a new file with --into.") from error
    document = {"file": str(into), "store": str(file), "ok": found.ok, **asdict(found)}
    output.answer(document, lambda console: draw_rebuilt(console, document))
    return ExitCode.OK if found.ok else ExitCode.VERIFY_FAILED


def _teller(output: Output, tell: Tell) -> Callable[[str, int], None]:
    """Return what says how far a rebuild is: often on a terminal, and now and then where its lines are kept."""

    def told(tenant: str, entries: int) -> None:
        if entries % _OFTEN == 0:
            tell(f"{tenant}: {entries:,} entries")
        if entries % _EVERY == 0:
            output.note(f"{tenant}: {entries} entries")

    return told


def draw_rebuilt(console: Console, found: View) -> None:
    """Print what a rebuild found."""
    verdict = "[green]the store is what its ledger says[/]" if found["ok"] else "[bold red]the store differs[/]"
    console.print(verdict)
    console.print(f"  {found['entries']} entries, {found['rows']} rows, {found['tenants']} tenants")
    console.print(f"  [dim]rebuilt[/]  {found['rebuilt_hash']}", soft_wrap=True)
    console.print(f"  [dim] stored[/]  {found['stored_hash']}", soft_wrap=True)
    for problem in found["problems"][:_SHOWN_MAX]:
        console.print(f"  {_words(problem)}", soft_wrap=True)
    if found["different"] > _SHOWN_MAX:
        console.print(f"  {found['different']} findings in all; --json lists the first 1000")
    if found["archived"]:
        console.print(f"  {found['archived']} rows are kept as they were stored: their events are archived")
    console.print(f"  in {escape(found['file'])}", soft_wrap=True)


def _words(problem: dict[str, Any]) -> str:
    return escape(f"{problem['code']} {problem['tenant']}, {problem['what']}: {problem['message']}")


def _named(store: Path) -> Path:
    """Return the file of a store that was named. Raises `CommandFailure` (USAGE) when it is none."""
    if not store.is_file():
        raise failure_of_usage(f"there is no file {str(store)!r}", advice="Name the file of a store.")
    return store


def _configured(config: Path) -> Path:
    from switchgear.storage.sqlite.store import path_of

    url = loaded(config).store.url
    if not url.startswith("sqlite:"):
        raise failure_of_usage(f"the store of {config} is no file", advice="Name the file of a store.")
    try:
        return path_of(url)
    except OptionError as error:
        raise failure_of_usage(error.message) from error
