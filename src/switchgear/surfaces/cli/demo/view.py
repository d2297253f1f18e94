"""What a person sees while the demo runs: a live view on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from switchgear.surfaces.cli.demo.follower import Follower
from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.traffic import Answers
from switchgear.surfaces.cli.demo.upstream import Upstream
from switchgear.surfaces.cli.rendering import styled

_FRAME_SECONDS = 0.25
_LINES = 8
_STATES = ("succeeded", "ready", "held", "dispatched", "in_doubt", "failed", "cancelled", "expired", "denied")


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to see."""

    seconds: float
    tenants: Sequence[str]
    upstream: Upstream
    follower: Follower
    answers: Answers


async def show(scene: Scene, console: Console) -> None:
    """Show the scene until cancelled."""
    if console.is_terminal:
        await _live(scene, console)
    else:
        await _lines(scene, console)


def frame(scene: Scene) -> RenderableType:
    """Return one picture of the whole scene."""
    story = scene.follower.story
    return Panel(
        Group(
            _head(scene),
            Text(),
            _breakers(scene),
            Text(),
            _outcomes(scene.tenants, story),
            Text(),
            _events(story),
        ),
        title="[bold]Switchgear[/] protecting two tenants from a CRM that has a bad day",
        subtitle=f"[dim]refused: {escape(_counts(scene.answers))}[/]",
    )


def line(scene: Scene) -> str:
    """Return the scene in one line."""
    story = scene.follower.story
    states = ", ".join(f"{count} {state}" for state, count in story.states().most_common())
    breaker = ", ".join(f"{item['state']} (queue {item['queued']})" for item in scene.follower.breakers)
    return (
        f"{scene.upstream.elapsed():5.1f} s  CRM {_phase(scene)}; breaker {breaker or 'closed'}; "
        f"{states or 'nothing yet'}; refused {sum(scene.answers.refused().values())}"
    )


async def _live(scene: Scene, console: Console) -> None:
    with Live(frame(scene), console=console, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(_FRAME_SECONDS)
            live.update(frame(scene), refresh=True)


async def _lines(scene: Scene, console: Console) -> None:
    while True:
        await asyncio.sleep(max(1.0, scene.seconds / _LINES))
        console.print(line(scene), markup=False, soft_wrap=True)


def _head(scene: Scene) -> Text:
    elapsed = scene.upstream.elapsed()
    return Text.from_markup(
        f"[bold]{min(elapsed, scene.seconds):5.1f}[/] of {scene.seconds:g} s    CRM: [bold]{_phase(scene)}[/]"
        f"    requests {len(scene.answers.all)}    retries {scene.follower.story.retries()}"
    )


def _phase(scene: Scene) -> str:
    return scene.upstream.phase().name if scene.upstream.alive else "dead (kill -9)"


def _breakers(scene: Scene) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold dim")
    for heading in ("dependency", "breaker", "closes in", "failing", "in flight", "queued", "opened"):
        table.add_column(heading)
    for item in scene.follower.breakers:
        table.add_row(
            escape(item["dependency"]),
            styled(item["state"]),
            f"{item['retry_after']:.1f} s" if item["state"] == "open" and item["retry_after"] else "",
            "" if item["failure_rate"] is None else f"{item['failure_rate']:.0%}",
            str(item["in_flight"]),
            str(item["queued"]),
            str(item["opened"]),
        )
    return table


def _outcomes(tenants: Sequence[str], story: Story) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold dim")
    table.add_column("tenant")
    seen = [state for state in _STATES if story.states()[state]]
    for state in seen:
        table.add_column(styled(state), justify="right", no_wrap=True)
    for tenant in tenants:
        states = story.states(tenant)
        table.add_row(escape(tenant), *(str(states[state] or "") for state in seen))
    return table


def _events(story: Story) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for at, tenant, kind, subject in sorted(story.last):
        when = datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]
        table.add_row(f"[dim]{when}[/]", escape(tenant), escape(kind), f"[dim]{escape(subject)}[/]")
    return table


def _counts(answers: Answers) -> str:
    return "  ".join(f"{code} {count}" for code, count in answers.refused().most_common(5)) or "nothing"
