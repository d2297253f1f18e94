"""The commands `ledger head|list|export|verify|key|checkpoint|archive|erase`.

Verifying exports and making a key are offline: they open those files and nothing else.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.core.errors import Invalid
from switchgear.surfaces.cli.asking import AfterOption, LimitOption, get_entries
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage
from switchgear.surfaces.cli.keys import by_key
from switchgear.surfaces.cli.ledger_files import (
    Written,
    document_of,
    failure_of_file,
    lines_of,
    verified,
    verified_segment,
    write_lines,
    write_new,
)
from switchgear.surfaces.cli.output import Output, Tell, counting
from switchgear.surfaces.cli.rendering import counted, draw_entries, draw_verification
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

PlatformFlag = Annotated[
    bool, typer.Option("--platform", help="The platform's own chain instead; it records that you read it.")
]

app = typer.Typer(no_args_is_help=True, help="Read, export, sign, verify and archive the record of everything done.")

VERIFY_PATIENCE = 1_800.0
"""How many seconds longer than usual a server may verify its chain."""


@app.command("head", epilog=examples("switchgear ledger head --json"))
def head(
    *,
    platform: PlatformFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show the end of your tenant's chain: note it down, and nothing before it can be changed unseen."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.get("/v1/ledger/head", _chain(platform=platform))
        opened.output.answer(view, lambda console: console.print(f"{view['seq']} {view['hash']}", soft_wrap=True))
    return ExitCode.OK


@app.command(
    "list",
    epilog=examples("switchgear ledger list --after 1200 --limit 100", "switchgear ledger list --platform --json"),
)
def list_(
    *,
    after: AfterOption = 0,
    limit: LimitOption = 50,
    platform: PlatformFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the entries of your tenant's chain, oldest first."""
    query = {"after": after, "limit": limit, **_chain(platform=platform)}
    return get_entries("/v1/ledger", draw_entries, url, token, as_json=as_json, query=query)


@app.command("export", epilog=examples("switchgear ledger export --output acme.jsonl", "switchgear ledger export"))
def export(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this new file, not to the terminal.")
    ] = None,
    platform: PlatformFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Export your tenant's chain as JSON Lines: all that `ledger verify FILE` needs."""
    if as_json and output is None:
        raise failure_of_usage("--json needs --output FILE here: an export is many documents")
    with session(url, token, as_json=as_json) as opened:
        lines = opened.client.lines(f"/v1/ledger/export{'?chain=platform' if platform else ''}")
        if output is None:
            write_lines(sys.stdout, lines)
            return ExitCode.OK
        with opened.output.busy(f"exporting to {output}") as tell:
            count = write_new(output, counting(lines, tell)).lines
        document = {"file": str(output), "lines": count}
        opened.output.answer(document, lambda console: console.print(f"{count} lines in {output}", soft_wrap=True))
    return ExitCode.OK


@app.command(
    "verify",
    epilog=examples(
        "switchgear ledger verify",
        "switchgear ledger verify acme.jsonl --key acme.pub --checkpoint acme.note",
        "switchgear ledger verify 2025.jsonl acme.jsonl --json",
    ),
)
def verify(
    exports: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="EXPORT",
            help="An exported chain, after its archived segments, oldest first. Without it, the server verifies.",
        ),
    ] = None,
    *,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="PUBLIC", help="Public key of the ledger, or a file that holds it."),
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that was kept elsewhere."),
    ] = None,
    platform: PlatformFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Verify that no entry was changed, removed, added or moved; name the first bad one."""
    if exports and platform:
        raise failure_of_usage("--platform is for the server's chain; an EXPORT is verified as it is")
    if exports:
        output = Output(as_json=as_json)
        with output.busy("verifying") as tell:
            watch = partial(counting, tell=tell)
            found = document_of(verified(exports, keys=keys or (), checkpoints=checkpoints or (), watch=watch))
        return _verified(output, found)
    if keys or checkpoints:
        raise failure_of_usage("--key and --checkpoint need an EXPORT: verifying against them is offline")
    with session(url, token, as_json=as_json) as opened:
        with opened.output.busy("the server is verifying"):
            found = opened.client.get("/v1/ledger/verify", _chain(platform=platform), patience=VERIFY_PATIENCE)
        return _verified(opened.output, found)


@app.command(
    "key",
    epilog=examples("switchgear ledger key ledger.key --name ledger.example.org", "switchgear ledger key ledger.key"),
)
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of the private key.")],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="Make a new key, for the ledger of this name, in the new FILE.")
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Make the key that signs checkpoints, or show its public half: what others verify with."""
    from switchgear.ledger.keys import make_key_file, read_key_file

    try:
        found = read_key_file(file) if name is None else make_key_file(file, name)
    except OSError as error:
        raise failure_of_file(file, error, "Name a new file with --name NAME, or the file of a key.") from error
    except Invalid as error:
        raise failure_of_usage(error.message) from error
    document = {"file": str(file), "name": found.name, "public_key": str(found.public)}
    Output(as_json=as_json).answer(document, lambda console: console.print(str(found.public), soft_wrap=True))
    return ExitCode.OK


@app.command(
    "checkpoint",
    epilog=examples("switchgear ledger checkpoint --output acme.note", "switchgear ledger checkpoint --sign --json"),
)
def checkpoint(
    *,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the chain as it is now, rather than show the last.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the note to this new file, to be kept elsewhere.")
    ] = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show the signed checkpoint of your tenant's chain: kept elsewhere, it proves everything before it."""
    with session(url, token, as_json=as_json) as opened:
        path = "/v1/ledger/checkpoint"
        view = opened.client.post(path, {}) if sign else opened.client.get(path)
        if output is not None:
            write_new(output, lines_of(view["note"]))
        document = {**view, "file": None if output is None else str(output)}
        opened.output.answer(document, lambda console: _draw_checkpoint(console, document))
    return ExitCode.OK


