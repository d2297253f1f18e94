"""The table of durable engines, and what is said below it: goals, each met or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.contenders import OURS
from benchmarks.durable.driver import Figures
from benchmarks.durable.runner import ENGINES, ON_UVLOOP, OVER_REST, DurableResult
from benchmarks.tables import table, verdict

_HEADER = (
    "engine",
    "burst /s",
    "64 in flight /s",
    "p50",
    "p99",
    "bare await",
    "1 in flight p50",
    "syncs an action",
    "effects",
)


@dataclass(frozen=True, slots=True)
class _Goals:
    """What an engine of ours is to reach. Latencies are milliseconds; None: no goal."""

    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    alone_p50_ms: float | None = None
    syncs: float | None = None


_IN_PROCESS = _Goals(5000.0, p50_ms=15.0, p99_ms=40.0, alone_p50_ms=1.5, syncs=0.5)
_GOALS: Mapping[str, _Goals] = {
    OURS: _IN_PROCESS,
    ON_UVLOOP: _IN_PROCESS,
    OVER_REST: _Goals(1500.0),
}


def engines(result: DurableResult) -> Iterator[str]:
    """Yield the table alone, of the engines that have figures."""
    yield from table(_HEADER, [_row(figures) for figures in result.figures])


def durable(result: DurableResult) -> Iterator[str]:
    """Yield the section of the page."""
    yield "\n## What one durable action costs\n"
    yield "One-step actions, from submit until the result is back, each engine in a process of its own on this disk."
    yield "Each looks for garbage seldom; ours calls `dedicate_process()`, which also makes threads change quickly."
    yield "It runs on asyncio's own event loop, and once more on uvloop, which comes with `switchgear[gear]`."
    yield f"The disk does {result.disk_syncs_per_second:,.0f} syncs of 4 KiB a second, one at a time."
    yield "A bare await tells the pace of the machine at that moment, which changes by half within minutes:"
    yield "the goals were set where it took 64 ns."
    yield "Over REST it is `switchgear up --dev`, and each action is one request that waits for its outcome"
    yield "(`Prefer: wait`). The client shares the machine with the server, so what it costs is missing there.\n"
    rows = [_row(figures) for figures in result.figures]
    rows += [(name, f"failed: {reason}", *[""] * 7) for name, reason in result.failures.items()]
    yield from table(_HEADER, rows)
    for figures in result.figures:
        if figures.engine in _GOALS:
            yield f"\nGoals of {figures.engine}: {', '.join(_judged(figures, _GOALS[figures.engine]))}."


def _judged(figures: Figures, goals: _Goals) -> Iterator[str]:
    many = figures.many_per_second >= goals.per_second
    yield f"at 64 in flight ≥ {goals.per_second:,.0f} /s {verdict(reached=many)}"
    bounds = (
        ("p50", figures.many_p50_ms, goals.p50_ms, " ms"),
        ("p99", figures.many_p99_ms, goals.p99_ms, " ms"),
        ("syncs an action", figures.syncs_per_action, goals.syncs, ""),
        ("alone p50", figures.one_p50_ms, goals.alone_p50_ms, " ms"),
    )
    for name, found, bound, unit in bounds:
        if bound is not None and found is not None:
            yield f"{name} ≤ {bound:g}{unit} {verdict(reached=found <= bound)}"


def _row(figures: Figures) -> tuple[str, ...]:
    syncs = "not counted" if figures.syncs_per_action is None else f"{figures.syncs_per_action:.2f}"
    entrant = ENGINES.get(figures.engine)
    bold = "**" if entrant is not None and entrant.library == OURS else ""
    return (
        f"{bold}{figures.engine}{bold}, {figures.variant}",
        f"{figures.burst_per_second:,.0f} (of {figures.burst:,})",
        f"{figures.many_per_second:,.0f}",
        f"{figures.many_p50_ms:,.1f} ms",
        f"{figures.many_p99_ms:,.1f} ms",
        f"{figures.bare_await_ns:,.0f} ns",
        f"{figures.one_p50_ms:,.2f} ms",
        syncs,
        f"{figures.effects:,} of {figures.actions:,}",
    )
