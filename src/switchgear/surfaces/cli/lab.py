"""The commands `lab …`: trying the whole engine, offline. They open no file and reach no server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import JsonFlag, examples
from switchgear.surfaces.cli.typed_times import length_option

if TYPE_CHECKING:
    from switchgear.lab.simulation import Campaign, SeedReport

app = typer.Typer(no_args_is_help=True, help="Try the whole engine: on simulated time, disk and network.")

_TOLD_EVERY = 100
_KINDS = ("crash", "life", "disk", "remote", "clock", "event", "end", "refusal")


@app.command(
    "simulate",
    epilog=examples("switchgear lab simulate --seeds 300 --jobs 2", "switchgear lab simulate --seed 1234 --trace"),
)
def simulate_(
    *,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds.")] = 100,
    first: Annotated[int, typer.Option("--first", min=0, help="The first of them.")] = 1,
    seconds: Annotated[
        float | None, length_option("--seconds", "End after so much real time, whatever is left", least=1.0)
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="How many processes.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Run this one alone.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print all that happens in it; needs --seed.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Run the whole engine from seeds, with crashes, faults and clock jumps, and check every law after each."""
    from switchgear.lab.simulation import campaign, simulate

    output = Output(as_json=as_json)
    if seed is not None:
        return _one(output, simulate(seed, lines=trace))
    found = campaign(seeds, first=first, seconds=seconds, jobs=jobs, tell=_teller(output))
    document = campaign_document(found)
    output.answer(document, lambda console: draw_campaign(console, document))
    return ExitCode.FAILED if found.failed else ExitCode.OK


def campaign_document(found: Campaign) -> View:
    """Return what many seeds came to, as JSON shows it."""
    return {
        "seeds": found.seeds,
        "failed": [seed_document(report) for report in found.failed],
        "simulated_seconds": round(found.simulated, 3),
        "seconds": round(found.seconds, 3),
        "coverage": {kind: found.coverage.of(kind) for kind in _KINDS},
        "never": list(found.coverage.missing()),
    }


def seed_document(report: SeedReport) -> View:
    """Return what one seed came to, as JSON shows it."""
    return {
        "seed": report.seed,
        "trace_hash": report.trace_hash,
        "problems": list(report.problems),
        "simulated_seconds": round(report.seconds, 3),
        "replay": replay_command(report.seed),
    }


def replay_command(seed: int) -> str:
    """Return the command that runs a seed again and prints all that happens in it."""
    return f"switchgear lab simulate --seed {seed} --trace"


def draw_campaign(console: Console, document: View) -> None:
    """Print the summary: what was run, what happened in it, what never did, and what is broken."""
    from switchgear.lab.simulation import NEVER

    for kind, counts in document["coverage"].items():
        line = ", ".join(f"{name} {count}" for name, count in counts.items())
        console.print(f"[bold]{kind:8}[/] {escape(line)}")
    if document["never"]:
        console.print(f"[yellow]never happened ({len(document['never'])} of {len(NEVER)}):[/]", end=" ")
        console.print(escape(", ".join(document["never"])))
    for report in document["failed"]:
        draw_seed(console, report)
    hours = document["simulated_seconds"] / 3600.0
    console.print(
        f"{document['seeds']} seeds, {len(document['failed'])} failed, {hours:.1f} simulated hours "
        f"in {document['seconds']:.1f} s"
    )


def draw_seed(console: Console, document: View) -> None:
    """Print one seed: its trace hash, and what it broke."""
    verdict = "[red]FAILED[/]" if document["problems"] else "[green]good[/]"
    console.print(f"seed {document['seed']} {verdict}, trace hash {document['trace_hash']}")
    for problem in document["problems"]:
        console.print(f"  {escape(problem)}", soft_wrap=True)
    if document["problems"]:
        console.print(f"  {document['replay']}", soft_wrap=True)


def _one(output: Output, report: SeedReport) -> int:
    document = {**seed_document(report), "trace": list(report.lines)}
    if not output.as_json:
        for line in report.lines:
            sys.stdout.write(f"{line}\n")
    output.answer(document, lambda console: draw_seed(console, document))
    return ExitCode.FAILED if report.problems else ExitCode.OK


def _teller(output: Output) -> Callable[[Campaign, SeedReport], None]:
    """Return what tells of progress: each failing seed at once, and now and then how far it is."""

    def tell(found: Campaign, report: SeedReport) -> None:
        if report.problems:
            output.note(f"seed {report.seed} failed: {report.problems[0]}")
        if found.seeds % _TOLD_EVERY == 0:
            output.note(f"{found.seeds} seeds, {len(found.failed)} failed, {found.seconds:.1f} s")

    return tell
