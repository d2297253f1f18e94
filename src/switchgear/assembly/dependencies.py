"""What is known of the dependencies of one gear: the board, its traffic and probes, and their face in Python.

One engine owns a store, so it probes without a lease. What may not live here: any rule of how a dependency stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypedDict, TypeVar

from switchgear.assembly.guards import GuardPool
from switchgear.assembly.transitions import TransitionLog
from switchgear.control.dependencies import DependencyView, DestructiveView
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal
from switchgear.execution.destruction import Destruction
from switchgear.execution.engine import Engine
from switchgear.guard import Guard
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.inventory import PROCESS, Operation
from switchgear.health.modes import Modes
from switchgear.health.probe import Probe
from switchgear.health.prober import Prober
from switchgear.health.probes.function import FunctionProbe
from switchgear.health.standing import Health
from switchgear.health.telling import HealthChanged
from switchgear.health.traffic import TrafficWatch

F = TypeVar("F", bound=Callable[..., object])


class DependencyOptions(TypedDict, total=False):
    """Options of a dependency that have defaults; see `switchgear.health.Dependency`. Times are seconds."""

    critical: bool
    down_after: int
    up_after: int
    freshness: float
    probe_every: float
    probe_timeout: float
    backoff_max: float
    jitter: float
    degraded_after: float | None
    degraded_rate: float
    flap_changes: int
    flap_window: float


class DependencyKeeping:
    """The dependencies of one gear: what calls through their guards say, and what probes find."""

    def __init__(self, board: HealthBoard, modes: Modes, guards: GuardPool, destruction: Destruction) -> None:
        """Watch every guard of a dependency that `board` knows, and will know.

        What destroys, tools of `destruction` and functions of this process, vouches for nothing that it requires.
        """
        self._board, self._modes, self._destruction = board, modes, destruction
        self._prober = Prober(board)
        self._guards: dict[str, Guard] = {}
        self._watches: dict[str, TrafficWatch] = {}
        guards.watch(self._note_guard)
        self._endings = [inventory.watch(self._rely_on) for inventory in (PROCESS, destruction.inventory)]

    def declare(self, dependency: Dependency, probe: Probe | None) -> None:
        """Know a dependency from now on, by `probe` and by calls. Raises `OptionError` for another of its name."""
        self._board.declare(dependency)
        if probe is not None:
            self._prober.add(dependency.name, probe)
        self._watch(dependency.name)

    def decorator(self, dependency: Dependency) -> Callable[[F], F]:
        """Return the decorator of a function that probes `dependency`."""

        def declare(function: F) -> F:
            probe = FunctionProbe(function, timeout=dependency.probe_timeout, clock=self._board.clock)
            self.declare(dependency, probe)
            return function

        return declare

    def join(self, engine: Engine, transitions: TransitionLog) -> None:
        """Probe while `engine` runs, record what changes, and have it look again at what was held for it."""

        def hear(event: HealthChanged) -> None:
            transitions.note_health(event)
            if event.after is Health.HEALTHY:
                engine.reconsider(event.name)

        self._board.subscribe(hear)
        engine.run_beside(self._prober.run)

    def close(self) -> None:
        """End the pollers, and watch no more."""
        self._modes.close()
        self._prober.close()
        for end in self._endings:
            end()
        for watch in self._watches.values():
            watch.close()

    def _rely_on(self, operation: Operation) -> None:
        """Probe what an operation requires regularly, whatever calls say."""
        for name in operation.requires:
            self._prober.rely_on(name)

    def _note_guard(self, guard: Guard) -> None:
        self._guards[guard.name] = guard
        self._watch(guard.name)

    def _watch(self, name: str) -> None:
        """Watch the traffic of a dependency that is declared and has a guard; once is enough."""
        guard = self._guards.get(name)
        if guard is not None and name in self._board.names and name not in self._watches:
            destructive = partial(self._destruction.successes, name)
            watch = self._watches[name] = TrafficWatch(self._board, guard, destructive_successes=destructive)
            self._prober.watch(watch)


class DependencyDesk:
    """Dependencies as one principal sees them: ``gear.acting_as_platform(actor="user:ops").dependencies``."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    def list(self) -> Sequence[DependencyView]:
        """Return where every dependency stands, by name. Why, and what it is, only the platform sees."""
        return self._control.dependencies.list(self._principal)

    def show(self, name: str) -> DependencyView:
        """Return where one dependency stands. Raises `Denied` (NOT_FOUND) when none of that name was declared."""
        return self._control.dependencies.show(self._principal, name)

    def destructive(self) -> Sequence[DestructiveView]:
        """Return what may destroy something, and what it requires. What became of it only the platform sees."""
        return self._control.dependencies.destructive(self._principal)
