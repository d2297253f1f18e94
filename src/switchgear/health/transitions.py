"""The one table of how what a source says of a dependency may change.

Pure data: the rules that choose a move are in `line`, the diagram in the docs is drawn of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from switchgear.health.standing import Health


class Move(StrEnum):
    """Why what a source says changes."""

    ANSWERED = "answered"
    """The first right answer. It promises nothing yet."""
    CONFIRMED = "confirmed"
    """So many right answers in a row that it can be relied on."""
    WORN = "worn"
    """Too many of the latest answers were slow or missing, or only slow answers came back."""
    STEADIED = "steadied"
    """So many right and quick answers in a row that it is well again."""
    FAILED = "failed"
    """So many observations in a row without a right answer."""
    RELAPSED = "relapsed"
    """One observation without a right answer while it recovered."""
    SILENT = "silent"
    """Nothing was heard for so long that what was heard before says nothing any more."""
    RECHECKED = "rechecked"
    """Somebody else said that it was down, and says so no more. What this source said meanwhile must be confirmed."""


ANSWERING = frozenset({Health.HEALTHY, Health.DEGRADED, Health.RECOVERING})
"""States that rest on right answers, and end with them."""

TRANSITIONS: Mapping[Move, tuple[frozenset[Health], Health]] = {
    Move.ANSWERED: (frozenset({Health.UNKNOWN, Health.UNHEALTHY}), Health.RECOVERING),
    Move.CONFIRMED: (frozenset({Health.RECOVERING}), Health.HEALTHY),
    Move.WORN: (frozenset({Health.HEALTHY, Health.RECOVERING}), Health.DEGRADED),
    Move.STEADIED: (frozenset({Health.DEGRADED}), Health.HEALTHY),
    Move.FAILED: (frozenset({Health.UNKNOWN, Health.HEALTHY, Health.DEGRADED}), Health.UNHEALTHY),
    Move.RELAPSED: (frozenset({Health.RECOVERING}), Health.UNHEALTHY),
    Move.SILENT: (frozenset(Health), Health.UNKNOWN),
    Move.RECHECKED: (ANSWERING, Health.RECOVERING),
}
"""Move -> the states it may happen in, and the state it leads to. Nothing leads to healthy but answers in a row."""
