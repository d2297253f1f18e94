"""The absolute deadline that travels inward with a call, in a context variable.

A deadline is a moment on a clock. The tightest of nested deadlines wins. Nothing here cancels anything: guards
and connectors read the deadline and act on it.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar, Token
from types import TracebackType
from typing import cast

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError

_SECONDS_MAX = sys.float_info.max


class Deadline:
    """A moment on `clock` at which waiting ends."""

    __slots__ = ("_elsewhere", "clock", "expires_at")

    def __init__(self, expires_at: float, clock: Clock = SYSTEM_CLOCK) -> None:
        """Expire when `clock.monotonic()` reaches `expires_at`."""
        self.expires_at = expires_at
        self.clock = clock
        self._elsewhere: dict[int, tuple[Clock, float]] | None = None

    def remaining(self) -> float:
        """Return the seconds left; negative once it has passed."""
        return self.expires_at - self.clock.monotonic()

    def moment_on(self, clock: Clock) -> float:
        """Return the moment on another clock, fixed when first asked: what remains then is what remains there."""
        if clock is self.clock:
            return self.expires_at
        if self._elsewhere is None:
            self._elsewhere = {}
        known = self._elsewhere.get(id(clock))
        if known is None:
            known = self._elsewhere[id(clock)] = (clock, clock.monotonic() + self.remaining())
        return known[1]


CURRENT: ContextVar[Deadline | None] = ContextVar("switchgear_deadline", default=None)
"""The deadline of the running call, or None. Set it through `deadline`, or by a driver that resets it."""


def current_deadline() -> Deadline | None:
    """Return the deadline in force for the running call, or None when there is none."""
    return CURRENT.get()


class deadline:  # noqa: N801 - used as a statement, `with deadline(2.0):`, like contextlib.suppress
    """Bound everything inside the block by `seconds` from its start.

    Inside an outer deadline the tighter of the two holds. `seconds` is at least 0; 0 has already expired.
    Raises `OptionError` when it is negative or not a number.
    """

    __slots__ = ("_clock", "_seconds", "_tokens")

    def __init__(self, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Prepare the scope; time starts at `__enter__`."""
        if not isinstance(cast("object", seconds), (int, float)) or not 0 <= seconds <= _SECONDS_MAX:
            raise OptionError(f"deadline() needs finite seconds of at least 0, not {seconds!r}")
        self._seconds = seconds
        self._clock = clock
        self._tokens: list[Token[Deadline | None]] = []

    def __enter__(self) -> Deadline:
        """Start the scope and return the deadline in force."""
        expires_at = self._clock.monotonic() + self._seconds
        outer = CURRENT.get()
        if outer is not None and outer.moment_on(self._clock) <= expires_at:
            inner = outer
        else:
            inner = Deadline(expires_at, self._clock)
        self._tokens.append(CURRENT.set(inner))
        return inner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the outer deadline."""
        CURRENT.reset(self._tokens.pop())
