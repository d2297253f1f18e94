"""The destructive gate of the library: nothing is destroyed unless everything that it rests on is known to be well.

It looks at what is in memory, never waits, and holds no lock. It can be asked any number of times, and has no force:
nobody gets past it. What may not live here: how a dependency comes to stand where it stands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.guard.callables import BLOCKING, kind_of
from switchgear.health.findings import Confirmed
from switchgear.health.inventory import PROCESS, Inventory, Operation, OperationRecord
from switchgear.health.obstacles import Kind, Obstacle, no_reason, not_vouched, stale, unreadable
from switchgear.health.permit import Permit
from switchgear.health.standing import Standings
from switchgear.policies.checks import require_seconds


class DestructiveGate:
    """Lets a destructive operation happen only on fresh, positive evidence.

    standings       where dependencies stand, such as a `HealthBoard`.
    kill_switch     returns False while it is off, from memory and at once; True, anything else and an error hold back.
                    Default: there is none.
    reason_max_age  seconds since the reason was asked for, above 0; default 30.
    inventory       where operations are listed; default: that of the process.
    clock           time, to be replaced in tests. Reasons have to be confirmed on the same.

    It lets pass when the kill switch is off, every required dependency vouches, and the reason is a `Confirmed` that is
    fresh, all of that at this very moment. Raises `OptionError` for options that cannot work.
    """

    __slots__ = ("_clock", "_inventory", "_kill_switch", "_reason_max_age", "_standing")

    def __init__(
        self,
        standings: Standings,
        *,
        kill_switch: Callable[[], bool] | None = None,
        reason_max_age: float = 30.0,
        inventory: Inventory | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Resolve the options."""
        require_seconds(
            "DestructiveGate(reason_max_age)", reason_max_age, write="DestructiveGate(board, reason_max_age=30.0)"
        )
        if kill_switch is not None and kind_of(kill_switch) != BLOCKING:
            raise OptionError(
                f"DestructiveGate(kill_switch) is a blocking function that returns True or False, not {kill_switch!r}; "
                "write for example DestructiveGate(board, kill_switch=lambda: False)"
            )
        self._standing = standings.standing
        self._kill_switch = kill_switch
        self._reason_max_age = reason_max_age
        self._inventory = PROCESS if inventory is None else inventory
        self._clock = clock

    def destructive(self, operation: str, *, requires: Sequence[str], because: Confirmed[Any]) -> Permit:
        """Return the permit for an operation, for ``with``: its block runs only if the gate lets it.

        operation  what is done, such as "sessions.delete"; it is listed in the inventory.
        requires   the dependencies that have to vouch for it, at least one.
        because    the reason. Anything but a `Confirmed` is refused.

        The block raises `DestructiveBlocked` when it may not begin. Raises `OptionError` for requirements that cannot
        work.
        """
        known = self._inventory.known.get(operation)
        if known is None or known.requires != requires:
            known = self._inventory.register(operation, requires, _caller())
        return Permit(self, known, because)

    def register(self, operation: str, requires: Sequence[str], where: str) -> Operation:
        """List an operation in the inventory, as one that is done at `where`. Raises `OptionError` as `destructive`."""
        return self._inventory.register(operation, requires, where)

    def check(self, operation: Operation, reason: object, *, done: int = 0) -> None:
        """Raise `DestructiveBlocked` unless `operation`, with `done` items done, may go on because of `reason`."""
        obstacle = self._obstacle(operation.requires, reason)
        if obstacle is not None:
            raise operation.refused(obstacle, done, self._clock.time())

    def inventory(self) -> tuple[OperationRecord, ...]:
        """Return every operation of its inventory, sorted by name."""
        return self._inventory.records()

    def install(self) -> None:
        """Make it the gate of this process, which functions marked `destructive` ask when they are called.

        Raises `OptionError` when another gate is: nobody replaces it by accident.
        """
        if not _INSTALLED:
            _INSTALLED.append(_Installed(self))
        elif _INSTALLED[0].gate is not self:
            raise OptionError(
                "another gate is installed in this process; write `with gate.installed():` to stand in for it"
            )

    @contextmanager
    def installed(self) -> Iterator[DestructiveGate]:
        """Make it the gate of this process, in all its threads, until the block ends."""
        ours = _Installed(self)
        _INSTALLED.append(ours)
        try:
            yield self
        finally:
            _INSTALLED.remove(ours)

    def _obstacle(self, requires: tuple[str, ...], reason: object) -> Obstacle | None:
        """Return what stands in the way now, or None."""
        switch = self._kill_switch
        if switch is not None and (found := _switched(switch)) is not None:
            return found
        name = ""
        try:
            for name in requires:
                standing = self._standing(name)
                if standing.vouches is not True:
                    return not_vouched(name, standing)
        except Exception as error:  # noqa: BLE001 - whatever a board raises, it does not vouch
            return unreadable(Kind.STANDING_UNREADABLE, error, name)
        if type(reason) is not Confirmed:  # what only calls itself one was minted by nobody
            return no_reason(reason)
        return self._aged(reason)

    def _aged(self, reason: Confirmed[Any]) -> Obstacle | None:
        """Return what stands in the way of a reason for its age, or None."""
        try:
            clock, age = reason.clock, reason.age()
        except AttributeError:  # made past its constructor: nobody has said anything
            return Obstacle(Kind.NO_REASON, state="missing", detail="an empty Confirmed")
        if clock is not self._clock:
            return Obstacle(Kind.OTHER_CLOCK, reason.source, "unknown")
        if 0.0 <= age <= self._reason_max_age:
            return None
        return stale(reason, age, self._reason_max_age)


class _Installed:
    """A gate that is in force, or stood in for."""

    __slots__ = ("gate",)

    def __init__(self, gate: DestructiveGate) -> None:
        """Stand for `gate`."""
        self.gate = gate


_INSTALLED: list[_Installed] = []
"""The gates of this process; the last one is in force."""


def installed_gate() -> DestructiveGate | None:
    """Return the gate that is in force in this process, or None."""
    installed = _INSTALLED[-1:]  # in one step, whatever other threads do
    return installed[0].gate if installed else None


def _switched(switch: Callable[[], bool]) -> Obstacle | None:
    """Return what stands in the way by the kill switch, or None. Only False itself is off."""
    try:
        on: object = switch()
    except Exception as error:  # noqa: BLE001 - whatever it raises, nobody knows whether it is on
        return unreadable(Kind.SWITCH_UNREADABLE, error)
    if on is False:
        return None
    if on is True:
        return Obstacle(Kind.SWITCH_ACTIVE, state="on")
    return Obstacle(Kind.SWITCH_UNREADABLE, state="unreadable", detail=f"it says {type(on).__name__}")


def _caller() -> str:
    """Return module and qualified name of who called the caller of this."""
    frame = sys._getframe(2)  # noqa: SLF001 - what `inspect.stack` does, without reading every file on the way
    return f"{frame.f_globals.get('__name__', '')}:{frame.f_code.co_qualname}"
