"""Interleaved sampling: every contender runs once in each round, so that drift of the machine hits all alike.

Each contender's figure is its fastest lap less the fastest of the bare call: what else runs on the machine only ever
makes laps longer (docs.python.org/3/library/timeit.html, "Note" on `repeat`). The collector of cyclic garbage stays on,
as it is in production.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from benchmarks.contenders import Mode

BARE = ""
_CALIBRATION_CALLS = 200
_CALLS_MIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: `rounds` of `lap_seconds` for each contender."""

    rounds: int
    lap_seconds: float


async def _lap(call: Callable[[], Any], mode: Mode, calls: int) -> float:
    """Return nanoseconds a call over `calls` calls."""
    start = time.perf_counter_ns()
    if mode == "async":
        for _ in range(calls):
            await call()
    else:
        for _ in range(calls):
            call()
    return (time.perf_counter_ns() - start) / calls


async def _calls_in(seconds: float, call: Callable[[], Any], mode: Mode) -> int:
    """Return how many calls fill `seconds`, after a warm-up."""
    await _lap(call, mode, _CALIBRATION_CALLS)
    each = await _lap(call, mode, _CALIBRATION_CALLS)
    return max(_CALLS_MIN, int(seconds * 1e9 / each))


async def interleave(
    calls: Mapping[str, Callable[[], Any]], bare: Callable[[], Any], mode: Mode, effort: Effort
) -> dict[str, float]:
    """Return the fastest lap of each call, in nanoseconds a call. That of the bare call has no name."""
    everybody = {BARE: bare, **calls}
    counts = {name: await _calls_in(effort.lap_seconds, call, mode) for name, call in everybody.items()}
    gc.collect()
    fastest = dict.fromkeys(everybody, inf)
    order = list(everybody)
    for _ in range(effort.rounds):
        random.shuffle(order)  # so that the beat of another process does not always hit the same one
        for name in order:
            fastest[name] = min(fastest[name], await _lap(everybody[name], mode, counts[name]))
    return fastest
