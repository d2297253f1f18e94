"""One engine from its start to its end: everything that runs in it ends with it, wherever that is.

A crash ends every task on the spot, and decides with the store what of the appends in flight is durable. Nothing of
a life that has ended reaches disk or network any more; what it has sent is on its way all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar, cast

from switchgear.lab.simulation.disk import Disk, SharedDisk
from switchgear.lab.simulation.machinery import Machinery, machinery
from switchgear.lab.simulation.outages import Outages
from switchgear.lab.simulation.overseer import OverseenStore
from switchgear.lab.simulation.remote import Line, Remote
from switchgear.lab.simulation.standing_still import StandingLoop, outside
from switchgear.lab.simulation.tasks import Owner, start_for
from switchgear.lab.simulation.wall import WallClock
from switchgear.storage.abilities import Store
from switchgear.testing import SimulatedClock

R = TypeVar("R")

_PRUNED_AT = 500
_REAPS_MAX = 50
DOOMS = ("append", "in_flight", "acknowledged", "sending", "answered")
"""Points at which a life can be doomed to end."""


class Gone(Exception):
    """The engine has ended before it answered."""


@dataclass(slots=True)
class Doom:
    """A life ends when it comes to `point` for the time that `left` says, counted down to 0."""

    point: str
    left: int


@dataclass(slots=True)
class Nap:
    """A life stands still for `seconds` when it comes to `point` for the time that `left` says, counted down to 0."""

    point: str
    left: int
    seconds: float


class _Guests:
    """Owns what runs for clients, such as a handler that waits: it ends with the life, and not with an orderly stop."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def stands_still(self) -> bool:
        """Whether the life does that they are guests of."""
        return self._life.stands_still

    def own(self, task: asyncio.Task[Any]) -> None:
        """Remember a task."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._life.own(task)


class Life:
    """One engine, from its start to its end."""

    def __init__(
        self,
        store: OverseenStore,
        remote: Remote,
        outages: Outages,
        clock: SimulatedClock,
        wall: WallClock,
        chance: Random,
        crashed: Callable[[Life, str], None],
        *,
        shared: bool = False,
    ) -> None:
        """Put an engine together on `store`, which others use as well when it is `shared`.

        Calls `crashed` with the life and the point once it has crashed.
        """
        self._store = store
        self._clock = clock
        self._shared = shared
        self._chance = chance
        self._crashed = crashed
        self._tasks: list[asyncio.Task[Any]] = []
        self._guests = _Guests(self)
        self.dead = False
        self.begun = False
        self.stopping = False
        self.doom: Doom | None = None
        self.nap: Nap | None = None
        self.stands_still = False
        sight = outages.sight()
        self.line = Line(remote, self, sight)
        disk = SharedDisk(store, self, wall) if shared else Disk(store, self, wall)
        self.machinery: Machinery = machinery(cast("Store", disk), clock, chance, sight.probes, shared=shared)
        self.owner = self.machinery.engine.recorder.owner

    @property
    def there(self) -> bool:
        """Whether an engine runs, or stands still. It may be lost already."""
        return self.begun and not self.dead

    @property
    def lost(self) -> bool:
        """Whether the engine knows that it may not write any more."""
        return self.machinery.engine.recorder.lease.lost is not None

    def own(self, task: asyncio.Task[Any]) -> None:
        """Remember a task that ends with this life."""
        if len(self._tasks) > _PRUNED_AT:
            self._tasks = [one for one in self._tasks if not one.done()]
        self._tasks.append(task)

    async def ask(self, work: Coroutine[Any, Any, R]) -> R:
        """Do something for a client and return what comes of it. Raises `Gone` when the life ends before."""
        return await self._result(work, self._guests)

    async def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do something of the engine's own. Raises as `ask` does."""
        return await self._result(work, self)

    async def _result(self, work: Coroutine[Any, Any, R], owner: Owner) -> R:
        if self.dead:
            work.close()
            raise Gone
        task = start_for(owner, work)
        await asyncio.wait({task})
        if task.cancelled():
            raise Gone
        return task.result()

    def reach(self, point: str) -> None:
        """Go past a point, or end there."""
        if self.dead:
            raise asyncio.CancelledError
        doom = self.doom
        if doom is None or point != ("append" if doom.point == "in_flight" else doom.point):
            return
        doom.left -= 1
        if doom.left >= 0:
            return
        self.doom = None
        if doom.point == "in_flight":
            seconds = self._chance.choice((0.0, 0.0005, 0.002, 0.01))
            asyncio.get_running_loop().call_later(seconds, self.crash, "in_flight")
        else:
            self.crash(point)
            raise asyncio.CancelledError

    async def pass_by(self, point: str) -> None:
        """Go past a point, or stand still there for a while."""
        nap = self.nap
        if nap is None or nap.point != point:
            return
        nap.left -= 1
        if nap.left < 0:
            self.nap = None
            self.stand_still(nap.seconds)
            await asyncio.sleep(0)

    def stand_still(self, seconds: float) -> None:
        """Let nothing of this life run for a while, from the next step on."""
        loop = asyncio.get_running_loop()
        if self.stands_still or self.dead or not isinstance(loop, StandingLoop):
            return
        self.stands_still = True
        loop.standing += 1
        outside().run(self._clock.call_at, self._clock.monotonic() + seconds, self.wake_up)

    def wake_up(self) -> None:
        """Go on, with everything that was to happen meanwhile."""
        loop = asyncio.get_running_loop()
        if self.stands_still and isinstance(loop, StandingLoop):
            self.stands_still = False
            loop.standing -= 1

    def crash(self, point: str) -> None:
        """End here and now. A store that others use as well lives on."""
        if self.dead:
            return
        self.dead = True
        self.wake_up()
        if not self._shared:
            self._store.crash()
        running = asyncio.current_task()
        for task in self._tasks:
            if task is not running:
                task.cancel()
        self._crashed(self, point)

    async def reap(self) -> list[str]:
        """Wait until nothing of a life that has ended runs any more, and return what does not end."""
        self.dead = True
        self.wake_up()
        for _ in range(_REAPS_MAX):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                return []
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        return [name_of(task) for task in self._tasks if not task.done()]

    def running(self) -> list[str]:
        """Return what still runs of the engine's own, by name; what clients wait for is theirs."""
        return [name_of(task) for task in self._tasks if not task.done() and task not in self._guests.tasks]


def name_of(task: asyncio.Task[Any]) -> str:
    """Return what a task runs, in words that are the same in every run."""
    return getattr(task.get_coro(), "__qualname__", "a task")
