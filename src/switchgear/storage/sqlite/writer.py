"""The writing side, in its thread: one group of appends is one transaction with a handful of statements.

A group is committed, or certainly not written (each append gets a `StoreError`), or its effect is unknown (each gets
`Unknown`, and the connection is opened anew). Deciding is the planner's; waiting is the desk's.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from switchgear.core.errors import StoreError
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Conflicted,
    Exceeded,
    Seal,
    StoreStatistics,
    Unknown,
)
from switchgear.storage.checks import COUNTER_MAX
from switchgear.storage.planner import Link, Plan, RowKey, counted, needed, plan
from switchgear.storage.sqlite.connecting import Connect, writing_connection
from switchgear.storage.sqlite.decoding import integer, link, text
from switchgear.storage.sqlite.log import LogMeter
from switchgear.storage.sqlite.statements import (
    COUNTER_COLUMNS,
    ENTRY_COLUMNS,
    ROW_COLUMNS,
    aggregated,
    as_json,
    statements,
    widened,
    widths,
)
from switchgear.storage.sqlite.translate import certainly_not_committed, is_damage, translated

FREE_BYTES_MIN = 4 * 1024 * 1024
"""Below this much free disk the store says of itself that it cannot record."""

_CHAINS_MAX = 65_536
"""Ends of chains that are kept; then all are forgotten and learned anew, so it is well above a usual host's tenants."""

_logger = logging.getLogger("switchgear.storage")


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that writes nothing: can the store record right now?"""


Answer = Appended | None
"""What the writer answers: the fate of an append, or None to a probe that passed."""


class Writer:
    """Owns the writing connection. Only its thread calls `handle` and `close`."""

    def __init__(self, path: str, connection: sqlite3.Connection, connect: Connect, seal: Seal) -> None:
        """Take over `connection`; `connect` opens the next one after an unclear commit."""
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._connect = connect
        self._seal = seal
        self._ids: dict[str, int] = {}
        self._heads: dict[str, Link] = {}
        self._statistics = StoreStatistics()
        self._log = LogMeter(path)

    @property
    def statistics(self) -> StoreStatistics:
        """Counts since opening; replaced as a whole after each group. May be asked for on another thread."""
        return replace(self._statistics, syncs=self._statistics.groups + self._log.syncs())

    def handle(self, requests: list[Append | Probe]) -> Sequence[Answer | Exception]:
        """Commit the appends as one group; answer each request, in order."""
        appends = [request for request in requests if isinstance(request, Append)]
        committed = self._commit(appends) if appends else ()
        if len(committed) == len(requests):
            return committed
        answers = iter(committed)
        return [next(answers) if isinstance(request, Append) else self._probe() for request in requests]

    def close(self) -> None:
        """Close the connection, which moves the write-ahead log into the database."""
        self._log.close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self, appends: list[Append]) -> Sequence[Answer | Exception]:
        try:
            connection = self._connected()
            planned = self._write(connection, appends)
        except sqlite3.Error as error:
            if is_damage(error) and len(appends) > 1:
                return [answer for append in appends for answer in self._commit([append])]  # some may not meet it
            return self._refused(appends, error)
        if planned.writes_nothing:
            self._roll_back(connection)  # also forgets the ids of tenants that were new in this group
        else:
            try:
                connection.execute(statements()["commit"])
            except sqlite3.Error as error:
                return self._uncommitted(connection, appends, error)
        if planned.erased:
            self._flush_log(connection)
        self._count(planned)
        return planned.verdicts

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = writing_connection(self._path, self._connect)
        return self._connection

    def _write(self, connection: sqlite3.Connection, appends: list[Append]) -> Plan:
        """Execute everything but the commit; roll back whatever goes wrong."""
        connection.execute(statements()["begin"])
        complete = False
        try:
            self._learn_chains(connection, appends)
            versions = _fetched(connection, "versions", needed(appends), 1)
            counters = _fetched(connection, "counted", counted(appends), -COUNTER_MAX)
            planned = plan(appends, versions, counters, self._heads, self._seal)
            self._insert_entries(connection, planned)
            _upsert(connection, planned)
            self._remove(connection, planned)
            complete = True
        finally:
            if not complete:
                self._roll_back(connection)
        return planned

    def _learn_chains(self, connection: sqlite3.Connection, appends: list[Append]) -> None:
        """Fetch id and head of the tenants that are not known yet; a new tenant gets an id."""
        if len(self._ids) > _CHAINS_MAX:
            self._forget_chains()
        missing = {append.tenant for append in appends}.difference(self._ids)
        if not missing:
            return
        names = as_json(sorted(missing))
        connection.execute(statements()["add_tenants"], (names,))
        for name, identity, seq, hash_ in aggregated(connection, "heads", (names,)):
            self._ids[text(name, "heads")] = integer(identity, "heads")
            if seq != 0:
                self._heads[name] = link(seq, hash_, "heads")

    def _forget_chains(self) -> None:
        self._ids.clear()
        self._heads.clear()

    def _insert_entries(self, connection: sqlite3.Connection, planned: Plan) -> None:
        values = list(chain.from_iterable(planned.entries))
        # The id of the tenant, where its name stands first in each entry.
        values[::ENTRY_COLUMNS] = [self._ids[entry[0]] for entry in planned.entries]
        _execute_wide(connection, "insert_entries", ENTRY_COLUMNS, values)

    def _remove(self, connection: sqlite3.Connection, planned: Plan) -> None:
        """Remove payloads and entries; the connection overwrites what they held."""
        for tenant, stream, through in planned.erased:
            connection.execute(statements()["erase"], (self._ids[tenant], stream, through))
        for tenant, seq in planned.cuts.items():
            connection.execute(statements()["cut"], (self._ids[tenant], seq))

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undo the open transaction; a connection that cannot is given up."""
        self._forget_chains()
        try:
            if connection.in_transaction:
                connection.execute(statements()["rollback"])
        except sqlite3.Error:
            self._give_up(connection)  # closing rolls back as well; the next group opens a new one

    def _flush_log(self, connection: sqlite3.Connection) -> None:
        """Move the log into the database at once: until then it holds the pages as they were before an erasure.

        The erasure is durable already, and SQLite moves the log by itself later.
        """
        try:
            connection.execute(statements()["flush_log"])
        except sqlite3.Error as error:
            _logger.warning("%s: erased payloads stay in the log until it is next moved: %s", self._path, error)

    def _give_up(self, connection: sqlite3.Connection) -> None:
        self._connection = None
        connection.close()

    def _refused(self, appends: list[Append], error: sqlite3.Error) -> list[Answer | Exception]:
        """Answer a group of which nothing was written."""
        return [_caused(translated(error, self._path), error) for _ in appends]

    def _uncommitted(
        self, connection: sqlite3.Connection, appends: list[Append], error: sqlite3.Error
    ) -> list[Answer | Exception]:
        """Answer a group whose commit failed: refused when that is certain, else unknown."""
        self._roll_back(connection)
        if certainly_not_committed(error):
            return self._refused(appends, error)
        self._open_anew()
        reason = f"the commit failed: {error}"
        return [Unknown(append.id, reason) for append in appends]

    def _open_anew(self) -> None:
        """Replace the connection, and settle in the file what the failed commit left in the write-ahead log."""
        try:
            self._disconnect()
            self._connected().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            self._disconnect()  # the next group tries again, and says what is wrong

    def _probe(self) -> StoreError | None:
        try:
            connection = self._connected()
            connection.execute(statements()["begin"])
            connection.execute(statements()["probe"])
            connection.execute(statements()["rollback"])
            return _check_disk(self._path)
        except sqlite3.Error as error:
            self._undo_probe()
            return _caused(translated(error, self._path), error)
        except OSError as error:
            return _caused(StoreError(f"{self._path}: {error.strerror}"), error)

    def _undo_probe(self) -> None:
        if self._connection is not None:
            self._roll_back(self._connection)

    def _count(self, planned: Plan) -> None:
        kinds, now = list(map(type, planned.verdicts)), self._statistics
        committed = kinds.count(Committed)
        self._statistics = StoreStatistics(
            committed=now.committed + committed,
            conflicted=now.conflicted + kinds.count(Conflicted),
            exceeded=now.exceeded + kinds.count(Exceeded),
            groups=now.groups + (not planned.writes_nothing),
            entries=now.entries + len(planned.entries),
            group_max=max(now.group_max, committed),
        )


