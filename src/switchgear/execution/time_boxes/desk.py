"""Rows and events of time-boxes in the store, and the part of an intent's append that belongs to its box.

Whoever writes here names the version that it decided on. What is to be written is decided in `rules`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import structs

from switchgear.core.clock import Clock
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.execution.intent import Change, Intent
from switchgear.execution.leases.lease import Lease
from switchgear.execution.parts import ACTOR
from switchgear.execution.recorder import INTENTS, Also
from switchgear.execution.time_boxes.box import (
    LASTING,
    SPACE,
    STREAM_PREFIX,
    BoxStep,
    TimeBox,
    decoded_box,
    encoded_box,
    evolve_box,
)
from switchgear.execution.time_boxes.rules import step_with
from switchgear.ledger.appending import append_surely
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import Append, Committed, Entry, Event, Expect, Row, Store, Write

_PAGE = 1000


class BoxDesk:
    """Reads and writes the boxes of one store. It goes with every change of an intent that has a time-box."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder, lease: Lease) -> None:
        """Work on `store` for as long as `lease` lasts."""
        self._store = store
        self._lease = lease
        self._clock = clock
        self._ids = ids
        self._encoder = encoder

    async def get(self, tenant: str, box_id: str) -> TimeBox | None:
        """Return a box as the store has it, None when this tenant has none of that id."""
        row = await self._store.get(SPACE, tenant, box_id)
        return None if row is None else decoded_box(row.key, row.value)

    def entries(self, box: TimeBox) -> AsyncIterator[Entry]:
        """Return what the ledger has about a box, in order."""
        return stream_entries(self._store, box.tenant, STREAM_PREFIX + box.id)

    async def lasting(self) -> AsyncIterator[Sequence[Row]]:
        """Return the rows of all boxes that have not ended, page by page."""
        after: tuple[str, str] | None = None
        while rows := await self._store.scan(SPACE, sorted(LASTING), after=after, limit=_PAGE):
            after = (rows[-1].tenant, rows[-1].key)
            yield rows

    async def beside(self, after: Intent, changes: Sequence[Change], also: Also) -> Also:
        """Return `also` with what `changes`, after which the intent is `after`, do to its box."""
        box = await self.get(after.tenant, after.downstream_key)
        step = step_with(box, after, changes, after.updated_at)
        if step is None:
            return also
        event, write, _ = self.written(box, step, tenant=after.tenant, actor=ACTOR, at=after.updated_at)
        return structs.replace(also, events=(*also.events, event), writes=(*also.writes, write))

    async def record(self, box: TimeBox, step: BoxStep, *, actor: str, given: Intent | None = None) -> TimeBox | None:
        """Record `step` of `box` and return it as it is then; None when it has changed meanwhile.

        `given` is the intent on which the step was decided: None as well when that has changed, which is on record
        before memory knows of it. Raises `StoreError` when it is not known to be recorded.
        """
        event, write, after = self.written(box, step, tenant=box.tenant, actor=actor, at=self._clock.time())
        same = () if given is None else (Expect(INTENTS, given.tenant, given.id, given.version),)
        append = Append(self._ids.next("apd"), box.tenant, (event,), (write,), (*self._lease.expects, *same))
        outcome = await append_surely(self._store, append)
        if isinstance(outcome, Committed):
            return after
        self._lease.check(outcome)
        return None

    def written(
        self, box: TimeBox | None, step: BoxStep, *, tenant: str, actor: str, at: float
    ) -> tuple[Event, Write, TimeBox]:
        """Return the event and the row of `step`, to go into an append of `tenant`, and the box after it.

        `at` is when it happened, in seconds since the epoch.
        """
        before = box.version if box is not None else 0
        after = msgspec.structs.replace(evolve_box(box, step, tenant=tenant, at=at), version=before + 1)
        event = self._encoder.encode(
            step.kind,
            stream=STREAM_PREFIX + after.id,
            scope=Scope(tenant, after.account, actor),
            at=at,
            facts=step.facts,
            payload=step.payload,
        )
        return event, Write(SPACE, after.id, before, encoded_box(after), after.state), after
