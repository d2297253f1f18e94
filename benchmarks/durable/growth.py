"""What an action costs as the store grows: `python -m benchmarks.durable.growth FOLDER`. By hand: it takes minutes.

One store holds actions of three groups of tenants, as many of each: of one tenant, of 100, of 10,000. It is filled (see
`filling`) up to each power of ten; from there on the engine is measured over each group, in turns with an engine on a
young store: machines change their pace within minutes, so that only what is measured together can be compared. Then
some actions are left open, and starts are timed. Progress goes to standard error; the result is JSON, in FOLDER and on
standard output.

A run that was cut short goes on where it was when it is started again with the same FOLDER.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from benchmarks.durable.filling import DONE, INTENTS, Pattern, Place, fill
from benchmarks.durable.grown import Cost, Grown
from benchmarks.durable.starting import measure_starts
from switchgear.assembly import Switchgear
from switchgear.execution.contract import Call
from switchgear.ledger.verify import verify_chain

TOOL = "bench.act"
FIRST = 1_000
BYTES_AN_ACTION_MAX = 6_144
"""What an action may take on disk at most; there must be room for all before anything is filled."""
_STORE = "gear.db"
_IN_FLIGHT = 64
_ROUNDS = 8
_ROOM_TO_MEET = 10
_FILL_AT_ONCE = 20_000
_STRIDES = (7_919, 7_907, 7_901, 7_883, 7_879, 7_877, 7_873)
"""Primes that divide no usual group, so that all of its tenants have their turn."""
_SECONDS_MAX = 1_500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How far to grow: actions recorded, tenants of each group, actions left open, seconds to fill and measure.

    Each group is measured over eight rounds of `a_round` actions.
    """

    actions: int = 1_000_000
    groups: tuple[int, ...] = (1, 100, 10_000)
    left_open: int = 10_000
    seconds_max: float = _SECONDS_MAX
    a_round: int = 500


class OutOfTimeError(Exception):
    """The run has used up its time. What it has recorded stays."""


async def _act(call: Call, number: int) -> int:
    return number + call.attempt


class _Growing:
    """One gear whose store grows, with numbers for what comes next."""

    def __init__(self, gear: Switchgear, wish: Wish) -> None:
        self._gear = gear
        self._groups = wish.groups
        self._a_round = wish.a_round
        self._ends_at = time.monotonic() + wish.seconds_max
        self._run = f"{time.time_ns():x}"
        self._numbers = itertools.count()
        self._met: set[int] = set()
        self._place = Place(f"pattern-{self._run}", f"key-{self._run}")

    @classmethod
    @asynccontextmanager
    async def opened(cls, store: Path, wish: Wish) -> AsyncIterator[_Growing]:
        """Open a gear on the file `store`, which has its process to itself."""
        async with Switchgear.open(store=url_of(store)) as gear:
            gear.tool(TOOL, effect="keyed")(_act)
            gear.dedicate_process()
            yield cls(gear, wish)

    async def fill_up(self, goal: int) -> None:
        """Record so many that the store holds `goal` of them. Raises `OutOfTimeError`."""
        recorded = await self.recorded()
        if recorded >= goal:
            return
        pattern = await Pattern.of_action(self._gear, TOOL, self._place)
        recorded = await self.recorded()
        while recorded < goal:
            if time.monotonic() > self._ends_at:
                raise OutOfTimeError
            some = min(_FILL_AT_ONCE, goal - recorded)
            recorded += await fill(self._gear.store, pattern, itertools.islice(self._places(), some))
            _tell(f"{recorded:,} of {goal:,} recorded")
        await self._prove(pattern)

    async def recorded(self) -> int:
        """Return how many actions are over, as the store says."""
        return await self._gear.store.count(INTENTS, [DONE])

    async def roomy(self) -> set[int]:
        """Return the groups whose tenants can all act once without that being much of what is recorded."""
        recorded = await self.recorded()
        return {group for group in self._groups if recorded >= _ROOM_TO_MEET * group}

    async def meet(self, groups: Iterable[int]) -> None:
        """Have every tenant of these groups act once in this process: a first action takes more than an action does."""
        for group in set(groups) - self._met:
            self._met.add(group)
            await self.meter(group).round(iter(range(group)), f"{self._run}-met-{group}")

    def meter(self, group: int) -> _Meter:
        """Return what measures actions of the tenants of a group."""
        return _Meter(self._gear, group)

    async def round(self, meter: _Meter) -> None:
        """Carry out the actions of one round."""
        await meter.round(itertools.islice(self._numbers, self._a_round), self._run)

    def _places(self) -> Iterator[Place]:
        for number in self._numbers:
            turn, group = divmod(number, len(self._groups))
            yield Place(_tenant(self._groups[group], turn), f"{self._run}-{number}")

    async def _prove(self, pattern: Pattern) -> None:
        """Prove that what was filled is on record as the engine's own: chains verify. Raises `RuntimeError`."""
        for tenant in {pattern.place.tenant, _tenant(self._groups[-1], 0)}:
            found = await verify_chain(self._gear.store, tenant)
            if not found.ok:
                raise RuntimeError(f"the chain of {tenant} does not verify: {found}")


