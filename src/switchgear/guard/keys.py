"""The bounded registry of keyed members.

When it is full, the oldest member that nobody would miss makes room: closed, idle, clean, its rate limit
drained. When none is like that, new keys share one overflow member, which is counted. Nothing here knows what a
member does.
"""

from __future__ import annotations

from collections import deque

from switchgear.guard.member import Member
from switchgear.guard.mutexes import new_mutex
from switchgear.guard.plan import Plan

_SEARCH_AGAIN_SECONDS = 0.1
_ROOM = 1_000  # so far below the maximum, threads make members without waiting for each other
OVERFLOW_KEY = "@overflow"


class Keys:
    """The members of one guard, by key."""

    __slots__ = ("_lock", "_members", "_order", "_overflow", "_plan", "_search_at", "evicted", "overflowed")

    def __init__(self, plan: Plan) -> None:
        """Start empty."""
        self._plan = plan
        self._lock = new_mutex()
        plan.successor = self.member
        self._members: dict[str, Member] = {}
        self._order: deque[str] = deque()
        self._overflow: Member | None = None
        self._search_at = float("-inf")
        self.evicted = 0
        self.overflowed = 0

    def __len__(self) -> int:
        """How many members are held, the overflow member apart."""
        return len(self._members)

    def members(self) -> list[Member]:
        """Return every member, the overflow member among them."""
        with self._lock:
            return [*self._members.values(), *(() if self._overflow is None else (self._overflow,))]

    def reconfigure(self, plan: Plan) -> None:
        """Go on under another plan, in every member. More members than it allows make room as new keys come."""
        with self._lock:
            self._plan = plan
        for member in self.members():
            member.reconfigure(plan)

    def member(self, key: str) -> Member:
        """Return the member of `key`, making it at first use."""
        members, plan = self._members, self._plan
        member = members.get(key)
        if member is not None:
            return member
        if len(members) >= plan.keys_max - _ROOM:
            return self._make_in_turn(key)
        made = Member(plan, key)
        member = members.setdefault(key, made)
        if member is made:  # and no other thread was quicker
            self._order.append(key)
            if self._plan is not plan:  # which was changed meanwhile
                made.reconfigure(self._plan)
        return member

    def _make_in_turn(self, key: str) -> Member:
        """Return the member of `key`, with an eye on the maximum."""
        with self._lock:
            plan, members = self._plan, self._members
            if key in members:
                return members[key]
            if len(members) >= plan.keys_max and not self._evict():
                return self._shared()
            made = Member(plan, key)
            member = members.setdefault(key, made)
            if member is made:  # who makes members without the lock may still be at it
                self._order.append(key)
            return member

    def _shared(self) -> Member:
        """Return the member that keys share for which there is no room."""
        self.overflowed += 1
        if self._overflow is None:
            self._overflow = Member(self._plan, OVERFLOW_KEY)
        return self._overflow

    def _evict(self) -> bool:
        """Forget the first member that can be. After a search in vain, the next one waits a little."""
        now = self._plan.monotonic()
        if now < self._search_at:
            return False
        order = self._order
        for _ in range(len(order)):
            key = order.popleft()
            if self._members[key].retire(now):
                del self._members[key]
                self.evicted += 1
                return True
            order.append(key)
        self._search_at = now + _SEARCH_AGAIN_SECONDS
        return False
