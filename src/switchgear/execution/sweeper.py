"""Looks over the waiting intents now and then: what has expired ends, what was held and may go now goes on.

What is held for another reason than on record is held anew, so that the record says what it waits for. Nothing is
released that would only be held again, and so many at once that what is released does not crowd out what comes in;
after an outage of a dependency, as slowly as `releasing` says.
"""

from __future__ import annotations

import asyncio

from switchgear.core.errors import Rejected, StoreError
from switchgear.execution import decide
from switchgear.execution.intent import Change, Intent
from switchgear.execution.kernel import Kernel
from switchgear.execution.lines import Ticket
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import StaleError
from switchgear.execution.releasing import Releasing
from switchgear.execution.transitions import WAITING, Kind, State

SWEEP_EVERY = 1.0
"""Seconds between two looks."""
RELEASED_MAX = 256
"""Most held intents that one look lets go on, or holds for another reason."""
_AT_ONCE = 64

_Alike = tuple[str | None, ...]
_Due = tuple[Intent, Rejected | None]


class Sweeper:
    """One per engine, beside the kernel."""

    def __init__(self, parts: Parts, kernel: Kernel) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._kernel = kernel
        self.releasing = Releasing(parts.queue.waiting, parts.rng.random)

    async def run(self) -> None:
        """Sweep every second, for ever."""
        while True:
            await self._parts.clock.sleep_async(SWEEP_EVERY)
            await self.sweep()

    async def sweep(self) -> None:
        """Settle what is due. Each intent is settled alone: one that cannot be waits for the next time."""
        await self._shed()
        due = self._due(self._parts.clock.time())
        for start in range(0, len(due), _AT_ONCE):
            await asyncio.gather(*(self._settle(*one) for one in due[start : start + _AT_ONCE]))

    async def _shed(self) -> None:
        """Deny what is sheddable and has waited in the queue for too long."""
        expired = self._parts.queue.expired(self._parts.clock.monotonic())
        for start in range(0, len(expired), _AT_ONCE):
            await asyncio.gather(*(self._deny(ticket) for ticket in expired[start : start + _AT_ONCE]))

    async def _deny(self, ticket: Ticket) -> None:
        """Deny an intent that was shed. Where that cannot be recorded it waits on, and is shed the next time."""
        intent = self._parts.recorder.live.get(ticket.intent_id)
        if intent is None or intent.state is not State.READY or self._kernel.carries(intent.id):
            return
        if not intent.unresolved:
            try:
                await self._parts.recorder.record(intent, decide.shed(intent), actor=ACTOR)
            except (StoreError, StaleError):
                self._parts.queue.put(ticket, self._parts.clock.monotonic())
            return
        self._kernel.enqueue(intent)  # it may have happened: it is not shed, it must be settled

    def _due(self, now: float) -> list[_Due]:
        """Return what has expired, and the first of what is held that would be held no more, or for another reason.

        Beside each stands what holds it now.
        """
        due: list[_Due] = []
        asked: dict[_Alike, Rejected | None] = {}
        moved = 0
        self.releasing.look(self._parts.clock.monotonic())
        for intent in self._parts.recorder.live.values():
            if self._expired(intent, now):
                due.append((intent, None))
            elif intent.state is State.HELD and moved < RELEASED_MAX:
                obstacle = self._obstacle(intent, asked)
                if obstacle is None and not self._may_go(intent):
                    continue
                if obstacle is None or _differs(obstacle, intent):
                    due.append((intent, obstacle))
                    moved += 1
        return due

    def _may_go(self, intent: Intent) -> bool:
        """Return whether what was held, perhaps for a dependency that has just recovered, is released in this look."""
        registered = self._parts.registry.get(intent.tool)
        return self.releasing.may_go(intent.code, registered.tool.requires if registered else ())

    def _obstacle(self, intent: Intent, asked: dict[_Alike, Rejected | None]) -> Rejected | None:
        """Return what holds an intent now; those that are alike are asked about once a look."""
        whose = (intent.tenant, intent.account, intent.actor)
        forced = None if intent.force is None else intent.id
        alike = (*whose, intent.tool, intent.contract, intent.purpose, intent.undo, forced)
        if alike not in asked:
            asked[alike] = self._kernel.obstacle(intent)
        return asked[alike]

    def _expired(self, intent: Intent, now: float) -> bool:
        if intent.state not in WAITING or self._kernel.carries(intent.id):
            return False
        ends_at = intent.deadline_at
        if intent.state is State.PENDING_APPROVAL and intent.approval is not None:
            ends_at = min(ends_at, intent.approval.expires_at)
        return ends_at <= now

    async def _settle(self, intent: Intent, obstacle: Rejected | None) -> None:
        changes = self._changes(intent, obstacle)
        if not changes:
            return
        try:
            after = await self._parts.recorder.record(intent, changes, actor=ACTOR)
        except StoreError:
            return
        except StaleError:
            found = self._parts.recorder.live.get(intent.id)
            if found is None:
                return
            after = found
        if intent.state is State.HELD and after.state is State.READY:
            self._kernel.enqueue(after)  # also when an earlier release is on record without our having heard of it

    def _changes(self, intent: Intent, obstacle: Rejected | None) -> tuple[Change, ...]:
        """Return what follows for an intent that was due; it is asked again, since the kernel may carry it by now."""
        if self._expired(intent, self._parts.clock.time()):
            return decide.expiry(intent)
        if intent.state is not State.HELD:
            return ()
        return (Change(Kind.RELEASED) if obstacle is None else decide.hold(obstacle),)


def _differs(obstacle: Rejected, intent: Intent) -> bool:
    """Return whether something else holds an intent than its record says: for another reason, or another dependency."""
    known = intent.hindrance
    return obstacle.code != intent.code or (known is not None and known.dependency != obstacle.dependency)
