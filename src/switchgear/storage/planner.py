"""Decides a group of appends purely: a verdict for each, the entries, rows and counters to write, the new heads.

Appends are decided in order, and each sees the effect of the accepted ones before it. One that is refused leaves no
trace, so it never disturbs its neighbours. Adapters only fetch what `needed` and `counted` name, and write what `plan`
returns.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from switchgear.core.errors import Invalid
from switchgear.storage.abilities import GENESIS, Append, Committed, Conflicted, Count, Exceeded, Seal
from switchgear.storage.checks import COUNTER_MAX

RowKey = tuple[str, str, str]
"""Space, tenant and key of a row or a counter."""

Refusal = Conflicted | Exceeded | Invalid
"""Why an append is not taken; the error, which is raised to the caller, for a counter that would leave its range."""

Verdict = Committed | Refusal
"""What is decided of an append."""

Link = tuple[int, bytes]
"""Sequence and hash of the last entry of a chain."""

PlannedRow = tuple[int, str, bytes]
"""Version, facet and value that a row has after the group."""

PlannedEntry = tuple[str, int, bytes, bytes, str, str, bytes, bytes | None]
"""Tenant, seq, prev, hash, append id, stream, body and payload of an entry, in log order."""

NO_LINK: Link = (0, GENESIS)
"""The end of an empty chain."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a group of appends comes to. `verdicts` has one verdict per append, in their order.

    `born` are the rows that did not exist before the group, `rows` the others that it changes.
    """

    verdicts: list[Verdict]
    entries: list[PlannedEntry]
    born: dict[RowKey, PlannedRow]
    rows: dict[RowKey, PlannedRow]
    counters: dict[RowKey, int]
    heads: dict[str, Link]
    erased: list[tuple[str, str, int]] = field(default_factory=list)
    """Tenant, stream and sequence: the payloads that go, after the entries are written."""
    cuts: dict[str, int] = field(default_factory=dict)
    """Tenant and sequence: the entries that go, up to it."""

    @property
    def writes_nothing(self) -> bool:
        """Whether no append of the group changes anything."""
        return not (self.entries or self.born or self.rows or self.counters or self.erased or self.cuts)


def needed(appends: Iterable[Append]) -> set[RowKey]:
    """Return the rows whose versions decide these appends."""
    keys: set[RowKey] = set()
    for append in appends:
        for write in append.writes:
            keys.add((write.space, append.tenant, write.key))
        for expect in append.expects:
            keys.add((expect.space, expect.tenant, expect.key))
    return keys


def unknown(appends: Iterable[Append], versions: Container[RowKey]) -> set[RowKey]:
    """Return the rows that are needed and not in `versions`, but for those that are only to be made.

    Such a row may be presumed to be new while the group is planned. The index of rows proves it by letting it in;
    `unproven` says which others have to be looked up.
    """
    keys: set[RowKey] = set()
    for append in appends:
        for write in append.writes:
            if write.expected and (key := (write.space, append.tenant, write.key)) not in versions:
                keys.add(key)
        for expect in append.expects:
            if (key := (expect.space, expect.tenant, expect.key)) not in versions:
                keys.add(key)
    return keys


def unproven(appends: Iterable[Append], verdicts: Iterable[Verdict], versions: Container[RowKey]) -> set[RowKey]:
    """Return the rows that were presumed to be new and are not in `versions` after the plan: of refused appends."""
    refused = (append for append, verdict in zip(appends, verdicts, strict=True) if type(verdict) is not Committed)
    keys = ((write.space, append.tenant, write.key) for append in refused for write in append.writes)
    return {key for key in keys if key not in versions}


def counted(appends: Iterable[Append]) -> set[RowKey]:
    """Return the counters whose values decide these appends."""
    return {(count.space, append.tenant, count.key) for append in appends for count in append.counts}


def plan(
    appends: Sequence[Append],
    versions: dict[RowKey, int],
    counters: dict[RowKey, int],
    heads: dict[str, Link],
    seal: Seal,
) -> Plan:
    """Decide `appends` in order, against the `versions` of rows, the values of `counters` and the `heads` of chains.

    All three are updated in place while the group is decided. A row that is not in `versions` does not exist, or
    is presumed not to (see `unknown`), and a counter that is not in `counters` is 0.
    """
    planned = Plan([], [], {}, {}, {}, heads)
    for append in appends:
        refusal: Refusal | None = _conflict(append, versions)
        if refusal is None and append.counts:
            refusal = _refused_count(append, counters)
        if refusal is None and append.cut:
            refusal = _refused_cut(append, heads)
        if refusal is None:
            _take_rows(append, versions, planned)
            if append.counts:
                _take_counts(append, counters, planned.counters)
            planned.verdicts.append(Committed(_take_events(append, planned, seal)))
            if append.erases or append.cut:
                _take_removals(append, planned)
        else:
            planned.verdicts.append(refusal)
    return planned


def _conflict(append: Append, versions: dict[RowKey, int]) -> Conflicted | None:
    for expect in append.expects:
        found = versions.get((expect.space, expect.tenant, expect.key), 0)
        if found != expect.version:
            return Conflicted(expect.space, expect.tenant, expect.key, expect.version, found)
    tenant = append.tenant
    for write in append.writes:
        found = versions.get((write.space, tenant, write.key), 0)
        if found != write.expected:
            return Conflicted(write.space, tenant, write.key, write.expected, found)
    return None


def _refused_count(append: Append, counters: dict[RowKey, int]) -> Exceeded | Invalid | None:
    for count in append.counts:
        found = counters.get((count.space, append.tenant, count.key), 0)
        if _exceeds(count, found):
            assert count.limit is not None, "nothing exceeds no limit"
            return Exceeded(count.space, append.tenant, count.key, count.amount, count.limit, found)
        if abs(found + count.amount) > COUNTER_MAX:
            return Invalid(f"the counter {count.key!r} cannot hold {found} + {count.amount}; it has 63 bits")
    return None


def _refused_cut(append: Append, heads: dict[str, Link]) -> Invalid | None:
    seq, _ = heads.get(append.tenant, NO_LINK)
    if append.cut >= seq + len(append.events):
        return Invalid(f"the newest entry of a chain stays: it has {seq}, and {append.cut} are to go")
    return None


def _exceeds(count: Count, found: int) -> bool:
    return count.limit is not None and count.amount > 0 and found + count.amount > count.limit


def _take_counts(append: Append, counters: dict[RowKey, int], taken: dict[RowKey, int]) -> None:
    for count in append.counts:
        key = (count.space, append.tenant, count.key)
        taken[key] = counters[key] = counters.get(key, 0) + count.amount


def _take_removals(append: Append, planned: Plan) -> None:
    planned.erased.extend((append.tenant, erase.stream, erase.through) for erase in append.erases)
    if append.cut:
        planned.cuts[append.tenant] = max(append.cut, planned.cuts.get(append.tenant, 0))


def _take_rows(append: Append, versions: dict[RowKey, int], planned: Plan) -> None:
    for write in append.writes:
        row = (write.space, append.tenant, write.key)
        version = versions[row] = write.expected + 1
        rows = planned.born if version == 1 or row in planned.born else planned.rows
        rows[row] = (version, write.facet, write.value)


def _take_events(append: Append, planned: Plan, seal: Seal) -> int:
    tenant = append.tenant
    seq, prev = planned.heads.get(tenant, NO_LINK)
    for event in append.events:
        seq += 1
        hash_ = seal(prev, seq, event.body)
        planned.entries.append((tenant, seq, prev, hash_, append.id, event.stream, event.body, event.payload))
        prev = hash_
    if append.events:
        planned.heads[tenant] = (seq, prev)
    return seq
