"""The commands `ledger head|list|verify|export`.

Verifying an export is offline: it opens that file and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from switchgear.core.codes import ExitCode
from switchgear.ledger.verify import verify_export
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import draw_entries, draw_verification
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

app = typer.Typer(no_args_is_help=True, help="Read, export and verify the record of everything that was done.")


@app.command("head", epilog=examples("switchgear ledger head --json"))
def head(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show the end of your tenant's chain: note it down, and nothing before it can be changed unseen."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.get("/v1/ledger/head")
        opened.output.answer(view, lambda console: console.print(f"{view['seq']} {view['hash']}", soft_wrap=True))
    return ExitCode.OK


@app.command("list", epilog=examples("switchgear ledger list", "switchgear ledger list --after 1200 --limit 100"))
def list_(
    *,
    after: Annotated[int, typer.Option("--after", min=0, help="Only entries after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the entries of your tenant's chain, oldest first."""
    with session(url, token, as_json=as_json) as opened:
        page = opened.client.get("/v1/ledger", {"after": after, "limit": limit})
        opened.output.answer(page, lambda console: draw_entries(console, page["items"]))
        if page.get("next_after"):
            opened.output.note(f"more: --after {page['next_after']}")
    return ExitCode.OK


@app.command("export", epilog=examples("switchgear ledger export --output acme.jsonl", "switchgear ledger export"))
def export(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this new file, not to the terminal.")
    ] = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Export your tenant's chain as JSON Lines: all that `ledger verify FILE` needs."""
    if as_json and output is None:
        raise failure_of_usage("--json needs --output FILE here: an export is many documents")
    with session(url, token, as_json=as_json) as opened:
        lines = opened.client.lines("/v1/ledger/export")
        if output is None:
            _write(sys.stdout, lines)
            return ExitCode.OK
        count = _write_new(output, lines)
        document = {"file": str(output), "lines": count}
        opened.output.answer(document, lambda console: console.print(f"{count} lines in {output}", soft_wrap=True))
    return ExitCode.OK


@app.command("verify", epilog=examples("switchgear ledger verify", "switchgear ledger verify acme.jsonl --json"))
def verify(
    export_file: Annotated[
        Path | None,
        typer.Argument(metavar="EXPORT", help="An exported chain. Without it, the server verifies."),
    ] = None,
    *,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Verify that no entry was changed, removed, added or moved; name the first bad one."""
    if export_file is not None:
        return _verified(Output(as_json=as_json), verified_file(export_file))
    with session(url, token, as_json=as_json) as opened:
        return _verified(opened.output, opened.client.get("/v1/ledger/verify"))


def verified_file(file: Path) -> dict[str, Any]:
    """Verify an export, offline. Raises `CommandFailure` (USAGE) when the file cannot be opened.

    What is wrong inside the file is a finding, not an error.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            found = verify_export(lines)
    except OSError as error:
        raise failure_of_usage(
            f"{file}: {error.strerror}", advice="Make one with `switchgear ledger export`."
        ) from error
    head_found = {"tenant": found.head.tenant, "seq": found.head.seq, "hash": found.head.hash.hex()}
    return {
        "ok": found.ok,
        "entries": found.count,
        "first_bad_seq": found.first_bad_seq,
        "problem": found.problem or None,
        "head": head_found,
    }


def _verified(output: Output, found: dict[str, Any]) -> int:
    output.answer(found, lambda console: draw_verification(console, found))
    return ExitCode.OK if found["ok"] else ExitCode.VERIFY_FAILED


def _write(stream: TextIO, lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        stream.write(line + "\n")
        count += 1
    stream.flush()
    return count


def _write_new(file: Path, lines: Iterable[str]) -> int:
    """Write a new file; one that broke off is removed, since half an export looks like a cut-off chain."""
    try:
        stream = file.open("x", encoding="utf-8")
    except OSError as error:
        raise failure_of_usage(f"{file}: {error.strerror}", advice="Name a new file.") from error
    try:
        with stream:
            return _write(stream, lines)
    except BaseException:
        file.unlink()
        raise
