"""Joins, beats, watches the other engines of the store, takes over from those that are lost, and leaves.

Where one engine owns the store, it only joins: whoever was there before is lost at that moment. What becomes of the
intents is decided in `decide` and carried out in `recovery`; here is only whose turn it is.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.bounded import within
from switchgear.execution.leases.lease import LeaseOptions
from switchgear.execution.leases.rows import (
    BEATS,
    ENGINES,
    LIVE,
    LOST,
    SETTLED,
    EngineRow,
    encoded,
    heir_of,
    written_in,
)
from switchgear.execution.leases.watch import Watch
from switchgear.execution.parts import Parts
from switchgear.execution.transitions import WAITING
from switchgear.storage.abilities import Append, Committed, Conflicted, Row, Write

_log = logging.getLogger("switchgear.leases")

CHECKED_MAX = 200
"""Most waiting intents that one look reads again, to see whether somebody else goes on with them by now."""
_SENDS_MAX = 3
_PAGE = 500
_SOONER = 4.0
"""A beat that was not acknowledged is followed by the next one so many times sooner."""


class LostEngine(Exception):
    """This engine counts as lost, so it must not go on."""


class Heirs(Protocol):
    """Takes over the open intents of an engine that is lost."""

    async def adopt(self, owner: str) -> bool:
        """Take over all of them, each alone, and return whether none is left.

        Raises `StoreError` when the ledger cannot be written.
        """


class LeaseKeeper:
    """One per engine. `follow_up` reads back what hangs on intents, once some were taken over."""

    def __init__(
        self, parts: Parts, options: LeaseOptions, heirs: Heirs, follow_up: Callable[[], Awaitable[None]]
    ) -> None:
        """Work with the parts of one engine; nothing is written yet."""
        self._parts = parts
        self._clock = parts.clock
        self._lease = parts.recorder.lease
        self._options = options
        self._heirs = heirs
        self._follow_up = follow_up
        self._watch = Watch(options.ttl)
        self._beats = 0
        self._taking: dict[str, int] = {}
        self._checked = ""

    async def join(self) -> None:
        """Record that this engine may write; once is enough. Raises `StoreError` when that cannot be recorded."""
        if self._lease.held:
            return
        sent = self._lease.now()
        writes = [Write(ENGINES, self._lease.owner, 0, encoded(self._row()), LIVE)]
        if self._options.shared:
            writes.append(Write(BEATS, self._lease.owner, 0, b"", LIVE))
            self._beats = 1
        if not await self._written(writes):
            raise StoreError("the name of this engine is taken", code=Code.LEDGER_UNAVAILABLE)
        self._lease.joined(sent)
        if not self._options.shared:
            await self._succeed()

    async def run(self) -> None:
        """Beat for as long as this engine may write. Raises `LostEngine` once it may not any more."""
        acknowledged = True
        while self._lease.lost is None:
            if not self._options.shared:
                await self._lease.ended.wait()
                continue
            pause = self._options.beat_every / (1.0 if acknowledged else _SOONER)
            if not await within(self._clock, pause, self._lease.ended.wait()):
                acknowledged = await self.beat()
        await self._learn_who_follows()
        raise LostEngine(self._lease.lost)

    async def watch(self) -> None:
        """Look at the others for as long as this engine may write. Returns at once where there can be none."""
        while self._options.shared and self._lease.lost is None:
            try:
                await self.look()
            except StoreError as error:
                _log.warning("the other engines of the store are looked at again soon: %s", error)
            await self._clock.sleep_async(self._options.beat_every)

    async def beat(self) -> bool:
        """Show that this engine is there, and return whether that was acknowledged."""
        sent = self._lease.now()
        write = Write(BEATS, self._lease.owner, self._beats, b"", LIVE)
        try:
            outcome = await self._parts.store.append(self._append((write,)))
        except StoreError as error:
            _log.warning("a beat of this engine could not be written: %s", error)
            return False
        if isinstance(outcome, Committed):
            self._beats += 1
            self._lease.heard(sent)
        elif isinstance(outcome, Conflicted) and outcome.space == BEATS:
            self._beats = outcome.found  # an earlier one had landed without our hearing of it
        elif isinstance(outcome, Conflicted):
            with suppress(StoreError):  # that it is lost is all there is to say
                self._lease.check(outcome)
        return isinstance(outcome, Committed)

    async def look(self) -> None:
        """Look at the other engines once, and go on with what those have left that are lost. Raises `StoreError`."""
        for owner, version in list(self._taking.items()):
            await self._take_over(owner, version)
        began = self._clock.monotonic()
        rows = await self._rows((LIVE, LOST))
        self._watch.keep(frozenset(row.key for row in rows))
        for row in rows:
            await self._look_at(row, began)
        await self._check_own()

    async def leave(self) -> None:
        """Say that this engine has ended, so that others go on at once with what it leaves open."""
        if not self._options.shared or not self._lease.held or self._lease.lost is not None:
            return
        try:
            row = self._row(why="it has stopped")
            await self._written([Write(ENGINES, self._lease.owner, self._lease.expects[0].version, encoded(row), LOST)])
        except StoreError as error:
            _log.warning("that this engine has stopped is not on record; the others notice in time: %s", error)
        self._lease.lose("it has stopped")

    async def _learn_who_follows(self) -> None:
        """Read who took the place of this engine, and when. Where that cannot be read, that it is lost has to do."""
        if not self._lease.ousted:
            return
        with suppress(StoreError):
            row = await self._parts.store.get(ENGINES, PLATFORM_TENANT, self._lease.owner)
            written = None if row is None else written_in(row)
            if written is not None:
                self._lease.followed_by(written.by, written.at)

    async def _succeed(self) -> None:
        """Call every engine lost that was on this store before: it has one owner, and that is this one."""
        while rows := await self._rows((LIVE,)):
            after = encoded(self._row(adopter=self._lease.owner, why="another engine owns the store"))
            await self._written([Write(ENGINES, row.key, row.version, after, LOST) for row in rows])

    async def _rows(self, facets: Sequence[str]) -> list[Row]:
        rows = await self._parts.store.scan(ENGINES, facets, limit=_PAGE)
        return [row for row in rows if row.version and row.key != self._lease.owner]  # one that is damaged has none

    async def _look_at(self, row: Row, began: float) -> None:
        """Take over from one engine, if it is lost and nobody else is about to."""
        heir = heir_of(row)
        beats = await self._parts.store.get(BEATS, PLATFORM_TENANT, heir) if heir else None
        sign = (row.version, 0 if beats is None else beats.version)
        overdue = self._watch.overdue(row.key, sign, began=began, read=self._clock.monotonic())
        if (heir and not overdue) or heir == self._lease.owner:
            return
        after = self._row(adopter=self._lease.owner, why="it was not heard of" if row.facet == LIVE else "it has ended")
        if await self._written([Write(ENGINES, row.key, row.version, encoded(after), LOST)]):
            _log.warning("engine %s is lost (%s); what it has left open is taken over", row.key, after.why)
            self._taking[row.key] = row.version + 1
            await self._take_over(row.key, row.version + 1)

    async def _take_over(self, owner: str, version: int) -> None:
        """Go on with what an engine has left. What cannot be recorded now is gone on with at the next look."""
        everything = await self._heirs.adopt(owner)
        await self._follow_up()
        if not everything:
            return
        await self._written([Write(ENGINES, owner, version, encoded(self._row(why="nothing is left open")), SETTLED)])
        self._taking.pop(owner, None)

    async def _check_own(self) -> None:
        """Read the next of the waiting intents again: somebody may have gone on with them elsewhere."""
        live = self._parts.recorder.live
        waiting = sorted(name for name, intent in live.items() if intent.state in WAITING)
        later = [name for name in waiting if name > self._checked]
        chosen = list(islice(later or waiting, CHECKED_MAX))
        self._checked = chosen[-1] if chosen else ""
        for name in chosen:
            if (intent := live.get(name)) is not None:
                await self._parts.recorder.still_ours(intent)

    async def _written(self, writes: Sequence[Write]) -> bool:
        """Write rows and return whether they are as written; False when somebody else was first.

        Raises `StoreError` when it is not known, and when this engine is lost.
        """
        append = self._append(writes)
        for _ in range(_SENDS_MAX):
            outcome = await self._parts.store.append(append)
            if isinstance(outcome, Committed):
                return True
            if isinstance(outcome, Conflicted):
                return await self._ours(outcome, writes)
        raise StoreError("the ledger does not acknowledge", code=Code.TIMEOUT_JOURNAL_APPEND)

    async def _ours(self, conflict: Conflicted, writes: Sequence[Write]) -> bool:
        """Return whether what stands in the way was written by an earlier sending of the same."""
        if conflict.key == self._lease.owner:
            self._lease.check(conflict)
        first = writes[0]
        row = await self._parts.store.get(first.space, PLATFORM_TENANT, first.key)
        return row is not None and (row.version, row.value) == (first.expected + 1, first.value)

    def _append(self, writes: Sequence[Write]) -> Append:
        return Append(self._parts.ids.next("apd"), PLATFORM_TENANT, (), tuple(writes), self._lease.expects)

    def _row(self, *, adopter: str = "", why: str = "") -> EngineRow:
        return EngineRow(self._lease.owner, self._clock.time(), adopter, why)
