"""Many drills from one seed, and rounds with real servers: what they came to, in one report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tools.outage_drills.drill import OpenGate, drilled
from tools.outage_drills.facts import Effect
from tools.outage_drills.laws import FORBIDDEN, judged, repairs
from tools.outage_drills.plan import Plan
from tools.outage_drills.rounds import ON_THE_WIRE, run_rounds
from tools.outage_drills.tally import Combination, Tally, combinations

CALM_EVERY = 10
"""One drill of so many is also carried out without faults, with the gate and without it."""
_SEEDS = 2**48


@dataclass(frozen=True, slots=True)
class Wish:
    """So many drills in virtual time, and rounds with real servers, from a seed; none is begun after `seconds_max`."""

    drills: int
    rounds: int
    seed: int
    seconds_max: float = 900.0


@dataclass(frozen=True, slots=True)
class Repair:
    """How long a real dependency took to be healthy again, and how long it may."""

    fault: str
    dependency: str
    seconds: float
    allowed: float


@dataclass(slots=True)
class Report:
    """What a run came to: drills in virtual time, and rounds in real time. `seconds` is how long it took."""

    wish: Wish
    drills: Tally = field(default_factory=Tally)
    rounds: Tally = field(default_factory=Tally)
    repairs: list[Repair] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every law held, in as many drills and rounds as were wished for."""
        whole = self.drills.drills >= self.wish.drills and self.rounds.drills >= self.wish.rounds
        return whole and not self.broken

    @property
    def broken(self) -> dict[str, list[str]]:
        """What broke, by law."""
        laws = {*self.drills.broken, *self.rounds.broken}
        return {law: [*self.drills.broken.get(law, ()), *self.rounds.broken.get(law, ())] for law in sorted(laws)}

    @property
    def untried(self) -> set[Combination]:
        """Combinations of fault, dependency and path that no drill happened to try."""
        return combinations() - self.drills.tried

    @property
    def repairs_in_words(self) -> list[str]:
        """How long each real dependency took to be healthy again, the longest of each fault, and what is allowed."""
        slowest: dict[str, Repair] = {}
        for one in self.repairs:
            known = slowest.get(one.fault)
            slowest[one.fault] = one if known is None or one.seconds > known.seconds else known
        return [
            f"{one.fault}: {one.dependency} healthy {one.seconds:.2f} s after the repair, {one.allowed:.2f} s allowed"
            for one in slowest.values()
        ]

    @property
    def line(self) -> str:
        """The result in one line."""
        held = f"BROKEN: {', '.join(self.broken)}" if self.broken else "every law held"
        tried = len(combinations()) - len(self.untried)
        return (
            f"{self.drills.drills} of {self.wish.drills} drills, {self.rounds.drills} of {self.wish.rounds} rounds "
            f"with real servers, {self.drills.outages + self.rounds.outages} outages, "
            f"{self.drills.in_outage + self.rounds.in_outage} attempts held back in one; "
            f"{tried} of {len(combinations())} combinations tried; {held}; seed {self.wish.seed}, {self.seconds:.0f} s"
        )


Progress = Callable[[int, Tally], None]
"""Told after each drill or round of its number, from 1."""


def seeds(wish: Wish) -> Iterator[int]:
    """Yield the seeds of drills without end. The first is that of the wish, so that one drill can be repeated alone."""
    rng = Random(wish.seed)
    yield wish.seed
    while True:
        yield rng.randrange(_SEEDS)


def run_drills(wish: Wish, tally: Tally, progress: Progress = lambda _number, _tally: None) -> None:
    """Carry out the drills that are wished for, into `tally`. A law that broke is in it, not an exception."""
    ends = time.monotonic() + wish.seconds_max
    with quiet():
        for number, seed in zip(range(1, wish.drills + 1), seeds(wish), strict=False):
            if time.monotonic() > ends:
                return
            plan = Plan.drawn(seed)
            tally.take(drilled(plan), f"seed {seed}")
            if number % CALM_EVERY == 1:
                compare(plan, tally)
            progress(number, tally)


async def run_real(
    wish: Wish, report: Report, folder: Path, progress: Callable[[int, str], None] = lambda _number, _fault: None
) -> None:
    """Carry out the rounds that are wished for, into `report`: every fault in turn, in an order that is drawn."""
    rng = Random(wish.seed)
    faults = [
        fault for _ in range(0, wish.rounds, len(ON_THE_WIRE)) for fault in rng.sample(ON_THE_WIRE, len(ON_THE_WIRE))
    ]
    with quiet():
        facts = await run_rounds(faults[: wish.rounds], folder, wish.seed, progress, seconds_max=wish.seconds_max)
    done = len({outage.begin for outage in facts.outages})
    report.rounds.take(facts, f"rounds of seed {wish.seed}", drills=done, by=FORBIDDEN)
    report.repairs += [
        Repair(outage.fault, outage.dependency, seconds, allowed)
        for outage, seconds, allowed in repairs(facts)
        if seconds > 0
    ]


def compare(plan: Plan, tally: Tally) -> None:
    """Carry out a plan without anything that goes wrong, with the gate and without it: the outcomes are the same."""
    name, facts = f"seed {plan.seed}, calm", drilled(plan.calmed())
    with_gate, without = facts.effects, drilled(plan.calmed(), OpenGate).effects
    tally.compared += len(with_gate)
    tally.note("changed", _differences(name, with_gate, without))
    tally.note("changed", [f"{name}: {one.path} was held back at {one.at:.3f}" for one in facts.refusals])
    for law, found in judged(facts).items():
        tally.note(law, [f"{name}: {words}" for words in found])


def _differences(name: str, with_gate: list[Effect], without: list[Effect]) -> list[str]:
    if not with_gate:
        return [f"{name}: nothing was destroyed although all was well"]
    if with_gate == without:
        return []
    return [f"{name}: {len(with_gate)} effects with the gate are not the {len(without)} without it"]


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out the log lines of boards and breakers: there are as many as outages."""
    logger = logging.getLogger("switchgear")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
