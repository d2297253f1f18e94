"""One run: rounds of work and `kill -9`, each followed by a look at the file; a verdict over all of it at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tools.kill_rounds import laws
from tools.kill_rounds.engine import EngineProcess
from tools.kill_rounds.evidence import (
    Chains,
    RemoteLog,
    Seen,
    all_seen,
    interrupted,
    opened,
    opened_copy,
    seen_of,
    verified,
)
from tools.kill_rounds.scene import scene
from tools.kill_rounds.submitting import DOUBT_STATES, TENANTS, Callers

SETTLE_SECONDS_MAX = 120.0
_LOOK_SECONDS = 0.1
_QUIET_LOOKS = 5
_START_SECONDS = (0.1, 0.2, 0.5)
"""Kills at a start come at the latest after one of these: before an engine is ready, about then, or later."""
_WORK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """When to kill.

    `at_start` are engines killed so many seconds after their start, one after the other, with nobody calling. Then one
    is let get ready, and is killed `work` seconds after the first of the callers had its answer.
    """

    at_start: tuple[float, ...]
    work: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        """Draw one."""
        starts = rng.choices((0, 1, 2), (55, 30, 15))[0]
        moments = (rng.uniform(0.0, rng.choice(_START_SECONDS)) for _ in range(starts))
        return cls(tuple(moments), rng.uniform(0.0, _WORK_SECONDS))


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do: so many rounds from one seed, in a folder, and no new round after `seconds_max`."""

    rounds: int
    seed: int
    folder: Path
    seconds_max: float = float("inf")


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. `broken` has what broke, by law; a run in which all held has none."""

    wish: Wish
    rounds: int
    kills: int
    kills_before_ready: int
    acknowledged: int
    repeated: int
    requests: int
    effects: int
    cut_off: int
    cut_off_opaque: int
    in_doubt: int
    entries: int
    seconds: float
    put_off: int
    broken: dict[str, list[str]]

    @property
    def ok(self) -> bool:
        """Whether every law held, in every round that was wished for."""
        return not self.broken and self.rounds == self.wish.rounds

    @property
    def line(self) -> str:
        """The result in one line."""
        lost, doubled = len(self.broken.get("lost", ())), len(self.broken.get("doubled", ()))
        verdict = "every law held" if not self.broken else f"BROKEN: {', '.join(sorted(self.broken))}"
        return (
            f"{self.rounds} of {self.wish.rounds} rounds, {self.kills} kills ({self.kills_before_ready} before the "
            f"engine was ready), {self.acknowledged} acknowledged, {lost} lost, {doubled} doubled, "
            f"{self.cut_off_opaque} opaque actions cut off; {verdict}; seed {self.wish.seed}, {self.seconds:.0f} s"
        )


@dataclass(slots=True)
class Run:
    """A run under way."""

    wish: Wish
    engine: EngineProcess
    callers: Callers
    remote: RemoteLog
    chains: Chains = field(default_factory=Chains)
    broken: dict[str, list[str]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    cut_off: dict[str, str] = field(default_factory=dict)
    """The tool of every intent that a kill has cut off, by id."""
    repeated: int = 0
    seen: Sequence[Seen] = ()
    """Every intent, once the run has ended."""
    _ended: set[str] = field(default_factory=set)

    async def round(self, plan: Round) -> None:
        """Kill as planned, then look at the file that the last kill left."""
        for moment in plan.at_start:
            self.engine.start()
            await asyncio.sleep(moment)
            await self._kill("working" if self.engine.ready() else "starting")
        self.engine.start()
        await self.engine.wait_ready()
        self.repeated += len(self.callers.unanswered)
        work = asyncio.create_task(self.callers.work(self.engine.url))
        await self.callers.first_answer()
        await asyncio.wait({work}, timeout=plan.work)
        await self._kill("working")
        await work
        await self._look()

    async def _kill(self, when: str) -> None:
        await self.engine.kill()
        self.kills[when] += 1

    async def _look(self) -> None:
        """Judge what can be judged while the run goes on."""
        self.remote.read_on()
        known = [told for told in self.callers.acknowledged.values() if told.intent not in self._ended]
        async with opened_copy(self.wish.folder) as store:
            await self.chains.read_on(store)
            seen = await seen_of(store, ((told.action.tenant, told.intent) for told in known))
            cut_off = await interrupted(store)
        self._ended |= {one.id for one in seen.values() if _rests(one)}
        self.cut_off |= {one.id: one.tool for one in cut_off.values()}
        self._note("lost", laws.lost(known, seen))
        self._note("fold", laws.unfolded([*seen.values(), *cut_off.values()]))
        self._note_what_holds_always()

    def _note_what_holds_always(self) -> None:
        self._note("doubled", laws.doubled(self._tools(), self._at_remote()))
        self._note("chain", self.chains.broken)
        self._note("overtaken", self.chains.overtaken)
        self._note("answers", self.callers.changed)

    async def end(self) -> None:
        """Let the engine run until nothing moves any more, stop it in order, and judge everything."""
        self.engine.start()
        await self.engine.wait_ready()
        await self.callers.repeat_unanswered(self.engine.url)
        await self._settled()
        listed = await self.callers.listed_in_doubt(self.engine.url)
        code = await self.engine.stop()
        self._note("stop", [f"the engine ended with {code}"] if code else [])
        async with opened(self.wish.folder) as store:
            self._note("chain and fold", await verified(store, TENANTS))
            await self.chains.read_on(store)
            seen = await all_seen(store, TENANTS)
        self._judge(seen, listed)

    async def _settled(self) -> None:
        """Wait until nothing was seen to move for several looks; what still moves in the end breaks a law."""
        until, quiet = time.monotonic() + SETTLE_SECONDS_MAX, 0
        while quiet < _QUIET_LOOKS and time.monotonic() < until:
            quiet = 0 if await self.callers.moving(self.engine.url) else quiet + 1
            await asyncio.sleep(_LOOK_SECONDS)

    def _judge(self, seen: Sequence[Seen], listed: set[str]) -> None:
        self.remote.read_on()
        self.seen = seen
        by_id, remote = {one.id: one for one in seen}, self._at_remote()
        opaque = [intent for intent, tool in self.cut_off.items() if tool == "opaque"]
        self._note("unanswered", [f"{ref} was never answered" for ref in self.callers.unanswered])
        self._note("lost", laws.lost(self.callers.acknowledged.values(), by_id))
        self._note("bound twice", laws.bound_twice(seen))
        self._note("unrecorded", laws.unrecorded(seen, self.chains.dispatches, remote))
        self._note("untrue", laws.untrue(seen, remote))
        self._note("unnamed", laws.unnamed(opaque, by_id, listed))
        self._note("silent", laws.silent(seen, remote))
        self._note("refused", laws.refused_for_good(self.callers.refused))
        self._note("unsettled", laws.unsettled(seen))
        self._note_what_holds_always()

    def _note(self, law: str, found: Sequence[str]) -> None:
        if found:
            before = self.broken.setdefault(law, [])
            before.extend(words for words in found if words not in before)

    def _tools(self) -> dict[str, str]:
        known = [*(told.action for told in self.callers.acknowledged.values()), *self.callers.unanswered.values()]
        return {action.ref: action.tool for action in known}

    def _at_remote(self) -> laws.AtRemote:
        return laws.AtRemote(self.remote.arrived, self.remote.applied, self.remote.keys)

    def report(self, rounds: int, seconds: float) -> Report:
        """Return what the run came to."""
        cut_off = Counter(self.cut_off.values())
        return Report(
            wish=self.wish,
            rounds=rounds,
            kills=self.kills.total(),
            kills_before_ready=self.kills["starting"],
            acknowledged=len(self.callers.acknowledged),
            repeated=self.repeated,
            requests=self.remote.arrived.total(),
            effects=self.remote.applied.total(),
            cut_off=cut_off.total(),
            cut_off_opaque=cut_off["opaque"],
            in_doubt=sum(one.state in DOUBT_STATES for one in self.seen),
            entries=self.chains.entries,
            seconds=seconds,
            put_off=self.callers.refused.total(),
            broken=self.broken,
        )


def _rests(one: Seen) -> bool:
    """Return whether nothing but a person moves it any more, so that looking once more at the end is enough."""
    return one.state == "succeeded" or (one.tool == "opaque" and one.state in DOUBT_STATES)


Progress = Callable[[int, Run], None]
"""Told after each round of its number, from 1."""


async def run_rounds(wish: Wish, progress: Progress = lambda _number, _run: None) -> Report:
    """Carry out what is wished for, and judge it. A law that broke is in the report, not an exception.

    Raises `RuntimeError` when an engine does not start: that is a verdict of its own.
    """
    began, done = time.monotonic(), 0
    rng = random.Random(wish.seed)
    async with _running(wish, rng) as run:
        while done < wish.rounds and time.monotonic() - began < wish.seconds_max:
            await run.round(Round.drawn(rng))
            done += 1
            progress(done, run)
        await run.end()
    return run.report(done, time.monotonic() - began)


@asynccontextmanager
async def _running(wish: Wish, rng: random.Random) -> AsyncIterator[Run]:
    """Start the remote, and prepare everything else. Inside, a run can go on; outside, no process is left."""
    async with scene(wish.folder, seed=wish.seed) as made:
        dice, record = random.Random(rng.random()), wish.folder / "acknowledged.jsonl"
        callers = Callers(made.tokens, dice, record, made.client)
        yield Run(wish, made.engine, callers, RemoteLog(made.log))
