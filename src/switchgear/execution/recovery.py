"""Picks up after a crash or a restart: every open intent is queued, held, or named as in doubt.

A dispatch without an outcome was cut off: it may have happened. That is recorded first; then the rule of the effect
class decides. Each intent is settled alone, so one that cannot be settled never stops the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected, StoreError
from switchgear.execution import decide
from switchgear.execution.decide import Backoff
from switchgear.execution.doubts import Doubts
from switchgear.execution.intent import Change, Intent
from switchgear.execution.kernel import Kernel
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import INTENTS, StaleError, intent_of
from switchgear.execution.transitions import DOUBTFUL, OPEN, State
from switchgear.ledger.events import read
from switchgear.storage.abilities import Row

_log = logging.getLogger("switchgear.recovery")
_PAGE = 1000
_AT_ONCE = 64
_CHAINS_MAX = 256
"""Of how many tenants the newest entry is looked at for the time; their number must not prolong a start."""
ENGINE_LOST = "the engine was lost before an answer came"

Whose = Callable[[Intent], bool]
"""Says which intents are read back."""


@dataclass(slots=True)
class Recovered:
    """What a start found: intents queued again, in doubt and waiting for a person, and rows that cannot be read."""

    queued: int = 0
    in_doubt: int = 0
    unreadable: int = 0
    changed: int = 0
    """Those that somebody else has changed at the same moment."""


class Recovery:
    """Reads the open intents of a store back into an engine: before its kernel runs, and when another one is lost."""

    def __init__(self, parts: Parts, kernel: Kernel, doubts: Doubts) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._kernel = kernel
        self._doubts = doubts
        self._unheard: set[str] = set()
        """Intents of which a change was sent, and it is not known whether it is on record."""

    async def run(self) -> Recovered:
        """Settle every open intent as far as the rules allow, and say what was found.

        Raises `StoreError` when the ledger cannot be written: an engine that cannot record does not start.
        """
        found = Recovered()
        lease = self._parts.recorder.lease
        await self._learn_the_time()
        await self._settle_all(lambda intent: not lease.foreign(intent), found)
        return found

    async def adopt(self, owner: str) -> bool:
        """Go on with every open intent of an engine that is lost, and return whether none is left to look at again.

        Raises `StoreError` when the ledger cannot be written.
        """
        found = Recovered()
        await self._settle_all(lambda intent: intent.owner == owner or intent.id in self._unheard, found)
        _log.info("taken over from engine %s: %s", owner, found)
        return not found.changed

    async def _settle_all(self, whose: Whose, found: Recovered) -> None:
        async for rows in self._pages():
            for start in range(0, len(rows), _AT_ONCE):
                await asyncio.gather(*(self._settle_one(row, whose, found) for row in rows[start : start + _AT_ONCE]))

    async def _learn_the_time(self) -> None:
        """Find out whether the wall clock is behind what the engine before this one has recorded last.

        That is in the newest entries of the chains, of the first tenants when there are very many, and in the open
        intents, which are read in any case.
        """
        tenants = await self._parts.store.tenants(limit=_CHAINS_MAX)
        for start in range(0, len(tenants), _AT_ONCE):
            await asyncio.gather(*(self._learn_from(tenant) for tenant in tenants[start : start + _AT_ONCE]))

    async def _learn_from(self, tenant: str) -> None:
        store = self._parts.store
        try:
            head = await store.head(tenant)
            for entry in await store.entries(tenant, after_seq=head.seq - 1, limit=1):
                self._parts.watch.on_record(read(entry).at)
        except StoreError as error:
            if error.code is not Code.LEDGER_CORRUPT:
                raise
            _log.error("the newest entry of tenant %s cannot be read: %s", tenant, error)

    async def _pages(self) -> AsyncIterator[list[Row]]:
        after: tuple[str, str] | None = None
        while True:
            rows = list(await self._parts.store.scan(INTENTS, sorted(OPEN), after=after, limit=_PAGE))
            if not rows:
                return
            after = (rows[-1].tenant, rows[-1].key)
            yield rows

    async def _settle_one(self, row: Row, whose: Whose, found: Recovered) -> None:
        try:
            if whose(intent := intent_of(row)):
                await self._settle(intent, found)
        except StaleError:
            found.changed += 1
            if self._parts.recorder.lease.shared:
                return  # as others may
            found.unreadable += 1
            _log.error("intent %s changed during recovery; another engine writes to this store", row.key)
        except Rejected as error:
            found.unreadable += 1
            _log.error("intent %s of tenant %s cannot be recorded: %s", row.key, row.tenant, error)
        except StoreError as error:
            if error.code is not Code.LEDGER_CORRUPT:
                raise
            found.unreadable += 1
            _log.error("intent %s of tenant %s could not be recovered: %s", row.key, row.tenant, error)

    async def _settle(self, intent: Intent, found: Recovered) -> None:
        self._parts.watch.on_record(max(intent.updated_at, intent.first_sent_at or 0.0))
        if intent.state is State.DISPATCHED and intent.owner == self._parts.recorder.owner:
            return  # by this very engine, which was let go on with a restored store while it ran
        changes = self._changes(intent)
        if self._parts.recorder.lease.foreign(intent):
            changes = (self._parts.recorder.lease.adoption(intent), *changes)
        after = intent
        if changes:
            self._unheard.add(intent.id)
            after = await self._parts.recorder.record(intent, changes, actor=ACTOR)
        self._unheard.discard(intent.id)
        if after.state in DOUBTFUL:
            found.in_doubt += 1
            self._doubts.adopt(after)
            return
        self._parts.recorder.live[after.id] = after
        queued = self._parts.queue.holds(after.id)  # what has just been recorded as ready is queued by then
        self._parts.queue.reserve(after.id, after.tenant, bounded=False)
        if after.state is State.READY:
            found.queued += 1
            if not queued:
                self._kernel.enqueue(after)

    def _changes(self, intent: Intent) -> tuple[Change, ...]:
        known = self._parts.registry.get(intent.tool)
        backoff = Backoff.of(known.tool if known else None)
        moment = self._parts.moment()
        if intent.state is State.DISPATCHED:
            reason = ENGINE_LOST if self._parts.recorder.lease.foreign(intent) else decide.ENGINE_ENDED
            return decide.after_interruption(intent, backoff, moment, reason)
        if intent.state is State.IN_DOUBT:
            return decide.repeat_in_doubt(intent, backoff, moment)
        return ()
