"""Decides a group of appends purely: a verdict for each, the entries and rows to write, the new heads.

Appends are decided in order, and each sees the effect of the accepted ones before it. One that conflicts leaves no
trace, so it never disturbs its neighbours. Adapters only fetch what `needed` names, and write what `plan` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from switchgear.storage.abilities import GENESIS, Append, Committed, Conflicted, Seal

RowKey = tuple[str, str, str]
"""Space, tenant and key of a row."""

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
    """What a group of appends comes to. `verdicts` has one verdict per append, in their order."""

    verdicts: list[Committed | Conflicted]
    entries: list[PlannedEntry]
    rows: dict[RowKey, PlannedRow]
    heads: dict[str, Link]

    @property
    def writes_nothing(self) -> bool:
        """Whether no append of the group changes anything."""
        return not self.entries and not self.rows


def needed(appends: Iterable[Append]) -> set[RowKey]:
    """Return the rows whose versions decide these appends."""
    keys: set[RowKey] = set()
    for append in appends:
        for write in append.writes:
            keys.add((write.space, append.tenant, write.key))
        for expect in append.expects:
            keys.add((expect.space, expect.tenant, expect.key))
    return keys


def plan(appends: Sequence[Append], versions: dict[RowKey, int], heads: dict[str, Link], seal: Seal) -> Plan:
    """Decide `appends` in order, against the `versions` of existing rows and the `heads` of existing chains.

    Both are updated in place while the group is decided; a row that is not in `versions` does not exist.
    """
    planned = Plan([], [], {}, heads)
    for append in appends:
        conflict = _conflict(append, versions)
        if conflict is None:
            _take_rows(append, versions, planned.rows)
            planned.verdicts.append(Committed(_take_events(append, planned, seal)))
        else:
            planned.verdicts.append(conflict)
    return planned


def _conflict(append: Append, versions: dict[RowKey, int]) -> Conflicted | None:
    for space, tenant, key, expected in _conditions(append):
        found = versions.get((space, tenant, key), 0)
        if found != expected:
            return Conflicted(space, tenant, key, expected, found)
    return None


def _conditions(append: Append) -> Iterator[tuple[str, str, str, int]]:
    for expect in append.expects:
        yield expect.space, expect.tenant, expect.key, expect.version
    for write in append.writes:
        yield write.space, append.tenant, write.key, write.expected


def _take_rows(append: Append, versions: dict[RowKey, int], rows: dict[RowKey, PlannedRow]) -> None:
    for write in append.writes:
        row = (write.space, append.tenant, write.key)
        versions[row] = write.expected + 1
        rows[row] = (write.expected + 1, write.facet, write.value)


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
