"""Where entries of a chain stand in the log, from lists alone: no entry is read, so no damaged one is met.

What is asked for in one call is right as of one commit only within a transaction.
"""

from __future__ import annotations

import sqlite3

from switchgear.storage.sqlite import decoding
from switchgear.storage.sqlite.statements import aggregated, first_row

Place = tuple[int, int]
"""Sequence and position of an entry."""


def chain_places(connection: sqlite3.Connection, tenant: str, above: int, width: int) -> list[Place]:
    """Return where the next entries of a chain above a sequence are, in order: from one to `width`; none at its end.

    Fewer than `width` say nothing of what follows: an entry that was lost, or cut off, leaves a gap.
    """
    return _places_up_to(connection, tenant, above, width) or _places_after_gap(connection, tenant, above, width)


def _places_after_gap(connection: sqlite3.Connection, tenant: str, above: int, width: int) -> list[Place]:
    (first,) = first_row(connection, "next_seq", {"tenant": tenant, "above": above})
    if first is None:
        return []
    return _places_up_to(connection, tenant, decoding.integer(first, "next_seq", 1) - 1, width)


def _places_up_to(connection: sqlite3.Connection, tenant: str, above: int, width: int) -> list[Place]:
    """Return where the entries are of which the sequence is above one by at most `width`."""
    wanted = {"tenant": tenant, "above": above, "through": above + width}
    found = _places(connection, "filed_places", wanted)
    if len(found) < width:
        found |= _places(connection, "recent_places", wanted)
    return sorted(found)


def _places(connection: sqlite3.Connection, name: str, wanted: dict[str, object]) -> set[Place]:
    return {
        (decoding.integer(seq, name, 1), decoding.integer(position, name))
        for seq, position in aggregated(connection, name, wanted)
    }
