"""SQLite's errors into ours, by table: which code, and whether it is certain that nothing was written.

The tables are the only place that knows SQLite's result codes (sqlite.org/rescode.html).
"""

from __future__ import annotations

import sqlite3

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError

# The last three are met by a right statement only in a file that says of itself what cannot be.
_CORRUPT = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
    }
)

# A commit that fails so has not written its last frame, so recovery can never find it.
_NOT_COMMITTED = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR_WRITE,
    }
)

_PLAIN = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another program holds the file locked",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; its directory must exist and be writable",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_CONSTRAINT: "the file is damaged",
    sqlite3.SQLITE_MISMATCH: "the file is damaged",
    sqlite3.SQLITE_TOOBIG: "the file is damaged",
}


def translated(error: sqlite3.Error, path: str) -> StoreError:
    """Return the `StoreError` for `error`: LEDGER_CORRUPT for a damaged file, else LEDGER_UNAVAILABLE."""
    plain = _PLAIN.get(_code(error) & 0xFF, "SQLite refused")
    code = Code.LEDGER_CORRUPT if is_damage(error) else Code.LEDGER_UNAVAILABLE
    return StoreError(f"{path}: {plain} ({error})", code=code)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether `error` says that the file is damaged."""
    return _code(error) & 0xFF in _CORRUPT


def certainly_not_committed(error: sqlite3.Error) -> bool:
    """Whether a COMMIT that failed with `error` is known to have had no effect."""
    extended = _code(error)
    return extended in _NOT_COMMITTED or extended & 0xFF in _NOT_COMMITTED


def _code(error: sqlite3.Error) -> int:
    """Return the extended result code; 0 when the error came from the module and not from SQLite."""
    return getattr(error, "sqlite_errorcode", 0)
