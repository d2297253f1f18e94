"""The bounded registry of keyed members.

When it is full, the oldest member that nobody would miss makes room: closed, idle, clean, its rate limit
drained. When none is like that, new keys share one overflow member, which is counted. Nothing here knows what a
member does.
"""

from __future__ import annotations

from collections import deque

from switchgear.core.mutexes import new_mutex
from switchgear.guard.forgetting import retire
from switchgear.guard.member import ASLEEP, Member
from switchgear.guard.plan import MUTEXES, Plan
from switchgear.guard.reading import Sum

_SEARCH_AGAIN_SECONDS = 0.1
_ROOM = 1_000  # so far below the maximum, threads make members without waiting for each other
_new = object.__new__  # a name of its own, since to look it up on a type is slow
OVERFLOW_KEY = "@overflow"


class Keys:
    """The members of one guard, by key, in `held`. The `Sum` of those that made room is `gone`."""

    __slots__ = (
        "_in_turn_from",
        "_late",
        "_lock",
        "_order",
        "_overflow",
        "_plan",
        "_search_at",
        "evicted",
        "gone",
        "held",
        "overflowed",
    )

    def __init__(self, plan: Plan) -> None:
        """Start empty."""
        self._plan = plan
        self._in_turn_from = plan.keys_max - _ROOM
        self._lock = new_mutex()
        plan.successor = self.member
        self.held: dict[str, Member] = {}
        self._order: deque[str] = deque()
        self._overflow: Member | None = None
        self._late: Member | None = None
        self._search_at = float("-inf")
        self.evicted = 0
        self.overflowed = 0
        self.gone = Sum()

    def __len__(self) -> int:
        """How many members are held, the overflow member apart."""
        return len(self.held)

    def members(self) -> list[Member]:
        """Return every member, the overflow member among them."""
        return self.members_and_gone()[0]

    def members_and_gone(self) -> tuple[list[Member], Sum]:
        """Return every member, and the sum of those that had gone at that very moment."""
        with self._lock:
            overflow = () if self._overflow is None else (self._overflow,)
            return [*self.held.values(), *overflow], self.gone.copy()

    def reconfigure(self, plan: Plan) -> None:
        """Go on under another plan, in every member. More members than it allows make room as new keys come."""
        with self._lock:
            self._plan = plan
            self._in_turn_from = plan.keys_max - _ROOM
        for member in self.members():
            member.reconfigure(plan)

    def member(self, key: str) -> Member:
        """Return the member of `key`, making it at first use."""
        return self.held.get(key) or self.make(key)

    def make(self, key: str) -> Member:
        """Return the member of a `key` that is not held, made now."""
        held = self.held
        plan = self._plan
        count = len(held)
        if count >= self._in_turn_from:
            return self._make_in_turn(key)
        made: Member = _new(Member)  # and what its `__init__` does, in line: a tenth quicker, for very many keys
        made.plan = plan
        made.key = key
        made.mutex = plan.mutexes[count % MUTEXES]
        made.straight_plan = None
        made.breaker = None
        made.depth = ASLEEP
        member = held.setdefault(key, made)  # lest another thread was quicker
        if self._plan is not plan:  # which was changed meanwhile
            member.reconfigure(self._plan)
        return member

    def _make_in_turn(self, key: str) -> Member:
        """Return the member of `key`, with an eye on the maximum."""
        with self._lock:
            member = self._make_locked(key)
            late, self._late = self._late, None
        if late is not None:
            late.deliver()
        return member

    def _make_locked(self, key: str) -> Member:
        plan, held = self._plan, self.held
        if key in held:
            return held[key]
        if len(held) >= plan.keys_max and not self._evict():
            return self._shared()
        made = Member(plan, key, plan.mutexes[(len(held) + self.evicted) % MUTEXES])
        return held.setdefault(key, made)  # who makes members without the lock may still be at it

    def _shared(self) -> Member:
        """Return the member that keys share for which there is no room."""
        self.overflowed += 1
        if self._overflow is None:
            self._overflow = Member(self._plan, OVERFLOW_KEY, self._plan.mutexes[0])
        return self._overflow

    def _evict(self) -> bool:
        """Forget the first member that can be. After a search in vain, the next one waits a little.

        The search goes on where the last one ended, oldest first, and begins anew at the end.
        """
        now = self._plan.monotonic()
        if now < self._search_at:
            return False
        held, order = self.held, self._order
        for _ in range(len(order) + len(held)):  # what is left of the last look at all of them, and another look
            if not order:
                order.extend(list(held))
            key = order.popleft()
            member = held[key]
            if retire(member, now):
                self.gone.add(member)
                del held[key]
                self.evicted += 1
                return True
            if member.news:  # told by who looks for room, since perhaps nobody calls that key again
                self._late = member
        self._search_at = now + _SEARCH_AGAIN_SECONDS
        return False
