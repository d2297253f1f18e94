"""The store of a simulation with somebody who looks on: nothing that a lost engine wrote may ever commit.

What counts is the order of the store: whether the writer is lost is looked up in the moment in which its append lands.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from switchgear.core.clock import Clock
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.key_records import KEYS
from switchgear.execution.leases.rows import BEATS, ENGINES, LIVE
from switchgear.execution.recorder import INTENTS
from switchgear.execution.sagas.book import SAGA_KEYS, SAGAS
from switchgear.execution.time_boxes.box import SPACE as BOXES
from switchgear.storage.abilities import Append, Appended, Committed, Seal
from switchgear.testing import FaultyStore, StoreFaults

_FENCED = frozenset({INTENTS, KEYS, SAGAS, SAGA_KEYS, BOXES, BEATS, ENGINES})
"""What a lost engine may not write. Kill switches, budgets and contracts are not its own: people set them."""


class OverseenStore(FaultyStore):
    """A `FaultyStore` that is told who writes what. Calls `wrong` with what should not have committed."""

    def __init__(
        self, seal: Seal, *, clock: Clock, random: Random, faults: StoreFaults, wrong: Callable[[str], None]
    ) -> None:
        """Start empty."""
        super().__init__(seal, clock=clock, random=random, faults=faults)
        self._wrong = wrong
        self.writers: dict[str, str] = {}
        """Which engine has sent an append, by the id of that."""

    def append_nowait(self, append: Append) -> Appended:
        """Commit or refuse, and judge."""
        writer = self.writers.get(append.id, "")
        lost = self.lost(writer)
        outcome = super().append_nowait(append)
        if lost and isinstance(outcome, Committed):
            spaces = sorted({write.space for write in append.writes} & _FENCED)
            if spaces:
                self._wrong(f"an append of the lost engine {writer} has committed: it wrote {', '.join(spaces)}")
        return outcome

    def lost(self, engine: str) -> bool:
        """Return whether an engine is lost by now."""
        row = self._rows.get((ENGINES, PLATFORM_TENANT, engine))
        return row is not None and row.facet != LIVE
