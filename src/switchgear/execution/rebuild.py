"""Rebuilds the rows of a store from its ledger, into a fresh one, and compares them with what is stored (law 11).

Entries are copied as they are. Every event is applied by its fold; what that makes is compared row by row, by version,
facet and value. An entry that is damaged spoils its own stream: that row is kept as it is stored, and told. So is every
row that differs where the chain itself does not verify, or that has seen more than its events say: an older state could
be acted upon twice. Rows whose events are archived, and those that no event makes, are kept as well. Nothing stops the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.execution.folds import BROKEN, COUNTERS, FOLDS, BeginningMissing, Fold, fold_of
from switchgear.ledger.chain import seal
from switchgear.ledger.erasure import shown
from switchgear.ledger.events import read
from switchgear.ledger.folding import StateHash
from switchgear.ledger.verify import Verifier
from switchgear.storage.abilities import Counter, Entry, Head, Row

PROBLEMS_MAX = 1_000
"""Most problems that are kept in words; the rest is counted."""
_ENTRIES_AT_ONCE = 500
_FOLDED_SPACES = tuple(space for fold in FOLDS for space in fold.spaces)

Progress = Callable[[str, int], None]
"""Is told of a tenant, and how many of its entries are done."""


class Shelf(Protocol):
    """Rows and counters that can be read."""

    def row(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""

    def rows(self, space: str, tenant: str) -> Iterator[Row]:
        """Yield rows by descending key; a damaged one has version 0."""

    def counters(self, space: str, tenant: str) -> Iterator[Counter]:
        """Yield counters by ascending key."""


class Source(Shelf, Protocol):
    """A store as it is at one moment."""

    def tenants(self) -> Sequence[str]:
        """Return every tenant with a chain, sorted."""

    def head(self, tenant: str) -> Head:
        """Return the end of a chain."""

    def entries(self, tenant: str) -> Iterator[Entry]:
        """Yield the entries of a chain in order."""

    def places(self) -> list[tuple[str, str]]:
        """Return every space and tenant that has rows."""

    def places_of_counters(self) -> list[tuple[str, str]]:
        """Return every space and tenant that has counters."""


class Target(Shelf, Protocol):
    """A new store that is filled."""

    def copy_entries(self, tenant: str, entries: Iterable[Entry]) -> None:
        """Copy entries as they are."""

    def put_row(self, row: Row) -> None:
        """Set a row."""

    def remove_row(self, space: str, tenant: str, key: str) -> None:
        """Remove a row."""

    def put_counter(self, counter: Counter) -> None:
        """Set a counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, with which code, in words. `seq` is the entry, None when it is about a row."""

    tenant: str
    what: str
    code: str
    message: str
    seq: int | None = None


@dataclass(slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild found. The two hashes are those of the folded rows, and equal when nothing differs.

    `rows` were compared, and `matching` of them are what their events say. `archived` are kept as they are stored,
    since their events left with a segment; `kept` counts rows and counters by space that no event makes. `different`
    counts the problems, of which the first 1,000 are in `problems`.
    """

    tenants: int = 0
    entries: int = 0
    rows: int = 0
    matching: int = 0
    archived: int = 0
    different: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rebuilt_hash: str = ""
    stored_hash: str = ""

    @property
    def ok(self) -> bool:
        """Whether all that is stored is what the ledger says."""
        return not self.different and self.rebuilt_hash == self.stored_hash

    def find(self, problem: Problem) -> None:
        """Enter a problem."""
        self.different += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def keep(self, space: str) -> None:
        """Count what is kept as it is stored."""
        self.kept[space] = self.kept.get(space, 0) + 1


def rebuild(source: Source, target: Target, progress: Progress | None = None) -> Rebuilt:
    """Fill `target` from the ledger of `source`, and say what was found. Raises `StoreError` when one of them fails."""
    report = Rebuilt()
    hashes = StateHash(), StateHash()
    rows, counters = _spaces_by_tenant(source.places()), _spaces_by_tenant(source.places_of_counters())
    for tenant in sorted({*source.tenants(), *rows, *counters}):
        report.tenants += 1
        places = _Places(rows.get(tenant, ()), counters.get(tenant, ()))
        _Tenant(tenant, places, source, target, report, progress).run(hashes)
    report.rebuilt_hash, report.stored_hash = hashes[0].hexdigest(), hashes[1].hexdigest()
    return report


