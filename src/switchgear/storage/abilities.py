"""What the floors above may ask of a store: append conditionally, read rows, read the log.

Adapters implement these protocols; nobody above imports an adapter. A store never assigns meaning: bodies, row
values and spaces are opaque to it. Sequence and hash are folded over log order by the adapter, with the `Seal`
that it was opened with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Seal = Callable[[bytes, int, bytes], bytes]
"""(previous hash, sequence, body) -> hash of the entry. The ledger owns the function; 32 bytes in, 32 out."""

GENESIS = bytes(32)
"""The previous hash of the first entry of every chain."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be recorded in the chain of the append's tenant.

    `stream` groups entries (an intent's id). `body` is UTF-8 JSON, hashed as it is. `payload` stands beside it and
    may be erased without breaking the chain; None when there is none.
    """

    stream: str
    body: bytes
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Set one row of the append's tenant, if it is still at version `expected` (0: it does not exist).

    The row is at ``expected + 1`` afterwards. `facet` is one indexed word (a state); `value` is opaque.
    """

    space: str
    key: str
    expected: int
    value: bytes
    facet: str = ""


@dataclass(frozen=True, slots=True)
class Expect:
    """A row that must be at `version` (0: must not exist) for the append to commit."""

    space: str
    tenant: str
    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Append:
    """Events and rows that commit together or not at all. `id` is unique and time-ordered."""

    id: str
    tenant: str
    events: tuple[Event, ...]
    writes: tuple[Write, ...] = ()
    expects: tuple[Expect, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """The append is durable. `seq_last` is the tenant's sequence of its last event."""

    seq_last: int


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Nothing was written: a row was at version `found` instead of `expected`. Read again and decide again."""

    space: str
    tenant: str
    key: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The acknowledgement was lost. Read back with `appended` before anything leaves."""

    append_id: str
    reason: str


Appended = Committed | Conflicted | Unknown


@dataclass(frozen=True, slots=True)
class Row:
    """A row as stored."""

    space: str
    tenant: str
    key: str
    version: int
    facet: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded event. `position` is its place in the log of all tenants; `seq` counts from 1 per tenant."""

    position: int
    tenant: str
    seq: int
    prev: bytes
    hash: bytes
    append_id: str
    stream: str
    body: bytes
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a tenant's chain. An empty chain has sequence 0 and the genesis hash."""

    tenant: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """Counts since opening: appends committed and conflicted, commit groups (one sync each), entries, largest group."""

    committed: int
    conflicted: int
    groups: int
    entries: int
    group_max: int


class Journal(Protocol):
    """Append conditionally, and read the log. Every method is bounded in time by the adapter's operation table."""

    async def append(self, append: Append) -> Appended:
        """Commit `append` durably, or report a conflict, or that the acknowledgement was lost.

        Raises `StoreError` when it is known that nothing was written: LEDGER_UNAVAILABLE (disk full, read-only,
        closed), or QUEUE_FULL when too many appends are already waiting.
        """

    async def appended(self, tenant: str, stream: str, append_id: str) -> Committed | None:
        """Return the committed append with this id, which wrote an event to `stream`, or None."""

    async def entries(self, tenant: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries with a sequence above `after_seq`, in order."""

    async def stream(self, tenant: str, stream: str, *, after_position: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries of one stream above `after_position` in the log, in order."""

    async def head(self, tenant: str) -> Head:
        """Return the end of the tenant's chain."""

    async def tenants(self) -> Sequence[str]:
        """Return every tenant with a chain, sorted. For the platform only."""


class Rows(Protocol):
    """Read the projection that appends write."""

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None."""

    async def page(
        self, space: str, tenant: str, *, facet: str | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Row]:
        """Return a tenant's rows by descending key, below `before` if given, of one facet if given."""

    async def scan(
        self, space: str, facets: Sequence[str], *, after: tuple[str, str] | None = None, limit: int = 1000
    ) -> Sequence[Row]:
        """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`. For recovery."""

    async def count(self, space: str, facets: Sequence[str]) -> int:
        """Return how many rows of all tenants are in one of `facets`."""


class Store(Journal, Rows, Protocol):
    """A journal and its rows in one place, opened by an adapter and closed by its owner."""

    def statistics(self) -> StoreStatistics:
        """Return counts since opening."""

    async def check(self) -> None:
        """Raise `StoreError` unless the store can record right now. Writes nothing."""

    async def close(self) -> None:
        """Flush what was accepted and release the store. Appends that come later raise `StoreError`."""
