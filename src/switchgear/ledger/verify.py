"""Finds the bad entries of a chain and says in words what is wrong with them; offline on exports, or in a store.

It needs the entries, their head and a public key, and believes none of the first two. What is wrong with one entry
never hides the others: checking goes on behind it. Someone who rewrites a whole chain and its head makes a chain that
is right in itself: only a checkpoint shows that, and only one kept elsewhere shows that the end was cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from switchgear.core.errors import Invalid, StoreError
from switchgear.ledger.archiving import archived_through
from switchgear.ledger.chain import HASH_BYTES, seal
from switchgear.ledger.checkpoints import Witnessed, signed_here, witness
from switchgear.ledger.events import Recorded, decoded
from switchgear.ledger.export import ExportReader
from switchgear.ledger.folding import chain_entries
from switchgear.ledger.keys import VerifyingKey
from switchgear.storage.abilities import GENESIS, Entry, Head, Store

FINDINGS_MAX = 100
"""Most findings that are kept in words; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `seq` is the entry that it was found at; None when it is about a checkpoint only."""

    seq: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a chain found.

    `count` is the last sequence before the first bad one, and `head` is where the good entries end. `first_bad_seq` is
    the sequence at which the chain stops being right, and `problem` says how; None and empty when all is well. When a
    checkpoint contradicts its entry, the change may also stand before it. `bad` counts all that was found, of which
    `findings` has the first 100. `begins_after` is above 0 when earlier entries were archived and are not among these.
    `witnessed` is the newest checkpoint that the chain agrees with.
    """

    ok: bool
    count: int
    head: Head
    first_bad_seq: int | None = None
    problem: str = ""
    bad: int = 0
    findings: tuple[Finding, ...] = ()
    begins_after: int = 0
    witnessed: Witnessed | None = None


