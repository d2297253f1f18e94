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
    """Return where the entries are of which the sequence is above one by at most `width`.

    What is filed and still counts as recent is in both lists; where they differ, what is filed is damaged.
    """
    found = _places(connection, "filed_places", tenant, above, width)
    if len(found) < width:
        found |= _places(connection, "recent_places", tenant, above, width)
    return sorted(found.items())


def _places(connection: sqlite3.Connection, name: str, tenant: str, above: int, width: int) -> dict[int, int]:
    """Return the position of each sequence."""
    found = aggregated(connection, name, {"tenant": tenant, "above": above, "through": above + width})
    return {decoding.integer(seq, name, above + 1): decoding.integer(position, name) for seq, position in found}
