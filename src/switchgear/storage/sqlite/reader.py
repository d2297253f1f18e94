"""The reading side: rows and entries in one statement each, so that a busy event loop is not in the way.

Functions that take a connection run in a reader's thread. What they return is as new as the last commit.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from switchgear.storage.abilities import Committed, Entry, Head, Row
from switchgear.storage.planner import NO_LINK, RowKey
from switchgear.storage.sqlite.statements import aggregated, statements
from switchgear.storage.sqlite.translate import translated

Found = TypeVar("Found")

CHUNK = 32
"""Rows or entries of one statement: as hex, so many of the largest stay below what SQLite puts into one value."""

Query = Callable[[sqlite3.Connection], Any]
"""A read that is not one row."""


class Reader:
    """Owns one reading connection. Only its thread calls `rows`, `queries` and `close`."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        """Take over `connection`."""
        self._path = path
        self._connection = connection

    def rows(self, keys: list[RowKey]) -> Sequence[Row | Exception | None]:
        """Return the row of each key, or None, with one statement for all."""
        found = self.queries([partial(get_rows, keys=keys)])[0]
        return [found for _ in keys] if isinstance(found, Exception) else found

    def queries(self, queries: list[Query]) -> Sequence[Any]:
        """Return the answer to each query; one that fails is answered with its `StoreError`."""
        return [self._answer(query) for query in queries]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _answer(self, query: Query) -> Any:  # noqa: ANN401 - a query answers what it answers
        try:
            return query(self._connection)
        except sqlite3.Error as error:
            return translated(error, self._path)


def get_rows(connection: sqlite3.Connection, keys: list[RowKey]) -> list[Row | None]:
    """Return the row of each key, or None."""
    found: list[Row | None] = [None] * len(keys)
    for index, version, facet, value in aggregated(connection, "get", (json.dumps(keys),)):
        found[index] = _row(keys[index], version, facet, value)
    return found


def appended(connection: sqlite3.Connection, tenant: str, stream: str, append_id: str) -> Committed | None:
    """Return the committed append with this id, which wrote an event to `stream`, or None."""
    found = connection.execute(statements()["appended"], (tenant, stream, append_id)).fetchone()
    return Committed(found[0]) if found else None


def entries(connection: sqlite3.Connection, tenant: str, after_seq: int, limit: int) -> list[Entry]:
    """Return the tenant's entries above `after_seq`, in order."""

    def fetch(last: Entry | None, width: int) -> list[Entry]:
        return _entries(connection, "entries", tenant, (tenant, last.seq if last else after_seq, width))

    return _chunked(limit, fetch)


def stream(connection: sqlite3.Connection, tenant: str, name: str, after_position: int, limit: int) -> list[Entry]:
    """Return the tenant's entries of the stream `name` above `after_position`, in order."""

    def fetch(last: Entry | None, width: int) -> list[Entry]:
        return _entries(connection, "stream", tenant, (tenant, name, last.position if last else after_position, width))

    return _chunked(limit, fetch)


def head(connection: sqlite3.Connection, tenant: str) -> Head:
    """Return the end of the tenant's chain."""
    found = aggregated(connection, "heads", (json.dumps([tenant]),))
    seq, hash_ = found[0][2:] if found and found[0][2] else (0, NO_LINK[1].hex())
    return Head(tenant, seq, bytes.fromhex(hash_))


def tenants(connection: sqlite3.Connection) -> list[str]:
    """Return every tenant with a chain, sorted."""
    return sorted(aggregated(connection, "tenants", ()))


def page(
    connection: sqlite3.Connection, space: str, tenant: str, facet: str | None, before: str | None, limit: int
) -> list[Row]:
    """Return a tenant's rows by descending key."""

    def fetch(last: Row | None, width: int) -> list[Row]:
        below = last.key if last else before
        name = f"page{'' if facet is None else '_of_facet'}{'' if below is None else '_below'}"
        filters = {"space": space, "tenant": tenant, "facet": facet, "before": below, "limit": width}
        return sorted(_rows(connection, name, space, filters), key=_place, reverse=True)

    return _chunked(limit, fetch)


def scan(
    connection: sqlite3.Connection, space: str, facets: Sequence[str], after: tuple[str, str], limit: int
) -> list[Row]:
    """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`."""
    found = [_scan_facet(connection, space, facet, after, limit) for facet in set(facets)]
    return list(islice(heapq.merge(*found, key=_place), limit))


def _scan_facet(
    connection: sqlite3.Connection, space: str, facet: str, after: tuple[str, str], limit: int
) -> list[Row]:
    def fetch(last: Row | None, width: int) -> list[Row]:
        above = _place(last) if last else after
        return sorted(_rows(connection, "scan", space, (space, facet, *above, width)), key=_place)

    return _chunked(limit, fetch)


def count(connection: sqlite3.Connection, space: str, facets: Sequence[str]) -> int:
    """Return how many rows of all tenants are in one of `facets`."""
    (found,) = connection.execute(statements()["count"], (space, json.dumps(list(facets)))).fetchone()
    return int(found)


def _chunked(limit: int, fetch: Callable[[Found | None, int], list[Found]]) -> list[Found]:
    """Return up to `limit` of what `fetch` returns after the last one found, a bounded number at a time."""
    found: list[Found] = []
    while len(found) < limit:
        width = min(CHUNK, limit - len(found))
        chunk = fetch(found[-1] if found else None, width)
        found += chunk
        if len(chunk) < width:
            break
    return found


def _entries(connection: sqlite3.Connection, name: str, tenant: str, parameters: tuple[object, ...]) -> list[Entry]:
    read = [_entry(tenant, *columns) for columns in aggregated(connection, name, parameters)]
    return sorted(read, key=lambda entry: entry.seq)


def _entry(  # noqa: PLR0913, PLR0917 - the columns of a statement, in their order
    tenant: str,
    position: int,
    seq: int,
    prev: str,
    hash_: str,
    append_id: str,
    stream_name: str,
    body: str,
    payload: str,
    no_payload: int,
) -> Entry:
    unhex = bytes.fromhex
    kept = None if no_payload else unhex(payload)
    return Entry(position, tenant, seq, unhex(prev), unhex(hash_), append_id, stream_name, unhex(body), kept)


def _rows(
    connection: sqlite3.Connection,
    name: str,
    space: str,
    parameters: tuple[object, ...] | Mapping[str, object],
) -> list[Row]:
    return [
        _row((space, tenant, key), version, facet, value)
        for tenant, key, version, facet, value in aggregated(connection, name, parameters)
    ]


def _row(place: RowKey, version: int, facet: str, value: str) -> Row:
    space, tenant, key = place
    return Row(space, tenant, key, version, facet, bytes.fromhex(value))


def _place(row: Row) -> tuple[str, str]:
    return row.tenant, row.key
