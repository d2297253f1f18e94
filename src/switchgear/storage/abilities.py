"""What the floors above may ask of a store: append conditionally, read rows, read the log.

Adapters implement these protocols; nobody above imports an adapter. A store never assigns meaning: bodies, row
values and spaces are opaque to it. Sequence and hash are folded over log order by the adapter, with the `Seal`
that it was opened with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

Seal = Callable[[bytes, int, bytes], bytes]
"""(previous hash, sequence, body) -> hash of the entry. The ledger owns the function; 32 bytes in, 32 out."""

GENESIS = bytes(32)
"""The previous hash of the first entry of every chain."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something to be recorded in the chain of the append's tenant.

    `stream` groups entries (an intent's id). `body` is UTF-8 JSON, hashed as it is. `payload` stands beside it and
    may be erased without breaking the chain; None when there is none.
    """

    stream: str
    body: bytes
    payload: bytes | None = None


class Write(msgspec.Struct, frozen=True, gc=False):
    """Set one row of the append's tenant, if it is still at version `expected` (0: it does not exist).

    The row is at ``expected + 1`` afterwards. `facet` is one indexed word (a state); a row without one is found by its
    name, and is in no list. `value` is opaque.
    """

    space: str
    key: str
    expected: int
    value: bytes
    facet: str = ""


class Expect(msgspec.Struct, frozen=True, gc=False):
    """A row that must be at `version` (0: must not exist) for the append to commit."""

    space: str
    tenant: str
    key: str
    version: int


class Count(msgspec.Struct, frozen=True, gc=False):
    """Add `amount` to a counter of the append's tenant, if the sum stays within `limit` (None: without a check).

    A counter that was never counted is 0. `amount` may be negative; one of 0 or less is never over a limit, so that
    what was counted can be given back. Amounts, limits and sums lie within ±(2⁶³ - 1).
    """

    space: str
    key: str
    amount: int
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove the payloads of one stream of the append's tenant, up to the sequence `through`, for good.

    The entries stay, and so do their hashes, which never covered a payload.
    """

    stream: str
    through: int


class Append(msgspec.Struct, frozen=True, gc=False):
    """Events, rows and counts that commit together or not at all. `id` is unique and time-ordered.

    Versions are looked at before counters: an append that writes a row and is sent again conflicts, whatever its
    counters say. `cut` removes the tenant's entries up to that sequence (0: none); the newest entry always stays, so
    the chain goes on where it was.
    """

    id: str
    tenant: str
    events: tuple[Event, ...]
    writes: tuple[Write, ...] = ()
    expects: tuple[Expect, ...] = ()
    counts: tuple[Count, ...] = ()
    erases: tuple[Erase, ...] = ()
    cut: int = 0


class Committed(msgspec.Struct, frozen=True, gc=False):
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
class Exceeded:
    """Nothing was written: a counter stands at `found`, and `amount` more is above `limit`."""

    space: str
    tenant: str
    key: str
    amount: int
    limit: int
    found: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The acknowledgement was lost. Read back with `appended` before anything leaves."""

    append_id: str
    reason: str


Appended = Committed | Conflicted | Exceeded | Unknown


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row as stored. What `value` means, and whether it can be read, is the reader's business.

    A row that is there but lies in a damaged place is not passed over in lists: it comes with version 0 and an empty
    value. Asking for it alone is LEDGER_CORRUPT.
    """

    space: str
    tenant: str
    key: str
    version: int
    facet: str
    value: bytes


class Counter(msgspec.Struct, frozen=True, gc=False):
    """A counter as stored. It is there from the first count on, and stays when it is back at 0."""

    space: str
    tenant: str
    key: str
    value: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A recorded event. `position` is its place in the log of all tenants; `seq` counts from 1 per tenant.

    An entry that is there but lies in a damaged place is not passed over: it comes with an empty body and hash, and in
    a stream with sequence 0.
    """

    position: int
    tenant: str
    seq: int
    prev: bytes
    hash: bytes
    append_id: str
    stream: str
    body: bytes
    payload: bytes | None


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a tenant's chain. An empty chain has sequence 0 and the genesis hash."""

    tenant: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a backup.

    `created_at` is seconds since the epoch, `sha256` that of the file in 64 hex digits, `heads` where the chains in it
    end, by tenant.
    """

    created_at: float
    bytes: int
    sha256: str
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backup is: `done` of `total` pieces of equal size. `total` may grow while it runs."""

    done: int
    total: int


class StoreStatistics(msgspec.Struct, frozen=True, gc=False):
    """Counts since opening: appends committed, conflicted and over a limit, commit groups, entries, largest group.

    `syncs` is how often the writer has waited for the disk: once for each group, and what moving the log into the
    database takes beside that. It is 0 for a store that has no disk.
    """

    committed: int = 0
    conflicted: int = 0
    exceeded: int = 0
    groups: int = 0
    entries: int = 0
    group_max: int = 0
    syncs: int = 0


class Journal(Protocol):
    """Append conditionally, and read the log. Every method is bounded in time by the adapter's operation table.

    A call that meets damage which it cannot read round raises `StoreError` with LEDGER_CORRUPT; one that meets a disk
    that fails, LEDGER_UNAVAILABLE.
    """

    async def append(self, append: Append) -> Appended:
        """Commit `append` durably, or report a conflict, a counter at its limit, or that the acknowledgement was lost.

        Raises `StoreError` when it is known that nothing was written: LEDGER_UNAVAILABLE (disk full, read-only,
        closed), or QUEUE_FULL when too many appends are already waiting. Raises `Invalid` for an append that no store
        can hold, or that would bring a counter out of its range.
        """

    async def appended(self, tenant: str, stream: str, append_id: str) -> Committed | None:
        """Return the committed append with this id, which wrote an event to `stream`, or None."""

    async def entries(self, tenant: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries with a sequence above `after_seq`, in order."""

    async def stream(self, tenant: str, stream: str, *, after_position: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries of one stream above `after_position` in the log, in order."""

    async def head(self, tenant: str) -> Head:
        """Return the end of the tenant's chain."""

    async def tenants(self, *, limit: int | None = None) -> Sequence[str]:
        """Return the tenants with a chain, sorted: all, or the first `limit`. For the platform only."""


class Rows(Protocol):
    """Read the projection that appends write: a row by its name, and lists of those that have a facet."""

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None."""

    async def page(
        self, space: str, tenant: str, *, facet: str | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Row]:
        """Return a tenant's rows with a facet by descending key, below `before` if given, of one facet if given."""

    async def scan(
        self, space: str, facets: Sequence[str], *, after: tuple[str, str] | None = None, limit: int = 1000
    ) -> Sequence[Row]:
        """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`. For recovery.

        An empty facet is none: no row is found by it.
        """

    async def count(self, space: str, facets: Sequence[str]) -> int:
        """Return how many rows of all tenants are in one of `facets`; by an empty one none is found."""

    async def counters(
        self, space: str, tenant: str, *, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> Sequence[Counter]:
        """Return a tenant's counters by ascending key, those whose key begins with `prefix`, above `after` if given."""


class Backup(Protocol):
    """Copy the store while it runs."""

    async def backup(
        self, path: Path, *, created_at: float, progress: Callable[[Progress], None] | None = None
    ) -> Manifest:
        """Write a consistent copy of everything to `path`, on the disk, and its manifest beside it.

        The copy holds what was committed when it began; appends go on meanwhile. `created_at` is seconds since the
        epoch. `progress` is called on the event loop after each step. A caller that is cancelled ends the copy.

        Raises `Invalid` when something is at `path` already, when a backup is under way, or when this store cannot be
        copied at all; `StoreError` when it fails. Nothing is left at `path` then.
        """


class Store(Journal, Rows, Backup, Protocol):
    """A journal and its rows in one place, opened by an adapter and closed by its owner."""

    def statistics(self) -> StoreStatistics:
        """Return counts since opening."""

    async def check(self) -> None:
        """Raise `StoreError` unless the store can record right now. Writes nothing."""

    async def close(self) -> None:
        """Flush what was accepted and release the store. Appends that come later raise `StoreError`."""