def _spaces_by_tenant(places: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for space, tenant in places:
        found.setdefault(tenant, []).append(space)
    return found


class _Places(NamedTuple):
    """The spaces in which one tenant has rows, and those in which it has counters."""

    rows: Sequence[str]
    counters: Sequence[str]


class _Rows:
    """The rows of one tenant while its events are applied: in the target, so that memory stays bounded."""

    def __init__(self, tenant: str, target: Target) -> None:
        self._tenant = tenant
        self._target = target
        self._append_id: str | None = None
        self._written: set[tuple[str, str]] = set()
        self.counters: dict[tuple[str, str], int] = {}

    def begin(self, append_id: str) -> None:
        """Go on to an event of this append."""
        if append_id != self._append_id:
            self._append_id = append_id
            self._written.clear()

    def get(self, space: str, key: str) -> Row | None:
        """Return a row as it is by now, or None."""
        return self._target.row(space, self._tenant, key)

    def version(self, space: str, key: str) -> int:
        """Return the version that a row has after this append: one write an append, whatever is applied in it."""
        row = self.get(space, key)
        before = 0 if row is None else row.version
        return before if (space, key) in self._written else before + 1

    def put(self, space: str, key: str, value: bytes, facet: str = "") -> None:
        """Write a row in this append."""
        version = self.version(space, key)
        self._written.add((space, key))
        self._target.put_row(Row(space, self._tenant, key, version, facet, value))

    def count(self, space: str, key: str, amount: int) -> None:
        """Add to a counter."""
        self.counters[space, key] = self.counters.get((space, key), 0) + amount


class _Tenant:
    """The rebuild of one tenant."""

    def __init__(
        self,
        tenant: str,
        places: _Places,
        source: Source,
        target: Target,
        report: Rebuilt,
        progress: Progress | None,
    ) -> None:
        self._tenant = tenant
        self._places = places
        self._source = source
        self._target = target
        self._report = report
        self._progress = progress
        self._rows = _Rows(tenant, target)
        self._spoilt: set[str] = set()
        self._headless: dict[str, int] = {}
        self._archived = False
        self._damaged = False

    def run(self, hashes: tuple[StateHash, StateHash]) -> None:
        """Apply the chain, compare, and add the rows to the hashes: of what was rebuilt, of what is stored."""
        self._apply_chain()
        self._compare_rows()
        self._compare_counters()
        for shelf, state in zip((self._target, self._source), hashes, strict=True):
            self._hash(shelf, state)

    # --- the chain ---

    def _apply_chain(self) -> None:
        verifier = Verifier(self._tenant)
        done = 0
        for entries in _batches(self._source.entries(self._tenant)):
            self._target.copy_entries(self._tenant, entries)
            for entry in entries:
                self._apply(entry, intact=verifier.feed(entry) or _intact(entry))
            done += len(entries)
            if self._progress is not None:
                self._progress(self._tenant, done)
        self._report.entries += done
        verifier.end(self._head())
        found = verifier.finish()
        for finding in found.findings:
            self._find(f"entry {finding.seq}", finding.problem, seq=finding.seq)
        self._archived = found.begins_after > 0
        self._damaged = not found.ok
        self._tell_of_headless()

    def _head(self) -> Head | None:
        try:
            return self._source.head(self._tenant)
        except StoreError:
            return None  # the verifier says that nothing tells where the chain ends

    def _apply(self, entry: Entry, *, intact: bool) -> None:
        fold = fold_of(entry.stream)
        if fold is None or entry.stream in self._spoilt:
            return
        if not intact:
            self._spoil(fold, entry.stream)
            return
        self._rows.begin(entry.append_id)
        try:
            fold.apply(shown(read(entry)), self._rows)
        except BeginningMissing:
            self._headless.setdefault(entry.stream, entry.seq)
        except BROKEN as error:
            self._find(f"stream {entry.stream}", f"cannot be folded: {error}", seq=entry.seq)
            self._spoil(fold, entry.stream)

    def _spoil(self, fold: Fold, stream: str) -> None:
        """Give a stream up: what it made so far is no state that there ever was."""
        self._spoilt.add(stream)
        space, key = fold.row(stream)
        self._target.remove_row(space, self._tenant, key)

    def _tell_of_headless(self) -> None:
        if not self._archived:
            for stream, seq in self._headless.items():
                self._find(f"stream {stream}", "its beginning is missing", seq=seq)

    # --- rows ---

    def _compare_rows(self) -> None:
        for space in self._places.rows:
            for row in self._source.rows(space, self._tenant):
                if space in _FOLDED_SPACES:
                    self._report.rows += 1
                    self._compare(row)
                else:
                    self._keep(row)
        for space in _FOLDED_SPACES:
            self._find_unstored(space)

    def _compare(self, row: Row) -> None:
        rebuilt = self._target.row(row.space, row.tenant, row.key)
        if not row.version:
            self._find(_name(row), f"its row cannot be read; it is {'rebuilt' if rebuilt else 'lost'}")
        elif rebuilt == row:
            self._report.matching += 1
        elif self._archived and (rebuilt is None or rebuilt.version < row.version):
            self._report.archived += 1
            self._target.put_row(row)
        elif rebuilt is None or rebuilt.version < row.version or self._damaged:
            wrong = "its events do not make it" if rebuilt is None else "it is not what the events that are left say"
            self._find(_name(row), f"{wrong}; it is kept as it was stored")
            self._target.put_row(row)
        else:
            self._find(_name(row), "it is not what its events say; it is rebuilt")

    def _keep(self, row: Row) -> None:
        if not row.version:
            self._find(_name(row), "its row cannot be read, and no event makes it; it is lost")
            return
        self._report.keep(row.space)
        self._target.put_row(row)

    def _find_unstored(self, space: str) -> None:
        for row in self._target.rows(space, self._tenant):
            try:
                stored = self._source.row(space, self._tenant, row.key)
            except StoreError:
                continue  # a damaged one is told already
            if stored is None:
                self._find(_name(row), "its row is missing; it is rebuilt")

    def _hash(self, shelf: Shelf, state: StateHash) -> None:
        for space in _FOLDED_SPACES:
            for row in shelf.rows(space, self._tenant):
                state.add(f"{space}/{row.tenant}/{row.key}", f"{row.version}/{row.facet}/".encode() + row.value)

    # --- counters ---

    def _compare_counters(self) -> None:
        """Compare what can be counted again; where events are missing, counters stay as they are stored."""
        countable = not (self._archived or self._damaged or self._spoilt or self._headless)
        stored: dict[tuple[str, str], int] = {}
        for space in self._places.counters:
            for counter in self._source.counters(space, self._tenant):
                if space in COUNTERS and countable:
                    stored[space, counter.key] = counter.value
                else:
                    self._report.keep(space)
                    self._target.put_counter(counter)
        if countable:
            self._settle_counters(stored)

    def _settle_counters(self, stored: dict[tuple[str, str], int]) -> None:
        for space, key in sorted(stored.keys() | self._rows.counters.keys()):
            made = self._rows.counters.get((space, key), 0)
            found = stored.get((space, key), 0)
            self._target.put_counter(Counter(space, self._tenant, key, made))
            if made != found:
                self._find(f"counter {space} {key}", f"it is {found}, and its events make {made}; it is rebuilt")

    def _find(self, what: str, message: str, *, seq: int | None = None) -> None:
        code = str(Code.LEDGER_CORRUPT)
        self._report.find(Problem(tenant=self._tenant, what=what, code=code, message=message, seq=seq))


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _ENTRIES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _intact(entry: Entry) -> bool:
    """Return whether an entry is itself what it was, though something may be missing round it."""
    return bool(entry.body) and seal(entry.prev, entry.seq, entry.body) == entry.hash


def _name(row: Row) -> str:
    return f"{row.space} {row.key}"
