"""Units that a dispatch reserved, and what an outcome makes of them: pure.

A budget has two counters by one key: what is used, reserved units included, and what is still held. A dispatch adds to
both; a success gives back what was held and leaves the use; what was not applied gives back both. While an action is in
doubt nothing moves, and one that is given up counts as used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from switchgear.execution.transitions import Kind
from switchgear.gates.budget_names import HELD, USED
from switchgear.ledger.events import Recorded
from switchgear.storage.abilities import Count

KEPT = "reservation_kept"
"""The fact of an attempt that was not applied while an earlier one is in doubt: for that one the units stay held."""

SPENDING = frozenset({Kind.SUCCEEDED, Kind.ABANDONED, Kind.DENIED, Kind.REJECTED, Kind.CANCELLED, Kind.EXPIRED})
"""Events after which what was reserved is used for good. Only what may have happened still has something reserved."""

SETTLING = SPENDING | {Kind.NOT_APPLIED}
"""Events after which nothing is reserved any more."""


def settles(kind: Kind, facts: Mapping[str, Any]) -> bool:
    """Return whether nothing is reserved any more after an event of this kind with these facts."""
    return kind in SETTLING and KEPT not in facts


def settlement(kind: Kind, facts: Mapping[str, Any], reserved: Mapping[str, int]) -> tuple[Count, ...]:
    """Return what an event of this kind counts of the units `reserved` before it."""
    if not reserved or not settles(kind, facts):
        return ()
    given_back = [Count(HELD, key, -units) for key, units in reserved.items()]
    if kind is Kind.NOT_APPLIED:
        given_back += [Count(USED, key, -units) for key, units in reserved.items()]
    return tuple(given_back)


class BudgetFold:
    """Makes the counters of one tenant's budgets of its events, in their order. What counts nothing is passed over."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counters: dict[tuple[str, str], int] = {}
        """The value of each counter by space and key."""
        self._reserved: dict[str, Mapping[str, int]] = {}

    def apply(self, event: Recorded) -> list[tuple[str, str]]:
        """Count one event and return the space and key of what it moved."""
        if event.type == Kind.DISPATCHED:
            return self._reserve(event.stream, event.facts.get("reserved") or {})
        if event.type not in SETTLING:
            return []
        kind = Kind(event.type)
        counts = settlement(kind, event.facts, self._reserved.get(event.stream, {}))
        if settles(kind, event.facts):
            self._reserved.pop(event.stream, None)
        return [self._add(count.space, count.key, count.amount) for count in counts]

    def _reserve(self, stream: str, reserved: Mapping[str, int]) -> list[tuple[str, str]]:
        if reserved:
            self._reserved[stream] = reserved
        return [self._add(space, key, units) for key, units in reserved.items() for space in (USED, HELD)]

    def _add(self, space: str, key: str, amount: int) -> tuple[str, str]:
        self.counters[space, key] = self.counters.get((space, key), 0) + amount
        return space, key


def budget_counters(events: Iterable[Recorded]) -> dict[tuple[str, str], int]:
    """Return the counters, by space and key, that the events of one tenant make. Those never counted are left out."""
    fold = BudgetFold()
    for event in events:
        fold.apply(event)
    return fold.counters
