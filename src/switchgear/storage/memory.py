"""The adapter that forgets: the whole store in this process, for tests, simulation and demonstrations.

It answers exactly as the durable adapters do and keeps everything until it is closed, so its size is bounded only by
what is appended. Nothing survives the process, and nothing is shared with another one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import Invalid, OptionError, StoreError
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Conflicted,
    Counter,
    Entry,
    Exceeded,
    Head,
    Manifest,
    Progress,
    Row,
    Seal,
    Store,
    StoreStatistics,
)
from switchgear.storage.checks import check_append, check_limit, check_names
from switchgear.storage.planner import NO_LINK, Link, Plan, RowKey, Verdict, needed, plan


async def open_memory(
    url: str,
    *,
    seal: Seal,
    clock: Clock = SYSTEM_CLOCK,
    timeouts: Mapping[str, Operation] = OPERATIONS,
) -> Store:
    """Open a new, empty store for ``memory://``.

    Raises `OptionError` when the URL says more than its scheme: each memory store is its own.
    """
    parts = urlsplit(url)
    if parts.netloc or parts.path or parts.query or parts.fragment:
        raise OptionError(f"a memory store has no name or options; write memory:// instead of {url}")
    return MemoryStore(seal)


class MemoryStore:
    """A `Store` in the memory of this process. Every method answers without waiting."""

    def __init__(self, seal: Seal) -> None:
        """Start empty, chaining entries with `seal`."""
        self._seal = seal
        self._rows: dict[RowKey, Row] = {}
        self._order: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._heads: dict[str, Link] = {}
        self._chains: defaultdict[str, list[Entry]] = defaultdict(list)
        self._streams: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._counters: dict[RowKey, int] = {}
        self._position = 0
        self._verdicts: defaultdict[type[Verdict], int] = defaultdict(int)
        self._closed = False

    async def append(self, append: Append) -> Appended:
        """Commit `append`, or report a conflict or a counter at its limit.

        Raises `StoreError` (LEDGER_UNAVAILABLE) once closed, and `Invalid` for an append that no store can hold.
        """
        return self.append_nowait(append)

    def append_nowait(self, append: Append) -> Appended:
        """Do what `append` does, which never waits here."""
        self._open()
        check_append(append)
        planned = plan([append], self._versions(append), self._counters, self._heads, self._seal)
        self._write(planned)
        verdict = planned.verdicts[0]
        self._verdicts[type(verdict)] += 1
        if isinstance(verdict, Invalid):
            raise verdict
        return verdict

    async def appended(self, tenant: str, stream: str, append_id: str) -> Committed | None:
        """Return the committed append with this id, which wrote an event to `stream`, or None."""
        self._open()
        if not any(entry.append_id == append_id for entry in self._streams.get((tenant, stream), ())):
            return None
        return Committed(max(entry.seq for entry in self._chains[tenant] if entry.append_id == append_id))

    async def entries(self, tenant: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries with a sequence above `after_seq`, in order."""
        self._open()
        check_limit(limit)
        chain = self._chains.get(tenant, [])
        start = bisect_right(chain, after_seq, key=attrgetter("seq"))
        return chain[start : start + limit]

    async def stream(self, tenant: str, stream: str, *, after_position: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries of one stream above `after_position`, in order."""
        self._open()
        check_limit(limit)
        check_names(tenant, stream)
        later = (entry for entry in self._streams.get((tenant, stream), ()) if entry.position > after_position)
        return list(islice(later, limit))

    async def head(self, tenant: str) -> Head:
        """Return the end of the tenant's chain."""
        self._open()
        check_names(tenant)
        return Head(tenant, *self._heads.get(tenant, NO_LINK))

    async def tenants(self, *, limit: int | None = None) -> Sequence[str]:
        """Return the tenants with a chain, sorted: all, or the first `limit`."""
        self._open()
        check_limit(1 if limit is None else limit)
        return sorted(self._chains)[:limit]

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None."""
        self._open()
        check_names(space, tenant, key)
        return self._rows.get((space, tenant, key))

    async def page(
        self, space: str, tenant: str, *, facet: str | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Row]:
        """Return a tenant's rows with a facet by descending key, below `before` if given, of one facet if given."""
        self._open()
        check_limit(limit)
        order = self._order[space]
        end = bisect_left(order, (tenant, before) if before is not None else (tenant + "\0", ""))
        keys = takewhile(lambda place: place[0] == tenant, reversed(order[:end]))
        rows = (self._rows[space, tenant, key] for _, key in keys)
        return list(islice((row for row in rows if row.facet and facet in (None, row.facet)), limit))

    async def scan(
        self, space: str, facets: Sequence[str], *, after: tuple[str, str] | None = None, limit: int = 1000
    ) -> Sequence[Row]:
        """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`."""
        self._open()
        check_limit(limit)
        return list(islice(self._of_facets(space, facets, after), limit))

    async def count(self, space: str, facets: Sequence[str]) -> int:
        """Return how many rows of all tenants are in one of `facets`."""
        self._open()
        return sum(1 for _ in self._of_facets(space, facets, None))

    async def counters(
        self, space: str, tenant: str, *, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> Sequence[Counter]:
        """Return a tenant's counters by ascending key, those that begin with `prefix`, above `after` if given."""
        self._open()
        check_limit(limit)
        check_names(space, tenant, prefix, after or "")
        keys = sorted(
            key
            for found_space, owner, key in self._counters
            if (found_space, owner) == (space, tenant) and key.startswith(prefix) and (after is None or key > after)
        )
        return [Counter(space, tenant, key, self._counters[space, tenant, key]) for key in keys[:limit]]

    async def backup(
        self,
        path: Path,
        *,
        created_at: float,
        progress: Callable[[Progress], None] | None = None,
    ) -> Manifest:
        """Raise `Invalid`: there is nothing that could be brought back."""
        self._open()
        raise Invalid(f"a memory store keeps nothing, so there is no backup of it at {path}; use sqlite:///gear.db")

    def statistics(self) -> StoreStatistics:
        """Return counts since opening. Every committed append is a group of its own here."""
        committed = self._verdicts[Committed]
        return StoreStatistics(
            committed=committed,
            conflicted=self._verdicts[Conflicted],
            exceeded=self._verdicts[Exceeded],
            groups=committed,
            entries=self._position,
            group_max=min(1, committed),
        )

    async def check(self) -> None:
        """Raise `StoreError` once closed."""
        self._open()

    async def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._rows.clear()
        self._counters.clear()
        self._order.clear()
        self._chains.clear()
        self._streams.clear()
        self._heads.clear()

    def _open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _versions(self, append: Append) -> dict[RowKey, int]:
        return {key: row.version for key in needed([append]) if (row := self._rows.get(key)) is not None}

    def _write(self, planned: Plan) -> None:
        for space, tenant, key in planned.born:
            insort(self._order[space], (tenant, key))
        for rows in (planned.born, planned.rows):
            for place, row in rows.items():
                self._rows[place] = Row(*place, *row)
        for planned_entry in planned.entries:
            self._position += 1
            entry = Entry(self._position, *planned_entry)
            self._chains[entry.tenant].append(entry)
            self._streams[entry.tenant, entry.stream].append(entry)
        if planned.erased or planned.cuts:
            self._remove(planned)

    def _remove(self, planned: Plan) -> None:
        for tenant, stream, through in planned.erased:
            gone = {entry.seq for entry in self._streams.get((tenant, stream), ()) if entry.seq <= through}
            self._replace(tenant, [replace(e, payload=None) if e.seq in gone else e for e in self._chains[tenant]])
        for tenant, cut in planned.cuts.items():
            self._replace(tenant, [entry for entry in self._chains[tenant] if entry.seq > cut])

    def _replace(self, tenant: str, chain: list[Entry]) -> None:
        """Put `chain` in the place of the tenant's chain and streams."""
        for place in [place for place in self._streams if place[0] == tenant]:
            del self._streams[place]
        self._chains[tenant] = chain
        for entry in chain:
            self._streams[tenant, entry.stream].append(entry)

    def _of_facets(self, space: str, facets: Sequence[str], after: tuple[str, str] | None) -> Iterator[Row]:
        order = self._order[space]
        start = 0 if after is None else bisect_right(order, after)
        rows = (self._rows[(space, *order[index])] for index in range(start, len(order)))
        return (row for row in rows if row.facet and row.facet in facets)
