"""Many seeds, in several processes, until they are done or the time is up."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

from switchgear.core.errors import OptionError
from switchgear.lab.simulation.coverage import Coverage
from switchgear.lab.simulation.run import SeedReport, simulate

JOBS_MAX = 64
FAILURES_MAX = 20
"""Failing seeds after which a campaign ends: more of them say nothing new."""


@dataclass(slots=True)
class Campaign:
    """What many seeds came to, so far. `seconds` are real ones, `simulated` virtual ones."""

    seeds: int = 0
    failed: list[SeedReport] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    simulated: float = 0.0
    seconds: float = 0.0

    def add(self, report: SeedReport) -> None:
        """Take in one more seed."""
        self.seeds += 1
        self.simulated += report.seconds
        self.coverage.add(report.coverage)
        if report.problems:
            self.failed.append(report)


def campaign(
    seeds: int,
    *,
    first: int = 1,
    seconds: float | None = None,
    jobs: int = 1,
    tell: Callable[[Campaign, SeedReport], None] = lambda _campaign, _report: None,
) -> Campaign:
    """Run `seeds` seeds from `first` on, in `jobs` processes, for at most `seconds` real seconds (None: no bound).

    Calls `tell` after each. Ends early after 20 failing seeds. Raises `OptionError` for numbers that cannot be.
    """
    if seeds < 1 or not 1 <= jobs <= JOBS_MAX or (seconds is not None and seconds <= 0):
        raise OptionError(f"a campaign has seeds of at least 1, jobs of 1 to {JOBS_MAX}, and seconds above 0")
    found, begun = Campaign(), time.monotonic()
    numbers = iter(range(first, first + seeds))
    for report in _reports(numbers, jobs):
        found.add(report)
        found.seconds = time.monotonic() - begun
        tell(found, report)
        if len(found.failed) >= FAILURES_MAX or (seconds is not None and found.seconds >= seconds):
            break
    return found


def _reports(numbers: Iterator[int], jobs: int) -> Iterator[SeedReport]:
    """Return the reports as they come. Closing this waits for what is under way, and begins nothing more."""
    if jobs == 1:
        yield from map(simulate, numbers)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[SeedReport]] = {pool.submit(simulate, seed) for seed in islice(numbers, 2 * jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(simulate, seed) for seed in islice(numbers, len(done))}
            yield from (one.result() for one in done)
