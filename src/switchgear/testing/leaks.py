"""What can be seen of a guard from outside: whether it is idle, and how many calls it lets in at once.

Here is also what the kit asks of a guard, so that other machines of the same shape can be checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from switchgear.core.errors import Rejected

P = ParamSpec("P")
R = TypeVar("R")

CAPACITY_MAX = 100
"""Calls at which `capacity_of` stops counting unless told otherwise."""


class Counts(Protocol):
    """What the kit reads of a guard's statistics; `Statistics` has it."""

    @property
    def in_flight(self) -> int:
        """Calls that run."""

    @property
    def waiting(self) -> int:
        """Calls that wait to be let in."""

    @property
    def failures(self) -> int:
        """Calls that said that the dependency failed."""

    @property
    def rejected(self) -> int:
        """Refused calls."""

    @property
    def listener_errors(self) -> int:
        """Exceptions that listeners raised."""


class PermitLike(Protocol):
    """What the kit needs of a permit; `Permit` has it."""

    def succeed(self) -> None:
        """Say that the dependency did its work."""

    def fail(self) -> None:
        """Say that it did not."""

    def ignore(self) -> None:
        """Say that the call tells nothing."""

    def refund(self) -> None:
        """Say that nothing left."""


class GuardLike(Protocol):
    """What the kit needs of a guard; `Guard` has it."""

    @property
    def name(self) -> str:
        """What errors call the dependency."""

    @property
    def state(self) -> str:
        """The breaker's state."""

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Make a guarded call, blocking or async."""

    def permit_nowait(self) -> PermitLike:
        """Let a call in without waiting, or raise `Rejected`."""

    def statistics(self) -> Counts:
        """Return how it stands."""

    def subscribe(self, listener: Callable[[object], object]) -> Callable[[], None]:
        """Tell a listener of every event."""


def assert_idle(guard: GuardLike) -> None:
    """Raise `AssertionError` when a call still runs or waits: after all calls have ended, its place has leaked."""
    counts = guard.statistics()
    assert counts.in_flight == 0, f"{guard.name}: {counts.in_flight} places are still held though every call has ended"
    assert counts.waiting == 0, f"{guard.name}: {counts.waiting} still wait though every call has ended"


def capacity_of(guard: GuardLike, *, most: int = CAPACITY_MAX) -> int:
    """Return how many calls `guard` lets in at once, now, up to `most`. Every permit taken is refunded."""
    permits: list[PermitLike] = []
    try:
        while len(permits) < most:
            permits.append(guard.permit_nowait())
    except Rejected:
        pass  # that is how many
    finally:
        for permit in reversed(permits):
            permit.refund()
    return len(permits)
