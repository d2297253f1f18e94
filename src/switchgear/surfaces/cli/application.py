"""The commands put together, and the one entry point that turns every ending into an exit code.

Each subject has a module with its commands and how they are drawn, and a line here. Only here are failures printed.
Exit codes are those of `switchgear.core.codes.ExitCode`, and 130 for Ctrl-C.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer

from switchgear.core.codes import Code
from switchgear.core.errors import SwitchgearError
from switchgear.surfaces.cli import (
    approving,
    backups,
    breakers,
    budgets,
    deadletters,
    dependencies,
    explaining,
    forcing,
    intents,
    kill,
    lab,
    ledger,
    rebuilding,
    replaying,
    resolving,
    sagas,
    serving,
    submitting,
    time_boxes,
    tools,
    waiting,
)
from switchgear.surfaces.cli.as_typed import as_typed, options_of
from switchgear.surfaces.cli.demo import command as demo_command
from switchgear.surfaces.cli.failures import (
    INTERRUPTED,
    CommandFailure,
    failure_of_error,
    failure_of_path,
    failure_of_usage,
)
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.services import Services
from switchgear.surfaces.cli.session import examples

app = typer.Typer(
    name="switchgear",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Control, protect and isolate every call to something you do not own.",
    epilog=examples("switchgear demo", "switchgear init && switchgear up --dev"),
)

_BEGIN = "Begin here"
_WORK = "Act and look"
_NO_TEXT = "a word of the command line is not UTF-8, and cannot be sent to a server"

app.command("demo", epilog=demo_command.EXAMPLES, rich_help_panel=_BEGIN)(demo_command.demo)
app.command("init", epilog=examples("switchgear init my-gear"), rich_help_panel=_BEGIN)(serving.init)
app.command("check", epilog=examples("switchgear check --config switchgear.toml"), rich_help_panel=_BEGIN)(
    serving.check
)
app.command("up", epilog=examples("switchgear up --dev", "switchgear up --dev --port 9000"), rich_help_panel=_BEGIN)(
    serving.up
)
app.command("wait", epilog=waiting.EXAMPLES, rich_help_panel=_BEGIN, context_settings=waiting.SETTINGS)(waiting.wait)
app.command("token", epilog=serving.TOKEN_EXAMPLES, rich_help_panel=_BEGIN)(serving.token)
app.command("submit", epilog=submitting.EXAMPLES, rich_help_panel=_WORK, context_settings=submitting.SETTINGS)(
    submitting.submit
)
app.add_typer(intents.app, name="intents", rich_help_panel=_WORK)
intents.app.command("approve", epilog=approving.APPROVE_EXAMPLES)(approving.approve)
intents.app.command("reject", epilog=approving.REJECT_EXAMPLES)(approving.reject)
intents.app.command("withdraw", epilog=approving.WITHDRAW_EXAMPLES)(approving.withdraw)
intents.app.command("force", epilog=forcing.EXAMPLES)(forcing.force)
intents.app.command("replay", epilog=replaying.EXAMPLES)(replaying.replay)
intents.app.command("doubts", epilog=resolving.DOUBTS_EXAMPLES)(resolving.doubts)
intents.app.command("resolve", epilog=resolving.RESOLVE_EXAMPLES)(resolving.resolve)
app.add_typer(deadletters.app, name="deadletters", rich_help_panel=_WORK)
app.add_typer(sagas.app, name="sagas", rich_help_panel=_WORK)
app.add_typer(time_boxes.app, name="time-boxes", rich_help_panel=_WORK)
app.command("explain", epilog=explaining.EXAMPLES, rich_help_panel=_WORK)(explaining.explain)
app.command("breakers", epilog=breakers.EXAMPLES, rich_help_panel=_WORK)(breakers.breakers)
app.command("dependencies", epilog=dependencies.EXAMPLES, rich_help_panel=_WORK)(dependencies.dependencies)
app.add_typer(kill.app, name="kill", rich_help_panel=_WORK)
app.command("budget", epilog=budgets.EXAMPLES, rich_help_panel=_WORK)(budgets.budget)
app.add_typer(tools.app, name="tools", rich_help_panel=_WORK)
app.add_typer(ledger.app, name="ledger", rich_help_panel=_WORK)
app.add_typer(lab.app, name="lab", rich_help_panel=_WORK)
ledger.app.command("rebuild", epilog=rebuilding.EXAMPLES)(rebuilding.rebuild)
ledger.app.command("backup", epilog=backups.BACKUP_EXAMPLES)(backups.backup)
ledger.app.command("backups", epilog=backups.LIST_EXAMPLES)(backups.list_)
ledger.app.command("restore", epilog=backups.RESTORE_EXAMPLES)(backups.restore)
ledger.app.command("thaw", epilog=backups.THAW_EXAMPLES)(backups.thaw)


def _print_version(value: bool) -> None:  # noqa: FBT001 - the framework calls it so
    if value:
        typer.echo(f"switchgear {version('switchgear')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Hold what belongs to every command: nothing beside the version."""


def run(argv: Sequence[str], services: Services) -> int:
    """Run one command line and return its exit code. Prints every failure; raises none."""
    output = Output(as_json="--json" in argv)
    try:
        command = typer.main.get_command(app)
        result = command.main(_asked(argv), prog_name="switchgear", standalone_mode=False, obj=services)
        return int(result or 0)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost driver: a defect is reported
        failure = _failure_of(error, argv)
        failure.problem = as_typed(failure.problem, options_of(_command_of(argv)))
        output.fail(failure)
        return failure.exit_code


def _failure_of(error: Exception, argv: Sequence[str]) -> CommandFailure:
    """Return what is printed of an error: what has no words of its own, and is nobody's wrong word, is a defect."""
    match error:
        case CommandFailure():
            return error
        case SwitchgearError():
            return failure_of_error(error)
        case typer.TyperException():
            return failure_of_usage(error.format_message())
        case OSError() if (failure := failure_of_path(error)) is not None:
            return failure
        case UnicodeEncodeError() if not all(map(_is_text, argv)):
            return failure_of_usage(_NO_TEXT)
    return _defect(error)


def _command_of(argv: Sequence[str]) -> Any:  # noqa: ANN401 - the framework keeps its types to itself
    """Return the command that a command line names, as far as it names one."""
    command: Any = typer.main.get_command(app)
    for word in argv:
        command = getattr(command, "commands", {}).get(word, command)
    return command


def _is_text(word: str) -> bool:
    """Return whether a word can be written: what a shell hands over that is not UTF-8 comes as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _asked(argv: Sequence[str]) -> list[str]:
    """Return the words of the command line; the bare name, or that of a group, is a question for its help.

    Raises `CommandFailure` (USAGE) for a word with a NUL: nothing can be called so.
    """
    if any("\0" in word for word in argv):
        raise failure_of_usage("a word of the command line has a NUL character", advice="Write it without.")
    groups = [[group.name] for group in app.registered_groups if group.typer_instance is not tools.app]
    words = list(argv)
    return [*words, "--help"] if not words or words in groups else words


def _defect(error: Exception) -> CommandFailure:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{frame.name} line {frame.lineno}" for frame in last)
    message = f"{type(error).__name__}: {error}"
    return failure_of_error(SwitchgearError(message, code=Code.INTERNAL), where=where)
