"""Fills a store with actions that are over, faster than an engine carries them out.

One action goes through the engine. What it left on record is the pattern: the same entries and rows are appended again
through the store itself, under another tenant, key and id. The store seals them into the chains as it does the
engine's. What one cannot tell from the engine's: they share a time, a salt and their arguments.

`ledger rebuild` finds such a store to be what its ledger says; a test keeps that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from switchgear.assembly import Switchgear
from switchgear.core.ids import IdSource
from switchgear.storage.abilities import Append, Committed, Entry, Event, Row, Store, Write

INTENTS = "intent"
DONE = "succeeded"
_KEYS = "key"
_SENT = "dispatched"
_AT_ONCE = 256
"""Actions that are on their way together: few enough that a slow disk acknowledges all within the store's bound."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose action it is, and under which key."""

    tenant: str
    key: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """One action on record: the entries of its two appends, and its rows as they are at the end."""

    place: Place
    id: str
    sent: tuple[Entry, ...]
    ended: tuple[Entry, ...]
    intent: Row
    key: Row

    @classmethod
    async def of_action(cls, gear: Switchgear, tool: str, place: Place) -> Self:
        """Let the engine carry out one action of `tool`, with number 0, and read back what it left on record."""
        acting = gear.acting_as(tenant=place.tenant, account="main", actor="service:bench")
        intent = await acting.submit(tool, {"number": 0}, key=place.key)
        await intent.result(timeout=60.0)
        entries = await gear.store.stream(place.tenant, intent.id)
        first = entries[0].append_id
        row = await gear.store.get(INTENTS, place.tenant, intent.id)
        key = await gear.store.get(_KEYS, place.tenant, f'["main","{tool}","{place.key}"]')
        if row is None or row.facet != DONE or key is None:
            raise RuntimeError(f"the action that the others are to be like is not on record as {DONE}")
        return cls(
            place,
            intent.id,
            tuple(entry for entry in entries if entry.append_id == first),
            tuple(entry for entry in entries if entry.append_id != first),
            row,
            key,
        )

    def appends(self, place: Place, ids: IdSource) -> tuple[Append, Append]:
        """Return the two appends of an action like this one, at `place`. The second needs the first."""
        told = _Retold(self, place, ids.next("int"))
        sent = Append(
            id=ids.next("apd"),
            tenant=place.tenant,
            events=told.events(self.sent),
            writes=(told.write(self.intent, 0, _SENT), told.write(self.key, 0, self.key.facet)),
        )
        ended = Append(
            id=ids.next("apd"),
            tenant=place.tenant,
            events=told.events(self.ended),
            writes=(told.write(self.intent, 1, DONE),),
        )
        return sent, ended


class _Retold:
    """What was recorded of one action, said of another: its tenant, its key and its id stand in quotes, or alone."""

    def __init__(self, pattern: Pattern, place: Place, identifier: str) -> None:
        old = (pattern.id, pattern.place.key, f'"tenant":"{pattern.place.tenant}"')
        new = (identifier, place.key, f'"tenant":"{place.tenant}"')
        self._words = tuple(zip(old, new, strict=True))
        self._bytes = tuple((before.encode(), after.encode()) for before, after in self._words)

    def events(self, entries: Iterable[Entry]) -> tuple[Event, ...]:
        """Return the events; what stands beside them names nobody, and stays."""
        return tuple(Event(self._text(entry.stream), self._content(entry.body), entry.payload) for entry in entries)

    def write(self, row: Row, expected: int, facet: str) -> Write:
        """Return the write of a row that is at version `expected`."""
        return Write(row.space, self._text(row.key), expected, self._content(row.value), facet)

    def _text(self, text: str) -> str:
        for before, after in self._words:
            text = text.replace(before, after)
        return text

    def _content(self, content: bytes) -> bytes:
        for before, after in self._bytes:
            content = content.replace(before, after)
        return content


async def fill(store: Store, pattern: Pattern, places: Iterable[Place]) -> int:
    """Record an action like `pattern` at each place, and return how many. Raises `RuntimeError` for one refused."""
    ids, waiting, filled = IdSource(), list[Append](), 0
    for place in places:
        waiting += pattern.appends(place, ids)
        filled += 1
        if len(waiting) >= 2 * _AT_ONCE:
            await _commit(store, waiting)
            waiting.clear()
    await _commit(store, waiting)
    return filled


async def _commit(store: Store, appends: list[Append]) -> None:
    answers = await asyncio.gather(*map(store.append, appends))
    if refused := [answer for answer in answers if not isinstance(answer, Committed)]:
        raise RuntimeError(f"what fills the store was not recorded: {refused[0]}")
