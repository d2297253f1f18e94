"""What outlives every engine: clock, disk, remote, witness, the clients; and the engines in it, one or several.

Scenes are played on it. Whatever a client asks is asked of the engine that is there; when that ends before it
answers, nobody knows what became of the wish.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError, SwitchgearError
from switchgear.execution.engine import Engine
from switchgear.lab.simulation.catalogue import TENANTS
from switchgear.lab.simulation.coverage import Coverage
from switchgear.lab.simulation.draws import draws
from switchgear.lab.simulation.life import DOOMS, Doom, Gone, Life
from switchgear.lab.simulation.machinery import Machinery
from switchgear.lab.simulation.outages import Outages
from switchgear.lab.simulation.overseer import OverseenStore
from switchgear.lab.simulation.remote import Remote
from switchgear.lab.simulation.wall import WallClock
from switchgear.lab.simulation.witness import Witness
from switchgear.ledger.chain import seal
from switchgear.testing import Fate, SimulatedClock, StoreFaults

R = TypeVar("R")

_STARTS_MAX = 12
_DOOM_CHANCE = 0.6
_REGISTERED = (1.0, 1.0, 0.8)
CALM = StoreFaults(sync_seconds=(0.0005, 0.003))


def engines_of(seed: int) -> int:
    """Return how many engines a seed has: one, or in every fourth two or three that share the store."""
    return 1 if seed % 4 else 2 + seed // 4 % 2


class World:
    """Everything around the engine, from one seed."""

    def __init__(self, seed: int, clock: SimulatedClock) -> None:
        """Begin with an empty store and no engine."""
        self.seed = seed
        self.clock = clock
        self.chance = draws(seed, "scenes")
        self.coverage = Coverage()
        self.witness = Witness()
        self.store = OverseenStore(
            seal, clock=clock, random=draws(seed, "store"), faults=CALM, wrong=self.witness.wrong
        )
        self.remote = Remote(clock, draws(seed, "remote"), self.coverage)
        self.outages = Outages(clock, draws(seed, "outages"), self.coverage)
        self.lives: list[Life | None] = [None] * engines_of(seed)
        """The engines, each in its place: several of them share the store."""
        self.started = 0
        self.calm = False
        """While it is, no life is doomed and every tool is registered."""
        self.wall = WallClock(clock)
        self.lines: list[str] = []
        self._clients: list[asyncio.Task[None]] = []

    # -- The engines ---------------------------------------------------------------------------------------------

    @property
    def shared(self) -> bool:
        """Whether several engines share the store."""
        return len(self.lives) > 1

    @property
    def there(self) -> list[Life]:
        """The engines that run, or stand still."""
        return [life for life in self.lives if life is not None and life.there]

    def one(self) -> Life:
        """Return an engine that is there, by chance where there are several. Raises `Gone` when there is none."""
        there = self.there
        if not there:
            raise Gone
        return self.chance.choice(there) if self.shared else there[0]

    async def live(self) -> None:
        """Have every engine there: start those that are not, again and again until they have begun."""
        for place in range(len(self.lives)):
            await self._live(place)

    async def ask(self, work: Callable[[Engine], Coroutine[Any, Any, R]]) -> R:
        """Have an engine do something. Raises `Gone` when it ends before it answers, and what it refuses."""
        return await self.ask_machinery(lambda made: work(made.engine))

    async def ask_machinery(self, work: Callable[[Machinery], Coroutine[Any, Any, R]]) -> R:
        """Have an engine, or what belongs to it, do something. Raises as `ask` does."""
        life = self.one()
        return await life.ask(work(life.machinery))

    async def stop(self, grace: float) -> None:
        """Stop an engine in order; it leaves no task behind. It may crash on the way."""
        life = self.one()
        if life.stopping:
            return
        life.stopping = True
        self.note("life", "stop")
        try:
            await life.run(life.machinery.end(grace))
        except Gone:
            return
        await asyncio.sleep(0)
        for left in life.running():
            self.witness.wrong(f"a task is left of an engine that has stopped: {left}")
        life.begun = False

    def crash(self) -> None:
        """End an engine at this very moment."""
        if self.there:
            self.one().crash("any_moment")

    def crash_all(self) -> None:
        """End every engine at this very moment."""
        for life in self.lives:
            if life is not None:
                life.crash("any_moment")

    async def _live(self, place: int) -> None:
        for number in range(_STARTS_MAX):
            life = self.lives[place]
            if life is not None and life.there and not life.lost:
                return
            await self._bury(place)
            if number == _STARTS_MAX // 2:
                self.quiet_disk()
            await self._start(place, doomed=number < _STARTS_MAX // 2)
        self.witness.wrong(f"the engine does not start, after {_STARTS_MAX} tries")
        raise Gone

    async def _start(self, place: int, *, doomed: bool) -> None:
        self.started += 1
        chance = draws(self.seed, "life", self.started)
        if moved := self.wall.begin(chance):
            self.note("clock", "set_back_at_start" if moved < 0 else "set_forward_at_start")
        life = Life(
            self.store, self.remote, self.outages, self.clock, self.wall, chance, self._crashed, shared=self.shared
        )
        self.lives[place] = life
        if doomed and not self.calm and self.chance.random() < _DOOM_CHANCE:
            life.doom = Doom(self.chance.choice(DOOMS), self.chance.choice((0, 1, 2, 4, 8, 15, 30, 60)))
        machinery = life.machinery
        machinery.engine.recorder.subscribe(self.witness.heard)
        machinery.register(life.line, 1.0 if self.calm else self.chance.choice(_REGISTERED), self.chance)
        self.note("life", "start")
        try:
            await life.run(machinery.begin())
        except Gone:
            return
        except StoreError as error:
            self.say(f"the engine does not start: {error}")
            life.crash("did_not_start")
            return
        life.begun = True

    async def _bury(self, place: int) -> None:
        """See to it that nothing of the last engine of a place runs any more."""
        life = self.lives[place]
        if life is None:
            return
        if life.lost:
            self.note("life", "stopped" if life.machinery.engine.defect is None else "lost")
        elif (defect := life.machinery.engine.defect) is not None:
            self.witness.wrong(f"a loop of the engine ended: {defect}")
        for left in await life.reap():
            self.witness.wrong(f"a task survived the end of its engine: {left}")
        self.lives[place] = None

    def _crashed(self, life: Life, point: str) -> None:
        self.note("crash", point)
        if not life.begun:
            self.coverage.note("crash", "during_recovery")

    # -- Clients -------------------------------------------------------------------------------------------------

    def client(self, plays: Callable[[World], Awaitable[None]]) -> None:
        """Let somebody do something while everything else goes on. A refusal is an answer."""
        self._clients = [client for client in self._clients if not client.done()]
        self._clients.append(asyncio.get_running_loop().create_task(self._play(plays)))

    async def clients_gone(self) -> None:
        """Wait until nobody waits for an answer any more."""
        while self._clients:
            await self._clients.pop()

    async def _play(self, plays: Callable[[World], Awaitable[None]]) -> None:
        try:
            await plays(self)
        except Gone:
            self.coverage.note("client", "gone")
        except SwitchgearError as error:
            self.coverage.note("refusal", error.code)
            if error.code is Code.INTERNAL:
                self.witness.wrong(f"a client was told of a defect: {error}")
        except Exception as error:  # noqa: BLE001 - outermost driver: what a client was not to be told is a problem
            told = "".join(traceback.format_exception(error)[-2:]).strip()
            self.witness.wrong(f"a client met a defect: {told}")

    # -- The rest ------------------------------------------------------------------------------------------------

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, if an engine is there to see it: nobody can tell what it did in between."""
        if not seconds or all(life is None or life.dead for life in self.lives):
            return
        self.wall.jump(seconds)
        self.note("clock", "set_back" if seconds < 0 else "set_forward")

    def quiet_disk(self) -> None:
        """Let the disk do what it should from now on."""
        self.store.faults, self.store.refusing = CALM, None
        self.store.plan.clear()

    def note(self, kind: str, what: str) -> None:
        """Count something that happened, and say so in the trace."""
        self.coverage.note(kind, what)
        self.say(f"{kind}: {what}")

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        self.lines.append(f"{self.clock.monotonic():12.4f}  {line}")

    def tenant(self) -> str:
        """Draw a tenant."""
        return self.chance.choice(TENANTS)

    def count_fates(self) -> None:
        """Take what the disk did into the coverage."""
        for fate, times in self.store.drawn.items():
            if fate is not Fate.OK:
                self.coverage.note("disk", fate, times)
