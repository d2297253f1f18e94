"""The commands `tools` and `tools accept`: what is registered, and how it is drawn."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.rendering import Column, View, table
from switchgear.surfaces.cli.session import (
    DEFAULT_URL,
    JsonFlag,
    TokenOption,
    UrlOption,
    confirmed,
    examples,
    session,
)

_ASK = "Accept the present contract?"
_NOT_ACCEPTED = "not accepted; nothing of it leaves while it counts as changed"

app = typer.Typer(
    invoke_without_command=True,
    help="Show the registered tools, and accept one that has changed.",
    epilog=examples("switchgear tools", "switchgear tools accept crm.place_order"),
)


@app.callback()
def tools(
    context: typer.Context,
    *,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show the registered tools and what each does to the world."""
    if context.invoked_subcommand is None:
        with session(url, token, as_json=as_json) as opened:
            answer = opened.client.get("/v1/tools")
            opened.output.answer(answer, lambda console: draw_tools(console, answer["items"]))
    return ExitCode.OK


@app.command(
    "accept",
    epilog=examples("switchgear tools accept crm.place_order", "switchgear tools accept crm.place_order --yes"),
)
def accept(
    name: Annotated[str, typer.Argument(metavar="TOOL", help="The tool, as `switchgear tools` names it.")],
    *,
    contract: Annotated[
        str | None,
        typer.Option(
            "--contract", help="The contract you looked at: nothing is shown and asked. Default: the present."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: accept the present contract.")] = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Accept a tool whose contract has changed: its actions go on, new ones and those that wait.

    What was accepted and what is there now are shown first, and you are asked.
    """
    with session(url, token, as_json=as_json) as opened:
        seen = contract
        if seen is None:
            tool = _named(opened.client.get("/v1/tools")["items"], name)
            if not (yes or as_json or _agreed(opened.output.console, tool)):
                opened.output.note(_NOT_ACCEPTED)
                return ExitCode.REFUSED
            seen = tool["contract"]
        view = opened.client.post(f"/v1/tools/{quote(name, safe='')}/accept", {"contract": seen})
        opened.output.answer(view, lambda console: draw_tools(console, [view]))
    return ExitCode.OK


def draw_change(console: Console, tool: View) -> None:
    """Print the contract of a tool that was accepted, and the present one."""
    console.print(f"[bold]{escape(tool['name'])}[/]{' [red]changed[/]' if tool['changed'] else ''}")
    before = _contract(tool["accepted_version"], tool["accepted_contract"])
    console.print(f"  [dim]accepted[/]  {before}", soft_wrap=True)
    console.print(f"  [dim]     now[/]  {_contract(tool['version'], tool['contract'])}", soft_wrap=True)
    for one in tool["differences"]:
        console.print(f"  [dim] differs[/]  {escape(_difference(one))}", soft_wrap=True)
    if tool["changed"] and not tool["differences"]:
        console.print("  [dim] differs[/]  it is not on record what the accepted contract was made of")


def _contract(version: str | None, contract: str | None) -> str:
    return f"version {escape(version or '')}, contract {contract}" if contract else "nothing that can be read"


def _difference(one: View) -> str:
    part, before, after = one["part"], one["before"], one["after"]
    if before is None:
        return f"{part} is new: {after}"
    return f"{part} is gone; it was {before}" if after is None else f"{part} was {before}, is {after}"


def _agreed(console: Console, tool: View) -> bool:
    draw_change(console, tool)
    return confirmed(_ASK, advice="Write --contract CONTRACT, or --yes.")


def _named(tools: Sequence[View], name: str) -> View:
    found = next((tool for tool in tools if tool["name"] == name), None)
    if found is None:
        near = difflib.get_close_matches(name, [tool["name"] for tool in tools], n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise failure_of_usage(f"there is no tool {name!r}{meant}", advice="See `switchgear tools`.")
    return found


def draw_tools(console: Console, tools: Sequence[View]) -> None:
    """Print the registered tools."""
    rows = [
        (
            escape(tool["name"]),
            escape(tool["effect"]) + (" [red]changed[/]" if tool["changed"] else ""),
            "yes" if tool["needs_key"] else "no",
            f"{tool['timeout']:g} s",
            str(tool["attempts"]),
            escape(", ".join(tool["requires"])),
            escape(tool["description"]),
        )
        for tool in tools
    ]
    table(console, _COLUMNS, rows, empty="no tools are registered")
    for tool in tools:
        if tool["changed"]:
            draw_change(console, tool)


_COLUMNS = (
    Column("tool", whole=True),
    Column("effect", whole=True),
    Column("needs key", whole=True),
    Column("timeout", whole=True),
    Column("attempts", spare=True),
    Column("requires"),
    Column("description"),
)
