"""What growth costs, as a section of the page: a table of actions, one of starts, and whether the cost stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.durable.grown import Cost, Grown
from benchmarks.durable.starting import Start
from benchmarks.tables import table, verdict

BEGIN = '<!-- growth: begin, written by `make bench ARGS="--only growth --write"` -->'
END = "<!-- growth: end -->"
FLAT_MAX = 1.25
"""What an action may cost at the most recorded or over the most tenants, beside the least, to count as flat."""
START_GOAL = 5.0
_COSTS = ("recorded before", "tenants", "64 in flight /s", "p50", "p99", "processor an action", "in a young store /s")
_STARTS = ("open", "file in the system's memory", "whole process", "of it the store and the engine", "read from disk")


def growth(grown: Grown, machine: Mapping[str, str]) -> str:
    """Return the section between its marks."""
    return "\n".join((BEGIN, *_section(grown, machine), END)) + "\n"


def with_growth(page: str, section: str) -> str:
    """Return `page` with its section replaced by `section`, or with that at its end when it has none."""
    kept = growth_of(page)
    return page.replace(kept, section) if kept else f"{page}\n{section}"


def growth_of(page: str) -> str:
    """Return the section that `page` has, its marks included; empty when it has none."""
    if BEGIN not in page:
        return ""
    return page[page.index(BEGIN) : page.index(END) + len(END)] + "\n"


def _section(grown: Grown, machine: Mapping[str, str]) -> Iterator[str]:
    facts = ", ".join((machine["processor"], f"{machine['cores']} cores", machine["system"], machine["python"]))
    yield "\n## What growth costs\n"
    yield f"Measured on {machine['date']}: {facts}, load before the run {machine['load before']}.\n"
    groups = ", ".join(_counted(tenants) for tenants in _tenants(grown.costs))
    yield "One store on this disk, one gear, everything at its default. As many actions are recorded of each group of"
    yield f"tenants: {groups}. They are the entries and rows of an action of the engine,"
    yield "appended again for other tenants, keys and ids; from each power of ten on, the engine itself is measured"
    yield "over each group, the groups taking turns, another one first each time. Once ten times as many are"
    yield "recorded as a group has tenants, each of them has acted before in the process that is measured; until"
    yield "then most act in it for the first time."
    yield "After each turn comes one in a young store, of this group alone, in the same process: a machine changes its"
    yield "pace within minutes, so speeds of one row are compared, and of one number recorded, and no others.\n"
    yield from table(_COSTS, [_cost(cost) for cost in grown.costs])
    for name, ratio in _ratios(grown.costs):
        yield f"\n{name}: × {ratio:.2f}; flat is ≤ × {FLAT_MAX:g}: {verdict(reached=ratio <= FLAT_MAX)}."
    memory = ", ".join(f"{found:,.0f} MB at {int(recorded):,}" for recorded, found in grown.memory_mb.items())
    yield f"\nMost memory of the process: {memory}. The file has {_bytes(grown):,.0f} bytes an action."
    if grown.starts:
        yield f"\nStarts with {grown.recorded:,} recorded, from the beginning of a process until its engine is ready:\n"
        yield from table(_STARTS, [_start(start) for start in grown.starts])
        prompt = all(start.seconds <= START_GOAL for start in grown.starts)
        yield f"\nGoal for a start: ≤ {START_GOAL:g} s {verdict(reached=prompt)}.\n"


def _ratios(costs: Sequence[Cost]) -> Iterator[tuple[str, float]]:
    """Yield how many times as long an action takes with the most recorded, and then over the most tenants."""
    most = max((cost.recorded for cost in costs), default=0)
    series = sorted((cost for cost in costs if cost.recorded == most), key=lambda cost: cost.tenants)
    for cost in series:
        name = f"Over {_counted(cost.tenants)}, with {most:,} recorded beside {cost.young_recorded:,}"
        yield name, cost.beside_young
    if len(series) > 1:
        name = f"With {most:,} recorded, over {series[-1].tenants:,} tenants beside {_counted(series[0].tenants)}"
        yield name, series[0].per_second / series[-1].per_second


def _tenants(costs: Sequence[Cost]) -> list[int]:
    return sorted({cost.tenants for cost in costs})


def _counted(tenants: int) -> str:
    return "1 tenant" if tenants == 1 else f"{tenants:,} tenants"


def _bytes(grown: Grown) -> float:
    return grown.file_bytes / max(1, grown.recorded)


def _cost(cost: Cost) -> tuple[str, ...]:
    return (
        f"{cost.recorded:,}",
        f"{cost.tenants:,}",
        f"{cost.per_second:,.0f}",
        f"{cost.p50_ms:,.1f} ms",
        f"{cost.p99_ms:,.1f} ms",
        f"{cost.cpu_us:,.0f} µs",
        f"{cost.young_per_second:,.0f} (of {cost.young_recorded:,})",
    )


def _start(start: Start) -> tuple[str, ...]:
    cached = "yes" if start.cached else "no"
    return (
        f"{start.queued:,}",
        cached,
        f"{start.seconds:.2f} s",
        f"{start.open_seconds:.2f} s",
        f"{start.read_mb:,.0f} MB",
    )
