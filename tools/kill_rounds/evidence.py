"""Reads what is left of a run into plain facts: the remote's log, and the file of an engine that is dead.

The file is read as a copy, so that the next engine finds it exactly as the killed one left it. Nothing is judged here.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from switchgear.execution.family import LOOKUP
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, encoded, intent_of
from switchgear.execution.refold import Refold, folded
from switchgear.execution.transitions import Kind, State
from switchgear.ledger.chain import seal
from switchgear.ledger.events import Recorded, read
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import GENESIS, Entry, Row, Store
from switchgear.storage.opening import open_store

STORE = "gear.db"
_LOG = "-wal"
_PAGE = 1_000


def name_of(tool: str, ref: str) -> str:
    """Return what a request is counted as: lookups of an action apart from the action."""
    return f"find:{ref}" if tool.rpartition(".")[2] == "find" else ref


@dataclass(slots=True)
class RemoteLog:
    """The remote's own log, read as far as it goes: requests, effects and keys by what they are counted as."""

    path: Path
    arrived: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _offset: int = 0

    def read_on(self) -> None:
        """Read what was added since the last time."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            self._count(json.loads(line))

    def _count(self, line: dict[str, str]) -> None:
        name = name_of(line["tool"], line["ref"])
        if line["what"] == "applied":
            self.applied[name] += 1
            return
        self.arrived[name] += 1
        if line["key"]:
            self.keys[name].add(line["key"])


@dataclass(slots=True)
class Chains:
    """The chains as far as they were read. Every entry is linked and hashed here anew."""

    entries: int = 0
    dispatches: Counter[str] = field(default_factory=Counter)
    """How often each intent was dispatched, by its id."""
    overtaken: list[str] = field(default_factory=list)
    """Actions that were repeated in doubt although a later one had changed their resource."""
    broken: list[str] = field(default_factory=list)
    _heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _resources: dict[str, tuple[str, str]] = field(default_factory=dict)
    _touching: dict[tuple[str, str], dict[str, bool]] = field(default_factory=lambda: defaultdict(dict))

    async def read_on(self, store: Store) -> None:
        """Read what every chain has more than the last time."""
        for tenant in await store.tenants():
            while page := await store.entries(tenant, after_seq=self._head(tenant)[0], limit=_PAGE):
                for entry in page:
                    self._link(entry)
                    self._note(read(entry))

    def _head(self, tenant: str) -> tuple[int, bytes]:
        return self._heads.get(tenant, (0, GENESIS))

    def _link(self, entry: Entry) -> None:
        seq, last = self._head(entry.tenant)
        if (entry.seq, entry.prev, entry.hash) != (seq + 1, last, seal(last, seq + 1, entry.body)):
            self.broken.append(f"the chain of {entry.tenant} breaks at entry {seq + 1}")
        self._heads[entry.tenant] = (entry.seq, entry.hash)
        self.entries += 1

    def _note(self, event: Recorded) -> None:
        if event.type == Kind.ACCEPTED and event.facts.get("resource"):
            self._resources[event.stream] = (event.tenant, event.facts["resource"])
        elif event.type == Kind.DISPATCHED:
            self.dispatches[event.stream] += 1
            self._touch(event.stream)
        elif event.type == Kind.NOT_APPLIED and event.stream in self._resources:
            self._touching[self._resources[event.stream]].pop(event.stream, None)

    def _touch(self, intent: str) -> None:
        """Enter a dispatch. One that was overtaken since its own last dispatch must not leave again."""
        if intent not in self._resources:
            return
        touching = self._touching[self._resources[intent]]
        if touching.get(intent):
            self.overtaken.append(f"{intent} was repeated after a later action had changed its resource")
        touching.update(dict.fromkeys(touching, True))
        touching[intent] = False


@dataclass(frozen=True, slots=True)
class Seen:
    """An intent as it is on record. `name` is what its requests are counted as; `lookup` says that it looks one up."""

    id: str
    tenant: str
    name: str
    tool: str
    state: str
    value: Any
    lookup: bool = False
    folds: bool = True
    """Whether its row is what its events say."""


@asynccontextmanager
async def opened_copy(folder: Path) -> AsyncIterator[Store]:
    """Open a copy of the store in `folder` as it lies there, with its write-ahead log."""
    with TemporaryDirectory(prefix="kill-rounds-") as place:
        for suffix in ("", _LOG):
            if (source := folder / f"{STORE}{suffix}").exists():
                await asyncio.to_thread(shutil.copyfile, source, Path(place) / source.name)
        async with opened(Path(place)) as store:
            yield store


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    """Open the store in `folder` itself."""
    store = await open_store(f"sqlite:///{(folder / STORE).resolve()}", seal=seal)
    try:
        yield store
    finally:
        await store.close()


async def seen_of(store: Store, names: Iterable[tuple[str, str]]) -> dict[str, Seen]:
    """Return by id what is on record of these intents, given by tenant and id. What is not there is left out."""
    rows = await asyncio.gather(*(store.get(INTENTS, tenant, intent) for tenant, intent in names))
    return {row.key: await _seen(store, row) for row in rows if row is not None}


async def interrupted(store: Store) -> dict[str, Seen]:
    """Return by id what was dispatched and has no outcome."""
    found: dict[str, Seen] = {}
    after: tuple[str, str] | None = None
    while rows := await store.scan(INTENTS, [State.DISPATCHED], after=after, limit=_PAGE):
        found |= {row.key: await _seen(store, row) for row in rows}
        after = (rows[-1].tenant, rows[-1].key)
    return found


async def all_seen(store: Store, tenants: Iterable[str]) -> list[Seen]:
    """Return every intent of `tenants` that is on record. Whether they fold is what `verified` says."""
    return [_facts(intent_of(row)) for tenant in tenants async for row in _rows(store, tenant)]


async def verified(store: Store, tenants: Iterable[str]) -> list[str]:
    """Verify the chains as the product does, and fold everything again; return what is wrong, in words."""
    refold, wrong = Refold(store), list[str]()
    for tenant in tenants:
        chain, fold = await refold.chain(tenant), await refold.intents(tenant)
        wrong += [found.problem for found in chain.findings]
        wrong += [*fold.problems, *await refold.budgets(tenant)]
    return wrong


async def _rows(store: Store, tenant: str) -> AsyncIterator[Row]:
    before: str | None = None
    while rows := await store.page(INTENTS, tenant, before=before, limit=_PAGE):
        for row in rows:
            yield row
        before = rows[-1].key


async def _seen(store: Store, row: Row) -> Seen:
    again = await folded(stream_entries(store, row.tenant, row.key))
    return _facts(intent_of(row), folds=again is not None and encoded(again) == row.value)


def _facts(intent: Intent, *, folds: bool = True) -> Seen:
    ref = str(intent.arguments.get("ref"))
    return Seen(
        id=intent.id,
        tenant=intent.tenant,
        name=name_of(intent.tool, ref),
        tool=intent.tool.rpartition(".")[2],
        state=str(intent.state),
        value=intent.value,
        lookup=intent.purpose == LOOKUP,
        folds=folds,
    )
