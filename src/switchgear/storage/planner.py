"""Decides a group of appends purely: a verdict for each, the entries, rows and counters to write, the new heads.

Appends are decided in order, and each sees the effect of the accepted ones before it. One that is refused leaves no
trace, so it never disturbs its neighbours. Adapters only fetch what `needed` and `counted` name, and write what `plan`
returns. One that presumes rows to be new also looks up what `unproven` names, before it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

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


class Plan(msgspec.Struct):
    """What a group of appends comes to. `verdicts` has one verdict per append, in their order.

    `born` are the rows that did not exist before the group, `rows` the others that it changes.
    """

    heads: dict[str, Link]
    verdicts: list[Verdict] = []
    refused: list[Append] = []
    """The appends whose verdict is not `Committed`."""
    entries: list[PlannedEntry] = []
    born: dict[RowKey, PlannedRow] = {}
    rows: dict[RowKey, PlannedRow] = {}
    counters: dict[RowKey, int] = {}
    erased: list[tuple[str, str, int]] = []
    """Tenant, stream and sequence: the payloads that go, after the entries are written."""
    cuts: dict[str, int] = {}
    """Tenant and sequence: the entries that go, up to it."""

    @property
    def writes_nothing(self) -> bool:
        """Whether no append of the group changes anything."""
        return not (self.entries or self.born or self.rows or self.counters or self.erased or self.cuts)


def needed(appends: Iterable[Append], *, presuming: bool = False) -> set[RowKey]:
    """Return the rows whose versions decide these appends; when `presuming`, without those that are only to be made.

    Such a row may be presumed to be new while the group is planned. The index of rows proves it by letting it in;
    `unproven` says which others have to be looked up.
    """
    rows = {
        (write.space, append.tenant, write.key)
        for append in appends
        for write in append.writes
        if write.expected or not presuming
    }
    expects = {expect for append in appends for expect in append.expects}  # of many appends they are the same few
    return rows.union((expect.space, expect.tenant, expect.key) for expect in expects)


def unproven(planned: Plan, versions: Mapping[RowKey, int]) -> set[RowKey]:
    """Return the rows that were presumed to be new and are not in `versions` after the plan: of refused appends."""
    keys = {(write.space, append.tenant, write.key) for append in planned.refused for write in append.writes}
    return keys.difference(versions)


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
    is presumed not to (see `needed`), and a counter that is not in `counters` is 0.
    """
    planned = Plan(heads)
    for append in appends:
        refusal: Refusal | None = _conflict(append, versions)
        if refusal is None and append.counts:
            refusal = _refused_count(append, counters)
        if refusal is None and append.cut:
            refusal = _refused_cut(append, heads)
        if refusal is not None:
            planned.verdicts.append(refusal)
            planned.refused.append(append)
            continue
        planned.verdicts.append(Committed(_take(append, versions, planned, seal)))
        if append.counts:
            _take_counts(append, counters, planned.counters)
        if append.erases or append.cut:
            _take_removals(append, planned)
    return planned


def _conflict(append: Append, versions: dict[RowKey, int]) -> Conflicted | None:
    tenant, version = append.tenant, versions.get
    for expect in append.expects:
        if version((expect.space, expect.tenant, expect.key), 0) != expect.version:
            return _conflicted((expect.space, expect.tenant, expect.key), expect.version, versions)
    for write in append.writes:
        if version((write.space, tenant, write.key), 0) != write.expected:
            return _conflicted((write.space, tenant, write.key), write.expected, versions)
    return None


def _conflicted(row: RowKey, expected: int, versions: dict[RowKey, int]) -> Conflicted:
    return Conflicted(*row, expected, versions.get(row, 0))


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


def _take(append: Append, versions: dict[RowKey, int], planned: Plan, seal: Seal) -> int:
    """Plan the rows and events of an append that is taken; return the tenant's sequence after it."""
    tenant, append_id, born = append.tenant, append.id, planned.born
    for write in append.writes:
        row, version = (write.space, tenant, write.key), write.expected + 1
        versions[row] = version
        rows = born if version == 1 or row in born else planned.rows
        rows[row] = (version, write.facet, write.value)
    seq, prev = planned.heads.get(tenant, NO_LINK)
    if not append.events:
        return seq
    entries = planned.entries
    for event in append.events:
        seq, body = seq + 1, event.body
        hash_ = seal(prev, seq, body)
        entries.append((tenant, seq, prev, hash_, append_id, event.stream, body, event.payload))
        prev = hash_
    planned.heads[tenant] = (seq, prev)
    return seq
