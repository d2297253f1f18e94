"""The writing side, in its thread: one group of appends is one transaction with a handful of statements.

A group is committed, or certainly not written (each append gets a `StoreError`), or its effect is unknown (each gets
`Unknown`, and the connection is opened anew). Deciding is the planner's; waiting is the desk's.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from msgspec.structs import replace

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
from switchgear.storage.planner import Plan, PlannedRow, RowKey, counted, plan, unproven
from switchgear.storage.sqlite.connecting import Connect, writing_connection
from switchgear.storage.sqlite.filing import Filing, file_all
from switchgear.storage.sqlite.known import Known, fetched
from switchgear.storage.sqlite.log import LogMeter
from switchgear.storage.sqlite.schema import large_change, read_earlier
from switchgear.storage.sqlite.statements import (
    INSERT_ENTRIES,
    INSERT_ROWS,
    UPSERT_COUNTERS,
    UPSERT_ROWS,
    execute_wide,
    statements,
)
from switchgear.storage.sqlite.translate import certainly_not_committed, is_damage, translated

FREE_BYTES_MIN = 4 * 1024 * 1024
"""Below this much free disk the store says of itself that it cannot record."""

_CAUTIOUS_GROUPS = 16
"""So many groups look whether rows are new, once one was mistaken: then at most one in so many is written twice."""

_logger = logging.getLogger("switchgear.storage")


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that writes nothing: can the store record right now?"""


class _NotNewError(Exception):
    """A row that was presumed to be new is there. Nothing is written, and nothing is known any more."""


Answer = Appended | None
"""What the writer answers: the fate of an append, or None to a probe that passed."""