class _Meter:
    """What the actions of one group have taken so far."""

    def __init__(self, gear: Switchgear, group: int) -> None:
        self._gear = gear
        self._group = group
        self._latencies: list[float] = []
        self._seconds = 0.0
        self._cpu = 0.0

    async def round(self, numbers: Iterator[int], run: str) -> None:
        """Carry out an action for each number, 64 in flight."""
        start, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._work(numbers, run) for _ in range(_IN_FLIGHT)))
        self._seconds += time.perf_counter() - start
        self._cpu += time.process_time() - cpu

    @property
    def per_second(self) -> float:
        """How many actions a second there were."""
        return len(self._latencies) / self._seconds

    def cost(self, recorded: int, young_recorded: int, young: _Meter) -> Cost:
        """Return what one action took, and what one took in a `young` store meanwhile."""
        return Cost(
            recorded=recorded,
            tenants=self._group,
            per_second=self.per_second,
            p50_ms=median(self._latencies) * 1e3,
            p99_ms=quantiles(self._latencies, n=100)[98] * 1e3,
            cpu_us=self._cpu / len(self._latencies) * 1e6,
            young_recorded=young_recorded,
            young_per_second=young.per_second,
        )

    async def _work(self, numbers: Iterator[int], run: str) -> None:
        for number in numbers:
            start = time.perf_counter()
            acting = self._gear.acting_as(tenant=_tenant(self._group, number), account="main", actor="service:bench")
            intent = await acting.submit(TOOL, {"number": number}, key=f"{run}-{number}")
            outcome = await intent.result(timeout=60.0)
            if not outcome.succeeded:
                raise RuntimeError(f"action {number} ended {outcome.state}: {outcome.message}")
            self._latencies.append(time.perf_counter() - start)


async def grow(folder: Path, wish: Wish, grown: Grown) -> None:
    """Fill and measure at each power of ten that is not measured yet. Raises `OutOfTimeError`."""
    goals = tuple(_goals(wish.actions, grown.costs))
    if not goals:
        return  # without a gear, which would carry out what was left open
    async with _Growing.opened(folder / _STORE, wish) as growing:
        _require_room(folder, wish.actions - await growing.recorded())
        for goal in goals:
            await growing.fill_up(goal)
            with tempfile.TemporaryDirectory(dir=folder) as young:
                grown.costs += await _beside_young(growing, Path(young), wish)
            grown.memory_mb[f"{goal}"] = _memory_mb()
            grown.recorded = await growing.recorded()
            grown.write(folder)
            _tell_of(grown.costs[-len(wish.groups) :])


async def _beside_young(growing: _Growing, folder: Path, wish: Wish) -> list[Cost]:
    """Measure each group in turns with a young store in `folder` that has no other group."""
    met = await growing.roomy()
    await growing.meet(met)
    recorded = await growing.recorded()
    pairs: list[_Pair] = []
    async with AsyncExitStack() as opened:
        for group in wish.groups:
            young = await opened.enter_async_context(
                _Growing.opened(folder / f"{group}.db", replace(wish, groups=(group,)))
            )
            await young.fill_up(FIRST)
            await young.meet({group} & met)
            pairs.append(_Pair(growing, young, group, await young.recorded()))
        for turn in range(_ROUNDS):
            for pair in _begun_with(turn, pairs):
                await pair.round()
    return [pair.cost(recorded) for pair in pairs]


