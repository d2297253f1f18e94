"""The commands that come before or start a server: `init`, `check`, `up`, `token`.

They work on a configuration file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.core.errors import OptionError, StoreError
from switchgear.surfaces.cli.address import CONFIGURATION_FILE, CONFIGURATION_VARIABLE, URL_VARIABLE, usual_address
from switchgear.surfaces.cli.failures import failure_of_configuration, failure_of_usage, failure_to_start
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import View, counted, span
from switchgear.surfaces.cli.services import Grant, Place, Services
from switchgear.surfaces.cli.session import TOKEN_FILE, JsonFlag, examples, save_token
from switchgear.surfaces.cli.typed_times import length_option

if TYPE_CHECKING:
    from switchgear.assembly.configuration import Configuration

ConfigOption = Annotated[Path, typer.Option("--config", envvar=CONFIGURATION_VARIABLE, help="The configuration file.")]
TOKEN_EXAMPLES = examples(
    "switchgear token --tenant acme --account main --save",
    'switchgear token --tenant acme --scope "intents:read ledger:read" --expires 600',
)
_HOUR = 3600.0
TOKEN_SECONDS_MAX = 30 * 86_400.0
"""How long a development token may live: as long as who makes it allows."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if missing.")] = Path(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Write a small configuration that works, to begin from. Never overwrites without --force."""
    from switchgear.assembly.templates import configuration_template

    contents = {folder / CONFIGURATION_FILE: configuration_template()}
    there = [str(path) for path in contents if path.exists()]
    if there and not force:
        raise failure_of_usage(f"already there: {', '.join(there)}", advice="Add --force to overwrite.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise failure_of_usage(f"{error.filename}: {error.strerror}", advice="Name a folder to write to.") from error
    Output(as_json=as_json).answer({"files": [str(path) for path in contents]}, _drawn_init(folder, contents))
    return ExitCode.OK


def check(*, config: ConfigOption = CONFIGURATION_FILE, as_json: JsonFlag = False) -> int:
    """Check the configuration and say everything that is wrong with it.

    Connects to nothing, starts nothing. A warning, such as a credential that is not set yet, is no failure.
    """
    configuration = loaded(config)
    names = sorted(tool.name for tool, _ in configuration.build_tools())
    document = {"file": str(config), "ok": True, "tools": names, "warnings": configuration.warnings()}
    Output(as_json=as_json).answer(document, lambda console: draw_check(console, document))
    return ExitCode.OK


def up(
    context: typer.Context,
    *,
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Accept development tokens, on loopback only. Needed: 0.1 knows no other issuer."),
    ] = False,
    config: ConfigOption = CONFIGURATION_FILE,
    host: Annotated[
        str | None, typer.Option("--host", help="Listen here; the file's `server.host` if not given.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65_535, help="Listen here; the file's `server.port` if not given, 0 takes a free one."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Start the server and the engine in this process.

    Switchgear 0.1 accepts tokens of its development issuer only, so it serves with --dev, on loopback; without it
    nothing is started. Ctrl-C or SIGTERM stops it in order, a second one at once.
    """
    if not dev:
        raise failure_of_usage(
            "0.1 accepts tokens of its development issuer only, so nobody could call this server",
            advice="Add --dev for development tokens on loopback. Identity providers come with a later release.",
        )
    configuration = loaded(config)
    services: Services = context.obj
    try:
        return services.serve(Place(configuration, host, port), _announced(Output(as_json=as_json), config))
    except (OptionError, StoreError) as error:
        raise failure_to_start(error, where=str(config)) from error


def token(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant that it speaks for.")],
    account: Annotated[list[str] | None, typer.Option("--account", help="An account; repeat for several.")] = None,
    actor: Annotated[str, typer.Option("--actor", help="Who acts; goes on record.")] = "person:developer",
    scope: Annotated[
        str | None, typer.Option("--scope", help="Permissions, separated by spaces; all if not given.")
    ] = None,
    expires: Annotated[
        float, length_option("--expires", "How long it is good for", least=1.0, most=TOKEN_SECONDS_MAX)
    ] = _HOUR,
    save: Annotated[
        bool, typer.Option("--save", help=f"Write it to {TOKEN_FILE}, which other commands read, and do not print it.")
    ] = False,
    config: ConfigOption = CONFIGURATION_FILE,
    as_json: JsonFlag = False,
) -> int:
    """Make a development token for `up --dev`, signed with the key beside the store."""
    permissions = _permissions_of(scope)
    services: Services = context.obj
    configuration = loaded(config)
    grant = Grant(tenant, tuple(account or ("main",)), actor, permissions, expires)
    text = services.issue_token(configuration, grant)
    if save:
        save_token(text)
    document = {
        "token": None if save else text,
        "tenant": tenant,
        "expires_in": expires,
        "saved": str(TOKEN_FILE) if save else None,
    }
    shown = f"wrote {TOKEN_FILE}, good for {span(expires)}" if save else text
    Output(as_json=as_json).answer(document, lambda console: console.print(shown, soft_wrap=True, highlight=False))
    return ExitCode.OK


def loaded(config: Path) -> Configuration:
    """Return the configuration in `config`.

    Raises `CommandFailure` (USAGE) with every problem of the file, and when there is no file.
    """
    if not config.is_file():
        raise failure_of_usage(
            f"there is no configuration file {config}",
            advice="Write one with `switchgear init`, or name it with --config.",
        )
    from switchgear.assembly.configuration import load

    try:
        return load(config)
    except OptionError as error:
        raise failure_of_configuration(error, where=str(config)) from error


def draw_check(console: Console, found: View) -> None:
    """Print that a configuration is fine, and what it warns of."""
    for warning in found["warnings"]:
        console.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    console.print(f"[green]fine[/] {escape(found['file'])}: {counted(len(found['tools']), 'tool')}", soft_wrap=True)


def _permissions_of(scope: str | None) -> tuple[str, ...]:
    """Return the permissions that `scope` names, all without one. Raises `CommandFailure` (USAGE) for others."""
    from switchgear.control.use_cases import PERMISSIONS

    wished = PERMISSIONS if scope is None else tuple(scope.split())
    unknown = sorted(set(wished) - set(PERMISSIONS))
    if unknown:
        raise failure_of_usage(f"unknown permissions: {', '.join(unknown)}", advice=f"Known: {', '.join(PERMISSIONS)}")
    return wished


def _announced(output: Output, config: Path) -> Callable[[str], None]:
    """Return what is called with the address: print the banner."""

    def announce(url: str) -> None:
        def draw(console: Console) -> None:
            console.print(f"[bold green]Switchgear is up[/] at {escape(url)}", soft_wrap=True)
            console.print(f"  [dim]API        [/] {escape(url)}/openapi.json", soft_wrap=True)
            console.print(f"  [dim]readiness  [/] {escape(url)}/readyz", soft_wrap=True)
            console.print(f"  [dim]config     [/] {escape(str(config))}", soft_wrap=True)
            console.print(f"  [dim]token      [/] {escape(token_command(config))}", soft_wrap=True)
            if url != (os.environ.get(URL_VARIABLE) or usual_address(os.environ).url):  # where other commands ask
                console.print(f"  [dim]commands   [/] export {URL_VARIABLE}={escape(url)}", soft_wrap=True)
            console.print("  [dim]stop       [/] Ctrl-C", soft_wrap=True)

        output.answer({"url": url, "config": str(config)}, draw)

    return announce


def token_command(config: Path) -> str:
    """Return the command that makes a token for the server of `config`: each store has a key of its own."""
    named = "" if config == CONFIGURATION_FILE else f" --config {shlex.quote(str(config))}"
    return f"switchgear token --tenant acme --save{named}"


def _drawn_init(folder: Path, contents: dict[Path, str]) -> Callable[[Console], None]:
    def draw(console: Console) -> None:
        for path in contents:
            console.print(f"[green]wrote[/] {escape(str(path))}", soft_wrap=True)
        enter = "" if folder == Path() else f"cd {escape(str(folder))} && "
        console.print(f"[dim]next:[/] {enter}switchgear check && switchgear up --dev", soft_wrap=True)

    return draw
