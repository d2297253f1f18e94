"""The reference page of the command line, made from the commands themselves and the table of exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from switchgear.core.codes import FACTS, ExitCode
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.cli.failures import INTERRUPTED

_EXIT_MEANINGS = {
    ExitCode.OK: "It did what it was asked to do.",
    ExitCode.FAILED: "It failed, or one of many did; a demo that does not add up also ends so.",
    ExitCode.USAGE: "The command, the request or the configuration is wrong.",
    ExitCode.NOT_FOUND: "There is no such thing for this tenant.",
    ExitCode.ACCESS: "No valid token, or it does not allow this.",
    ExitCode.TRY_LATER: "Refused for now; the same may be let in later.",
    ExitCode.REFUSED: "Refused, or cancelled.",
    ExitCode.CONFLICT: "It contradicts something on record.",
    ExitCode.IN_DOUBT: "The action may have happened; a person or a rule has to settle it.",
    ExitCode.TIMEOUT: "Time ran out, also that of `--wait`; the action itself goes on.",
    ExitCode.VERIFY_FAILED: "The ledger is not intact.",
    ExitCode.UNAVAILABLE: "No server was reached, the store cannot be used, or the extra `gear` is missing.",
}

_KINDS = {"str": "TEXT", "list[str]": "TEXT", "int": "NUMBER", "float": "NUMBER", "Path": "PATH"}

ClickPart = Any
"""A command, or a parameter of one: the framework keeps their types to itself."""


def cli_reference() -> str:
    """Return docs/reference/cli.md."""
    root = typer.main.get_command(app)
    parts = [_HEAD, *_commands("switchgear", root), *_exit_codes()]
    return "\n".join(parts).rstrip() + "\n"


def _commands(path: str, command: ClickPart) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield from _command(path, command)
        return
    for name, child in children.items():
        yield from _commands(f"{path} {name}", child)


def _command(path: str, command: ClickPart) -> Iterator[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    words = [path, *(_placed(argument) for argument in arguments), "[OPTIONS]"]
    yield f"## {path}\n"
    yield f"{_prose(command.help)}\n"
    yield f"```text\n{' '.join(words)}\n```\n"
    yield from _table("Argument", [(_metavar(argument), argument) for argument in arguments])
    yield from _table("Option", [(_flags(option), option) for option in options])
    yield from _examples(command.epilog)


def _table(heading: str, rows: list[tuple[str, ClickPart]]) -> Iterator[str]:
    if rows:
        yield f"| {heading} | Meaning | Default |\n|---|---|---|"
        for name, parameter in rows:
            yield f"| `{_cell(name)}` | {_cell(_meaning(parameter))} | {_cell(_default(parameter))} |"
        yield ""


def _examples(epilog: str | None) -> Iterator[str]:
    lines = [line[2:] for line in (epilog or "").split("\n") if line.startswith("$ ")]
    if lines:
        yield "```sh\n" + "\n".join(lines) + "\n```\n"


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| Exit code | Name | Meaning | Failure codes that end so |\n|---|---|---|---|"
    for exit_code in ExitCode:
        codes = ", ".join(f"`{code}`" for code, facts in FACTS.items() if facts.exit_code is exit_code)
        yield f"| {int(exit_code)} | {exit_code.name} | {_EXIT_MEANINGS[exit_code]} | {codes} |"
    yield f"| {INTERRUPTED} | – | Ctrl-C. What was submitted goes on. | |"


def _placed(argument: ClickPart) -> str:
    placed = _metavar(argument) if argument.required else f"[{_metavar(argument)}]"
    return placed if argument.nargs == 1 else f"{placed}..."


def _metavar(argument: ClickPart) -> str:
    return str(argument.metavar or argument.name.upper())


def _flags(option: ClickPart) -> str:
    flags = ", ".join([*option.opts, *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {option.metavar or _KINDS[option.bare_type()]}"


def _meaning(parameter: ClickPart) -> str:
    variable = f" Also from `{parameter.envvar}`." if getattr(parameter, "envvar", None) else ""
    return f"{_prose(parameter.help or '')}{variable}"


def _default(parameter: ClickPart) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False:
        return ""
    return f"`{parameter.default}`"


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_HEAD = """# The command line

Generated from the commands by `make docs`; do not edit.

`switchgear` is a client of a running server. It takes the first address that it finds:

1. `--url`.
2. `SWITCHGEAR_URL`.
3. Where `up` would serve in this folder: `server.host` and `server.port` of `./switchgear.toml`, or of the file that
   `SWITCHGEAR_CONFIG` names. `SWITCHGEAR_SERVER_HOST` and `SWITCHGEAR_SERVER_PORT` beat the file.
4. `http://127.0.0.1:8420`.

Of the third, only an address on loopback is taken. A file that cannot be read or a port that says nothing is no
failure: a note on standard error says so, and the fourth is asked. `switchgear check` says what is wrong.

The token comes from `--token`, from `SWITCHGEAR_TOKEN`, or from the file that `switchgear token --save` wrote into this
folder; that file is only ever used for a server on loopback.

With `--json`, standard output holds exactly one JSON document and nothing else, and a failure is a problem document
(RFC 9457) on standard error with `exit_code`, `where` and `advice`; only such a note about the address stands before
it. For people a failure has these lines:

| Line | Tells |
|---|---|
| first | The code, and what happened this time. |
| `- …` | Each thing that is wrong, where there are several. |
| `where` | The request, or the file. |
| `what` | The dependency, and the state that it is in. |
| `when` | When to try again. |
| `next` | What to do. |
| `see` | The command that prints the runbook of the code. |
| `trace` | What whoever runs the server finds it by in the log. |

Colour and drawing appear on a terminal only; `NO_COLOR` switches colour off. `switchgear COMMAND --help` says the same
as this page.
"""
