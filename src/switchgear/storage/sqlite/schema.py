"""Brings a database file to the schema of this version: numbered files, applied once, their checksums recorded.

A file of a newer version, of another program, or whose applied schema differs from ours is refused. One that
cannot be laid out anew, as it is damaged or its disk is full, is opened as it is.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.sqlite.connecting import TEMPORARY_IN_FILES
from switchgear.storage.sqlite.statements import aggregated, statements

APPLICATION_ID = 0x53574752
"""Marks our files in SQLite's header: "SWGR"."""

_LAYOUT_ONLY = frozenset({3, 4, 5})
"""Steps that change where things lie and not what is there. Every statement works without them, only slower."""

_logger = logging.getLogger("switchgear.storage")
_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A numbered step of the schema. `checksum` is the SHA-256 of its bytes in hex."""

    number: int
    name: str
    checksum: str
    text: str


def schema_files() -> list[SchemaFile]:
    """Return the steps that this version knows, in order."""
    return sorted(_read_files(), key=lambda step: step.number)


def prepare(connection: sqlite3.Connection, path: str, clock: Clock) -> None:
    """Apply the steps that are missing, each in a transaction of its own.

    A step of layout alone that fails in a file that holds something is logged and left for the next opening: damage, a
    full disk or a read-only file must not stand between an engine and what it can still read. Such a step takes a while
    for a large file, and as much free disk as is in use.

    Raises `StoreError`: LEDGER_UNAVAILABLE for a file that is newer or not ours, LEDGER_CORRUPT when a step that was
    applied differs from the one known here. `sqlite3.Error` passes through.
    """
    _claim(connection, path)
    steps = schema_files()
    applied = _applied(connection)
    _check_applied(applied, {step.number: step for step in steps}, path)
    missing = [step for step in steps if step.number not in applied]
    if applied and missing:
        with large_change(connection, path):
            _apply_all(connection, missing, path, clock)
    else:
        for step in missing:
            _apply(connection, step, clock.time())


def read_earlier(connection: sqlite3.Connection) -> None:
    """Let this connection read a file as it is, whose layout is an earlier one; nothing to do for any other.

    Statements read tables and views of this layout. Such a file gets views by their names, in this connection alone.
    """
    (filing,) = connection.execute(statements()["count_filing"]).fetchone()
    if not filing:
        (query_only,) = connection.execute("PRAGMA query_only").fetchone()
        connection.execute("PRAGMA query_only = OFF")
        for statement in _split(files(__package__).joinpath("earlier.sql").read_text(encoding="utf-8")):
            connection.execute(statement)
        connection.execute(f"PRAGMA query_only = {query_only}")


@contextmanager
def large_change(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """Have what changes much of a file in the block sorted in files, not in memory, and the log emptied afterwards."""
    (temporary,) = connection.execute("PRAGMA temp_store").fetchone()
    connection.execute(TEMPORARY_IN_FILES)
    try:
        yield
    finally:
        connection.execute(f"PRAGMA temp_store = {temporary}")
    _give_back(connection, path)


def _apply_all(connection: sqlite3.Connection, missing: list[SchemaFile], path: str, clock: Clock) -> None:
    for index, step in enumerate(missing):
        _logger.info("%s: bringing it to schema %04d_%s", path, step.number, step.name)
        try:
            _apply(connection, step, clock.time())
        except sqlite3.Error as error:
            if not _LAYOUT_ONLY.issuperset(later.number for later in missing[index:]):
                raise
            _logger.warning("%s stays without schema %04d_%s for now: %s", path, step.number, step.name, error)
            break


def _give_back(connection: sqlite3.Connection, path: str) -> None:
    """Empty the write-ahead log, in which everything was that a step has written or tried to write."""
    try:
        connection.execute(statements()["flush_log"]).fetchall()
    except sqlite3.Error as error:
        _logger.warning("%s: its write-ahead log stays long until the store is closed: %s", path, error)


def _claim(connection: sqlite3.Connection, path: str) -> None:
    """Mark an empty file as ours; refuse one of another program."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark == APPLICATION_ID:
        return
    (tables,) = connection.execute(statements()["count_tables"]).fetchone()
    if mark or tables:
        raise StoreError(f"{path} is a SQLite database of another program; name a file of its own for the store")
    connection.execute(statements()["begin"])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(statements()["create_schema_files"])
    connection.execute(statements()["commit"])


def _applied(connection: sqlite3.Connection) -> dict[int, tuple[str, str]]:
    return {number: (name, checksum) for number, name, checksum in aggregated(connection, "applied", ())}


def _check_applied(applied: dict[int, tuple[str, str]], known: dict[int, SchemaFile], path: str) -> None:
    for number, (name, checksum) in sorted(applied.items()):
        if number not in known:
            raise StoreError(
                f"{path} has schema {number:04}_{name} of a newer Switchgear; this one knows {max(known):04}. "
                "Install the newer version, or open another file."
            )
        if known[number].checksum != checksum:
            raise StoreError(
                f"{path}: schema {number:04}_{name} was applied from a file that differs from the installed one",
                code=Code.LEDGER_CORRUPT,
            )


def _apply(connection: sqlite3.Connection, step: SchemaFile, now: float) -> None:
    try:
        connection.execute(statements()["begin"])
        for statement in _split(step.text):
            connection.execute(statement)
        connection.execute(statements()["record_schema"], (step.number, step.name, step.checksum, now))
        connection.execute(statements()["commit"])
    finally:
        if connection.in_transaction:
            connection.execute(statements()["rollback"])


def _split(text: str) -> Iterator[str]:
    """Cut a script into statements, where SQLite says that one is complete."""
    piece = ""
    for line in text.splitlines(keepends=True):
        piece += line
        if sqlite3.complete_statement(piece):
            yield piece
            piece = ""


def _read_files() -> Iterator[SchemaFile]:
    for file in files(__package__).joinpath("schema").iterdir():
        if matched := _FILE_NAME.fullmatch(file.name):
            content = file.read_bytes()
            checksum = hashlib.sha256(content).hexdigest()
            yield SchemaFile(int(matched[1]), matched[2], checksum, content.decode("utf-8"))
