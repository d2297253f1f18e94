"""`HealthWatch`: board, traffic, probes and pollers of a program, put together; a gear has its own.

It adds nothing to them. Who wants another arrangement puts the same parts together by hand.
"""

from __future__ import annotations

import asyncio
import random as randomness
from collections.abc import Callable
from typing import Self

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.inventory import PROCESS, Inventory, Operation
from switchgear.health.modes import Modes
from switchgear.health.probe import Probe
from switchgear.health.prober import Prober
from switchgear.health.prober_lease import Lease
from switchgear.health.traffic import TrafficWatch


class HealthWatch:
    """Watches the dependencies of a program while it is entered, with ``async with`` or ``with``. Once only.

    lease          makes one of several processes the prober; default: this one probes. See `Prober`.
    inventory      where destructive operations are listed; default: that of the process. See `DestructiveGate`.
    clock, random  time and randomness, to be replaced in tests.

    What a listed operation requires is probed regularly, also while calls succeed; see `Prober.rely_on`.

    What it is made of is there to be used: `board`, `modes` and `prober`. At its end the pollers end, and nothing is
    probed any more; what is known grows old.
    """

    __slots__ = ("_closing", "_entered", "_inventory", "_task", "board", "modes", "prober")

    def __init__(
        self,
        *,
        lease: Lease | None = None,
        inventory: Inventory = PROCESS,
        clock: Clock = SYSTEM_CLOCK,
        random: randomness.Random | None = None,
    ) -> None:
        """Start without dependencies."""
        self.board = HealthBoard(clock=clock, random=random)
        self.modes = Modes(self.board, random=random)
        self.prober = Prober(self.board, lease=lease)
        self._closing: list[Callable[[], None]] = [self.modes.close]
        self._entered = False
        self._inventory = inventory
        self._task: asyncio.Task[None] | None = None

    def dependency(self, dependency: Dependency, *, guard: Guard | None = None, probe: Probe | None = None) -> None:
        """Know `dependency` from now on, by the calls through `guard`, by `probe`, or by both.

        guard  what its calls go through, of whatever name.
        probe  an async function without arguments; see `switchgear.health.probes`.

        Raises `OptionError` with neither, since nothing would ever be known of it; and for another of its name.
        """
        if guard is None and probe is None:
            raise OptionError(
                f"nothing would ever be known of {dependency.name!r}; write for example "
                f"watch.dependency(Dependency({dependency.name!r}, kind={dependency.kind!r}), guard=guard, probe=ping)"
            )
        self.board.declare(dependency)
        if probe is not None:
            self.prober.add(dependency.name, probe)
        if guard is not None:
            traffic = TrafficWatch(self.board, guard, name=dependency.name)
            self.prober.watch(traffic)
            self._closing.append(traffic.close)

    async def __aenter__(self) -> Self:
        """Begin to probe, in a task of this loop."""
        self._begin()
        self._task = asyncio.get_running_loop().create_task(self.prober.run())
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End it all, and raise what ended the prober before."""
        self.close()
        if self._task is not None:
            await self._task

    def __enter__(self) -> Self:
        """Begin to probe, in a thread of its own."""
        self._begin()
        self.prober.run_in_thread()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it all."""
        self.close()

    def close(self) -> None:
        """End pollers and probes now, from any thread, such as in a signal handler of the loop."""
        self.prober.close()
        for end in self._closing:
            end()

    def _begin(self) -> None:
        if self._entered:
            raise OptionError("this watch was entered before, and can be once only; make another one")
        self._entered = True
        self._closing.append(self._inventory.watch(self._rely_on))

    def _rely_on(self, operation: Operation) -> None:
        """Let no calls vouch alone for what a destructive operation requires."""
        for name in operation.requires:
            self.prober.rely_on(name)
