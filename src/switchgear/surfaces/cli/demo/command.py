"""The command `demo`."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.services import Services
from switchgear.surfaces.cli.session import JsonFlag, examples
from switchgear.surfaces.cli.typed_times import length_option

if TYPE_CHECKING:
    from switchgear.surfaces.cli.demo.running import Plan
    from switchgear.surfaces.cli.demo.summary import Summary

EXAMPLES = examples("switchgear demo", "switchgear demo --seconds 10 --json", "switchgear demo --seed 7 --folder day")
SECONDS_MIN = 3.0
SECONDS_MAX = 600.0
_SEEDS = 1_000_000


def demo(
    context: typer.Context,
    *,
    seconds: Annotated[
        float, length_option("--seconds", "How long it lasts", least=SECONDS_MIN, most=SECONDS_MAX)
    ] = 30.0,
    seed: Annotated[int | None, typer.Option("--seed", help="Repeat the draws of an earlier run.")] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port of the gear; 0 takes a free one.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="A new folder for its files; else one among the temporary files.")
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Watch it protect real traffic against a real HTTP service that is slow, fails, limits and is killed.

    Needs nothing but this machine. Ends with a summary that the service's own log has to confirm: no action
    was done twice, none was lost, and everything in doubt is named. Ctrl-C ends it early.
    """
    from switchgear.surfaces.cli.demo.running import Plan
    from switchgear.surfaces.cli.demo.summary import draw_summary

    services: Services = context.obj
    output = Output(as_json=as_json)
    plan = Plan(seconds, secrets.randbelow(_SEEDS) if seed is None else seed, port, _made(folder))
    output.note(f"seed {plan.seed}; files in {plan.folder}")
    summary = _run(plan, services, output)
    output.answer(summary.document(), lambda console: draw_summary(console, summary))
    return ExitCode.OK if summary.ok else ExitCode.FAILED


def _run(plan: Plan, services: Services, output: Output) -> Summary:
    """Run it. Stopped before anything was sent, it leaves no folder behind."""
    from switchgear.surfaces.cli.demo.running import run_demo

    try:
        return asyncio.run(run_demo(plan, services, None if output.as_json else output.console))
    except KeyboardInterrupt:
        if not plan.effect_log.is_file() or not plan.effect_log.stat().st_size:
            shutil.rmtree(plan.folder)
        raise


def _made(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="switchgear-demo-"))
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise failure_of_usage(f"{folder}: {error.strerror}", advice="Name a new folder.") from error
    return folder
