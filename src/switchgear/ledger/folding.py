"""State from events, and the hash of a state: folding again must give the same hash (law 11).

The meaning of an event is the caller's `apply`; nothing here knows one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from functools import reduce
from hashlib import sha256
from typing import TypeVar

from switchgear.ledger.events import Recorded, read
from switchgear.storage.abilities import Entry, Head, Journal

State = TypeVar("State")
Happened = TypeVar("Happened")

PAGE_ENTRIES = 100
"""Entries read at once from a journal."""

_TAG = b"switchgear/ledger/state/1\n"


def fold(events: Iterable[Happened], apply: Callable[[State, Happened], State], initial: State) -> State:
    """Return the state after `events`, from `initial`, one `apply` at a time."""
    return reduce(apply, events, initial)


async def fold_chain(journal: Journal, tenant: str, apply: Callable[[State, Recorded], State], initial: State) -> State:
    """Return the state after every entry of the tenant, read page by page.

    Raises `StoreError` (LEDGER_CORRUPT) at an entry that cannot be decoded.
    """
    state = initial
    async for entry in chain_entries(journal, await journal.head(tenant)):
        state = apply(state, read(entry))
    return state


async def chain_entries(journal: Journal, head: Head) -> AsyncIterator[Entry]:
    """Yield the entries of the chain that ends in `head`, in pages of 100; later entries are left out."""
    seq = 0
    while seq < head.seq:
        page = await journal.entries(head.tenant, after_seq=seq, limit=PAGE_ENTRIES)
        for entry in page:
            if entry.seq <= head.seq:
                yield entry
        if not page:
            return
        seq = page[-1].seq


def state_hash(rows: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256, in 64 hex digits, of a state given as rows of key and value, in any order.

    Equal for equal states only: rows are sorted by key, and each part carries its length. Raises `ValueError` when a
    key comes twice.
    """
    hasher = sha256(_TAG)
    last = None
    for key, value in sorted((key.encode(), value) for key, value in rows):
        if key == last:
            raise ValueError(f"key {key.decode()!r} comes twice in one state")
        hasher.update(b"%b%b%b%b" % (_length(key), key, _length(value), value))
        last = key
    return hasher.hexdigest()


def _length(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big")
