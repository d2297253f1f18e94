"""Looks after what is in doubt: starts lookups, takes what they find out, and calls a person when a doubt grows old.

What a lookup means is decided in `lookups`, what a person says in `resolving`; both are carried out from here. Only
when to look next is kept in memory, and only so much of it: what does not fit is read again from the store later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from switchgear.core.errors import OptionError, Rejected, StoreError
from switchgear.execution import lookups
from switchgear.execution.bounded import woken
from switchgear.execution.decide import Backoff
from switchgear.execution.doubt_book import DoubtBook, DoubtReport
from switchgear.execution.family import LOOKUP, Family, child
from switchgear.execution.intent import Change, Intent
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import INTENTS, NOTHING_ELSE, Also, Birth, StaleError, intent_of
from switchgear.execution.resolving import Finding, resolved
from switchgear.execution.transitions import DOUBTFUL, State
from switchgear.storage.abilities import Row

_log = logging.getLogger("switchgear.doubts")
_AT_ONCE = 64
_PAGE = 1000
_SOON = 0.05
_TRY_AGAIN = 1.0
_TOOL_MAY_COME = 5.0
_LOOK_AGAIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtOptions:
    """How doubts are settled: `escalate_after` seconds a person is called; at most `lookups_max` lookups each.

    A lookup has at most `escalate_after` seconds as well. At most `kept_max` doubts are kept in memory. Raises
    `OptionError`.
    """

    escalate_after: float = 900.0
    lookups_max: int = 5
    kept_max: int = 100_000

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not 0 < self.escalate_after < float("inf"):
            raise OptionError(f"escalate_after is seconds above 0, not {self.escalate_after!r}")
        if self.lookups_max < 1 or self.kept_max < 1:
            raise OptionError("lookups_max and kept_max are at least 1")


class Doubts:
    """One per engine, beside the kernel."""

    def __init__(self, parts: Parts, family: Family, options: DoubtOptions) -> None:
        """Work with the parts of one engine, and be told of lookups by its `family`."""
        self._parts = parts
        self._clock = parts.clock
        self.options = options
        self._book = DoubtBook(options.kept_max)
        self._toolless: set[str] = set()  # put when their tool was not registered, so without its settle delay
        self._wake = asyncio.Event()
        family.serve(LOOKUP, self._told)

    def note(self, intent: Intent) -> None:
        """Take note of an intent that has durably changed, and call a person when that is what it needs."""
        if intent.state not in DOUBTFUL:
            self._book.forget(intent.id)
            self._toolless.discard(intent.id)
            return
        if intent.state is State.NEEDS_OPERATOR and not self._book.waits_for_a_person(intent.id):
            _log.warning(
                "intent %s of tenant %s (%s) has been in doubt for %.0f s: a person must say what became of it",
                intent.id,
                intent.tenant,
                intent.tool,
                self._age(intent),
            )
        self._put(intent, self._delay(intent))

    def adopt(self, intent: Intent) -> None:
        """Look after an intent in doubt that was read back; whether its lookup has ended meanwhile is seen at once."""
        self._put(intent, 0.0 if intent.state is State.RECONCILING else self._delay(intent))

    def report(self) -> DoubtReport:
        """Return how many doubts there are and how old the oldest is, by tenant. Reads memory only."""
        return self._book.report(self._clock.time())

    def resolved(self, intent: Intent, finding: Finding) -> tuple[Change, ...]:
        """Return what to record of a person's `finding`. Raises as `resolving.resolved` does."""
        known = self._parts.registry.get(intent.tool)
        destructive = known is not None and known.tool.destructive
        return resolved(intent, finding, self._backoff(intent), self._parts.moment(), destructive=destructive)

    async def run(self) -> None:
        """Look after doubts, for ever."""
        while True:
            self._wake.clear()
            await self.sweep()
            await self._sleep()

    async def sweep(self) -> None:
        """Go on with all that is due, each alone: one that cannot be settled never stops the others."""
        await self._refill()
        while due := self._book.due(self._clock.monotonic()):
            for start in range(0, len(due), _AT_ONCE):
                await asyncio.gather(*(self._alone(*one) for one in due[start : start + _AT_ONCE]))

    async def _sleep(self) -> None:
        moment = self._book.next_moment()
        if self._book.left_out:
            soon = self._clock.monotonic() + _LOOK_AGAIN
            moment = soon if moment is None else min(moment, soon)
        await woken(self._clock, self._wake, moment)

    async def _alone(self, tenant: str, intent_id: str) -> None:
        try:
            intent = await self._parts.recorder.latest(tenant, intent_id)
            if intent is None or self._parts.recorder.lease.foreign(intent):
                self._book.forget(intent_id)
            else:
                await self._go_on(intent)
        except (StoreError, StaleError) as error:
            _log.info("the doubt about intent %s is looked at again soon: %s", intent_id, error)
            self._later(intent_id, _TRY_AGAIN)
        except Exception:  # noqa: BLE001 - outermost driver: a defect in one item must not stop the others
            _log.exception("the doubt about intent %s of tenant %s cannot be settled", intent_id, tenant)
            self._later(intent_id, _LOOK_AGAIN)

    def _later(self, intent_id: str, seconds: float) -> None:
        """Look again after `seconds`, at what was not settled and has not changed meanwhile."""
        self._book.put_again(intent_id, self._clock.monotonic() + seconds)

    async def _go_on(self, intent: Intent) -> None:
        if intent.state is State.RECONCILING:
            await self._look_after_lookup(intent)
        elif intent.state is State.IN_DOUBT:
            await self._settle(intent)
        else:
            self.note(intent)

    async def _look_after_lookup(self, intent: Intent) -> None:
        """Take what a lookup has found out, when nobody was told of its end; else look again later."""
        lookup = await self._parts.recorder.latest(intent.tenant, intent.lookup or "")
        if lookup is not None and lookup.settled:
            await self._conclude(intent, lookup)
        else:
            self._later(intent.id, _LOOK_AGAIN)

    async def _settle(self, intent: Intent) -> None:
        if intent.id in self._toolless and self._parts.registry.get(intent.tool) is not None:
            self._toolless.discard(intent.id)
            self._later(intent.id, self._delay(intent))  # the first moment at which its settle delay is known
            return
        birth = self._lookup(intent) if intent.lookups < self.options.lookups_max else None
        if birth is not None:
            change = lookups.begun(intent, birth.facts["id"])
            await self._record_or_call(intent, (change,), Also(births=(birth,)))
        elif self._age(intent) >= self.options.escalate_after:
            await self._record(intent, (lookups.escalated(intent, "no rule has settled the doubt"),))
        else:
            self._later(intent.id, max(_SOON, self._delay(intent, again=True)))

    def _lookup(self, intent: Intent) -> Birth | None:
        """Return the birth of a lookup, which has no longer than it takes until a person would be called."""
        tool = lookups.lookup_of(intent, self._parts.registry)
        if tool is None:
            return None
        lifetime = min(tool.lifetime, self.options.escalate_after)
        return child(self._parts, intent, replace(tool, lifetime=lifetime), intent.arguments, purpose=LOOKUP)

    async def _told(self, lookup: Intent) -> None:
        parent = await self._parts.recorder.latest(lookup.tenant, lookup.parent or "")
        if parent is not None and parent.state is State.RECONCILING and parent.lookup == lookup.id:
            await self._conclude(parent, lookup)

    async def _conclude(self, intent: Intent, lookup: Intent) -> None:
        moment, most = self._parts.moment(), self.options.lookups_max
        changes = lookups.concluded(intent, lookup, self._backoff(intent), moment, lookups_max=most)
        await self._record_or_call(intent, changes)

    async def _record_or_call(self, intent: Intent, changes: tuple[Change, ...], also: Also = NOTHING_ELSE) -> None:
        """Record `changes`; call a person when no store can hold them, since trying again would not help."""
        try:
            await self._record(intent, changes, also)
        except Rejected as error:
            _log.warning("what follows for intent %s in doubt cannot be recorded: %s", intent.id, error)
            await self._record(intent, (lookups.escalated(intent, f"what follows cannot be recorded: {error}"),))

    async def _record(self, intent: Intent, changes: tuple[Change, ...], also: Also = NOTHING_ELSE) -> None:
        await self._parts.recorder.record(intent, changes, actor=ACTOR, also=also)

    def _put(self, intent: Intent, delay: float) -> None:
        self._book.put(intent, self._clock.monotonic() + delay)
        if self._book.holds(intent.id) and self._parts.registry.get(intent.tool) is None:
            self._toolless.add(intent.id)
        self._wake.set()

    def _delay(self, intent: Intent, *, again: bool = False) -> float:
        """Return in how many seconds to look at a doubt; less the first time when its tool may still be registered."""
        if intent.state is State.RECONCILING:
            return _LOOK_AGAIN
        left = min(max(0.0, self.options.escalate_after - self._age(intent)), self.options.escalate_after)
        known = self._parts.registry.get(intent.tool)
        if known is None:
            return min(left, _LOOK_AGAIN if again else _TOOL_MAY_COME)
        if lookups.lookup_of(intent, self._parts.registry) is None or intent.lookups >= self.options.lookups_max:
            return left
        return lookups.wait_before(intent.lookups, known.tool.settle_delay, self._parts.rng.random())

    def _age(self, intent: Intent) -> float:
        since = intent.doubt_since
        return 0.0 if since is None else max(0.0, self._clock.time() - since)

    def _backoff(self, intent: Intent) -> Backoff:
        known = self._parts.registry.get(intent.tool)
        return Backoff.of(known.tool if known is not None else None)

    async def _refill(self) -> None:
        """Read back the doubts that memory had no room for, once it has."""
        if not self._book.left_out or len(self._book.moving) > self.options.kept_max // 2:
            return
        self._book.left_out = False
        try:
            await self._read_back()
        except StoreError as error:
            self._book.left_out = True
            _log.warning("doubts that were left out cannot be read back now: %s", error)

    async def _read_back(self) -> None:
        after: tuple[str, str] | None = None
        while rows := await self._rows(after):
            after = (rows[-1].tenant, rows[-1].key)
            self._adopt_all(rows)
            if self._book.left_out:
                return

    async def _rows(self, after: tuple[str, str] | None) -> list[Row]:
        return list(await self._parts.store.scan(INTENTS, sorted(DOUBTFUL), after=after, limit=_PAGE))

    def _adopt_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if self._book.holds(row.key):
                continue
            try:
                self.adopt(intent_of(row))
            except StoreError as error:
                _log.error("intent %s of tenant %s is in doubt and cannot be read: %s", row.key, row.tenant, error)
