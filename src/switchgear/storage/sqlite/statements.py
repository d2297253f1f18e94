"""Loads the statements of statements.sql, widens those that carry many rows, reads those that answer JSON.

Widths are powers of two, so that the connection's statement cache holds every shape that is ever prepared.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from switchgear.storage.sqlite.decoding import damaged

WIDTH_MAX = 256
"""Most rows that one insert carries."""

_TO_JSON = msgspec.json.Encoder(enc_hook=str.__str__)  # a name may be of a class of its own: its text, not its words
_SECTION = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_ROW = re.compile(r"\{(.+)\}")
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


@dataclass(frozen=True, slots=True)
class Wide:
    """A statement that carries many rows of so many `columns`.

    `bound` makes the values of a column such as the module binds at once: an int, a str or a bytearray of just this
    class. For bytes, None and a str of another class it looks for an adapter first, every time, which takes longer.
    """

    name: str
    columns: int
    bound: Mapping[int, Callable[[Any], object]] = field(default_factory=dict)


def _payload(payload: bytes | None) -> bytearray | int:
    return 0 if payload is None else bytearray(payload)


_ROW_BOUND: Mapping[int, Callable[[Any], object]] = {4: str.__str__, 5: bytearray}

INSERT_ENTRIES = Wide("insert_entries", 8, {2: bytearray, 3: bytearray, 6: bytearray, 7: _payload})
INSERT_ROWS = Wide("insert_rows", 6, _ROW_BOUND)
UPSERT_ROWS = Wide("upsert_rows", 6, _ROW_BOUND)
UPSERT_COUNTERS = Wide("upsert_counters", 4)


def execute_wide(connection: sqlite3.Connection, wide: Wide, values: list[Any]) -> None:
    """Execute `wide` for all rows, whose `values` stand one after another, as few times as it can be.

    The values are replaced by those that are bound. Raises `sqlite3.Error`.
    """
    columns = wide.columns
    for column, bound in wide.bound.items():
        values[column::columns] = map(bound, values[column::columns])
    start = 0
    while start < len(values):
        width = widest((len(values) - start) // columns)
        end = start + width * columns
        connection.execute(widened(wide.name, width), values[start:end])
        start = end


@cache
def widened(name: str, width: int) -> str:
    """Return the statement `name` for `width` rows."""
    return _ROW.sub(lambda row: ", ".join([row[1]] * width), statements()[name])


def widest(count: int) -> int:
    """Return how many of `count` rows, at least 1, the next statement carries: a power of two up to `WIDTH_MAX`."""
    return min(WIDTH_MAX, 1 << count.bit_length() - 1)
