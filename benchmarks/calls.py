"""Collects the contenders and runs every per-call row. One event loop for all rows, one lap a contender a round."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks import hand_written, ours, scaling
from benchmarks.contenders import Contender, Contenders, Result, Row, Standing
from benchmarks.targets import answer, answer_async, answer_suspending
from benchmarks.timing import BARE, Effort, interleave

PEERS = (
    "aiolimiter",
    "benzene",
    "circuitbreaker",
    "grelmicro",
    "hyx",
    "interlock",
    "limits",
    "pybreaker",
    "pyresilience",
    "stamina",
    "tenacity",
    "token_bucket",
)

ROWS = (
    Row(key="breaker_async", title="async breaker, closed", mode="async", bare=answer_async, goals=(600.0,)),
    Row(key="breaker_sync", title="sync breaker, closed", mode="sync", bare=answer, goals=(300.0,)),
    Row(key="refused", title="refused call (sync, breaker open)", mode="sync", bare=answer, goals=(600.0,)),
    Row(key="limit_sync", title="rate limit, sync", mode="sync", bare=answer, goals=(300.0,)),
    Row(key="limit_async", title="rate limit, async", mode="async", bare=answer_async, goals=(250.0,)),
    Row(key="retry", title="retry, async, first try succeeds", mode="async", bare=answer_async, goals=(150.0,)),
    Row(key="timeout", title="timeout, the call suspends", mode="async", bare=answer_suspending, goals=(1000.0,)),
    Row(
        key="pipeline",
        title="whole pipeline: timeout, retry, breaker, limiter, bulkhead",
        mode="async",
        bare=answer_async,
        goals=(2200.0, 1500.0),
    ),
    Row(
        key="pipeline_suspending",
        title="whole pipeline, the call suspends",
        mode="async",
        bare=answer_suspending,
        goals=(2700.0,),
    ),
)


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who can take part, by row, and the peers that cannot be imported with the reason."""

    by_row: dict[str, list[Contender]]
    missing: dict[str, str]


def roster() -> Roster:
    """Import the peers and sort their contenders into rows."""
    by_row: dict[str, list[Contender]] = defaultdict(list)
    missing: dict[str, str] = {}
    _enter(ours.CONTENDERS, by_row)
    for peer in PEERS:
        try:
            module = import_module(f"benchmarks.peers.{peer}")
        except ImportError as error:
            missing[peer] = str(error)
        else:
            _enter(module.CONTENDERS, by_row)
    _enter(hand_written.CONTENDERS, by_row)
    return Roster(by_row, missing)


def _enter(contenders: Contenders, by_row: dict[str, list[Contender]]) -> None:
    for key, entries in contenders.items():
        by_row[key].extend(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long a run takes: passes over all rows, effort of the calls in each, and so on for threads and keys."""

    passes: int
    effort: Effort
    thread_seconds: float
    thread_rounds: int
    keys: int
    key_rounds: int


FULL = Scale(
    passes=4,
    effort=Effort(rounds=11, lap_seconds=0.005),
    thread_seconds=0.1,
    thread_rounds=25,
    keys=100_000,
    key_rounds=5,
)
"""About a minute."""
QUICK = Scale(
    passes=2,
    effort=Effort(rounds=5, lap_seconds=0.003),
    thread_seconds=0.05,
    thread_rounds=5,
    keys=10_000,
    key_rounds=3,
)
"""A few seconds."""


def measure_calls(entrants: Roster, scale: Scale) -> list[Result]:
    """Run every row."""
    results = asyncio.run(_measure_rows(entrants, scale))
    return [*results, *_measure_others(entrants, scale)]


async def _measure_rows(entrants: Roster, scale: Scale) -> list[Result]:
    """Measure every row in each pass, since a machine may be slow for longer than one row takes."""
    built = {row: {f"{n}": one.build() for n, one in enumerate(entrants.by_row[row.key])} for row in ROWS}
    fastest: dict[Row, dict[str, float]] = {row: {} for row in ROWS}
    for _ in range(scale.passes):
        for row, calls in built.items():
            for name, lap in (await interleave(calls, row.bare, row.mode, scale.effort)).items():
                fastest[row][name] = min(lap, fastest[row].get(name, lap))
    return [_result(row, entrants.by_row[row.key], laps) for row, laps in fastest.items()]


def _result(row: Row, contenders: list[Contender], laps: Mapping[str, float]) -> Result:
    bare = laps[BARE]
    standings = [
        _standing(contender, laps[f"{number}"] - bare, laps[f"{number}"] / bare)
        for number, contender in enumerate(contenders)
    ]
    return Result(key=row.key, title=row.title, unit="ns", goals=row.goals, standings=_by_value(standings), bare=bare)


def _standing(contender: Contender, value: float, ratio: float | None = None) -> Standing:
    return Standing(
        library=contender.library,
        variant=contender.variant,
        thread_safe=contender.thread_safe,
        value=value,
        ratio=ratio,
    )


def _by_value(standings: list[Standing]) -> tuple[Standing, ...]:
    return tuple(sorted(standings, key=lambda standing: standing.value))


def _measure_others(entrants: Roster, scale: Scale) -> list[Result]:
    def of_threads(call: Callable[[], Any]) -> float:
        return scaling.throughput_of_threads(call, scale.thread_seconds, scale.thread_rounds)

    def of_keys(member: Callable[[int], object]) -> float:
        return scaling.seconds_for_keys(member, scale.keys)

    created = f"{scale.keys:,} keyed guards created"
    rows = (
        ("scaling", "throughput of 4 threads over 1, sync breaker", "×", 0.95, of_threads, 1),
        ("keyed_bytes", "bytes for breaker and limiter a key", "bytes", 250.0, scaling.bytes_per_key, 1),
        ("keyed_created", created, "s", 0.12 * scale.keys / 100_000, of_keys, scale.key_rounds),
    )
    return [
        _ranked(key, title, unit, goal, _each(entrants.by_row[key], measure, rounds))
        for key, title, unit, goal, measure, rounds in rows
    ]


def _each(contenders: list[Contender], measure: Callable[[Any], float], rounds: int) -> list[Standing]:
    """Return the least of so many rounds, in which all take turns, each time with what it has built anew."""
    found: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, values in zip(contenders, found, strict=True):
            gc.collect()
            values.append(measure(contender.build()))
    return [_standing(contender, min(values)) for contender, values in zip(contenders, found, strict=True)]


def _ranked(key: str, title: str, unit: str, goal: float, standings: list[Standing]) -> Result:
    """Return the result, best first. Of a ratio more is better, of everything else less."""
    at_least = unit == "×"
    ranked = _by_value(standings)[::-1] if at_least else _by_value(standings)
    return Result(key=key, title=title, unit=unit, goals=(goal,), standings=ranked, at_least=at_least)
