"""The commands `kill on|off|list`, and how kill switches are drawn."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import ReasonOption, get, post
from switchgear.surfaces.cli.rendering import Column, View, moment, span, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

app = typer.Typer(no_args_is_help=True, help="Stop actions at once, and let them go on.")

Target = Annotated[str, typer.Argument(metavar="TARGET", help="global, tenant:NAME, connector:NAME or tool:NAME.")]


@app.command("on", epilog=examples('switchgear kill on connector:crm --reason "it deletes orders"'))
def on(
    target: Target,
    *,
    reason: ReasonOption,
    mode: Annotated[str, typer.Option("--mode", help="freeze stops all; stop_new lets what was accepted go on.")] = (
        "freeze"
    ),
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Trip a kill switch, and name what had left already."""
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.put(_path(target), {"mode": mode, "reason": reason})
        opened.output.answer(answer, lambda console: draw_tripped(console, answer))
    return ExitCode.OK


@app.command("off", epilog=examples('switchgear kill off connector:crm --reason "fixed in release 12"'))
def off(
    target: Target,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Release a kill switch. Another person than the one who tripped it does that, and never an agent."""
    return post(_path(target, "/release"), {"reason": reason}, draw_released, url, token, as_json=as_json)


@app.command("list", epilog=examples("switchgear kill list", "switchgear kill list --json"))
def list_(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """List the kill switches that are on, and when they were last proven to work."""
    return get("/v1/kill-switches", draw_switches, url, token, as_json=as_json)


def draw_switches(console: Console, answer: View) -> None:
    """Print the switches that are on, and whether they can be relied on."""
    table(console, _COLUMNS, [_row(switch) for switch in answer["items"]], empty="no kill switch is on")
    if not answer["readable"]:
        console.print("[bold red]the kill switch cannot be read, so nothing is started[/]", soft_wrap=True)
    ago = answer["last_proven_ago"]
    console.print("[bold red]never proven[/]" if ago is None else f"[dim]last proven {span(round(ago))} ago[/]")


def draw_tripped(console: Console, answer: View) -> None:
    """Print a switch that was tripped, and what it came too late for."""
    switch = answer["switch"]
    console.print(f"[bold red]{escape(switch['mode'])}[/] {escape(switch['target'])} ({_whose(switch)})")
    if not switch["tools"]:
        near = answer.get("similar") or ()
        meant = f" Did you mean {' or '.join(map(escape, near))}?" if near else ""
        console.print(f"[yellow]no tool known here is covered by it: is the name right?{meant}[/]", soft_wrap=True)
    console.print(f"in flight, cannot be stopped any more: {answer['in_flight_count']}")
    for intent in answer["in_flight"]:
        console.print(f"  {escape(intent['id'])}  {escape(intent['tenant'])}  {escape(intent['tool'])}", soft_wrap=True)


def draw_released(console: Console, answer: View) -> None:
    """Print a switch that was released, and what goes on now."""
    console.print(f"[green]released[/] {escape(answer['target'])} ({_whose(answer)})")
    console.print(f"held and looked at again: {answer['held']}")


def _row(switch: View) -> tuple[str, ...]:
    by = ", ".join(switch["by"]) if switch["by"] is not None else ""
    facts = (switch["target"], switch["mode"], _whose(switch), moment(switch["at"]), by, switch["reason"] or "")
    return tuple(escape(fact) for fact in facts)


def _whose(switch: View) -> str:
    return "for every tenant" if switch["scope"] == "platform" else "for this tenant"


def _path(target: str, rest: str = "") -> str:
    return f"/v1/kill-switches/{quote(target, safe=':')}{rest}"


_COLUMNS = (
    Column("target"),
    Column("mode", whole=True),
    Column("set", whole=True),
    Column("since", whole=True),
    Column("by"),
    Column("reason", spare=True),
)
