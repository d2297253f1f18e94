"""`Wait`: one wait until a dependency stands as it should, for whoever waits in a thread or in a task.

What may not live here: any rule of how a dependency stands. The board is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol, Self

from switchgear.core.clock import Clock
from switchgear.core.deadline import current_deadline
from switchgear.core.errors import DeadlineExceeded
from switchgear.health.bell import Bell
from switchgear.health.standing import Health, Standing
from switchgear.health.telling import HealthChanged, Listener
from switchgear.policies.checks import require_seconds

_LOOK_AGAIN_SECONDS = 1.0
"""What only the passing of time changes is told by nobody when no prober runs, so it is looked at once a second."""


class Told(Protocol):
    """Whoever knows where dependencies stand, and tells of changes."""

    @property
    def clock(self) -> Clock:
        """The clock to wait by."""

    def standing(self, name: str, /) -> Standing:
        """Return where a dependency stands now."""

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Tell `listener` of every change. Return the function that ends it."""


class Wait:
    """Hears of changes while it is entered; `step` says how long to wait for the next one."""

    __slots__ = ("_board", "_ends", "_name", "_state", "_stop", "_timeout", "bell", "standing")

    def __init__(self, board: Told, name: str, state: Health | str, timeout: float) -> None:
        """Wait for `name` to be in `state`, at most `timeout` seconds and not beyond the deadline in force."""
        require_seconds("wait_until(timeout)", timeout, write='board.wait_until("redis", timeout=10.0)')
        self._board, self._name, self._state, self._timeout = board, name, Health(state), timeout
        deadline, clock = current_deadline(), board.clock
        self._ends = min(clock.monotonic() + timeout, inf if deadline is None else deadline.moment_on(clock))
        self.bell = Bell()
        self.standing = board.standing(name)
        """Where it stood when it was last looked at."""

    def __enter__(self) -> Self:
        """Begin to hear of changes."""
        self._stop = self._board.subscribe(self._hear)
        return self

    def __exit__(self, *_error: object) -> None:
        """Hear no more."""
        self._stop()

    def step(self) -> float:
        """Look, and return the seconds to wait at most before the next look; 0 when it stands as it should.

        Raises `DeadlineExceeded` when it still does not, and time is up.
        """
        now, self.standing = self._board.clock.monotonic(), self._board.standing(self._name)
        if self.standing.state is self._state:
            return 0.0
        if now >= self._ends:
            why = f" ({self.standing.reason})" if self.standing.reason else ""
            message = f"is {self.standing.state} and not {self._state} after at most {self._timeout:g} s{why}"
            raise DeadlineExceeded(message, sent=False, operation="wait_until", dependency=self._name)
        return min(self._ends - now, _LOOK_AGAIN_SECONDS)

    def _hear(self, event: HealthChanged) -> None:
        if event.name == self._name:
            self.bell.ring()
