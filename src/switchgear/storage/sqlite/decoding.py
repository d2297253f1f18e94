"""Makes records out of what statements answer, and refuses what nobody could have written.

A damaged file may answer anything: other types, half a hash, text that is none. Here it becomes SQLITE_CORRUPT, so
that nothing above meets it as a defect of its own. Errors never show what users stored.
"""

from __future__ import annotations

import sqlite3

from switchgear.storage.abilities import GENESIS, Entry, Row
from switchgear.storage.planner import Link, RowKey


def damaged(name: str) -> sqlite3.DatabaseError:
    """Return the error for an answer to the statement `name` that cannot be read."""
    error = sqlite3.DatabaseError(f"the answer to {name!r} cannot be read")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def integer(value: object, name: str, least: int = 0) -> int:
    """Return `value`, which the statement `name` found. Raises as for damage unless it is an integer from `least`."""
    if type(value) is not int or value < least:
        raise damaged(name)
    return value


def text(value: object, name: str) -> str:
    """Return `value`. Raises as for damage unless it is text."""
    if type(value) is not str:
        raise damaged(name)
    return value


def blob(value: object, name: str) -> bytes:
    """Return the bytes of a hexadecimal `value`. Raises as for damage when it is none."""
    try:
        return bytes.fromhex(text(value, name))
    except ValueError as error:
        raise damaged(name) from error


def chain_end(columns: list[object], name: str) -> Link | None:
    """Return the end of a chain from its position, sequence and hash, or None for an empty chain.

    Raises as for damage when it can be none: also when there is no entry at the position, as a chain begins only once.
    """
    position, seq, hash_ = columns
    if position is None:
        return None
    found = blob(hash_, name)
    if len(found) != len(GENESIS):
        raise damaged(name)
    return integer(seq, name, 1), found


def row(place: RowKey, columns: list[object], name: str) -> Row:
    """Return the row at `place` from version, facet and value. Raises as for damage when one of them cannot be."""
    version, facet, value = columns
    return Row(*place, integer(version, name, 1), text(facet, name), blob(value, name))


def entry(tenant: str, columns: list[object], name: str) -> Entry:
    """Return the entry of `tenant` from the columns of an entry. Raises as for damage when one of them cannot be."""
    position, seq, prev, hash_, append_id, stream, body, payload, no_payload = columns
    return Entry(
        integer(position, name),
        tenant,
        integer(seq, name, 1),
        blob(prev, name),
        blob(hash_, name),
        text(append_id, name),
        text(stream, name),
        blob(body, name),
        None if no_payload else blob(payload, name),
    )


def unreadable_row(place: RowKey, facet: str) -> Row:
    """Return what stands in a list for a row that is there and cannot be read."""
    return Row(*place, version=0, facet=facet, value=b"")


def unreadable_entry(tenant: str, position: int, seq: int, stream: str = "") -> Entry:
    """Return what stands in a list for an entry that is there and cannot be read."""
    return Entry(position, tenant, seq, prev=b"", hash=b"", append_id="", stream=stream, body=b"", payload=None)