@app.command("archive", epilog=examples("switchgear ledger archive --before 100000 --output acme-1.jsonl"))
def archive(
    *,
    before: Annotated[int, typer.Option("--before", min=1, help="Archive entries below this number.")],
    output: Annotated[Path, typer.Option("--output", help="Write the segment to this new file, and keep it.")],
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Move old entries, up to the first action that is still open, from the store into a file."""
    with session(url, token, as_json=as_json) as opened:
        possible = opened.client.get("/v1/ledger/archivable", {"before": before})
        if not possible["last_seq"]:
            raise _nothing_to_archive(before, possible)
        with opened.output.busy(f"writing the segment to {output}") as tell:
            written = _segment(opened.client, possible, output, tell)
        proof = {"last_seq": possible["last_seq"], "hash": possible["hash"], "sha256": written.sha256}
        view = opened.client.post("/v1/ledger/archive", proof)
        document = {"file": str(output), **view}
        text = f"entries {view['first_seq']} to {view['last_seq']} are in {output}"
        opened.output.answer(document, lambda console: console.print(escape(text), soft_wrap=True))
    return ExitCode.OK


@app.command(
    "erase",
    epilog=examples(
        'switchgear ledger erase int_0190… --reason "request 17 of the data subject"',
        'switchgear ledger erase --tool crm.place_order --key order-17 --reason "request 17 of the data subject"',
    ),
)
@by_key()
def erase(
    intent: Annotated[str, typer.Argument(metavar="INTENT", help="The id of an action that is over.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why. It stays on record for ever, so name no person.")],
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Erase the arguments, value and messages of one action, for ever. That it happened stays on record."""
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.post(f"/v1/intents/{quote(intent, safe='')}/erase", {"reason": reason})
        text = f"erased {counted(len(view['seqs']), 'payload')} of {view['intent']}"
        opened.output.answer(view, lambda console: console.print(escape(text), soft_wrap=True))
    return ExitCode.OK


_SUBJECTS = (
    ("int_", "the action {}, which is not over", "intents show {}"),
    ("sga_", "the saga {}, which is not over", "sagas show {}"),
    ("time_box.", "the time-box {}, which is not over", "time-boxes show {}"),
    ("kill_switches", "the kill switches, of which one is on", "kill list"),
)


def _what_blocks(stream: str) -> tuple[str, str]:
    """Return in words what keeps an entry in the store, and the command that shows it."""
    for start, words, command in _SUBJECTS:
        if stream.startswith(start):
            name = stream.removeprefix("time_box.")
            return words.format(name), command.format(name)
    return stream, "ledger list --limit 1"


def _nothing_to_archive(before: int, possible: dict[str, Any]) -> CommandFailure:
    archived_through = possible["archived_through"]
    if archived_through >= before - 1:
        return failure_of_usage(
            f"entries 1 to {archived_through} are archived already", advice="Name a later entry with --before."
        )
    if not possible["blocked_by"]:
        return failure_of_usage(f"there is no entry below {before}", advice="Look with `switchgear ledger list`.")
    blocker, command = _what_blocks(possible["blocked_by"])
    return failure_of_usage(
        f"nothing below entry {before} can be archived: the first entry left belongs to {blocker}",
        advice=f"Look at it with `switchgear {command}`.",
    )


def verified_file(file: Path) -> dict[str, Any]:
    """Verify one export, offline. Raises `CommandFailure` (USAGE) when it cannot be opened or is no export."""
    return document_of(verified([file]))


def _segment(client: Client, possible: dict[str, Any], output: Path, tell: Tell) -> Written:
    """Write the segment and verify it, so that nothing leaves the store that is not whole in the file."""
    last_seq = possible["last_seq"]
    written = write_new(output, counting(client.lines(f"/v1/ledger/segment?last_seq={last_seq}"), tell))
    found = verified_segment(output, possible["archived_through"])
    if found.ok and (found.head.seq, found.head.hash.hex()) == (last_seq, possible["hash"]):
        return written
    problem = {"title": "The segment is not intact.", "detail": found.problem or "it ends at another entry"}
    raise CommandFailure(
        problem,
        ExitCode.VERIFY_FAILED,
        where=str(output),
        advice="Nothing was archived. Run `switchgear ledger verify`; keep the file.",
    )


def _chain(*, platform: bool) -> dict[str, Any]:
    """Return what a request says of whose chain it means; nothing for the tenant's own."""
    return {"chain": "platform" if platform else None}


def _draw_checkpoint(console: Console, view: dict[str, Any]) -> None:
    if view["file"] is None:
        console.print(escape(view["note"]), end="", soft_wrap=True)
    else:
        console.print(f"checkpoint at entry {view['seq']} in {escape(view['file'])}", soft_wrap=True)


def _verified(output: Output, found: dict[str, Any]) -> int:
    output.answer(found, lambda console: _draw(console, found))
    return ExitCode.OK if found["ok"] else ExitCode.VERIFY_FAILED


def _draw(console: Console, found: dict[str, Any]) -> None:
    draw_verification(console, found)
    if found.get("bad", 0) > 1:
        console.print(f"{found['bad']} findings; --json lists the first 100")
    if found.get("begins_after"):
        console.print(f"entries 1 to {found['begins_after']} are archived: give their segments to verify them as well")
    signed = found.get("checkpoint")
    if signed is not None:
        by = "signature not checked: give --key" if signed["signed_by"] is None else f"signed by {signed['ledger']}"
        console.print(escape(f"checkpoint at entry {signed['seq']}, {by}"), soft_wrap=True)
