"""What one engine knows of the counters of budgets: filled from the store, kept current by what its appends commit.

It may lag behind the store, and never decides alone: the counter in the store does. It remembers what a counter there
refused, so that nothing goes on that would only be held again. It reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

TENANTS_MAX = 20_000
"""How many tenants' counters are known at once. The one known longest makes place, and is read again when asked for."""

_Place = tuple[str, str]


class BudgetBook:
    """Units used, by tenant and key."""

    def __init__(self) -> None:
        """Know nothing."""
        self._used: dict[str, dict[str, int]] = {}
        self._rooms: dict[_Place, int] = {}
        self._reading: dict[str, bool] = {}
        self._unheard: dict[str, None] = {}
        self._refused: dict[_Place, None] = {}
        self._complete = False

    def used(self, tenant: str, key: str) -> int:
        """Return what is used, as far as it is known; 0 for a tenant that is not known, which is noted."""
        known = self._of(tenant)
        return 0 if known is None else known.get(key, 0)

    def complete(self) -> None:
        """Note that every tenant of the store is known: one that is not is new, and has used nothing so far."""
        self._complete = len(self._used) < TENANTS_MAX

    def room_found(self, tenant: str, key: str) -> int | None:
        """Return the room that a counter in the store had when it refused last, None when it has changed since."""
        return self._rooms.get((tenant, key)) if self._rooms else None

    def begin(self, tenant: str) -> None:
        """Note that the store is being asked about a tenant."""
        self._reading[tenant] = True

    def learn(self, tenant: str, used: Mapping[str, int], *, anyway: bool = False) -> bool:
        """Take what the store answered in place of what was known. Return whether it was taken.

        It is not when something of the tenant was counted since `begin`, unless it has to do `anyway`: the answer may
        or may not hold that.
        """
        if not (self._reading.pop(tenant, False) or anyway):
            return False
        self._used.pop(tenant, None)
        self._used[tenant] = dict(used)
        self._unheard.pop(tenant, None)
        for place in [place for place in self._rooms if place[0] == tenant]:
            del self._rooms[place]
        self._bound()
        return True

    def count(self, tenant: str, key: str, amount: int) -> int | None:
        """Add what was committed and return the sum, None when this tenant is not known."""
        if tenant in self._reading:
            self._reading[tenant] = False
        if amount < 0:
            self._rooms.pop((tenant, key), None)
        known = self._of(tenant)
        if known is None:
            return None
        known[key] = known.get(key, 0) + amount
        return known[key]

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

    def _of(self, tenant: str) -> dict[str, int] | None:
        known = self._used.get(tenant)
        if known is not None:
            return known
        self.unheard(tenant)
        if not self._complete:
            return None
        known = self._used[tenant] = {}
        self._bound()
        return known

    def _bound(self) -> None:
        if len(self._used) > TENANTS_MAX:
            del self._used[next(iter(self._used))]
            self._complete = False

    def keep(self, periods: frozenset[str]) -> None:
        """Forget what belongs to other `periods`: nothing asks for the past."""
        for known in self._used.values():
            for key in [key for key in known if key.split("/", 2)[1] not in periods]:
                del known[key]
        for place in [place for place in self._rooms if place[1].split("/", 2)[1] not in periods]:
            del self._rooms[place]
