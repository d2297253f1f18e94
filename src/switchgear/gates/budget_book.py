"""What one engine knows of the counters of budgets: filled from the store, kept current by what its appends commit.

It may lag behind the store, and never decides alone: the counter in the store does. It remembers what a counter there
refused, so that nothing goes on that would only be held again. It reads and writes nothing.

An append is durable before it is told of, so what was read may hold it already. The sequence of the tenant's chain says
whether it does: what was counted up to the one that the counters were read at is never added again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

TENANTS_MAX = 20_000
"""How many tenants' counters are known at once. The one known longest makes place, and is read again when asked for."""

_Place = tuple[str, str]


class _Known(NamedTuple):
    """Units used by key: as they were read when the tenant's chain ended at `seq`, and what was counted since."""

    seq: int
    used: dict[str, int]


class BudgetBook:
    """Units used, by tenant and key."""

    def __init__(self) -> None:
        """Know nothing."""
        self._known: dict[str, _Known] = {}
        self._rooms: dict[_Place, int] = {}
        self._reading: dict[str, int] = {}
        self._unheard: dict[str, None] = {}
        self._refused: dict[_Place, None] = {}
        self._complete = False

    def used(self, tenant: str, key: str) -> int:
        """Return what is used, as far as it is known; 0 for a tenant that is not known, which is noted."""
        known = self._of(tenant)
        return 0 if known is None else known.used.get(key, 0)

    def complete(self) -> None:
        """Note that every tenant of the store is known: one that is not is new, and has used nothing so far."""
        self._complete = len(self._known) < TENANTS_MAX

    def room_found(self, tenant: str, key: str) -> int | None:
        """Return the room that a counter in the store had when it refused last, None when it has changed since."""
        return self._rooms.get((tenant, key)) if self._rooms else None

    def begin(self, tenant: str, seq: int) -> None:
        """Note that the counters of a tenant are read from now on. Its chain ended at `seq` before."""
        self._reading[tenant] = seq

    def learn(self, tenant: str, used: Mapping[str, int], seq: int, *, anyway: bool = False) -> bool:
        """Take the counters that were read in place of what was known. The chain ended at `seq` after that.

        Return whether they were taken. They are not when the chain grew since `begin`: nobody can tell at which end
        they were read. If it has to be `anyway`, they count as read at the later one, and are to be read again.
        """
        exact = self._reading.pop(tenant, None) == seq
        if not (exact or anyway):
            return False
        self._unheard.pop(tenant, None)
        if not exact:
            self.unheard(tenant)
        self._known.pop(tenant, None)
        self._known[tenant] = _Known(seq, dict(used))
        for place in [place for place in self._rooms if place[0] == tenant]:
            del self._rooms[place]
        self._bound()
        return True

    def count(self, tenant: str, key: str, amount: int, seq: int) -> int | None:
        """Add what was committed in the append that ends at `seq` of the tenant's chain, and return the sum.

        None, and nothing is added, when the sum was read after that, or this tenant is not known.
        """
        if self._reading.get(tenant, seq) < seq:
            del self._reading[tenant]
        if amount < 0:
            self._rooms.pop((tenant, key), None)
        known = self._of(tenant)
        if known is None or seq <= known.seq:
            return None
        known.used[key] = known.used.get(key, 0) + amount
        return known.used[key]

    def full(self, tenant: str, key: str, room: int) -> None:
        """Remember that a counter in the store had only `room` units left."""
        self._rooms[tenant, key] = max(0, room)
        self.refuse(tenant, key)

    def refuse(self, tenant: str, key: str) -> None:
        """Note that something was refused for want of room: worth an alarm, and another look at the store."""
        self._refused[tenant, key] = None

    def unheard(self, tenant: str) -> None:
        """Note that the store has to be asked about a tenant."""
        self._unheard[tenant] = None

    def take_unheard(self) -> list[str]:
        """Return the tenants that the store has to be asked about, and forget that."""
        found = list(self._unheard)
        self._unheard.clear()
        return found

    def take_refused(self) -> list[_Place]:
        """Return tenant and key of what was refused since the last time."""
        found = list(self._refused)
        self._refused.clear()
        return found

    def _of(self, tenant: str) -> _Known | None:
        known = self._known.get(tenant)
        if known is not None:
            return known
        self.unheard(tenant)
        if not self._complete:
            return None
        known = self._known[tenant] = _Known(0, {})
        self._bound()
        return known

    def _bound(self) -> None:
        if len(self._known) > TENANTS_MAX:
            del self._known[next(iter(self._known))]
            self._complete = False

    def keep(self, periods: frozenset[str]) -> None:
        """Forget what belongs to other `periods`: nothing asks for the past."""
        for known in self._known.values():
            for key in [key for key in known.used if key.split("/", 2)[1] not in periods]:
                del known.used[key]
        for place in [place for place in self._rooms if place[1].split("/", 2)[1] not in periods]:
            del self._rooms[place]
