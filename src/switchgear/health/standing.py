"""Where a dependency stands: one immutable record, the same facts on every surface."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from switchgear.health.evidence import Polarity, Source


class Health(StrEnum):
    """The states of a dependency."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It answers, but slowly or not always."""
    RECOVERING = "recovering"
    """It answers again, not yet often enough to be relied on."""
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """Never seen, or not seen for longer than its freshness."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The youngest observation of the source that a standing goes by.

    `age` is seconds since it was made. `detail` is for people and holds no secret, but may say what others did.
    """

    source: Source
    polarity: Polarity
    age: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a dependency at one moment.

    `age` is seconds since the youngest positive evidence, None when there never was any; `state_age` is how many
    seconds it has been in this state; `retry_after` is seconds until it is looked at again, None when nobody knows.
    `reason` says in words why it stands there. `doubted` says that the youngest evidence of a source is not positive,
    though not often enough in a row to change the state, or that many of the calls failed that it looked at. `cause` is
    what was observed last by the source that it goes by, None when nothing was, or nothing that still counts.
    """

    name: str
    state: Health
    critical: bool
    age: float | None
    state_age: float
    reason: str = ""
    retry_after: float | None = None
    flapping: bool = False
    doubted: bool = False
    cause: Cause | None = None

    @property
    def vouches(self) -> bool:
        """Whether a destructive operation may rest on it: healthy by fresh positive evidence, and no doubt since."""
        return self.state is Health.HEALTHY and not self.doubted


class Standings(Protocol):
    """Whoever knows where dependencies stand."""

    def standing(self, name: str, /) -> Standing:
        """Return where a dependency stands now; one that nobody declared is unknown."""
