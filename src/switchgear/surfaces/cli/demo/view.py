"""What a person sees while the demo runs: a live view on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from switchgear.execution.transitions import Kind
from switchgear.surfaces.cli.demo.follower import Follower
from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.traffic import Answers
from switchgear.surfaces.cli.demo.upstream import Upstream
from switchgear.surfaces.cli.rendering import styled

_FRAME_SECONDS = 0.25
_LINES = 8
STATES = ("succeeded", "ready", "held", "dispatched", "in_doubt", "dead_lettered", "cancelled")
"""Always shown, so that no column moves; others are added when they occur."""
_REFUSALS_MAX = 3
_BORDER = 6
_CLOSE = (0, 1, 0, 0)
"""One space between columns: eight states and the tenant fill 80 characters."""


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


def frame(scene: Scene, width: int) -> RenderableType:
    """Return one picture of the whole scene, for a console `width` characters wide; 80 are enough."""
    story = scene.follower.story
    return Panel(
        Group(
            _head(scene),
            Text(),
            _breakers(scene),
            Text(),
            _outcomes(scene.tenants, story),
            Text(),
            _events(scene.tenants, story),
        ),
        title="[bold]Switchgear[/] protecting two tenants from a CRM that has a bad day",
        subtitle=f"[dim]{escape(refusals(scene.answers.refused(), width - _BORDER))}[/]",
    )


def refusals(refused: Counter[str], width: int) -> str:
    """Return the most frequent refusals by code, at most three and as many as `width` characters hold."""
    if not refused:
        return "refused: nothing"
    texts = (_refusals(refused, count) for count in range(min(_REFUSALS_MAX, len(refused)), 0, -1))
    return next((text for text in texts if len(text) <= width), f"refused: {refused.total()}")


def _refusals(refused: Counter[str], count: int) -> str:
    named = "  ".join(f"{code} {number}" for code, number in refused.most_common(count))
    rest = len(refused) - count
    return f"refused: {named}" + (f"  and {rest} more" if rest else "")


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
    with Live(frame(scene, console.width), console=console, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(_FRAME_SECONDS)
            live.update(frame(scene, console.width), refresh=True)


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
        table.add_column(heading, min_width=_widest(heading), no_wrap=True)
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
    table = Table(box=None, pad_edge=False, padding=_CLOSE, header_style="bold dim")
    table.add_column("tenant", no_wrap=True)
    seen = [*STATES, *sorted(story.states().keys() - set(STATES))]
    for state in seen:
        table.add_column(styled(state), justify="right", no_wrap=True)
    for tenant in tenants:
        states = story.states(tenant)
        table.add_row(escape(tenant), *(str(states[state] or "") for state in seen))
    return table


def _events(tenants: Sequence[str], story: Story) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=8)
    table.add_column(no_wrap=True, min_width=max(len(tenant) for tenant in tenants))
    table.add_column(no_wrap=True, min_width=max(len(kind) for kind in Kind) - len("intent."))
    table.add_column(no_wrap=True, overflow="ellipsis")
    for at, tenant, kind, subject in sorted(story.last):
        when = datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
        table.add_row(f"[dim]{when}[/]", escape(tenant), escape(kind), f"[dim]{escape(subject)}[/]")
    return table


def _widest(heading: str) -> int:
    """Return how wide a column may become, so that it begins so: a breaker's state is the longest cell."""
    return max(len(heading), len("half_open")) if heading == "breaker" else len(heading)
