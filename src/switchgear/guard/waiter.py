"""How a call waits before it is let in: for its turn in a rate limit, or for a place.

Both pauses can be waited for by a thread and by a task. Nothing here decides who gets what.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from switchgear.core.clock import Clock
from switchgear.guard.terms import Terms
from switchgear.policies.places import Priority
from switchgear.policies.refusal import Refusal


class Turn:
    """The wait for a turn that is already paid for."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        """Wait for `seconds`."""
        self._seconds = seconds

    def wait(self, clock: Clock) -> None:
        """Block this thread."""
        clock.sleep(self._seconds)

    async def wait_async(self, clock: Clock) -> None:
        """Suspend this task."""
        await clock.sleep_async(self._seconds)


class Waiter:
    """One call in the queue for a place.

    `granted` is set under the member's mutex when a place was passed to it, `refusal` when it will never get one.
    `wake` may be called from any thread.
    """

    __slots__ = ("_wake", "enqueued_at", "expires_at", "granted", "priority", "refusal", "tenant")

    def __init__(self, expires_at: float, now: float, terms: Terms) -> None:
        """Stand in the queue from the monotonic second `now` on; give up at `expires_at`."""
        self.expires_at = expires_at
        self.enqueued_at = now
        self.priority: Priority = terms.priority
        self.tenant = terms.tenant
        self.granted = False
        self.refusal: Refusal | None = None
        self._wake: Callable[[], object] | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is known how the wait ends."""
        return self.granted or self.refusal is not None

    def wake(self) -> bool:
        """Wake whoever waits. Return False when its event loop has been closed, so that nobody will come."""
        wake = self._wake
        try:
            if wake is not None:
                wake()
        except RuntimeError:
            return False
        return True

    def wait(self, clock: Clock) -> None:
        """Block this thread until a place was granted or the time is over."""
        woken = threading.Event()
        self._wake = woken.set
        if not self.is_over:
            clock.wait(woken, self.expires_at - clock.monotonic())

    async def wait_async(self, clock: Clock) -> None:
        """Suspend this task until a place was granted or the time is over."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        if self.is_over:
            return
        timer = clock.call_at(self.expires_at, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()


Pause = Turn | Waiter
