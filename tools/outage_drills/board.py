"""A board that writes down what it is told, before it listens, and what it says of it."""

from __future__ import annotations

from switchgear.health.board import HealthBoard
from switchgear.health.evidence import Polarity, Source
from switchgear.health.telling import HealthChanged
from tools.outage_drills.facts import Changed, Happening, Observation


class Journal(HealthBoard):
    """Writes a journal."""

    __slots__ = ("journal",)

    def keep(self, journal: list[Happening]) -> None:
        """Write into `journal` from now on."""
        self.journal = journal
        self.subscribe(self._changed)

    def observe(
        self,
        name: str,
        polarity: Polarity | str,
        source: Source | str,
        *,
        detail: str = "",
        seconds: float | None = None,
        failed: float = 0.0,
        age: float = 0.0,
        at: float | None = None,
    ) -> None:
        """Take an observation, and remember it."""
        now, positive = self.clock.monotonic(), polarity is Polarity.POSITIVE
        made = now - max(0.0, age) if at is None else at
        self.journal.append(Observation(name, Source(source), positive, made, now))
        super().observe(name, polarity, source, detail=detail, seconds=seconds, failed=failed, at=made)

    def _changed(self, event: HealthChanged) -> None:
        self.journal.append(Changed(event.monotonic, event.name, event.before, event.after))
