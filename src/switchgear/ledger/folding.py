"""What folding needs: the entries of a chain or stream page by page, and the hash of a state (law 11).

What an event means is known above; nothing here applies one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

from switchgear.storage.abilities import Entry, Head, Journal

PAGE_ENTRIES = 100
"""Entries read at once from a journal."""

_TAG = b"switchgear/ledger/state/1\n"


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


async def stream_entries(journal: Journal, tenant: str, stream: str) -> AsyncIterator[Entry]:
    """Yield the tenant's entries of one stream, in order, in pages of 100."""
    position = 0
    while page := await journal.stream(tenant, stream, after_position=position, limit=PAGE_ENTRIES):
        for entry in page:
            yield entry
        position = page[-1].position


class StateHash:
    """The hash of a state given row by row, in one order. Equal for equal rows in the same order only."""

    def __init__(self) -> None:
        """Start with no row."""
        self._hasher = sha256(_TAG)

    def add(self, key: str, value: bytes) -> None:
        """Add one row. Each part carries its length, so no two different states look alike."""
        name = key.encode()
        self._hasher.update(b"%b%b%b%b" % (_length(name), name, _length(value), value))

    def hexdigest(self) -> str:
        """Return the SHA-256 of the rows so far, in 64 hex digits."""
        return self._hasher.hexdigest()


def _length(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big")
