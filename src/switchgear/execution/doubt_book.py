"""What memory holds of doubts: when to look at which next, and how many there are for alarms. Bounded, and pure.

The doubts themselves are intents on record; what becomes of them is the business of `doubts`.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field, replace

from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State

_BATCH_MAX = 256
_STALE_MIN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDoubts:
    """What is in doubt for one tenant, by state. `oldest_since` is seconds since the epoch, None without a doubt."""

    tenant: str
    in_doubt: int = 0
    reconciling: int = 0
    needs_operator: int = 0
    oldest_since: float | None = None

    @property
    def count(self) -> int:
        """How many doubts there are."""
        return self.in_doubt + self.reconciling + self.needs_operator


@dataclass(frozen=True, slots=True)
class DoubtReport:
    """What is in doubt now, by tenant, for alarms. `complete` is False once there was more than memory holds.

    `at` is when that was, in seconds since the epoch.
    """

    at: float
    tenants: tuple[TenantDoubts, ...]
    complete: bool

    @property
    def count(self) -> int:
        """How many doubts are known, over all tenants."""
        return sum(one.count for one in self.tenants)

    @property
    def oldest_age(self) -> float:
        """How many seconds the oldest doubt has lasted; 0 without one."""
        since = [one.oldest_since for one in self.tenants if one.oldest_since is not None]
        return max(0.0, self.at - min(since)) if since else 0.0

    def of(self, tenant: str) -> TenantDoubts:
        """Return what is in doubt for `tenant`."""
        return next((one for one in self.tenants if one.tenant == tenant), TenantDoubts(tenant=tenant))


@dataclass(frozen=True, slots=True)
class _Doubt:
    tenant: str
    state: State
    since: float
    turn: int


@dataclass(slots=True)
class DoubtBook:
    """What is known of doubts, bounded: those with a moment at which to look, and those that wait for a person."""

    most: int
    moving: dict[str, _Doubt] = field(default_factory=dict)
    resting: dict[str, _Doubt] = field(default_factory=dict)
    moments: list[tuple[float, int, str, str]] = field(default_factory=list)
    turns: itertools.count[int] = field(default_factory=itertools.count)
    left_out: bool = False
    uncounted: bool = False

    def holds(self, intent_id: str) -> bool:
        """Return whether a doubt is known here."""
        return intent_id in self.moving or intent_id in self.resting

    def waits_for_a_person(self, intent_id: str) -> bool:
        """Return whether it is known here that a person must say what became of an intent."""
        return intent_id in self.resting

    def next_moment(self) -> float | None:
        """Return the monotonic moment of the next look, or None."""
        return self.moments[0][0] if self.moments else None

    def report(self, at: float) -> DoubtReport:
        """Return what is in doubt at `at`, in seconds since the epoch."""
        found: dict[str, TenantDoubts] = {}
        for doubt in (*self.moving.values(), *self.resting.values()):
            found[doubt.tenant] = _counted(found.get(doubt.tenant, TenantDoubts(tenant=doubt.tenant)), doubt)
        return DoubtReport(at, tuple(found[name] for name in sorted(found)), not self.uncounted)

    def put(self, intent: Intent, moment: float) -> None:
        """Look at `intent` at `moment`, in monotonic seconds, and not when an earlier call said."""
        turn = next(self.turns)
        doubt = _Doubt(intent.tenant, intent.state, intent.doubt_since or intent.updated_at, turn)
        waits = intent.state is State.NEEDS_OPERATOR
        kept, other = (self.resting, self.moving) if waits else (self.moving, self.resting)
        other.pop(intent.id, None)
        if intent.id not in kept and len(kept) >= self.most:
            self.left_out = self.left_out or not waits
            self.uncounted = True
            return
        kept[intent.id] = doubt
        if not waits:
            heapq.heappush(self.moments, (moment, turn, intent.id, intent.tenant))

    def put_again(self, intent_id: str, moment: float) -> None:
        """Look at a doubt that has not changed at `moment`, when it is still known."""
        known = self.moving.get(intent_id)
        if known is not None:
            heapq.heappush(self.moments, (moment, known.turn, intent_id, known.tenant))

    def forget(self, intent_id: str) -> None:
        """Forget a doubt that is settled."""
        self.moving.pop(intent_id, None)
        self.resting.pop(intent_id, None)

    def due(self, now: float) -> list[tuple[str, str]]:
        """Take the first of what is due, as pairs of tenant and id."""
        found: list[tuple[str, str]] = []
        while self.moments and self.moments[0][0] <= now and len(found) < _BATCH_MAX:
            _, turn, intent_id, tenant = heapq.heappop(self.moments)
            if self._current(intent_id, turn):
                found.append((tenant, intent_id))
        self._compact()
        return found

    def _current(self, intent_id: str, turn: int) -> bool:
        known = self.moving.get(intent_id)
        return known is not None and known.turn == turn

    def _compact(self) -> None:
        """Drop the moments that were replaced, once they are more than those that count."""
        if len(self.moments) > 2 * len(self.moving) + _STALE_MIN:
            self.moments = [entry for entry in self.moments if self._current(entry[2], entry[1])]
            heapq.heapify(self.moments)


def _counted(so_far: TenantDoubts, doubt: _Doubt) -> TenantDoubts:
    since = doubt.since if so_far.oldest_since is None else min(so_far.oldest_since, doubt.since)
    counted = {doubt.state.value: getattr(so_far, doubt.state.value) + 1}
    return replace(so_far, oldest_since=since, **counted)