class Verifier:
    """Checks the entries of one tenant as they come: feed each, then finish with the head that was promised."""

    def __init__(self, tenant: str, anchors: Sequence[Witnessed] = (), *, archived_through: int = 0) -> None:
        """Start before the first entry. `anchors` are checkpoints that the chain has to agree with.

        `archived_through` is up to which entry an archive is known without the chain's own word.
        """
        self._tenant = tenant
        self._anchors = anchors
        self._seq = 0
        self._hash: bytes | None = None
        self._unreadable = 0
        self._begins_after: int | None = None
        self._archived_through = archived_through
        self._good = Head(tenant, 0, GENESIS)
        self._witnessed: Witnessed | None = None
        self._findings: list[Finding] = []
        self._bad = 0

    @property
    def spotless(self) -> bool:
        """Whether nothing was found yet."""
        return not self._bad

    def feed(self, entry: Entry) -> bool:
        """Check the next entry. Return whether it is good; the next one is checked against what it says of itself."""
        if len(entry.hash) != HASH_BYTES or len(entry.prev) != HASH_BYTES:
            self.fail(f"entry {entry.seq} cannot be read")
            return False
        if self._begins_after is None:
            self._begin(entry)
        link_problem = self._wrong_place(entry) or self._wrong_hash(entry)
        content_problem = self._wrong_content(entry) if not link_problem else ""
        problem = link_problem or content_problem or self._wrong_anchors(entry.seq, entry.hash)
        if problem:
            self._find(self._expected(entry), problem)
        self._seq, self._hash, self._unreadable = entry.seq, entry.hash, 0
        if self.spotless:
            self._good = Head(self._tenant, entry.seq, entry.hash)
        return not problem

    def fail(self, problem: str) -> None:
        """Record that something that should be the next entry cannot even be read."""
        self._find(self._seq + 1, problem)
        self._unreadable += 1

    def doubt(self, problem: str) -> None:
        """Record what is wrong with a checkpoint, rather than with an entry."""
        self._find(None, problem)

    def end(self, promised: Head | None) -> None:
        """Check that the chain ends here, where `promised` says; None when that was lost."""
        if problem := self._wrong_end(promised):
            self._find(self._seq + 1, problem)

    def finish(self) -> Verification:
        """Return the result."""
        self._check_beginning()
        for anchor in self._anchors:
            if anchor.checkpoint.seq > self._seq:
                self._find(self._seq + 1, f"the chain is cut off: entry {anchor.checkpoint.seq} was signed once")
        first = next((found for found in self._findings if found.seq is not None), None)
        words = self._findings[0].problem if self._findings else ""
        return Verification(
            ok=self.spotless,
            count=self._good.seq,
            head=self._good,
            first_bad_seq=None if first is None else first.seq,
            problem=words if first is None else first.problem,
            bad=self._bad,
            findings=tuple(self._findings),
            begins_after=self._begins_after or 0,
            witnessed=self._witnessed,
        )

    def _find(self, seq: int | None, problem: str) -> None:
        self._bad += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(Finding(seq, problem))

    # --- where the chain begins ---

    def _begin(self, entry: Entry) -> None:
        """Take the first entry's word for where the chain begins; `_check_beginning` asks the chain itself."""
        self._begins_after = 0 if self._unreadable else max(0, entry.seq - 1)
        self._seq = self._begins_after
        self._hash = GENESIS if not self._begins_after else entry.prev
        for anchor in self._anchors:
            if 0 < self._begins_after == anchor.checkpoint.seq:
                self._compare(anchor, entry.prev)
            elif anchor.checkpoint.seq < self._begins_after:
                self.doubt(f"entry {anchor.checkpoint.seq}, which was signed, is archived: give its segment as well")

    def _check_beginning(self) -> None:
        begins_after = self._begins_after or 0
        if begins_after > self._archived_through:
            missing = f"entry 1 is missing: entry {begins_after + 1} stands in its place, and no archive is on record"
            self._findings.insert(0, Finding(1, missing))
            self._bad += 1
            self._good = Head(self._tenant, 0, GENESIS)

    # --- one entry ---

    def _expected(self, entry: Entry) -> int:
        """Return the sequence that a problem with `entry` is named by: where it stands, not what it says of itself."""
        return min(max(entry.seq, self._seq + 1), self._seq + 1 + self._unreadable)

    def _wrong_place(self, entry: Entry) -> str:
        expected = self._seq + 1
        if entry.tenant != self._tenant:
            return f"entry {entry.seq} belongs to tenant {entry.tenant!r}"
        if entry.seq > expected + self._unreadable:
            return f"entry {expected} is missing: entry {entry.seq} stands in its place"
        if entry.seq < expected:
            return f"entry {entry.seq} comes again where entry {expected} should stand"
        return ""

    def _wrong_hash(self, entry: Entry) -> str:
        if entry.seq == self._seq + 1 and entry.prev != self._hash:
            return f"entry {entry.seq} does not follow from the entry before it: its previous hash is another"
        if _sealed(entry) != entry.hash:
            return f"entry {entry.seq} was edited: its body does not give its hash"
        return ""

    def _wrong_content(self, entry: Entry) -> str:
        try:
            self._note_archive(decoded(entry))
        except StoreError as error:
            return error.message
        return ""

    def _note_archive(self, recorded: Recorded) -> None:
        self._archived_through = max(self._archived_through, archived_through(recorded))

    # --- checkpoints and the end ---

    def _wrong_anchors(self, seq: int, hash_: bytes) -> str:
        problems = [self._disagreement(anchor, hash_) for anchor in self._anchors if anchor.checkpoint.seq == seq]
        return next((problem for problem in problems if problem), "")

    def _compare(self, anchor: Witnessed, hash_: bytes) -> None:
        if problem := self._disagreement(anchor, hash_):
            self._find(anchor.checkpoint.seq, problem)

    def _disagreement(self, anchor: Witnessed, hash_: bytes) -> str:
        if anchor.checkpoint.hash != hash_:
            return f"entry {anchor.checkpoint.seq} is not the one that was signed: it, or one before it, was rewritten"
        if self._witnessed is None or self._witnessed.checkpoint.seq <= anchor.checkpoint.seq:
            self._witnessed = anchor
        return ""

    def _wrong_end(self, promised: Head | None) -> str:
        if promised is None:
            return f"the chain is cut off after entry {self._seq}: nothing says where it ends"
        if promised.tenant != self._tenant:
            return f"the chain of tenant {self._tenant!r} ends in the head of tenant {promised.tenant!r}"
        if promised.seq > self._seq + self._unreadable:
            return f"the chain is cut off: entry {self._seq + 1} is missing, and it should end at {promised.seq}"
        if promised.seq < self._seq:
            return f"the chain goes on after its head: it should end at entry {promised.seq}"
        if promised.seq == self._seq and promised.hash != (self._hash or GENESIS):
            return f"the head does not have the hash of entry {self._seq}"
        return ""


