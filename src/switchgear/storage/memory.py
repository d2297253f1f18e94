"""The adapter that forgets: the whole store in this process, for tests, simulation and demonstrations.

It answers exactly as the durable adapters do and keeps everything until it is closed, so its size is bounded only by
what is appended. Nothing survives the process, and nothing is shared with another one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from urllib.parse import urlsplit

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError, StoreError
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Entry,
    Head,
    Row,
    Seal,
    Store,
    StoreStatistics,
)
from switchgear.storage.checks import check_append, check_limit, check_names
from switchgear.storage.planner import NO_LINK, Link, Plan, RowKey, needed, plan


async def open_memory(
    url: str,
    *,
    seal: Seal,
    clock: Clock = SYSTEM_CLOCK,  # noqa: ARG001 - every adapter is opened alike; this one never waits
    timeouts: Mapping[str, Operation] = OPERATIONS,  # noqa: ARG001 - as clock
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
        self._position = self._committed = self._conflicted = 0
        self._closed = False

    async def append(self, append: Append) -> Appended:
        """Commit `append`, or report a conflict.

        Raises `StoreError` (LEDGER_UNAVAILABLE) once closed, and `Invalid` for an append that no store can hold.
        """
        self._open()
        check_append(append)
        planned = plan([append], self._versions(append), self._heads, self._seal)
        self._write(planned)
        verdict = planned.verdicts[0]
        self._committed += isinstance(verdict, Committed)
        self._conflicted += not isinstance(verdict, Committed)
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
        return self._chains.get(tenant, [])[max(0, after_seq) :][:limit]

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

    async def tenants(self) -> Sequence[str]:
        """Return every tenant with a chain, sorted."""
        self._open()
        return sorted(self._chains)

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None."""
        self._open()
        check_names(space, tenant, key)
        return self._rows.get((space, tenant, key))

    async def page(
        self, space: str, tenant: str, *, facet: str | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Row]:
        """Return a tenant's rows by descending key, below `before` if given, of one facet if given."""
        self._open()
        check_limit(limit)
        order = self._order[space]
        end = bisect_left(order, (tenant, before) if before is not None else (tenant + "\0", ""))
        keys = takewhile(lambda place: place[0] == tenant, reversed(order[:end]))
        rows = (self._rows[space, tenant, key] for _, key in keys)
        return list(islice((row for row in rows if facet in (None, row.facet)), limit))

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

    def statistics(self) -> StoreStatistics:
        """Return counts since opening. Every committed append is a group of its own here."""
        return StoreStatistics(
            self._committed, self._conflicted, self._committed, self._position, min(1, self._committed)
        )

    async def check(self) -> None:
        """Raise `StoreError` once closed."""
        self._open()

    async def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._rows.clear()
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
        for (space, tenant, key), (version, facet, value) in planned.rows.items():
            if version == 1:
                insort(self._order[space], (tenant, key))
            self._rows[space, tenant, key] = Row(space, tenant, key, version, facet, value)
        for planned_entry in planned.entries:
            self._position += 1
            entry = Entry(self._position, *planned_entry)
            self._chains[entry.tenant].append(entry)
            self._streams[entry.tenant, entry.stream].append(entry)

    def _of_facets(self, space: str, facets: Sequence[str], after: tuple[str, str] | None) -> Iterator[Row]:
        order = self._order[space]
        start = 0 if after is None else bisect_right(order, after)
        rows = (self._rows[(space, *order[index])] for index in range(start, len(order)))
        return (row for row in rows if row.facet in facets)
