"""Rounds with real servers, in real time: a fault strikes all of them at once, and is over again.

A janitor for each server and each path tries to destroy, all the while. The facts are those of a drill, so the same
laws judge them. What is forbidden has no slack, and is as late as its gate looked; what is promised has
`SLACK_SECONDS`, since a machine has other work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random

from switchgear.core.clock import SystemClock
from switchgear.core.errors import DestructiveBlocked
from switchgear.health.dependency import Dependency
from switchgear.health.findings import Confirmed, Witness
from switchgear.health.gate import DestructiveGate
from switchgear.health.inventory import Inventory
from switchgear.health.prober import Prober
from tools.outage_drills.board import Journal
from tools.outage_drills.facts import Effect, Facts, Outage, Refusal
from tools.outage_drills.faults import FAULTS
from tools.outage_drills.paths import PATHS, Reason, Site
from tools.outage_drills.servers import Remote, remotes

SLACK_SECONDS = 20.0
WELL_SECONDS_MAX = 15.0
_TRY_SECONDS = 0.1
_LOOK_SECONDS = 0.02
_WELL_WAIT_MAX = 60.0
_CANCELS_MAX = 30
_OPTIONS = Dependency(
    "any",
    kind="function",
    down_after=2,
    up_after=2,
    probe_every=0.3,
    probe_timeout=0.3,
    freshness=1.2,
    backoff_max=0.6,
    flap_changes=100,
)
ON_THE_WIRE = tuple(name for name, fault in FAULTS.items() if fault.wire is not None)
"""Faults that can strike a real server."""
Progress = Callable[[int, str], None]
"""Told after each round of its number, from 1, and its fault."""


class Looks(SystemClock):
    """The clock of this machine, which remembers when somebody looked at it last."""

    def __init__(self) -> None:
        """Look."""
        self.last = time.monotonic()

    def monotonic(self) -> float:
        """Return the time, and remember it."""
        self.last = time.monotonic()
        return self.last


class Rounds:
    """Real servers, a board that watches them, and janitors who try all the time. One outage comes after the other."""

    def __init__(self, started: Sequence[Remote], rng: Random) -> None:
        """Put up what stands before the servers."""
        self.remotes = {str(remote.kind): remote for remote in started}
        self.rng = rng
        self.clock = Looks()
        watched = [replace(_OPTIONS, name=str(one.kind), kind=one.kind) for one in started]
        self.board = Journal(watched, clock=self.clock)
        self.gate = DestructiveGate(
            self.board, clock=self.clock, reason_max_age=WELL_SECONDS_MAX, inventory=Inventory()
        )
        known = {name: self.board.dependency(name) for name in self.remotes}
        self.facts = Facts(known, WELL_SECONDS_MAX, slack=SLACK_SECONDS, died={"session": -inf}, ended=inf)
        self.board.keep(self.facts.journal)
        self.reasons: dict[str, Reason] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Probe, ask and try while the block lasts."""
        prober = Prober(self.board, {name: remote.probe for name, remote in self.remotes.items()})
        janitors = (self.janitor(path, name) for path in PATHS for name in self.remotes)
        askers = (self.asker(name) for name in self.remotes)
        tasks = [asyncio.ensure_future(one) for one in (*askers, *janitors)]
        probing = asyncio.ensure_future(prober.run())
        try:
            yield
        finally:
            prober.close()
            await _ended([*tasks, probing], keep=probing)

    async def all_well(self) -> None:
        """Return once every server vouches, and there is a reason. Raises `TimeoutError` when that takes too long."""
        async with asyncio.timeout(_WELL_WAIT_MAX):
            while not self._is_well():  # noqa: ASYNC110 - what is waited for is no event, but a state
                await asyncio.sleep(_LOOK_SECONDS)

    def _is_well(self) -> bool:
        return self.reasons.keys() == self.remotes.keys() and all(one.vouches for one in self.board.standings())

    async def strike(self, fault: str) -> None:
        """Break everything for a while, and let it come back."""
        await self.all_well()
        await asyncio.sleep(self.rng.uniform(0.0, _OPTIONS.probe_every))
        what = FAULTS[fault]
        assert what.wire is not None
        for remote in self.remotes.values():
            remote.proxy.fault = what.wire
        begin = time.monotonic()
        places = [Outage(name, fault, begin, inf, what.breaks) for name in self.remotes]
        await asyncio.sleep(self.rng.uniform(0.2, _OPTIONS.freshness + _OPTIONS.backoff_max))
        end = time.monotonic()
        for remote in self.remotes.values():
            remote.proxy.heal()
        self.facts.outages += [replace(outage, end=end) for outage in places]
        await self.all_well()

    # -- Who tries ---------------------------------------------------------------------------------------------

    async def asker(self, name: str) -> None:
        """Keep the youngest reason to destroy. What was only inferred is none."""
        remote, witness = (
            self.remotes[name],
            Witness(name, self.board, timeout=_OPTIONS.probe_timeout, clock=self.clock),
        )

        async def dead() -> tuple[str, ...]:
            await remote.question()
            return ("session",)

        while True:
            found = await witness.ask(dead, says=lambda names: len(names) > 0)
            if isinstance(found, Confirmed):
                self.reasons[name] = found
            else:
                self.facts.inferred += 1
            await asyncio.sleep(_OPTIONS.probe_every)

    async def janitor(self, path: str, name: str) -> None:
        """Try to destroy over one path, again and again, for the youngest reason there is."""
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * _TRY_SECONDS)
            if (reason := self.reasons.get(name)) is None:
                continue
            try:
                await PATHS[path](self.site(path, name, reason), reason)
            except DestructiveBlocked as blocked:
                state = blocked.state or ""
                self.facts.journal.append(Refusal(time.monotonic(), path, (name,), blocked.dependency or "", state))

    def site(self, path: str, name: str, reason: Reason) -> Site:
        """Return where a janitor destroys.

        That is as late as the gate's last look at the clock: when the machine stands still between the look and the
        deed, nobody can know better. Whatever waits in between lets others look, who are many.
        """

        def destroy(victim: str) -> None:
            self.facts.journal.append(Effect(self.clock.last, path, (name,), victim, name, reason.at))

        async def pause() -> None:
            await asyncio.sleep(self.rng.uniform(0.0, _TRY_SECONDS))

        return Site(self.gate, f"round {path} on {name}", (name,), destroy, pause, lambda: None)


