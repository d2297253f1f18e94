"""Places: what bulkhead and shedding have in common, so that a guard need not know which of the two it holds.

Only the shape stands here. A place is held from `admit`, or from being granted by `release` or `refund`, until one of
these two is called for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar, get_args

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.refusal import Refusal

Priority = Literal["critical_plus", "critical", "sheddable_plus", "sheddable"]
"""How important a call is when there is too much to do, highest first."""

PRIORITIES: tuple[Priority, ...] = get_args(Priority)

MEMORY = 0.1
"""Weight of the newest call in the running mean of durations that advice to come back rests on."""
FIRST_GUESS_SECONDS = 1.0
"""That mean before the first call."""


class Waits(Protocol):
    """What a queue needs to know of a waiter. Moments are monotonic seconds; at `expires_at` it gives up."""

    expires_at: float
    enqueued_at: float
    priority: Priority
    tenant: str | None


Waiter = TypeVar("Waiter", bound=Waits)


class Places(Protocol[Waiter]):
    """So many calls at once, and a bounded queue for others."""

    taken: int

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""

    def admit(self, now: float, priority: Priority, tenant: str | None, draw: float, /) -> Refusal | None:
        """Take a place for a call, or say why not."""

    def queues(self, refusal: Refusal, /) -> bool:
        """Return whether a call that was refused so may stand in the queue."""

    def enqueue(self, waiter: Waiter, now: float, /) -> tuple[bool, Waiter | None]:
        """Let `waiter` stand in the queue if it may. Return whether it does, and who was pushed out for it."""

    def leave(self, waiter: Waiter, /) -> bool:
        """Take `waiter` out of the queue. Return False when it no longer stood there."""

    def release(self, now: float, duration: float, verdict: Verdict, /) -> Sequence[Waiter]:
        """End a call of `duration` seconds, infinite when unknown. Return the waiters that now hold a place."""

    def record(self, now: float, duration: float, verdict: Verdict, /) -> None:
        """Take the outcome of a call that keeps its place, until `refund`."""

    def grant(self, now: float, /) -> Sequence[Waiter]:
        """Pass free places on, after there have become more of them. Return the waiters that now hold one."""

    def reconfigure(self, options: Any, /) -> None:  # noqa: ANN401 - each kind of places has options of its own
        """Go on under other options of the same policy; `grant` then passes on what they freed."""

    def is_clean(self, now: float, /) -> bool:
        """Return whether forgetting it changes nothing for the calls to come."""

    def refund(self, now: float, /) -> Sequence[Waiter]:
        """End a call that tells nothing. Return the waiters that now hold a place."""

    def refusal(self, code: Code, /) -> Refusal:
        """Say no."""
