"""Reads and writes the rows of kill switches, and tells the gate. One per engine.

A change is one append: the event in the chain of its scope, and the row. What cannot be read closes the gate for that
scope, and is read again every second until it can. A row that is damaged is made anew from the scope's events by the
next change that a person makes; nothing else opens it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Rejected, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.switches import (
    KEY,
    NO_SWITCHES,
    SPACE,
    STREAM,
    Step,
    Switches,
    decoded,
    encoded,
    folded,
)
from switchgear.ledger.appending import append_record, append_surely
from switchgear.ledger.events import EventEncoder, read
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import Append, Committed, Conflicted, Row, Store, Write

_log = logging.getLogger("switchgear.kill_switches")

READ_AGAIN_EVERY = 1.0
"""Seconds after which what could not be read is read again."""
READ_ALL = "platform.in_flight_read"
READINGS = "in_flight"
_FACETS = ("off", "on")
_PAGE = 1000
_TRIES_MAX = 5

Decide = Callable[[Switches, float], Step | None]
"""Looks at the switches of a scope as they are, and at the time; says what to record, None for nothing."""


class KillSwitchKeeper:
    """Keeps a gate true to the store."""

    def __init__(
        self,
        gate: KillSwitchGate,
        store: Store,
        *,
        clock: Clock,
        ids: IdSource,
        encoder: EventEncoder,
        stale_after: float | None = None,
    ) -> None:
        """Tell `gate` of `store`. With `stale_after` seconds others write there too: it is read four times as often."""
        self.gate = gate
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._every = READ_AGAIN_EVERY if stale_after is None else stale_after / 4.0
        self._shared = stale_after is not None
        self._lock = asyncio.Lock()  # one reads or writes at a time, so that no answer is older than one before it

    async def load(self) -> None:
        """Read the switches of all scopes, and check each against its events. What cannot be read stays closed."""
        async with self._lock:
            await self._read_all(thoroughly=True)

    async def refresh(self, conflict: Conflicted) -> None:
        """Read a scope again whose version was not what an append expected. Raises nothing: what fails closes it."""
        async with self._lock:
            if self.gate.version_of(conflict.tenant) < conflict.found or conflict.found < conflict.expected:
                await self._read_one(conflict.tenant)
            if self.gate.version_of(conflict.tenant) < conflict.found:
                self._close(conflict.tenant, f"what was read is older than version {conflict.found}")

    async def run(self) -> None:
        """Read again what could not be read, and with others on the store everything, for ever."""
        while True:
            await self._clock.sleep_async(self._every)
            if self._shared or self.gate.closed:
                async with self._lock:
                    await self._read_all(thoroughly=False)

    async def change(self, scope: Scope, decide: Decide) -> Switches:
        """Record what `decide` says of the switches of `scope`'s tenant, and return them as they are then.

        Once this returns, nothing is recorded as dispatched past them. Raises what `decide` refuses, `Conflict` when
        they keep changing, `Rejected` (KILL_SWITCH_UNREADABLE) when neither row nor events can be read, and
        `StoreError` when it is not known to be recorded.
        """
        async with self._lock:
            for _ in range(_TRIES_MAX):
                version, now = await self._current(scope.tenant)
                at = self._clock.time()
                step = decide(now, at)
                if step is None:
                    return now
                if await self._recorded(scope, version, step, at):
                    self.gate.set(scope.tenant, version + 1, step.after)
                    return step.after
        raise Conflict("the kill switches keep changing; try again", policy="kill_switch", retry_after=1.0)

    async def record_reading(self, scope: Scope, target: str, count: int) -> None:
        """Record that the actor of the platform's `scope` is shown intents of all tenants. Raises `StoreError`."""
        facts = {"target": target, "count": count}
        event = self._encoder.encode(READ_ALL, stream=READINGS, scope=scope, at=self._clock.time(), facts=facts)
        problem = "the switch is on, but the ledger did not acknowledge that intents of all tenants are shown"
        await append_record(self._store, Append(self._ids.next("apd"), scope.tenant, (event,)), problem)

    async def _recorded(self, scope: Scope, version: int, step: Step, at: float) -> bool:
        event = self._encoder.encode(
            step.kind,
            stream=STREAM,
            scope=scope,
            at=at,
            facts=step.facts,
            payload={"reason": step.reason},
        )
        row = Write(SPACE, KEY, version, encoded(step.after), _FACETS[bool(step.after.on)])
        append = Append(self._ids.next("apd"), scope.tenant, (event,), (row,))
        try:
            return isinstance(await append_surely(self._store, append), Committed)
        except StoreError as error:
            self.gate.close(scope.tenant, f"a change may be on record: {error}")
            raise

    async def _current(self, scope: str) -> tuple[int, Switches]:
        """Return version and switches of a scope to decide on: of its row, or where it is closed of its events."""
        row = await self._store.get(SPACE, scope, KEY)
        version = row.version if row is not None else 0
        if scope in self.gate.closed and (found := await self._folded(scope)) is not None:
            return version, found
        try:
            return version, decoded(row.value) if row is not None else NO_SWITCHES
        except StoreError as error:
            message = f"neither the row nor the events of {scope} can be read"
            raise Rejected(message, code=Code.KILL_SWITCH_UNREADABLE, policy="kill_switch") from error

    async def _folded(self, scope: str) -> Switches | None:
        """Return what the events of a scope come to, None when they cannot tell."""
        try:
            return folded([read(entry) async for entry in stream_entries(self._store, scope, STREAM)])
        except StoreError as error:
            if error.code is not Code.LEDGER_CORRUPT:
                raise
            _log.error("the events of kill switches of %s cannot be folded: %s", scope, error)
            return None

    async def _read_all(self, *, thoroughly: bool) -> None:
        """Read every scope. When the store does not answer, all stays as it is: closed, or open until it is stale."""
        try:
            rows = {row.tenant: row for row in await self._rows()}
            for scope in sorted({PLATFORM_TENANT, *self.gate.scopes, *self.gate.closed, *rows}):
                await self._take(scope, rows.get(scope), thoroughly=thoroughly or scope in self.gate.closed)
            self.gate.heard()
        except StoreError as error:
            _log.error("the kill switches could not be read: %s", error)

    async def _read_one(self, scope: str) -> None:
        try:
            await self._take(scope, await self._store.get(SPACE, scope, KEY), thoroughly=False)
        except StoreError as error:
            self._close(scope, str(error))

    async def _rows(self) -> Sequence[Row]:
        rows: list[Row] = []
        while page := await self._store.scan(SPACE, _FACETS, after=_end_of(rows), limit=_PAGE):
            rows += page
        return rows

    async def _take(self, scope: str, row: Row | None, *, thoroughly: bool) -> None:
        """Tell the gate of one scope. One that cannot be read, or is not what its events say, is closed alone."""
        try:
            version, switches = (row.version, decoded(row.value)) if row is not None else (0, NO_SWITCHES)
        except StoreError as error:
            self._close(scope, str(error))
            return
        found = await self._folded(scope) if thoroughly else None
        if found is not None and found.differ_from(switches):
            self._close(scope, "the row is not what its events say")
        else:
            self.gate.learn(scope, version, switches)

    def _close(self, scope: str, why: str) -> None:
        if self.gate.closed.get(scope) != why:
            _log.critical("nothing of %s is started, its kill switches cannot be relied on: %s", scope, why)
        self.gate.close(scope, why)


def _end_of(rows: Sequence[Row]) -> tuple[str, str] | None:
    return (rows[-1].tenant, rows[-1].key) if rows else None
