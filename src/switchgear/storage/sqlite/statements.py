"""Loads the statements of statements.sql, widens those that carry many rows, reads those that answer JSON.

Widths are powers of two, so that the connection's statement cache holds every shape that is ever prepared.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from switchgear.storage.sqlite.decoding import damaged

WIDTH_MAX = 256
"""Most rows that one insert carries."""

ENTRY_COLUMNS, ROW_COLUMNS, COUNTER_COLUMNS = 8, 6, 4
"""Values of one row of insert_entries, of insert_rows and upsert_rows, and of upsert_counters."""

ENTRY_BLOBS, ROW_BLOBS = (2, 3, 6), (5,)
"""Which of these are always bytes."""

_TO_JSON = msgspec.json.Encoder(enc_hook=str.__str__)  # a name may be of a class of its own: its text, not its words
_SECTION = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


@cache
def statements() -> Mapping[str, str]:
    """Return every statement by its name."""
    text = files(__package__).joinpath("statements.sql").read_text(encoding="utf-8")
    pieces = _SECTION.split(text)[1:]
    plain = (_COMMENT.sub("", piece).strip() for piece in pieces[1::2])
    return dict(zip(pieces[::2], plain, strict=True))


Parameters = Sequence[object] | Mapping[str, object]


def as_json(names: object) -> str:
    """Return lists of names as the parameter of a statement that takes JSON."""
    return _TO_JSON.encode(names).decode()


def aggregated(connection: sqlite3.Connection, name: str, parameters: Parameters) -> list[Any]:
    """Execute a read that answers one row of JSON, and return that array.

    Raises `sqlite3.Error`; with SQLITE_CORRUPT when the text is none, and then without showing it.
    """
    (found,) = first_row(connection, name, parameters)
    try:
        read: list[Any] = json.loads(found)
    except (TypeError, ValueError) as error:
        raise damaged(name) from error
    return read


def first_row(connection: sqlite3.Connection, name: str, parameters: Parameters) -> Any:  # noqa: ANN401 - columns of a read
    """Return the first row of the answer to the statement `name`, or None.

    Raises `sqlite3.Error`. A statement that is right and fails all the same, as SQLite says of a value that it did
    not expect there, has met damage: SQLITE_CORRUPT.
    """
    try:
        return connection.execute(statements()[name], parameters).fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        raise damaged(name) from error


@cache
def widened(name: str, columns: int, width: int) -> str:
    """Return the statement `name` for `width` rows of `columns` values each."""
    row = f"({', '.join('?' * columns)})"
    return statements()[name].replace("{rows}", ", ".join([row] * width))


def widths(count: int) -> Iterator[int]:
    """Split `count` rows into powers of two, largest first, none above `WIDTH_MAX`."""
    while count >= WIDTH_MAX:
        yield WIDTH_MAX
        count -= WIDTH_MAX
    for bit in range(WIDTH_MAX.bit_length() - 2, -1, -1):
        if count & (1 << bit):
            yield 1 << bit
