"""The results as Markdown and as JSON. Nothing here measures, and nothing is rounded to look better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.contenders import OURS, Result, Standing, meets, of_ours
from benchmarks.durable.grown import Grown
from benchmarks.durable.growth_report import growth
from benchmarks.durable.report import durable, engines
from benchmarks.durable.runner import DurableResult
from benchmarks.hand_written import LIBRARY as BY_HAND
from benchmarks.tables import table, verdict

_SUMMARY = ("row", "ours", "best peer", "best peer that threads may share", "our goal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole run. Parts that were not asked for are empty."""

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    missing: Mapping[str, str]
    calls: Sequence[Result]
    durable: DurableResult | None
    growth: Grown | None = None
    quick: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the run as plain values."""
        return asdict(self)


def summary(run: Run) -> str:
    """Return what the README shows: one table of calls, one of durable actions, and the machine."""
    return "\n".join(_short(run)) + "\n"


def markdown(run: Run) -> str:
    """Return the run as a Markdown page."""
    return "\n".join(_page(run)) + "\n"


def _short(run: Run) -> Iterator[str]:
    facts = run.machine
    machine = f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, {facts['python']}"
    yield f"Measured on {facts['date']}: {machine}, load before the run {facts['load before']}.\n"
    if run.calls:
        yield "What is added to one call. Ours is thread-safe in every row, and decorated as the peers are:\n"
        yield from table(_SUMMARY, [_summary(result) for result in run.calls])
    if run.durable is not None:
        yield "\nOne durable action, from submit until the result is back:\n"
        yield from engines(run.durable)


def _page(run: Run) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "Printed by `make bench`" + (" with `--quick`: a rough look only.\n" if run.quick else ".\n")
    yield from table(("", ""), [(name, text) for name, text in run.machine.items()])
    yield "\nLibraries: " + ", ".join(f"{name} {version}" for name, version in run.versions.items()) + "."
    for name, reason in run.missing.items():
        yield f"\nNot installed: {name} ({reason})."
    if run.calls:
        yield from _calls(run.calls)
    if run.durable is not None:
        yield from durable(run.durable)
    if run.growth is not None:
        yield "\n" + growth(run.growth, run.machine)


def _calls(results: Sequence[Result]) -> Iterator[str]:
    yield "\n## What one call costs\n"
    yield "Nanoseconds added over the bare call, and the ratio of the guarded call to the bare one. Every contender"
    yield "runs once in each round, so that drift hits all alike, and every row is measured in several passes. The"
    yield "fastest lap of each counts, since what else runs on a machine only ever makes laps longer.\n"
    yield from table(_SUMMARY, [_summary(result) for result in results])
    yield "\n*By hand* is what a careful developer writes with the standard library: no windows, no thread safety."
    yield "What ours cost beside it is kept in `benchmarks/ratios.json`. `make bench ARGS=--check-ratios` measures that"
    yield "again, and fails when a row got worse by more than 30 %."
    for result in results:
        yield from _details(result)


def _summary(result: Result) -> tuple[str, ...]:
    peers = [standing for standing in result.standings if standing.library not in (OURS, BY_HAND)]
    shared = [standing for standing in peers if standing.thread_safe is not False]
    ours = _figure(of_ours(result), result.unit)
    return result.title, f"**{ours}**", _first(peers, result.unit), _first(shared, result.unit), _goals(result)


def _first(standings: Sequence[Standing], unit: str) -> str:
    return f"{standings[0].library} {_figure(standings[0].value, unit)}" if standings else "none"


def _goals(result: Result) -> str:
    sign = "≥" if result.at_least else "≤"
    judged = (f"{sign} {_figure(goal, result.unit)}: {verdict(reached=meets(result, goal))}" for goal in result.goals)
    return "; ".join(judged)


def _details(result: Result) -> Iterator[str]:
    yield f"\n### {result.title}\n"
    if result.bare is not None:
        yield f"Bare call: {_figure(result.bare, result.unit)}.\n"
    header = ("library", "how", "threads may share it", result.unit, "× bare")
    yield from table(header, [_standing(standing, result.unit) for standing in result.standings])


def _standing(standing: Standing, unit: str) -> tuple[str, ...]:
    shared = {True: "yes", False: "no", None: "nothing to share"}[standing.thread_safe]
    ratio = "" if standing.ratio is None else f"{standing.ratio:,.1f}"
    bold = "**" if standing.library == OURS else ""
    return f"{bold}{standing.library}{bold}", standing.variant, shared, _figure(standing.value, unit), ratio


def _figure(value: float, unit: str) -> str:
    if unit == "ns":
        return f"{value:,.0f} ns"
    if unit == "bytes":
        return f"{value:,.0f} bytes"
    return f"{value:.2f} ×" if unit == "×" else f"{value:.3f} {unit}"