class Writer:
    """Owns the writing connection. Only its thread calls `handle` and `close`."""

    def __init__(self, path: str, connection: sqlite3.Connection, connect: Connect, seal: Seal, filing: Filing) -> None:
        """Take over `connection`; `connect` opens the next one after an unclear commit."""
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._connect = connect
        self._seal = seal
        self._known = Known()
        self._filing = filing
        self._cautious = 0
        self._statistics = StoreStatistics()
        self._pieces = 0
        self._log = LogMeter(path)

    @property
    def statistics(self) -> StoreStatistics:
        """Counts since opening; replaced as a whole after each group. May be asked for on another thread."""
        return replace(self._statistics, syncs=self._statistics.groups + self._pieces + self._log.syncs())

    def handle(self, requests: list[Append | Probe]) -> Sequence[Answer | Exception]:
        """Commit the appends as one group; answer each request, in order."""
        appends = [request for request in requests if isinstance(request, Append)]
        committed = self._commit(appends) if appends else ()
        if len(committed) == len(requests):
            return committed
        answers = iter(committed)
        return [next(answers) if isinstance(request, Append) else self._probe() for request in requests]

    def catch_up(self) -> None:
        """File all that was left, if that is much. Called at opening, before anybody appends."""
        connection = self._connected()
        with self._filing_apart():
            if self._filing.has_fallen_behind(connection):
                _logger.info("%s: filing lists of tenants, of which much was left", self._path)
                with large_change(connection, self._path):
                    self._file(connection, file_all)

    def tidy(self) -> None:
        """File a piece, if it is time."""
        connection = self._connection
        with self._filing_apart():
            if connection is not None and self._filing.is_due(connection):
                self._file(connection, self._filing.file)

    @contextmanager
    def _filing_apart(self) -> Iterator[None]:
        """Have nobody depend on what is filed in the block. If it fails, reads only take longer for a while."""
        complete = False
        try:
            yield
            complete = True
        except sqlite3.Error as error:
            _logger.warning("%s: lists of tenants are not filed for now: %s", self._path, error)
        finally:
            if not complete:  # after a defect as well, so that no transaction is left open
                self._filing.failed()
                self._open_anew()

    def _file(self, connection: sqlite3.Connection, file: Callable[[sqlite3.Connection], None]) -> None:
        connection.execute(statements()["begin"])
        file(connection)
        connection.execute(statements()["commit"])
        self._filing.succeeded()
        self._pieces += 1

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
            connection = writing_connection(self._path, self._connect)
            with ExitStack() as opened:  # without the views of an earlier layout it is of no use
                opened.enter_context(closing(connection))
                read_earlier(connection)
                opened.pop_all()
            self._connection = connection
        return self._connection

    def _write(self, connection: sqlite3.Connection, appends: list[Append]) -> Plan:
        """Execute everything but the commit; roll back whatever goes wrong.

        Most rows that are to be made are new: they are presumed to be. A group that was mistaken is written twice, so
        it looks then, and so do the next ones, which often bring more repeats.
        """
        self._cautious = max(0, self._cautious - 1)
        if not self._cautious:
            try:
                return self._written(connection, appends, presuming=True)
            except _NotNewError:
                self._cautious = _CAUTIOUS_GROUPS
        return self._written(connection, appends, presuming=False)

    def _written(self, connection: sqlite3.Connection, appends: list[Append], *, presuming: bool) -> Plan:
        connection.execute(statements()["begin"])
        complete = False
        try:
            planned = self._planned(connection, appends, presuming=presuming)
            _insert_rows(connection, planned, presuming=presuming)
            self._insert_entries(connection, planned)
            _upsert(connection, planned)
            self._remove(connection, planned)
            complete = True
        finally:
            if not complete:
                self._roll_back(connection)
        return planned

    def _planned(self, connection: sqlite3.Connection, appends: list[Append], *, presuming: bool) -> Plan:
        known = self._known
        known.learn_chains(connection, appends)
        known.learn_versions(connection, appends, presuming=presuming)
        counters = fetched(connection, "counted", counted(appends), -COUNTER_MAX)
        planned = plan(appends, known.versions, counters, known.heads, self._seal)
        if presuming and fetched(connection, "versions", unproven(planned, known.versions), 1):
            raise _NotNewError
        return planned

    def _insert_entries(self, connection: sqlite3.Connection, planned: Plan) -> None:
        values: list[Any] = list(chain.from_iterable(planned.entries))
        tenants = slice(None, None, INSERT_ENTRIES.columns)  # the id of each, where its name stands first in an entry
        values[tenants] = map(self._known.ids.__getitem__, values[tenants])
        execute_wide(connection, INSERT_ENTRIES, values)

    def _remove(self, connection: sqlite3.Connection, planned: Plan) -> None:
        """Remove payloads and entries; the connection overwrites what they held."""
        for tenant, stream, through in planned.erased:
            connection.execute(statements()["erase"], (self._known.ids[tenant], stream, through))
        for tenant, seq in planned.cuts.items():
            connection.execute(statements()["cut"], {"tenant": self._known.ids[tenant], "seq": seq})

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Undo the open transaction; a connection that cannot is given up."""
        self._known.forget()
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


def _insert_rows(connection: sqlite3.Connection, planned: Plan, *, presuming: bool) -> None:
    """Insert what is born. Raises `_NotNewError` when one that was only presumed to be new is there."""
    try:
        execute_wide(connection, INSERT_ROWS, _columns(planned.born))
    except sqlite3.IntegrityError as error:
        if presuming:
            raise _NotNewError from error
        raise


def _columns(rows: dict[RowKey, PlannedRow]) -> list[Any]:
    """Return the columns of all rows, one after another."""
    return list(chain.from_iterable(chain.from_iterable(rows.items())))  # key, row, key, row …


def _upsert(connection: sqlite3.Connection, planned: Plan) -> None:
    execute_wide(connection, UPSERT_ROWS, _columns(planned.rows))
    counters = [value for key, count in planned.counters.items() for value in (*key, count)]
    execute_wide(connection, UPSERT_COUNTERS, counters)


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
