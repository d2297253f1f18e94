"""Whether our calls have become dearer: ratios to what stands in the same row, written by hand. Never times.

A ratio is the time of our guarded call over that of the same call guarded by hand, in one interleaved run: the fastest
lap of each, since what else runs on the machine only ever makes laps longer. `ratios.json` holds what they were;
`make bench ARGS=--check-ratios` measures again. Only ours and `hand_written` take part, so the development environment
is enough. Bytes and creation have no floor, and threads are a ratio already.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import hand_written, ours
from benchmarks.calls import ROWS
from benchmarks.contenders import Row
from benchmarks.timing import Effort, interleave

RECORD = Path(__file__).with_name("ratios.json")
WORSE_MAX = 1.3
"""How many times its recorded ratio a row may have."""
THOROUGH = Effort(rounds=31, lap_seconds=0.003)
"""About ten seconds for all rows."""
BRIEF = Effort(rounds=9, lap_seconds=0.0015)
_FLOOR = "the floor"

Ratios = Mapping[str, Mapping[str, float]]
"""Row key -> variant of ours -> its ratio to the floor of the row."""


@dataclass(frozen=True, slots=True)
class Worse:
    """A row, in one variant, that costs more than it did. The ratios are to the floor; `before` is None when new."""

    row: str
    variant: str
    ratio: float
    before: float | None

    def __str__(self) -> str:
        """Name the row and say by how much."""
        named = f"{self.row} ({self.variant}): {self.ratio:.2f} × the floor"
        if self.before is None:
            return f"{named}; not recorded, see --write-ratios"
        return f"{named}, was {self.before:.2f}: {self.ratio / self.before - 1.0:+.0%}"


def compared() -> tuple[Row, ...]:
    """Return the rows with a floor."""
    return tuple(row for row in ROWS if row.key in hand_written.CONTENDERS)


def measure_ratios(effort: Effort, rows: Iterable[Row] | None = None) -> dict[str, dict[str, float]]:
    """Measure `rows`, by default all with a floor."""
    return asyncio.run(_measure(effort, compared() if rows is None else rows))


async def _measure(effort: Effort, rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    return {row.key: await _ratios_of(row, effort) for row in rows}


async def _ratios_of(row: Row, effort: Effort) -> dict[str, float]:
    builds = {_FLOOR: hand_written.CONTENDERS[row.key][0].build}
    builds |= {contender.variant: contender.build for contender in ours.CONTENDERS[row.key]}
    fastest = await _fastest(row, {name: build() for name, build in builds.items()}, effort)
    floor = fastest.pop(_FLOOR)
    return {variant: round(seconds / floor, 3) for variant, seconds in fastest.items()}


async def _fastest(row: Row, calls: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, float]:
    """Return the fastest lap of each call. The order of a round is drawn, or a beat of the machine would favour one."""
    fastest = dict.fromkeys(calls, inf)
    draws = Random(0)
    for _ in range(effort.rounds):
        drawn = draws.sample([*calls], len(calls))
        one_round = replace(effort, rounds=1)
        laps = await interleave({name: calls[name] for name in drawn}, row.bare, row.mode, one_round)
        fastest |= {name: min(fastest[name], laps[name]) for name in calls}
    return fastest


def worse(measured: Ratios, recorded: Ratios, factor: float = WORSE_MAX) -> list[Worse]:
    """Return what is above `factor` times its recorded ratio, and what was never recorded."""
    return [one for one in _each(measured, recorded) if one.before is None or one.ratio > factor * one.before]


def _each(measured: Ratios, recorded: Ratios) -> Iterator[Worse]:
    for row, variants in measured.items():
        for variant, ratio in variants.items():
            yield Worse(row, variant, ratio, recorded.get(row, {}).get(variant))


def check(recorded: Ratios, effort: Effort, *, factor: float = WORSE_MAX, tries: int = 3) -> list[Worse]:
    """Measure, and return what is worse in each of up to `tries` measurements (at least 1).

    What is worse is measured again by itself: a machine that was busy for a moment fails nothing.
    """
    found = worse(measure_ratios(effort), recorded, factor)
    for _ in range(tries - 1):
        again = [row for row in compared() if row.key in {one.row for one in found if one.before is not None}]
        if not again:
            break
        still = {(one.row, one.variant): one for one in worse(measure_ratios(effort, again), recorded, factor)}
        found = [still.get((one.row, one.variant), one) for one in found if _stays(one, still)]
    return found


def _stays(one: Worse, still: Mapping[tuple[str, str], Worse]) -> bool:
    return one.before is None or (one.row, one.variant) in still


def write_record(ratios: Ratios, machine: Mapping[str, str], path: Path = RECORD) -> None:
    """Write `ratios` with what they were measured on."""
    path.write_text(json.dumps({"machine": dict(machine), "ratios": ratios}, indent=2) + "\n", encoding="utf-8")


def read_record(path: Path = RECORD) -> Ratios:
    """Return the recorded ratios. Raises `OSError` and `ValueError` for a file that is not there, or not JSON."""
    record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    ratios: Ratios = record["ratios"]
    return ratios
