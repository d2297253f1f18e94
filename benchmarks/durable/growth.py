"""What an action costs as the store grows, and how long a start takes: `python -m benchmarks.durable.growth FOLDER`.

Records actions in one store, measures at each power of ten, over one tenant or many, then leaves some open and starts
again. By hand only: a million actions take minutes. `--actions`, `--tenants` and `--open` say how much.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.execution.contract import Call

_TOOL = "bench.act"
_IN_FLIGHT = 64
_MEASURED = 2_000
_FIRST = 1_000
_OPEN_AT_ONCE = 500


async def _act(call: Call, number: int) -> int:
    return number + call.attempt


class _Growth:
    """One gear whose store grows."""

    def __init__(self, gear: Switchgear, tenants: int) -> None:
        gear.tool(_TOOL, effect="keyed")(_act)
        self._acting = [
            gear.acting_as(tenant=f"t{number}", account="main", actor="service:bench") for number in range(tenants)
        ]
        self._numbers = itertools.count()

    async def record(self, actions: int) -> tuple[float, float]:
        """Carry out so many actions; return how many a second, and the median latency in seconds."""
        numbers, latencies = itertools.islice(self._numbers, actions), list[float]()
        start = time.perf_counter()
        await asyncio.gather(*(self._work(numbers, latencies) for _ in range(_IN_FLIGHT)))
        return actions / (time.perf_counter() - start), median(latencies)

    async def leave_open(self, actions: int) -> None:
        """Submit so many that nobody carries out."""
        for first in range(0, actions, _OPEN_AT_ONCE):
            numbers = itertools.islice(self._numbers, min(_OPEN_AT_ONCE, actions - first))
            await asyncio.gather(*(self._submit(number) for number in numbers))

    async def _work(self, numbers: Iterator[int], latencies: list[float]) -> None:
        for number in numbers:
            start = time.perf_counter()
            acting = self._of(number)
            intent = await acting.submit(_TOOL, {"number": number}, key=f"key-{number}")
            await intent.result(timeout=60.0)
            latencies.append(time.perf_counter() - start)

    async def _submit(self, number: int) -> None:
        await self._of(number).submit(_TOOL, {"number": number}, key=f"open-{number}", deadline=86_400.0)

    def _of(self, number: int) -> Acting:
        return self._acting[number % len(self._acting)]


async def grow(url: str, *, actions: int, tenants: int) -> None:
    """Record `actions`, and print what they cost on the way."""
    async with Switchgear.open(store=url) as gear:
        growth = _Growth(gear, tenants)
        gc.collect()
        gc.freeze()
        recorded, goal = 0, _FIRST
        while goal <= actions:
            measured = min(_MEASURED, goal - recorded)
            if (filling := goal - recorded - measured) > 0:
                await growth.record(filling)
            rate, latency = await growth.record(measured)
            print(f"{goal:>9,} recorded, {tenants:,} tenants: {rate:,.0f} /s, p50 {latency * 1e3:.1f} ms", flush=True)
            recorded, goal = goal, goal * 10


async def start_again(url: str, *, tenants: int, left_open: int) -> None:
    """Leave some actions open, end, start again, and print how long that took."""
    async with Switchgear.open(store=url, start=False) as gear:
        await _Growth(gear, tenants).leave_open(left_open)
    start = time.perf_counter()
    async with Switchgear.open(store=url, start=False) as gear:
        seconds = time.perf_counter() - start
        print(f"start with {gear.recovered.queued:,} open: {seconds:.2f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--actions", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=10)
    parser.add_argument("--open", type=int, default=10_000, dest="left_open")
    wish = parser.parse_args()
    wish.folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{wish.folder / 'gear.db'}"
    asyncio.run(grow(url, actions=wish.actions, tenants=wish.tenants))
    asyncio.run(start_again(url, tenants=wish.tenants, left_open=wish.left_open))


if __name__ == "__main__":
    main()
