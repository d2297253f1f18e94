"""Reads round a damaged place: names from an index, then one record at a time.

Only a read that met damage comes here. What can be read is returned as ever; what is there and cannot be read is
named by a record of version 0, or without body and hash, so that it never stands in the way of the others and is
never passed over in silence. A damaged index cannot be read round.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from switchgear.storage.abilities import Entry, Row
from switchgear.storage.planner import RowKey
from switchgear.storage.sqlite import decoding
from switchgear.storage.sqlite.names import Named
from switchgear.storage.sqlite.places import Place
from switchgear.storage.sqlite.statements import aggregated, as_json
from switchgear.storage.sqlite.translate import is_damage


def rows(connection: sqlite3.Connection, space: str, names: Iterable[Named]) -> list[Row]:
    """Return the rows of these names, in their order."""
    return [_row(connection, (space, tenant, key), facet) for tenant, key, facet in names]


def entries(connection: sqlite3.Connection, tenant: str, places: Iterable[Place]) -> list[Entry]:
    """Return the tenant's entries of these places, in their order."""
    return [_entry(connection, tenant, position, seq) for seq, position in places]


def stream(connection: sqlite3.Connection, tenant: str, name: str, after_position: int, limit: int) -> list[Entry]:
    """Return the tenant's entries of the stream `name` above `after_position`, in order.

    The index of streams knows no sequence, so an entry that cannot be read has the sequence 0 here.
    """
    places = aggregated(connection, "index_stream", (tenant, name, after_position, limit))
    return [_entry(connection, tenant, position, 0, name) for position in sorted(places)]


def _row(connection: sqlite3.Connection, place: RowKey, facet: str) -> Row:
    try:
        ((_, *columns),) = aggregated(connection, "get", (as_json([place]),)) or [(0, None, None, None)]
        return decoding.row(place, columns, "get")
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return decoding.unreadable_row(place, facet)


def _entry(connection: sqlite3.Connection, tenant: str, position: object, seq: object, name: str = "") -> Entry:
    """Return the entry at a position. One of another tenant, sequence or stream is not the one that was looked for."""
    place, sequence = decoding.integer(position, "index"), decoding.integer(seq, "index")
    try:
        for columns in aggregated(connection, "entries", {"tenant": tenant, "positions": as_json([place])}):
            entry = decoding.entry(tenant, columns, "entries")
            if sequence in (0, entry.seq) and name in ("", entry.stream):
                return entry
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    return decoding.unreadable_entry(tenant, place, sequence, name)
