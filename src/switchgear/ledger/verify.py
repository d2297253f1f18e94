"""Finds the first bad entry of a chain and says in words what is wrong with it; offline on an export, or in a store.

It needs the entries and the head only, and believes neither. Someone who rewrites a whole chain and its head makes a
chain that is right in itself: only a checkpoint kept elsewhere shows that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from switchgear.core.errors import StoreError
from switchgear.ledger.chain import seal
from switchgear.ledger.events import read
from switchgear.ledger.export import ExportReader
from switchgear.ledger.folding import chain_entries
from switchgear.storage.abilities import GENESIS, Entry, Head, Journal


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a chain found.

    `count` entries from the first on are good, and `head` is where they end. `first_bad_seq` is the sequence at which
    the chain stops being right, and `problem` says how; None and empty when all is well.
    """

    ok: bool
    count: int
    head: Head
    first_bad_seq: int | None = None
    problem: str = ""


class Verifier:
    """Checks the entries of one tenant as they come: feed each, then finish with the head that was promised."""

    def __init__(self, tenant: str) -> None:
        """Start before the first entry."""
        self._tenant = tenant
        self._seq = 0
        self._hash = GENESIS
        self._problem = ""

    def feed(self, entry: Entry) -> bool:
        """Check the next entry. Return whether all is well so far; what follows a bad entry is not looked at."""
        if not self._problem:
            self._problem = self._wrong_with(entry)
        if not self._problem:
            self._seq, self._hash = entry.seq, entry.hash
        return not self._problem

    def fail(self, problem: str) -> None:
        """Record that the next entry cannot even be read."""
        self._problem = self._problem or problem

    def finish(self, promised: Head | None) -> Verification:
        """Return the result; `promised` is the head that the chain should end in, None when it was lost."""
        self._problem = self._problem or self._wrong_end(promised)
        head = Head(self._tenant, self._seq, self._hash)
        if self._problem:
            return _bad(head, self._problem)
        return Verification(ok=True, count=self._seq, head=head)

    def _wrong_with(self, entry: Entry) -> str:
        return self._wrong_place(entry) or self._wrong_hash(entry) or _wrong_content(entry)

    def _wrong_place(self, entry: Entry) -> str:
        expected = self._seq + 1
        if entry.tenant != self._tenant:
            return f"entry {entry.seq} belongs to tenant {entry.tenant!r}"
        if entry.seq > expected:
            return f"entry {expected} is missing: entry {entry.seq} stands in its place"
        if entry.seq < expected:
            return f"entry {entry.seq} comes again where entry {expected} should stand"
        return ""

    def _wrong_hash(self, entry: Entry) -> str:
        if entry.prev != self._hash:
            return f"entry {entry.seq} does not follow from the entry before it: its previous hash is another"
        if seal(entry.prev, entry.seq, entry.body) != entry.hash:
            return f"entry {entry.seq} was edited: its body does not give its hash"
        return ""

    def _wrong_end(self, promised: Head | None) -> str:
        if promised is None:
            return f"the chain is cut off after entry {self._seq}: nothing says where it ends"
        if promised.tenant != self._tenant:
            return f"the chain of tenant {self._tenant!r} ends in the head of tenant {promised.tenant!r}"
        if promised.seq > self._seq:
            return f"the chain is cut off: entry {self._seq + 1} is missing, and it should end at {promised.seq}"
        if promised.seq < self._seq:
            return f"the chain goes on after its head: it should end at entry {promised.seq}"
        if promised.hash != self._hash:
            return f"the head does not have the hash of entry {self._seq}"
        return ""


def verify_export(lines: Iterable[str]) -> Verification:
    """Verify an export, line by line. A file that cannot be read is a finding too, and named by its line."""
    verifier = Verifier("")
    try:
        reader = ExportReader(lines)
        verifier = Verifier(reader.tenant)
        for entry in reader:
            if not verifier.feed(entry):
                break
        return _with_count(verifier.finish(reader.head), reader)
    except StoreError as error:
        verifier.fail(error.message)
        return verifier.finish(None)


async def verify_chain(journal: Journal, tenant: str) -> Verification:
    """Verify a tenant's chain in a store, page by page, up to the head that it has when this starts."""
    head = await journal.head(tenant)
    verifier = Verifier(tenant)
    async for entry in chain_entries(journal, head):
        if not verifier.feed(entry):
            break
    return verifier.finish(head)


def _bad(head: Head, problem: str) -> Verification:
    return Verification(ok=False, count=head.seq, head=head, first_bad_seq=head.seq + 1, problem=problem)


def _wrong_content(entry: Entry) -> str:
    try:
        read(entry)
    except StoreError as error:
        return error.message
    return ""


def _with_count(found: Verification, reader: ExportReader) -> Verification:
    if found.ok and reader.count != found.count:
        problem = f"the trailer counts {reader.count} entries where there are {found.count}"
        return _bad(found.head, problem)
    return found
