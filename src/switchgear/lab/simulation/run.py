"""One seed: a world, scenes by chance, a quiet end, and the verdict. The same seed is the same run."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from switchgear.core.clock import TIMER_EARLY_MAX
from switchgear.core.errors import SwitchgearError
from switchgear.execution.leases.keeper import LostEngine
from switchgear.lab.simulation.draws import draws
from switchgear.lab.simulation.laws import broken, gather
from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.lab.simulation.life import Gone
from switchgear.lab.simulation.scenes import SCENES, SCENES_OF_SEVERAL
from switchgear.lab.simulation.scenes.quiet import settle
from switchgear.lab.simulation.standing_still import StandingLoop
from switchgear.lab.simulation.tasks import TaskFactory
from switchgear.lab.simulation.world import World, engines_of
from switchgear.testing import SimulatedClock, SimulatedLoop, SimulationError

STEPS_MAX = 150_000
"""Steps of the loop, for each engine, after which a run is taken for one that never ends."""
_CREEP = 5e-05
"""Seconds that a reading of the clock takes at most."""
_CLOCKS = ((0.0, 0.0), (_CREEP, 0.0), (_CREEP, TIMER_EARLY_MAX))
"""In a third of the seeds time stands still between two lines of a program, in a third it goes on, and in a third
timers fire too soon as well."""
_SCENES = (20, 70)
_PAUSES = (0.0, 0.0, 0.01, 0.05, 0.3, 1.0, 4.0, 30.0)


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What one seed came to. `trace_hash` is the same in every run of it; `seconds` are simulated.

    `problems` are the laws that it broke, none for a good run; `lines` what happened, in order.
    """

    seed: int
    trace_hash: str
    problems: tuple[str, ...]
    coverage: Counter[str]
    seconds: float
    steps: int
    lines: tuple[str, ...] = ()


def simulate(seed: int, *, lines: bool = False) -> SeedReport:
    """Run one seed and return what came of it; with `lines` everything that happened as well.

    Breaks nothing outside: no file, no socket, no thread. Whatever the run raises is a problem of the report.
    """
    clock = _clock(seed)
    loop = StandingLoop(seed=seed, clock=clock, steps_max=STEPS_MAX * engines_of(seed))
    loop.set_task_factory(TaskFactory())
    world = World(seed, clock)
    loop.set_exception_handler(_Unheard(world))
    started = clock.monotonic()
    with _listening(world), asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            problems = runner.run(_verdict(world))
        except SimulationError as error:  # the loop itself gives up: something spins, or waits for ever
            problems = [*world.witness.problems, f"the run never ends: {error}"]
        trace_hash = _hash(loop, world)
    return SeedReport(
        seed=seed,
        trace_hash=trace_hash,
        problems=tuple(problems),
        coverage=world.coverage.counts,
        seconds=clock.monotonic() - started,
        steps=loop.steps,
        lines=tuple(world.lines) if lines else (),
    )


def _clock(seed: int) -> SimulatedClock:
    """Return the clock of a seed."""
    chance = draws(seed, "clock")
    creep, early = chance.choice(_CLOCKS)
    return SimulatedClock(creep=creep, early=early, random=chance)


async def _verdict(world: World) -> list[str]:
    try:
        evidence = await _played(world)
        problems = await broken(evidence)
    except Exception as error:  # noqa: BLE001 - outermost driver: whatever a run raises is what is wrong with it
        problems = [*world.witness.problems, "".join(traceback.format_exception(error)).strip()]
    world.crash_all()
    return problems


async def _played(world: World) -> Evidence:
    """Play a whole run and return the evidence."""
    for _ in range(world.chance.randrange(*_SCENES)):
        await _alive(world)
        scenes = SCENES_OF_SEVERAL if world.shared else SCENES
        scene = world.chance.choices(scenes, [one.weight for one in scenes])[0]
        world.coverage.note("scene", scene.play.__name__)
        world.client(scene.play)
        await world.clock.sleep_async(world.chance.choice(_PAUSES))
    await settle(world)
    evidence = await gather(world)
    _count(world, evidence)
    return evidence


async def _alive(world: World) -> None:
    try:
        await world.live()
    except Gone:
        world.say("there is no engine")


def _count(world: World, evidence: Evidence) -> None:
    world.count_fates()
    for event in evidence.history.events:
        world.coverage.note("event", event.type)
        world.say(f"recorded at {event.at:.3f}: {event.tenant} {event.stream} {event.type} {dict(event.facts)}")
    for intent in evidence.intents.values():
        world.coverage.note("end", intent.state)


def _hash(loop: SimulatedLoop, world: World) -> str:
    """Return a digest of every step of the loop and of every line of the trace."""
    digest = blake2b(loop.trace_hash.encode(), digest_size=16)
    for line in world.lines:
        digest.update(line.encode())
    return digest.hexdigest()


@contextmanager
def _listening(world: World) -> Iterator[None]:
    """Listen to the log of the engine: what it could not carry out because of a defect is a broken law."""
    logger = logging.getLogger("switchgear")
    listener, propagates, level = _Listener(world), logger.propagate, logger.level
    logger.addHandler(listener)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagates
        logger.setLevel(level)


class _Unheard:
    """Takes errors that nobody waited for; those of a life that has ended are no news."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Note a defect."""
        error = context.get("exception")
        if error is not None and not isinstance(error, SwitchgearError):
            self._world.witness.wrong(f"nobody heard of an error: {error!r}")


class _Listener(logging.Handler):
    """Takes defects out of the log."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Note a defect."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, SwitchgearError | LostEngine):
            told = "".join(traceback.format_exception(error)[-3:]).strip()
            self._world.witness.wrong(f"the engine met a defect: {record.getMessage()}: {told}")
