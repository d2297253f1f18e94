"""Opens connections to the database file with the settings that durability and bounded waiting need.

The settings are SQLite's pragmas; nothing here reads or writes a table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

BUSY_SECONDS = 5.0
"""How long a statement waits for a lock of another program on the file."""

Connect = Callable[[str], sqlite3.Connection]
"""Opens a bare connection to a path; tests put one that fails in its place."""

_STATEMENTS_CACHED = 64
_CHECKPOINT_PAGES = 3_000
"""The log is moved into the database when it has so many. The commit that does it takes longer, the more there are."""
_CACHE_KIBIBYTES = 32_768
_OVERWRITE = "PRAGMA secure_delete = ON"
"""Has all that is removed or replaced overwritten with zeros in its pages.

Always, and not for an erasure alone: an earlier version of a row would be left where it was, and outlive the erasure of
the last one (sqlite.org/pragma.html#pragma_secure_delete).
"""

_TEMPORARY_IN_MEMORY = "PRAGMA temp_store = MEMORY"
"""Keeps the pages that a statement for many rows changes, until it is done, in memory.

They are a few hundred at most. In a temporary file they would be as many writes again as those of the log.
"""
TEMPORARY_IN_FILES = "PRAGMA temp_store = FILE"
"""For statements that sort a whole table."""


def plain_connection(path: str) -> sqlite3.Connection:
    """Return a connection in autocommit mode that may be handed to another thread.

    Text comes as bytes, so that text which is none is met by us, and not shown in an error of the module.
    """
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_CACHED,
    )
    connection.text_factory = bytes
    return connection


def writing_connection(path: str, connect: Connect) -> sqlite3.Connection:
    """Return a connection whose commits are on the disk before they are acknowledged.

    Raises `sqlite3.Error`.
    """
    return _told(
        connect(path),
        _OVERWRITE,
        _TEMPORARY_IN_MEMORY,
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}",
    )


def copying_connection(path: str, connect: Connect) -> sqlite3.Connection:
    """Return a connection that fills a new file without a journal or syncs: who fills it syncs it once, at the end.

    Raises `sqlite3.Error`.
    """
    return _told(connect(path), _OVERWRITE, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")


def reading_connection(path: str, connect: Connect) -> sqlite3.Connection:
    """Return a connection that cannot write. Raises `sqlite3.Error`."""
    return _told(connect(path), "PRAGMA query_only = ON")


def _told(connection: sqlite3.Connection, *settings: str) -> sqlite3.Connection:
    """Return the connection with its settings. One that does not take them, as of no database, is closed."""
    try:
        for setting in settings:
            connection.execute(setting)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
