"""A loop on which an engine can stand still: nothing of it runs for a while, and then everything at once.

That is what a stopped process, a suspended machine or a long collection of garbage look like from outside. What is on
its way, on disk or network, does not stand still with it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import Any

from switchgear.lab.simulation.tasks import OWNER
from switchgear.testing import SimulatedLoop


class StandingLoop(SimulatedLoop):
    """A `SimulatedLoop` that sets callbacks aside while whom they belong to stands still."""

    def __init__(self, **options: Any) -> None:  # those of the loop that it is
        """Start with nobody standing still."""
        super().__init__(**options)
        self._aside: deque[Any] = deque()
        self.standing = 0
        """How many stand still. Whoever changes that says so here."""

    def _make_ready(self) -> None:
        """Collect what may run. What belongs to somebody who stands still is looked at again the next time."""
        super()._make_ready()
        if not self.standing and not self._aside:
            return
        ready = [*self._aside, *self._soon]
        self._aside = deque(one for one in ready if _stands_still(one))
        self._soon = deque(one for one in ready if not _stands_still(one))


def outside() -> contextvars.Context:
    """Return a context that belongs to nobody: what is started there goes on when an engine stands still or ends."""
    context = contextvars.copy_context()
    context.run(OWNER.set, None)
    return context


def _stands_still(handle: asyncio.Handle) -> bool:
    owner = handle._context.get(OWNER)  # type: ignore[attr-defined] # noqa: SLF001 - nothing else tells whose it is
    return owner is not None and owner.stands_still