def _fetched(connection: sqlite3.Connection, name: str, wanted: set[RowKey], least: int) -> dict[RowKey, int]:
    """Return the number, from `least` on, that the statement `name` finds for each key that exists."""
    keys = list(wanted)
    if not keys:
        return {}
    found = aggregated(connection, name, (as_json(keys),))
    return {keys[index]: integer(number, name, least) for index, number in found}


def _upsert(connection: sqlite3.Connection, planned: Plan) -> None:
    rows = chain.from_iterable(planned.rows.items())  # key, row, key, row …
    _execute_wide(connection, "upsert_rows", ROW_COLUMNS, list(chain.from_iterable(rows)))
    counters = [value for key, count in planned.counters.items() for value in (*key, count)]
    _execute_wide(connection, "upsert_counters", COUNTER_COLUMNS, counters)


def _execute_wide(connection: sqlite3.Connection, name: str, columns: int, values: Sequence[object]) -> None:
    """Execute the statement `name` for all rows, whose `values` stand one after another, as few times as it can be."""
    start = 0
    for width in widths(len(values) // columns):
        end = start + width * columns
        connection.execute(widened(name, columns, width), values[start:end])
        start = end


def _check_disk(path: str) -> StoreError | None:
    disk = os.statvfs(path)
    if disk.f_flag & os.ST_RDONLY:
        return StoreError(f"{path}: its disk is mounted read-only")
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < FREE_BYTES_MIN:
        return StoreError(f"{path}: only {free_bytes} bytes are free on its disk")
    return None


def _caused(raised: StoreError, cause: Exception) -> StoreError:
    raised.__cause__ = cause
    return raised
