"""What a run of `growth` has found, and how it is kept in a file, so that a run that was cut short can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.durable.starting import Start

_FILE = "growth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an action costs over so many tenants, with so many recorded before. `cpu_us` is of all threads.

    `young_per_second` is the speed over as many tenants in a store that has `young_recorded`, in turns with this one.
    """

    recorded: int
    tenants: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    young_recorded: int
    young_per_second: float

    @property
    def beside_young(self) -> float:
        """How many times as long an action takes as in the young store."""
        return self.young_per_second / self.per_second


@dataclass(slots=True, kw_only=True)
class Grown:
    """The result so far. `memory_mb` is the most that the process that grew the store ever had."""

    costs: list[Cost] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)
    file_bytes: int = 0
    recorded: int = 0

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what a run before this one has left in `folder`."""
        path = folder / _FILE
        return cls.of(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else cls()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the result that `document` says."""
        costs = [Cost(**cost) for cost in document["costs"]]
        starts = [Start(**start) for start in document["starts"]]
        return cls(**{**document, "costs": costs, "starts": starts})

    def write(self, folder: Path) -> None:
        """Keep what is measured so far, for a run after this one."""
        (folder / _FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")