def verify_export(
    lines: Iterable[str], *, keys: Sequence[VerifyingKey] = (), checkpoints: Sequence[str] = ()
) -> Verification:
    """Verify one export, line by line. A line that cannot be read is a finding too, and named by its number."""
    return verify_exports((lines,), keys=keys, checkpoints=checkpoints)


def verify_exports(
    files: Iterable[Iterable[str]],
    *,
    keys: Sequence[VerifyingKey] = (),
    checkpoints: Sequence[str] = (),
    archived_through: int = 0,
) -> Verification:
    """Verify one chain that stands in several exports, oldest first: archived segments, then what the store has.

    With `keys`, at least one checkpoint has to be there, in an export or among `checkpoints` (notes that were kept
    elsewhere), and each of them has to be signed by one of the keys. Without, they are compared and not believed.
    `archived_through` is up to which entry the caller knows that the chain was archived: it may begin behind it.
    """
    try:
        readers = [ExportReader(lines) for lines in files]
    except StoreError as error:
        return _unread(error.message)
    tenant = readers[0].tenant
    notes = [*checkpoints, *(reader.checkpoint for reader in readers if reader.checkpoint is not None)]
    anchors, problems = _witnesses(notes, keys, tenant)
    verifier = Verifier(tenant, anchors, archived_through=archived_through)
    for reader in readers:
        _feed_all(verifier, reader)
    for problem in problems:
        verifier.doubt(problem)
    return verifier.finish()


async def verify_chain(store: Store, tenant: str, *, keys: Sequence[VerifyingKey] = ()) -> Verification:
    """Verify a tenant's chain in a store, page by page, up to the head that it has when this starts.

    The newest checkpoint that the store knows is compared, and with `keys` its signature is checked.
    """
    note = await signed_here(store, tenant)
    head = await store.head(tenant)
    anchors, problems = _witnesses([] if note is None else [note], () if note is None else keys, tenant)
    verifier = Verifier(tenant, anchors)
    async for entry in chain_entries(store, head):
        verifier.feed(entry)
    verifier.end(head)
    for problem in problems:
        verifier.doubt(problem)
    return verifier.finish()


def _witnesses(notes: Sequence[str], keys: Sequence[VerifyingKey], tenant: str) -> tuple[list[Witnessed], list[str]]:
    """Return the checkpoints that may be compared, and what is wrong with the others."""
    anchors, problems = [], []
    for note in notes:
        try:
            found = witness(note, keys)
        except Invalid as error:
            problems.append(error.message)
            continue
        if found.checkpoint.tenant == tenant:
            anchors.append(found)
        else:
            problems.append(f"the checkpoint is of tenant {found.checkpoint.tenant!r}, not of {tenant!r}")
    if keys and not notes:
        problems.append("nothing is signed: the export carries no checkpoint, and none was given")
    return anchors, problems


def _feed_all(verifier: Verifier, reader: ExportReader) -> None:
    fed = 0
    while True:
        try:
            verifier.feed(next(reader))
            fed += 1
        except StopIteration:
            break
        except StoreError as error:
            verifier.fail(error.message)
    verifier.end(reader.head)
    if verifier.spotless and reader.count != fed:
        verifier.fail(f"the trailer counts {reader.count} entries where there are {fed}")


def _sealed(entry: Entry) -> bytes | None:
    """Return the hash that the entry should have; None when its sequence is none."""
    try:
        return seal(entry.prev, entry.seq, entry.body)
    except OverflowError:
        return None


def _unread(problem: str) -> Verification:
    return Verification(
        ok=False,
        count=0,
        head=Head("", 0, GENESIS),
        first_bad_seq=1,
        problem=problem,
        bad=1,
        findings=(Finding(1, problem),),
    )
