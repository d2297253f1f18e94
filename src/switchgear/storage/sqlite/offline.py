"""Store files without an engine: one that is only read, as it is at one moment, and a new one that is filled.

For tools that rebuild or compare. Nothing here locks a file, and an engine may run on the one that is read: what is
read is what its last commit left. Entries are copied as they are, with their hashes; nothing is sealed again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import Invalid, StoreError
from switchgear.storage.abilities import Counter, Entry, Head, Row
from switchgear.storage.sqlite import reader
from switchgear.storage.sqlite.connecting import copying_connection, plain_connection
from switchgear.storage.sqlite.decoding import text
from switchgear.storage.sqlite.filing import file_all
from switchgear.storage.sqlite.schema import prepare, read_earlier
from switchgear.storage.sqlite.statements import (
    aggregated,
    as_json,
    statements,
    widened,
)
from switchgear.storage.sqlite.translate import is_damage, translated

_PAGE = 500
_PRIVATE = 0o600


class _File:
    """What both kinds share: a connection, how its errors are told, and the names of all rows beside it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @contextmanager
    def _told(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise translated(error, str(self.path)) from error

    def rows(self, space: str, tenant: str) -> Iterator[Row]:
        """Yield the rows of a space and tenant, by descending key. A damaged one comes with version 0."""
        before: str | None = None
        while page := self._page(space, tenant, before):
            yield from page
            before = page[-1].key

    def row(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
        with self._told() as connection:
            return reader.get_rows(connection, [(space, tenant, key)])[0]

    def counters(self, space: str, tenant: str) -> Iterator[Counter]:
        """Yield the counters of a space and tenant, by ascending key."""
        after: str | None = None
        while page := self._counters(space, tenant, after):
            yield from page
            after = page[-1].key

    def places(self) -> list[tuple[str, str]]:
        """Return every space and tenant that has rows, sorted."""
        return self._places("spaces", "tenants_of_rows")

    def places_of_counters(self) -> list[tuple[str, str]]:
        """Return every space and tenant that has counters, sorted."""
        return self._places("spaces_of_counters", "tenants_of_counters")

    def _places(self, spaces: str, tenants: str) -> list[tuple[str, str]]:
        with self._told() as connection:
            found = sorted(aggregated(connection, spaces, ()))
            return [(space, name) for space in found for name in sorted(aggregated(connection, tenants, (space,)))]

    def _page(self, space: str, tenant: str, before: str | None) -> list[Row]:
        below = b"" if before is None else before  # every text is below a blob
        with self._told() as connection:
            keys = aggregated(connection, "names_below", (space, tenant, below, _PAGE))
            return reader.named_rows(connection, space, [(tenant, text(key, "names_below"), "") for key in keys])

    def _counters(self, space: str, tenant: str, after: str | None) -> list[Counter]:
        with self._told() as connection:
            return reader.counters(connection, space, tenant, "", after, _PAGE)


class StoreFile(_File):
    """A store that is only read, all of it as of one moment. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises `StoreError`: LEDGER_UNAVAILABLE without such a file, LEDGER_CORRUPT when it is none."""
        if not path.is_file():
            raise StoreError(f"{path}: there is no such file")
        try:
            super().__init__(path, _reading(path))
        except sqlite3.Error as error:
            raise translated(error, str(path)) from error
        try:
            copying = _names_from(path)
            read_earlier(self._connection)
            self._connection.execute(statements()["begin_reading"])
            self._connection.execute(statements()["create_names"])
            self._connection.execute(statements()[copying])  # from here on, everything is of this moment
        except sqlite3.Error as error:
            self._connection.close()
            raise translated(error, str(path)) from error

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._connection.close()

    def tenants(self) -> Sequence[str]:
        """Return every tenant with a chain, sorted."""
        with self._told() as connection:
            return reader.tenants(connection)

    def head(self, tenant: str) -> Head:
        """Return the end of the tenant's chain."""
        with self._told() as connection:
            return reader.head(connection, tenant)

    def entries(self, tenant: str) -> Iterator[Entry]:
        """Yield the tenant's entries in order. A damaged one comes with an empty body and hash."""
        after = 0
        while page := self._entries(tenant, after):
            yield from page
            after = page[-1].seq

    def _entries(self, tenant: str, after: int) -> list[Entry]:
        with self._told() as connection:
            return reader.entries(connection, tenant, after, _PAGE)


class NewFile(_File):
    """A new store that is filled in one transaction. Use it as a context manager; it is removed when that fails."""

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        """Make `path`. Raises `Invalid` when there is something already, `StoreError` when it cannot be made."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE))
        except FileExistsError as error:
            raise Invalid(f"{path} exists already; name a new file") from error
        except OSError as error:
            raise StoreError(f"{path} cannot be made: {error.strerror}") from error
        super().__init__(path, copying_connection(str(path), plain_connection))
        with self._told() as connection:
            prepare(connection, str(path), clock)
            connection.execute(statements()["create_names"])
            connection.execute(statements()["begin"])

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, close and bring it to the disk; remove it when something failed."""
        try:
            if kind is None:
                with self._told() as connection:
                    file_all(connection)
                    connection.execute(statements()["commit"])
        finally:
            self._connection.close()
        if kind is not None:
            self.path.unlink()
            return
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())

    def copy_entries(self, tenant: str, entries: Iterable[Entry]) -> None:
        """Copy entries of one tenant as they are."""
        with self._told() as connection:
            connection.execute(statements()["add_tenants"], (as_json([tenant]),))
            connection.executemany(statements()["copy_entry"], (_columns(entry) for entry in entries))

    def put_row(self, row: Row) -> None:
        """Set a row to a version, a facet and a value."""
        values = (row.space, row.tenant, row.key, row.version, row.facet, row.value)
        with self._told() as connection:
            connection.execute(widened("upsert_rows", 1), values)
            connection.execute(statements()["add_name"], (row.space, row.tenant, row.key))

    def remove_row(self, space: str, tenant: str, key: str) -> None:
        """Remove a row, if it is there."""
        with self._told() as connection:
            for statement in ("remove_row", "remove_name"):
                connection.execute(statements()[statement], (space, tenant, key))

    def put_counter(self, counter: Counter) -> None:
        """Set a counter to its value."""
        values = (counter.space, counter.tenant, counter.key, counter.value)
        with self._told() as connection:
            connection.execute(widened("upsert_counters", 1), values)


def _reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, isolation_level=None)
    connection.text_factory = bytes
    return connection


def _names_from(path: Path) -> str:
    """Return which statement puts the names of all rows beside the file.

    It reads an index, so no damaged row is met, unless that is damaged. To find it out takes a connection of its own:
    one that has met damage copies nothing any more.
    """
    with closing(_reading(path)) as connection:
        (by_key,) = connection.execute(statements()["count_indexes"], ("rows_by_key",)).fetchone()
        if not by_key:
            return "copy_names_of_facets"
        try:
            connection.execute(statements()["count_names"]).fetchone()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return "copy_names_of_table"
    return "copy_names"


def _columns(entry: Entry) -> tuple[object, ...]:
    return (
        entry.position,
        entry.tenant,
        entry.seq,
        entry.prev,
        entry.hash,
        entry.append_id,
        entry.stream,
        entry.body,
        entry.payload,
    )
