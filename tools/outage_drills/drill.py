"""One drill in virtual time: a real board, a real prober, real guards and the real gate, on dependencies by script.

Everything that is drawn comes from the plan's seed, the order of tasks that are ready together included. What came of
it is returned as facts; `laws` judges them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import cast

from switchgear.core.errors import DestructiveBlocked, SwitchgearError
from switchgear.guard.guard import Guard
from switchgear.health.evidence import Polarity, Source
from switchgear.health.findings import Confirmed, Finding, Inferred, Witness
from switchgear.health.gate import DestructiveGate
from switchgear.health.inventory import Inventory
from switchgear.health.prober import Prober
from switchgear.health.traffic import TrafficWatch
from switchgear.policies.breaker import Breaker
from switchgear.policies.timeout import Timeout
from switchgear.testing.simulation import SimulatedClock, run_simulated
from tools.outage_drills.board import Journal
from tools.outage_drills.facts import Effect, Facts, Refusal, Span
from tools.outage_drills.faults import BOUND_SECONDS_MAX
from tools.outage_drills.laws import END_SECONDS
from tools.outage_drills.paths import PATHS, Reason, Site
from tools.outage_drills.plan import Janitor, Plan
from tools.outage_drills.scripted import Scripted

_BATCH = 3
_ASKS_ANEW = 0.5
_DEATHS_EVERY = 0.25
_WAIT_SECONDS_MAX = 0.8
_WORK_SECONDS_MAX = 0.5
GateKind = Callable[..., DestructiveGate]


class OpenGate(DestructiveGate):
    """Lets everything pass: what a program does that has no gate."""

    __slots__ = ()

    def check(self, operation: object, reason: object, *, done: int = 0) -> None:
        """Say yes."""


class Drill:
    """One drill, being carried out."""

    def __init__(self, plan: Plan, clock: SimulatedClock, gate: GateKind) -> None:
        """Put everything up. Nothing runs yet."""
        self.plan, self.clock = plan, clock
        self.facts = Facts({one.name: one for one in plan.dependencies}, plan.ages, outages=list(plan.outages))
        self.board = Journal(plan.dependencies, clock=clock, random=self.rng("board"))
        self.board.keep(self.facts.journal)
        self.gate = gate(
            self.board, kill_switch=self.switch, reason_max_age=plan.ages, inventory=Inventory(), clock=clock
        )
        self.remotes = {one.name: self._scripted(one.name) for one in plan.dependencies}
        self.guards = {name: self._guard(name) for name in plan.calls_every}
        self.watches = [TrafficWatch(self.board, guard) for guard in self.guards.values()]
        self.facts.calls_every = plan.calls_every
        self.gone: set[str] = set()

    def rng(self, purpose: str) -> Random:
        """Return what draws for one purpose."""
        return Random(f"{self.plan.seed} {purpose}")

    def _scripted(self, name: str) -> Scripted:
        outages = [outage for outage in self.plan.outages if outage.dependency == name]
        return Scripted(outages, self.clock, self.rng(name))

    def _guard(self, name: str) -> Guard:
        breaker = Breaker(failures=3, cooldown=2.0, cooldown_max=8.0)
        rng = self.rng(f"guard {name}")
        return Guard(name, timeout=Timeout(BOUND_SECONDS_MAX), breaker=breaker, clock=self.clock, random=rng)

    def switch(self) -> bool:
        """Say whether the kill switch is on. Some are unreadable then instead."""
        now = self.clock.monotonic()
        on = any(span.begin <= now < span.end for span in self.plan.switched)
        if on and self.plan.unreadable:
            raise ConnectionError("the switch cannot be read")
        return on

    # -- Who takes part ----------------------------------------------------------------------------------------

    async def run(self) -> Facts:
        """Carry it out to its end."""
        self.facts.switched = list(self.plan.switched)
        self.facts.died = {f"session-{number}": number * _DEATHS_EVERY for number in range(self._deaths())}
        people = (self.person(name, span) for name, span in self.plan.held)
        janitors = (self.janitor(one) for one in self.plan.janitors)
        callers = (self.caller(name) for name in self.guards)
        tasks = [asyncio.ensure_future(one) for one in (self.probing(), *people, *janitors, *callers)]
        await self.clock.sleep_async(self.plan.seconds)
        self.facts.ended = self.clock.monotonic()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        return self.facts

    def _deaths(self) -> int:
        return int(self.plan.seconds / _DEATHS_EVERY)

    async def probing(self) -> None:
        """Probe but for the spans in which nobody does: each time a prober of its own, as after a restart."""
        for span in sorted(self.plan.unwatched, key=lambda span: span.begin):
            self.facts.blind.append(Span(span.begin, span.end + END_SECONDS))
            await self._probe_until(span.begin)
            await self._until(span.end)
        await self._probe_until(self.plan.seconds)

    async def _probe_until(self, moment: float) -> None:
        probes = {name: remote.probed for name, remote in self.remotes.items()}
        prober = Prober(self.board, probes, watches=self.watches)
        running = asyncio.ensure_future(prober.run())
        try:
            await self._until(moment)
        finally:
            prober.close()
            await running

    async def _until(self, moment: float) -> None:
        await self.clock.sleep_async(moment - self.clock.monotonic())

    async def person(self, name: str, span: Span) -> None:
        """Take a dependency out, and give it back."""
        await self._until(span.begin)
        self.facts.held.append((name, Span(self.clock.monotonic(), span.end)))
        self.board.observe(name, Polarity.NEGATIVE, Source.OPERATOR, detail="maintenance")
        await self._until(span.end)
        self.board.observe(name, Polarity.POSITIVE, Source.OPERATOR)

    async def caller(self, name: str) -> None:
        """Call a dependency through its guard, again and again."""
        rng, guard, remote = self.rng(f"calls {name}"), self.guards[name], self.remotes[name]
        while True:
            await self.clock.sleep_async(self.plan.calls_every[name] * rng.uniform(0.5, 1.5))
            with suppress(OSError, EOFError, ValueError, SwitchgearError):
                await guard.call(remote.called)

    # -- Who destroys ------------------------------------------------------------------------------------------

    async def janitor(self, options: Janitor) -> None:
        """Remove who has died, for a reason that is asked for anew every other time."""
        rng = self.rng(f"janitor {options.path}")
        witness = Witness(options.source, self.board, timeout=BOUND_SECONDS_MAX, clock=self.clock)
        reason: Finding[tuple[str, ...]] | None = None
        while self.plan.calm and not all(standing.vouches for standing in self.board.standings()):
            await self.clock.sleep_async(0.1)
        while True:
            await self.clock.sleep_async(options.gap * rng.uniform(0.2, 1.8))
            if not isinstance(reason, Confirmed) or rng.random() < _ASKS_ANEW:
                reason = await self.ask(options, witness)
            if isinstance(reason, Confirmed) or not self.plan.calm:
                await self.attempt(options, reason, rng)

    async def ask(self, options: Janitor, witness: Witness) -> Finding[tuple[str, ...]]:
        """Ask who has died."""
        remote = self.remotes[options.source]

        async def dead() -> tuple[str, ...]:
            await remote.called()
            now = self.clock.monotonic()
            return tuple(self._dead(now))

        found = await witness.ask(dead, says=lambda names: len(names) > 0)
        self.facts.inferred += isinstance(found, Inferred)
        return found

    def _dead(self, now: float) -> list[str]:
        last = min(int(now / _DEATHS_EVERY), self._deaths() - 1)
        names = (f"session-{number}" for number in range(last, max(-1, last - 10), -1))
        return [name for name in names if name not in self.gone][:_BATCH]

    async def attempt(self, options: Janitor, reason: Finding[tuple[str, ...]], rng: Random) -> None:
        """Try to destroy. What reads silence as a reason is tried too: it must not get anywhere."""
        site = self.site(options, reason, rng)
        given = reason if isinstance(reason, Confirmed) else cast("Reason", _Forged(reason))
        try:
            await PATHS[options.path](site, given)
        except DestructiveBlocked as blocked:
            now = self.clock.monotonic()
            refusal = Refusal(now, options.path, options.requires, blocked.dependency or "", blocked.state or "")
            self.facts.journal.append(refusal)

    def site(self, options: Janitor, reason: Finding[tuple[str, ...]], rng: Random) -> Site:
        """Return where a janitor destroys: each effect is written down with what it rests on."""
        confirmed = isinstance(reason, Confirmed)
        asked = reason.at if isinstance(reason, Confirmed) else self.clock.monotonic()

        def destroy(victim: str) -> None:
            self.gone.add(victim)
            effect = Effect(
                self.clock.monotonic(), options.path, options.requires, victim, options.source, asked, confirmed
            )
            self.facts.journal.append(effect)

        def work() -> None:
            if self.plan.blocks:
                self._block(rng.uniform(0.0, _WORK_SECONDS_MAX))

        async def pause() -> None:
            await self.clock.sleep_async(rng.uniform(0.0, _WAIT_SECONDS_MAX))

        operation = f"drill {options.path} on {', '.join(options.requires)}"
        return Site(self.gate, operation, options.requires, destroy, pause, work)

    def _block(self, seconds: float) -> None:
        """Let time pass as blocking work does: nothing else moves meanwhile."""
        begin = self.clock.monotonic()
        self.clock.sleep(seconds)
        self.facts.blind.append(Span(begin, self.clock.monotonic()))


class _Forged:
    """An inferred finding that somebody hands over as if it were a reason, with what they believe to be dead."""

    def __init__(self, found: Inferred) -> None:
        self.found = found
        self.value = ("session-alive",)


def drilled(plan: Plan, gate: GateKind = DestructiveGate) -> Facts:
    """Carry out a plan in virtual time, and return what came of it."""
    clock = SimulatedClock(start=0.0)
    drill = Drill(plan, clock, gate)
    return run_simulated(drill.run(), seed=plan.seed, clock=clock)