async def _ended(tasks: Sequence[asyncio.Future[None]], *, keep: asyncio.Future[None]) -> None:
    """Cancel all but the one to keep, wait for all, and raise what went wrong in them.

    A client may lose a cancellation that comes while it gives up on an answer, so it comes again. Raises `TimeoutError`
    when one does not end.
    """
    left = set(tasks)
    for _ in range(_CANCELS_MAX):
        for task in left - {keep}:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1.0)
        if not left:
            break
    else:
        raise TimeoutError(f"{len(left)} of {len(tasks)} tasks do not end")
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def run_rounds(
    faults: Sequence[str],
    folder: Path,
    seed: int,
    progress: Progress = lambda _number, _fault: None,
    *,
    seconds_max: float = inf,
) -> Facts:
    """Strike real servers, whose files lie in `folder`, with one fault after the other, and return the facts.

    No round is begun after `seconds_max`.

    Raises `TimeoutError` when a server does not come back, `RuntimeError` when one does not start.
    """
    ends = time.monotonic() + seconds_max
    rng = Random(seed)
    async with remotes(folder, seed=seed, timeout=_OPTIONS.probe_timeout) as started:
        rounds = Rounds(started, rng)
        async with rounds.running():
            for number, fault in enumerate(faults, start=1):
                if time.monotonic() > ends:
                    break
                await rounds.strike(fault)
                progress(number, fault)
            await rounds.all_well()
    return rounds.facts