def _begun_with(turn: int, pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """Return the pairs with another one first in each turn.

    The store moves its log about once in a turn, and whose round that falls into pays for all.
    """
    first = turn % len(pairs)
    return [*pairs[first:], *pairs[:first]]


class _Pair:
    """A store that has grown and a young one, which carry out actions of the same group in turns."""

    def __init__(self, growing: _Growing, young: _Growing, group: int, young_recorded: int) -> None:
        self._growing, self._young = growing, young
        self._meter, self._young_meter = growing.meter(group), young.meter(group)
        self._young_recorded = young_recorded

    async def round(self) -> None:
        """Carry out a round in each."""
        await self._growing.round(self._meter)
        await self._young.round(self._young_meter)

    def cost(self, recorded: int) -> Cost:
        """Return what one action took in both."""
        return self._meter.cost(recorded, self._young_recorded, self._young_meter)


async def measure_growth(folder: Path, wish: Wish) -> Grown:
    """Grow the store in `folder`, which is there, and time starts on it.

    Raises `OutOfTimeError`; what was measured until then is kept.
    """
    grown = Grown.read(folder)
    await grow(folder, wish, grown)
    grown.starts = await measure_starts(folder / _STORE, left_open=wish.left_open, tenants=wish.groups[-1])
    grown.file_bytes = (folder / _STORE).stat().st_size
    grown.write(folder)
    return grown


def url_of(store: Path) -> str:
    """Return the URL of the store in a file."""
    return f"sqlite:///{store.resolve()}"


def main(arguments: Sequence[str]) -> int:
    """Measure and print. Return 0, or 1 when time was up before the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durable.growth", description=__doc__)
    usual = Wish()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--actions", type=int, default=usual.actions)
    parser.add_argument("--tenants", type=int, nargs="+", default=usual.groups, dest="groups")
    parser.add_argument("--open", type=int, default=usual.left_open, dest="left_open")
    parser.add_argument("--seconds-max", type=float, default=usual.seconds_max)
    said = vars(parser.parse_args(arguments))
    folder, groups = said.pop("folder"), tuple(said.pop("groups"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        grown = asyncio.run(measure_growth(folder, Wish(groups=groups, **said)))
    except OutOfTimeError:
        _tell("time is up; start it again with the same folder to go on")
        return 1
    print(json.dumps(asdict(grown)))
    return 0


def _goals(actions: int, costs: Sequence[Cost]) -> Iterator[int]:
    """Yield the powers of ten up to `actions` at which nothing is measured yet."""
    goal = FIRST
    while goal <= actions:
        if not any(goal <= cost.recorded < goal * 10 for cost in costs):
            yield goal
        goal *= 10


def _tenant(group: int, turn: int) -> str:
    """Return whose turn it is: everybody's once in a cycle, and in another order in the next one.

    So neighbours in turn are none in an index, whether it goes by name or by who came first.
    """
    cycle, place = divmod(turn, group)
    return f"of-{group}-{place * _STRIDES[cycle % len(_STRIDES)] % group}"


def _require_room(folder: Path, actions: int) -> None:
    """Raise `OSError` unless the disk has room for so many more actions."""
    needed, free = actions * BYTES_AN_ACTION_MAX, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f"{needed / 1e9:.1f} GB are needed for {actions:,} actions, and {free / 1e9:.1f} GB are free")


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _tell_of(costs: Sequence[Cost]) -> None:
    for cost in costs:
        beside = f"× {cost.beside_young:.2f} beside {cost.young_recorded:,} recorded"
        speed = f"{cost.per_second:,.0f} /s, p50 {cost.p50_ms:.1f} ms, {cost.cpu_us:.0f} µs of processor, {beside}"
        _tell(f"{cost.recorded:>9,} recorded, {cost.tenants:>6,} tenants: {speed}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
