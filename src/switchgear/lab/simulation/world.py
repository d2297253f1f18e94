"""What outlives every engine: clock, disk, remote, witness, the clients; and one engine at a time in it.

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
from switchgear.lab.simulation.remote import Remote
from switchgear.lab.simulation.wall import WallClock
from switchgear.lab.simulation.witness import Witness
from switchgear.ledger.chain import seal
from switchgear.testing import Fate, FaultyStore, SimulatedClock, StoreFaults

R = TypeVar("R")

_STARTS_MAX = 12
_DOOM_CHANCE = 0.6
_REGISTERED = (1.0, 1.0, 0.8)
CALM = StoreFaults(sync_seconds=(0.0005, 0.003))


class World:
    """Everything around the engine, from one seed."""

    def __init__(self, seed: int, clock: SimulatedClock) -> None:
        """Begin with an empty store and no engine."""
        self.seed = seed
        self.clock = clock
        self.chance = draws(seed, "scenes")
        self.coverage = Coverage()
        self.witness = Witness()
        self.store = FaultyStore(seal, clock=clock, random=draws(seed, "store"), faults=CALM)
        self.remote = Remote(clock, draws(seed, "remote"), self.coverage)
        self.life: Life | None = None
        self.lives = 0
        self.calm = False
        """While it is, no life is doomed and every tool is registered."""
        self.wall = WallClock(clock)
        self.lines: list[str] = []
        self._clients: list[asyncio.Task[None]] = []

    # -- The engine ----------------------------------------------------------------------------------------------

    @property
    def machinery(self) -> Machinery:
        """The engine that is there, with its parts. Raises `Gone` when there is none."""
        if self.life is None or self.life.dead or not self.life.begun:
            raise Gone
        return self.life.machinery

    @property
    def engine(self) -> Engine:
        """The engine that is there. Raises `Gone` when there is none."""
        return self.machinery.engine

    async def live(self) -> None:
        """Have an engine there: start one on what the last left behind, again and again until one has begun."""
        for number in range(_STARTS_MAX):
            if self.life is not None and self.life.begun and not self.life.dead:
                return
            await self._bury()
            if number == _STARTS_MAX // 2:
                self.quiet_disk()
            await self._start(doomed=number < _STARTS_MAX // 2)
        self.witness.wrong(f"the engine does not start, after {_STARTS_MAX} tries")
        raise Gone

    async def ask(self, work: Callable[[Engine], Coroutine[Any, Any, R]]) -> R:
        """Have the engine do something. Raises `Gone` when it ends before it answers, and what it refuses."""
        engine, life = self.engine, self.life
        assert life is not None  # there is an engine
        return await life.ask(work(engine))

    async def stop(self, grace: float) -> None:
        """Stop the engine in order; it leaves no task behind. It may crash on the way."""
        machinery, life = self.machinery, self.life
        assert life is not None  # there is an engine
        if life.stopping:
            return
        life.stopping = True
        self.note("life", "stop")
        try:
            await life.run(machinery.end(grace))
        except Gone:
            return
        await asyncio.sleep(0)
        for left in life.running():
            self.witness.wrong(f"a task is left of an engine that has stopped: {left}")
        life.begun = False

    def crash(self) -> None:
        """End the engine at this very moment."""
        if self.life is not None:
            self.life.crash("any_moment")

    async def _start(self, *, doomed: bool) -> None:
        self.lives += 1
        chance = draws(self.seed, "life", self.lives)
        if moved := self.wall.begin(chance):
            self.note("clock", "set_back_at_start" if moved < 0 else "set_forward_at_start")
        life = Life(self.store, self.remote, self.clock, self.wall, chance, self._crashed)
        self.life = life
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

    async def _bury(self) -> None:
        """See to it that nothing of the last engine runs any more."""
        if self.life is None:
            return
        if (defect := self.life.machinery.engine.defect) is not None:
            self.witness.wrong(f"a loop of the engine ended: {defect}")
        for left in await self.life.reap():
            self.witness.wrong(f"a task survived the end of its engine: {left}")
        self.life = None

    def _crashed(self, point: str) -> None:
        self.note("crash", point)
        if self.life is not None and not self.life.begun:
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
        if self.life is None or self.life.dead or not seconds:
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
