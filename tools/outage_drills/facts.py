"""What a drill leaves behind: outages with their true times, and a journal of what happened, in its order.

Plain values. All moments are seconds of the monotonic clock of the drill. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Source
from switchgear.health.standing import Health

Asker = Literal["probes", "calls"]
"""Who asks a dependency: a prober, or everybody else."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Something was wrong with `dependency` from `begin` until before `end`.

    breaks    whether no right answer can come while it lasts. Otherwise some may, or all.
    only      who meets it; None for everybody.
    stubborn  whether a question cannot be cancelled.
    """

    dependency: str
    fault: str
    begin: float
    end: float
    breaks: bool
    only: Asker | None = None
    stubborn: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` until before `end`."""

    begin: float
    end: float

    def meets(self, begin: float, end: float) -> bool:
        """Return whether it has a moment in common with another span."""
        return self.begin < end and begin < self.end


@dataclass(frozen=True, slots=True)
class Observation:
    """The board was told something at `received`, of a question that was asked `at`."""

    dependency: str
    source: Source
    positive: bool
    at: float
    received: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Something was destroyed: `victim`, over `path`, for a reason that `source` gave when it was asked `asked`.

    `confirmed` says whether the reason was more than inferred.
    """

    at: float
    path: str
    requires: tuple[str, ...]
    victim: str
    source: str
    asked: float
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """The gate held something back, naming `dependency` and its `state`."""

    at: float
    path: str
    requires: tuple[str, ...]
    dependency: str
    state: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A dependency was told to stand elsewhere."""

    at: float
    dependency: str
    before: Health
    after: Health


Happening = Observation | Effect | Refusal | Changed


@dataclass(slots=True)
class Facts:
    """All of a drill.

    switched   spans in which the kill switch was on, or could not be read.
    held       spans in which an operator had taken a dependency out, by its name.
    blind      spans in which nobody looked: the prober was gone, or its loop stood still.
    died       when each victim had died; who is not in it lives.
    calls_every  seconds between calls on average, of dependencies whose calls are evidence as well.
    slack      seconds by which a real machine may be late. It loosens what is promised, never what is forbidden.
    inferred   findings that only looked like a reason: what reads silence as "gone" would have acted on them.
    """

    dependencies: Mapping[str, Dependency]
    reason_max_age: float
    outages: list[Outage] = field(default_factory=list)
    journal: list[Happening] = field(default_factory=list)
    switched: list[Span] = field(default_factory=list)
    held: list[tuple[str, Span]] = field(default_factory=list)
    blind: list[Span] = field(default_factory=list)
    died: Mapping[str, float] = field(default_factory=dict)
    calls_every: Mapping[str, float] = field(default_factory=dict)
    ended: float = 0.0
    slack: float = 0.0
    inferred: int = 0

    @property
    def effects(self) -> list[Effect]:
        """What was destroyed."""
        return [one for one in self.journal if isinstance(one, Effect)]

    @property
    def refusals(self) -> list[Refusal]:
        """What was held back."""
        return [one for one in self.journal if isinstance(one, Refusal)]
