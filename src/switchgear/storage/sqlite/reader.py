"""The reading side: rows and entries in one statement each, so that a busy event loop is not in the way.

Functions that take a connection run in a reader's thread. What they return is as new as the last commit.
"""

from __future__ import annotations

import heapq
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from switchgear.storage.abilities import Committed, Counter, Entry, Head, Row
from switchgear.storage.checks import COUNTER_MAX
from switchgear.storage.planner import NO_LINK, RowKey
from switchgear.storage.sqlite import decoding, salvage
from switchgear.storage.sqlite.names import Named, page_names, scan_names
from switchgear.storage.sqlite.places import Place, chain_places
from switchgear.storage.sqlite.statements import Parameters, aggregated, as_json, first_row, statements
from switchgear.storage.sqlite.translate import is_damage, translated

Found = TypeVar("Found")

CHUNK = 32
"""Rows or entries of one statement: as hex, so many of the largest stay below what SQLite puts into one value."""

NUMBERS_CHUNK = 1_000
"""Counters or ends of chains of one statement, which are small."""

_SURROGATE_FIRST, _SURROGATE_LAST = 0xD800, 0xDFFF

Query = Callable[[sqlite3.Connection], Any]
"""A read that is not one row."""


class Reader:
    """Owns one reading connection. Only its thread calls `rows`, `queries` and `close`."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        """Take over `connection`."""
        self._path = path
        self._connection = connection

    def rows(self, keys: list[RowKey]) -> Sequence[Row | Exception | None]:
        """Return the row of each key, or None, with one statement for all; damage is told to those who meet it."""
        try:
            return get_rows(self._connection, keys)
        except sqlite3.Error as error:
            if is_damage(error) and len(keys) > 1:
                return [found for key in keys for found in self.rows([key])]
            return [translated(error, self._path) for _ in keys]

    def queries(self, queries: list[Query]) -> Sequence[Any]:
        """Return the answer to each query; one that fails is answered with its `StoreError`."""
        return [self._answer(query) for query in queries]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answer(self, query: Query) -> object:
        try:
            return query(self._connection)
        except sqlite3.Error as error:
            return translated(error, self._path)


def get_rows(connection: sqlite3.Connection, keys: list[RowKey]) -> list[Row | None]:
    """Return the row of each key, or None."""
    found: list[Row | None] = [None] * len(keys)
    for index, *columns in aggregated(connection, "get", (as_json(keys),)):
        found[index] = decoding.row(keys[index], columns, "get")
    return found


def named_rows(connection: sqlite3.Connection, space: str, names: Sequence[Named]) -> list[Row]:
    """Return the rows of these names, in their order; one that cannot be read comes with version 0."""
    try:
        found = get_rows(connection, [(space, tenant, key) for tenant, key, _ in names])
    except sqlite3.Error as error:
        return _salvaged(error, partial(salvage.rows, connection, space, names))
    rows = [row for row in found if row is not None]
    return rows if len(rows) == len(names) else salvage.rows(connection, space, names)


def appended(connection: sqlite3.Connection, tenant: str, stream: str, append_id: str) -> Committed | None:
    """Return the committed append with this id, which wrote an event to `stream`, or None."""
    found = first_row(connection, "appended", {"tenant": tenant, "stream": stream, "append_id": append_id})
    return Committed(decoding.integer(found[0], "appended", 1)) if found else None


def entries(connection: sqlite3.Connection, tenant: str, after_seq: int, limit: int) -> list[Entry]:
    """Return the tenant's entries above `after_seq`, in order."""
    found: list[Entry] = []
    with _one_moment(connection):
        while len(found) < limit:
            above = found[-1].seq if found else after_seq
            places = chain_places(connection, tenant, above, min(CHUNK, limit - len(found)))
            if not places:
                break
            found += _placed_entries(connection, tenant, places)
    return found


def _placed_entries(connection: sqlite3.Connection, tenant: str, places: Sequence[Place]) -> list[Entry]:
    """Return the entries of these places, in their order; one that cannot be read comes without body and hash."""
    try:
        wanted = {"tenant": tenant, "positions": as_json([position for _, position in places])}
        found = _entries(connection, "entries", tenant, wanted)
    except sqlite3.Error as error:
        return _salvaged(error, partial(salvage.entries, connection, tenant, places))
    return (
        found
        if [(entry.seq, entry.position) for entry in found] == places
        else salvage.entries(connection, tenant, places)
    )


def stream(connection: sqlite3.Connection, tenant: str, name: str, after_position: int, limit: int) -> list[Entry]:
    """Return the tenant's entries of the stream `name` above `after_position`, in order."""

    def fetch(last: Entry | None, width: int) -> list[Entry]:
        above = last.position if last else after_position
        try:
            return _entries(connection, "stream", tenant, (tenant, name, above, width))
        except sqlite3.Error as error:
            return _salvaged(error, partial(salvage.stream, connection, tenant, name, above, width))

    return _chunked(limit, fetch)


