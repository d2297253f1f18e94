"""The three phases that every engine goes through: a burst, many in flight, one in flight."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.durable.engine import Engine

Opening = Callable[[Path], AbstractAsyncContextManager[Engine]]
_WARM_UP = 20
_LAPS, _AWAITS = 40, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How much to do: actions in the burst, seconds of each timed phase, actions in flight in the second."""

    burst: int
    seconds: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured. Latencies are milliseconds from submit to result; `syncs_per_action` is at many in flight.

    `bare_await_ns` is the pace of the interpreter right after that: what one ``await`` of an empty coroutine takes.
    """

    engine: str
    variant: str
    burst_per_second: float
    burst: int
    many_per_second: float
    in_flight: int
    many_p50_ms: float
    many_p99_ms: float
    bare_await_ns: float
    one_p50_ms: float
    syncs_per_action: float | None
    actions: int
    effects: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)


async def measure(name: str, opening: Opening, folder: Path, workload: Workload) -> Figures:
    """Open an engine in `folder` and run the phases."""
    numbers = itertools.count()
    async with opening(folder) as engine:
        for number in itertools.islice(numbers, _WARM_UP):
            await engine.act(number)
        gc.collect()
        gc.freeze()  # for every engine: no collection looks through what was imported, nor often through the rest
        gc.set_threshold(10_000, 10, 10)
        burst_rate = await _burst(engine, _take(numbers, workload.burst))
        synced = engine.syncs()
        rate, latencies = await _in_flight(engine, numbers, workload.in_flight, workload.seconds)
        syncs = None if synced is None else (engine.syncs() or 0) - synced
        pace = await _bare_await_ns()
        _, single = await _in_flight(engine, numbers, 1, workload.seconds / 2)
        return Figures(
            engine=name,
            variant=engine.variant,
            burst_per_second=burst_rate,
            burst=workload.burst,
            many_per_second=rate,
            in_flight=workload.in_flight,
            many_p50_ms=median(latencies) * 1e3,
            many_p99_ms=quantiles(latencies, n=100)[98] * 1e3,
            bare_await_ns=pace,
            one_p50_ms=median(single) * 1e3,
            syncs_per_action=None if syncs is None else syncs / len(latencies),
            actions=next(numbers),
            effects=engine.effects,
        )


async def _bare_await_ns() -> float:
    """Return the nanoseconds of an await of nothing, in the fastest of some laps."""
    laps: list[int] = []
    for _ in range(_LAPS):
        start = time.perf_counter_ns()
        for _ in range(_AWAITS):
            await _nothing()
        laps.append(time.perf_counter_ns() - start)
    return min(laps) / _AWAITS


async def _nothing() -> None:
    pass


def _take(numbers: itertools.count[int], count: int) -> range:
    first = next(numbers)
    for _ in itertools.islice(numbers, count - 1):
        pass
    return range(first, first + count)


async def _burst(engine: Engine, numbers: range) -> float:
    start = time.perf_counter()
    await engine.burst(numbers)
    return len(numbers) / (time.perf_counter() - start)


async def _in_flight(
    engine: Engine, numbers: itertools.count[int], workers: int, seconds: float
) -> tuple[float, list[float]]:
    """Return actions a second and the latencies of all, with `workers` actions in flight for `seconds`."""
    latencies: list[float] = []
    start = time.perf_counter()
    ends_at = start + seconds

    async def work() -> None:
        while time.perf_counter() < ends_at:
            latencies.append(await engine.act(next(numbers)))

    await asyncio.gather(*(work() for _ in range(workers)))
    return len(latencies) / (time.perf_counter() - start), latencies
