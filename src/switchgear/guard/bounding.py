"""A deadline in force for a while, put back whatever interrupts: what `switchgear.core.deadline` is to users.

A ``with`` statement is of no use here: an interrupt at the start of its `__exit__` would leave the deadline in force
for good, and everything after it would be too late. Nor is one ``finally``, since `Bound.end` starts as any function
does. So who uses a `Bound` ends it twice, once behind the other.
"""

from __future__ import annotations

from switchgear.core.clock import Clock
from switchgear.core.deadline import CURRENT, Deadline


class Bound:
    """The deadline of one call, permit or step."""

    __slots__ = ("_inner", "_outer")

    def __init__(self) -> None:
        """Start with nothing in force."""
        self._inner: Deadline | None = None
        self._outer: Deadline | None = None

    def begin(self, own: Deadline | None) -> Deadline | None:
        """Put the tighter of the caller's deadline and our `own` in force, and return it."""
        outer = CURRENT.get()
        inner = tighter(outer, own)
        if inner is not outer:
            self._outer = outer
            self._inner = inner
            CURRENT.set(inner)
        return inner

    def end(self) -> None:
        """Put the caller's deadline back in force, unless this is another context, where ours never was."""
        if self._inner is not None:
            if CURRENT.get() is self._inner:
                CURRENT.set(self._outer)
            self._inner = None


def deadline_in(seconds: float | None, clock: Clock) -> Deadline | None:
    """Return the deadline `seconds` from now, or None for none."""
    return None if seconds is None else Deadline(clock.monotonic() + seconds, clock)


def tighter(outer: Deadline | None, own: Deadline | None) -> Deadline | None:
    """Return the one of two deadlines that ends earlier, the caller's when they end at once."""
    if own is None or (outer is not None and outer.moment_on(own.clock) <= own.expires_at):
        return outer
    return own