def head(connection: sqlite3.Connection, tenant: str) -> Head:
    """Return the end of the tenant's chain."""
    for _, _, *end in aggregated(connection, "heads", (as_json([tenant]),)):
        return Head(tenant, *(decoding.chain_end(end, "heads") or NO_LINK))
    return Head(tenant, *NO_LINK)


def heads(connection: sqlite3.Connection) -> list[Head]:
    """Return the end of every chain, by tenant."""
    found: list[Head] = []
    after = 0
    while chunk := aggregated(connection, "chains", {"after": after, "limit": NUMBERS_CHUNK}):
        after = max(decoding.integer(identity, "chains") for identity, *_ in chunk)
        for _, name, *columns in chunk:
            if end := decoding.chain_end(columns, "chains"):
                found.append(Head(decoding.text(name, "chains"), *end))
    return sorted(found, key=lambda head: head.tenant)


def tenants(connection: sqlite3.Connection, limit: int | None = None) -> list[str]:
    """Return the tenants with a chain, sorted: all, or the first `limit`."""
    found = aggregated(connection, "tenants", (-1 if limit is None else limit,))
    return sorted(decoding.text(name, "tenants") for name in found)


def page(
    connection: sqlite3.Connection, space: str, tenant: str, facet: str | None, before: str | None, limit: int
) -> list[Row]:
    """Return a tenant's rows with a facet by descending key."""
    with _one_moment(connection):
        return _rows_of(connection, space, page_names(connection, space, tenant, facet, before, limit))


def scan(
    connection: sqlite3.Connection, space: str, facets: Sequence[str], after: tuple[str, str], limit: int
) -> list[Row]:
    """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`."""
    with _one_moment(connection):
        found = [scan_names(connection, space, facet, after, limit) for facet in set(facets) if facet]
        return _rows_of(connection, space, list(islice(heapq.merge(*found), limit)))


def _rows_of(connection: sqlite3.Connection, space: str, names: Sequence[Named]) -> list[Row]:
    """Return the rows of names that were found in the same transaction, a bounded number at a time."""
    return [
        row
        for start in range(0, len(names), CHUNK)
        for row in named_rows(connection, space, names[start : start + CHUNK])
    ]


def count(connection: sqlite3.Connection, space: str, facets: Sequence[str]) -> int:
    """Return how many rows of all tenants are in one of `facets`."""
    (found,) = first_row(connection, "count", (space, as_json(list(facets))))
    return decoding.integer(found, "count")


def counters(
    connection: sqlite3.Connection, space: str, tenant: str, prefix: str, after: str | None, limit: int
) -> list[Counter]:
    """Return a tenant's counters by ascending key, of one prefix, above `after` if given."""
    end = _above_all_of(prefix)

    def fetch(last: Counter | None, width: int) -> list[Counter]:
        above = last.key if last else after
        parameters = (space, tenant, max(prefix, above or ""), end, above, width)
        found = aggregated(connection, "counters", parameters)
        values = {decoding.text(key, "counters"): value for key, value in found}
        return [
            Counter(space, tenant, key, decoding.integer(value, "counters", -COUNTER_MAX))
            for key, value in sorted(values.items())
        ]

    return _chunked(limit, fetch, NUMBERS_CHUNK)


def _above_all_of(prefix: str) -> str | bytes:
    """Return the least text above all that begin with `prefix`; a blob, which is above every text, if there is none."""
    rest = prefix.rstrip(chr(sys.maxunicode))
    if not rest:
        return b""
    after = ord(rest[-1]) + 1
    return rest[:-1] + chr(after if after != _SURROGATE_FIRST else _SURROGATE_LAST + 1)


def _chunked(limit: int, fetch: Callable[[Found | None, int], list[Found]], width_max: int = CHUNK) -> list[Found]:
    """Return up to `limit` of what `fetch` returns after the last one found, a bounded number at a time."""
    found: list[Found] = []
    while len(found) < limit:
        width = min(width_max, limit - len(found))
        chunk = fetch(found[-1] if found else None, width)
        found += chunk
        if len(chunk) < width:
            break
    return found


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all reads of the block see the same commit. A file without an engine is read at one moment as a whole."""
    begins = not connection.in_transaction
    if begins:
        connection.execute(statements()["begin_reading"])
    try:
        yield
    finally:
        if begins and connection.in_transaction:  # an error may have ended it
            connection.execute(statements()["rollback"])


def _salvaged(error: sqlite3.Error, read_round: Callable[[], list[Found]]) -> list[Found]:
    """Return what can be read round the damage; raise what is no damage."""
    if not is_damage(error):
        raise error
    return read_round()


def _entries(connection: sqlite3.Connection, name: str, tenant: str, parameters: Parameters) -> list[Entry]:
    read = [decoding.entry(tenant, columns, name) for columns in aggregated(connection, name, parameters)]
    return sorted(read, key=lambda entry: entry.seq)
