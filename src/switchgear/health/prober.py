"""`Prober`: asks dependencies how they are, when the board's schedule says so. One for each group of processes.

It carries out probes and observes what came of them. When to probe is decided in `schedule`, what follows from an
answer in `machine`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, Self

from switchgear.core.errors import OptionError
from switchgear.health.bell import Bell
from switchgear.health.board import HealthBoard
from switchgear.health.evidence import Polarity, Source
from switchgear.health.probe import Probe, ProbeFailed, described, polarity_of
from switchgear.health.prober_lease import Lease, Report
from switchgear.health.traffic import TrafficWatch
from switchgear.policies.checks import refused, require_count, require_seconds

logger = logging.getLogger("switchgear.health")

_LOOK_EVERY_SECONDS = 1.0
_END_SECONDS = 1.0


class Prober:
    """Probes the dependencies of a board.

    probes    by the name of the dependency; `add` takes more.
    watches   traffic watches to tick once a second.
    lease     makes one of several processes the prober; the others follow what it finds. Default: this one probes.
    at_once   probes that run at the same time at most, at least 1; default 8.
    silence   seconds without news of the process that probes after which this one probes by itself, above 0; default
              30.

    Run it as a task with `run`, or in a thread of its own with `run_in_thread`; end it with `close`. A forked child has
    none of its parent's threads: it runs the prober that it inherits anew. Raises `OptionError` for options that cannot
    work, and for a dependency that the board does not know.
    """

    def __init__(
        self,
        board: HealthBoard,
        probes: Mapping[str, Probe] | None = None,
        *,
        watches: Iterable[TrafficWatch] = (),
        lease: Lease | None = None,
        at_once: int = 8,
        silence: float = 30.0,
    ) -> None:
        """Take the probes. Nothing is asked yet."""
        require_count("Prober(at_once)", at_once, example=8)
        require_seconds("Prober(silence)", silence, example=30.0)
        self._board, self._clock = board, board.clock
        self._watches = list(watches)
        self._lease = lease
        self._at_once, self._silence = at_once, silence
        self._probes: dict[str, Probe] = {}
        self._relied: set[str] = set()
        self._news_at = self._clock.monotonic()
        self._complained = False
        self.abandoned = 0
        """Probes that did not end although they were cancelled. Each is asked to end again before the next."""
        self._begin()
        for name, probe in (probes or {}).items():
            self.add(name, probe)

    def _begin(self) -> None:
        """Begin with nothing that runs: at birth, and in a forked child."""
        self._process = os.getpid()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._hanging: dict[str, asyncio.Future[str | None]] = {}
        self._bell = Bell()
        self._closing = self._runs = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, probe: Probe) -> None:
        """Probe the dependency `name` by `probe` from now on."""
        if not callable(probe):
            raise refused("Prober(probes)", "needs async functions without arguments", probe, "{'redis': ping}")
        if name in self._probes:
            raise OptionError(f"{name!r} has a probe already; one dependency has one")
        self._plan(name)
        self._probes[name] = probe
        self._bell.ring()

    def rely_on(self, name: str) -> None:
        """Probe `name` regularly from now on, also while calls succeed: something that destroys rests on it.

        Such a call may succeed without an answer of every dependency it requires. It must not be all that vouches.
        """
        self._relied.add(name)
        if name in self._probes:
            self._plan(name)
            self._bell.ring()

    def watch(self, watch: TrafficWatch) -> None:
        """Tick `watch` once a second too, from now on."""
        self._watches.append(watch)

    async def run(self) -> None:
        """Probe until `close`. Cancelling it ends it as well: probes that run are cancelled, the lease is released."""
        self._leave_parent()
        if self._runs:
            raise OptionError("this prober runs already")
        self._runs = True
        for name in self._probes:
            self._plan(name)
        try:
            while not self._closing:
                await self._bell.wait_async(self._clock, self._turn())
        finally:
            self._runs = False
            await self._end()

    def run_in_thread(self) -> Self:
        """Probe in a thread of its own, for programs without an event loop. Returns at once; `close` ends it."""
        self._leave_parent()
        if self._thread is not None:
            raise OptionError("this prober runs in a thread already")
        self._thread = threading.Thread(target=lambda: asyncio.run(self.run()), name="switchgear-prober", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Probe no more. From another thread it waits for the prober's own, a few seconds at most."""
        self._closing = True
        self._bell.ring()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(3 * _END_SECONDS)

    @property
    def leads(self) -> bool:
        """Whether this process probes: it holds the lease, there is none, or its holder has been silent too long."""
        if self._lease is None or self._holds(self._lease):
            return True
        return self._clock.monotonic() - self._news_at >= self._silence

    def _leave_parent(self) -> None:
        """In a forked child forget what ran in the parent: nothing of it does here."""
        if self._process != os.getpid():
            self._begin()

    def _holds(self, lease: Lease) -> bool:
        """Return whether this process has the lease. One that cannot be asked is somebody else's, until the silence."""
        try:
            held = lease.acquire()
        except Exception as error:  # noqa: BLE001 - outermost driver: whatever a lease raises, probing goes on
            if not self._complained:
                logger.warning("the lease of the prober cannot be asked for: %s", described(error))
            self._complained, held = True, False
        else:
            self._complained = False
        return held

    # -- One turn --------------------------------------------------------------------------------------------

    def _plan(self, name: str) -> None:
        """Let calls that succeed spare probes, unless another process or something destructive relies on them."""
        self._board.plan_probes(name, spared=self._lease is None and name not in self._relied)

    def _turn(self) -> float:
        """Do what is due, and return the seconds until there may be more."""
        for watch in tuple(self._watches):
            watch.tick()
        self._follow()
        changes_in = self._board.elapse()  # first: what has fallen silent is asked in this turn
        return min(_LOOK_EVERY_SECONDS, changes_in, self._start_due())

    def _start_due(self) -> float:
        """Start the probes that are due and for which there is a place, and return the seconds until the next one is.

        Infinite when none is, or none may start before somebody else ends or leads no more. Each is asked once: what
        comes up meanwhile is the next one.
        """
        leads = self.leads
        asked = [(self._board.probe_in(name), name) for name in self._probes if name not in self._running]
        for seconds, name in sorted(asked):
            if seconds > 0:
                return seconds
            if leads and len(self._running) < self._at_once:
                task = asyncio.get_running_loop().create_task(self._ask(name))
                if not task.done():  # a loop with eager tasks may have run it to its end by now
                    self._running[name] = task
        return inf

    async def _ask(self, name: str) -> None:
        """Carry out one probe and observe what came of it, dated by when it was asked."""
        started = self._board.now()
        try:
            polarity, detail = await self._answer(name)
        finally:
            self._running.pop(name, None)
            self._bell.ring()
        seconds, bound = self._board.now() - started, self._board.dependency(name).probe_timeout
        if (
            polarity is Polarity.POSITIVE and seconds > bound
        ):  # this process, its loop, or the machine stood still meanwhile
            polarity, detail = Polarity.ABSENT, f"an answer after {seconds:.3g} s, later than {bound:g} s"
        self._tell(Report(name, polarity, detail, seconds), started)

    async def _answer(self, name: str) -> tuple[Polarity, str]:
        bound = self._board.dependency(name).probe_timeout
        if (hanging := self._hanging.get(name)) is not None and not hanging.done():
            hanging.cancel()
            return Polarity.ABSENT, "an earlier probe still hangs"
        try:
            task = asyncio.ensure_future(_asked(self._probes[name]))
            await self._wait(task, bound)
            if not task.done():
                await self._abandon(name, task)
                return Polarity.ABSENT, f"nothing within {bound:g} s"
            if task.cancelled():
                return Polarity.ABSENT, "somebody cancelled the probe"
            return Polarity.POSITIVE, _checked(task.result())
        except Exception as error:  # noqa: BLE001 - whatever a probe raises is evidence; `polarity_of` says of what
            return polarity_of(error), described(error)

    async def _wait(self, task: asyncio.Future[str | None], seconds: float) -> None:
        """Wait until `task` is done, at most `seconds`; when this wait is cancelled, so is the task."""
        over = asyncio.Event()
        timer = self._clock.call_at(self._clock.monotonic() + seconds, over.set)
        task.add_done_callback(lambda _: over.set())
        try:
            await over.wait()
        except asyncio.CancelledError:
            task.add_done_callback(_retrieve)
            task.cancel()
            raise
        finally:
            timer.cancel()

    async def _abandon(self, name: str, task: asyncio.Future[str | None]) -> None:
        """Cancel a probe that took too long. One that does not end is left behind, and counted."""
        task.cancel()
        await self._wait(task, _END_SECONDS)
        if not task.done():
            self.abandoned += 1
            self._hanging[name] = task
        task.add_done_callback(_retrieve)

    def _tell(self, report: Report, started: float) -> None:
        self._observe(report, at=started)
        if self._lease is not None and self._holds(self._lease):
            self._lease.publish(report)

    def _follow(self) -> None:
        """Observe what the process that holds the lease has found."""
        if self._lease is None or self._holds(self._lease):
            return
        for found in self._lease.news():
            self._news_at = self._clock.monotonic()
            if found.report.name in self._probes:
                self._observe(found.report, age=found.age)

    def _observe(self, report: Report, *, age: float = 0.0, at: float | None = None) -> None:
        self._board.observe(
            report.name, report.polarity, Source.PROBE, detail=report.detail, seconds=report.seconds, age=age, at=at
        )

    async def _end(self) -> None:
        """Cancel what runs, wait for it, but not for long, and give the lease back."""
        tasks: list[asyncio.Future[Any]] = [*self._running.values(), *self._hanging.values()]
        for task in tasks:
            task.cancel()
        for name in self._probes:
            self._board.plan_probes(name, probed=False)
        if self._lease is not None:
            self._lease.release()
        if tasks:
            ended = asyncio.ensure_future(_all_done(tasks))
            await self._wait(ended, _END_SECONDS)
            ended.cancel()


async def _asked(probe: Probe) -> str | None:
    """Ask once. A probe that would end the process is wrong, and the process goes on."""
    try:
        return await probe()
    except SystemExit as error:
        raise ProbeFailed(f"ends with {described(error)}") from error


async def _all_done(tasks: Iterable[asyncio.Future[Any]]) -> str | None:
    await asyncio.wait(tasks)
    return None


def _checked(result: object) -> str:
    """Return the word of a right answer. What is neither text nor None is no answer: False may mean anything."""
    if result is not None and not isinstance(result, str):
        raise TypeError(f"a probe returns a text or None, not {result!r}; it raises when the answer is wrong")
    return result or ""


def _retrieve(task: asyncio.Future[str | None]) -> None:
    """Look at how a probe ended that was left behind, so that nobody complains that nobody did."""
    if not task.cancelled():
        task.exception()
