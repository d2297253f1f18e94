"""A probe of a database through your own driver, by the Python database API (PEP 249); and of a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Protocol, Self

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import SwitchgearError
from switchgear.health.probe import ProbeFailed, described
from switchgear.health.probes.bounding import Threads, require_timeout
from switchgear.policies.checks import refused

READING_WORDS = ("SELECT", "VALUES")
"""With which of these a probe's statement begins."""


class Cursor(Protocol):
    """What is asked of a cursor of the driver."""

    def execute(self, statement: str, /) -> object:
        """Execute one statement."""

    def fetchone(self) -> object:
        """Return the next row, None when there is none."""

    def close(self) -> object:
        """Close it."""


class Connection(Protocol):
    """What is asked of a connection of the driver."""

    def cursor(self) -> Cursor:
        """Return a cursor."""

    def close(self) -> object:
        """Close it."""


@dataclass(frozen=True, slots=True, eq=False)
class SqlProbe:
    """Connects by calling `connect` in a thread, executes `statement`, and wants a row.

    connect    returns a new connection of a PEP 249 driver. Give the driver bounds of its own, such as
               ``connect_timeout``: a thread that hangs in it cannot be stopped.
    statement  begins with SELECT or VALUES, is one statement, and changes nothing; default ``SELECT 1``. That it
               only reads is your promise: a function that it calls may do anything.
    absent     errors of the driver that mean that nothing came back, such as ``(psycopg.OperationalError,)``. Any
               other error of the driver is an answer, and a wrong one.
    timeout    seconds for all of it, above 0; default 2.

    Calling it raises `ProbeFailed` for another answer, `TimeoutError`, `ConnectionError` or `OSError` when none came.
    Raises `OptionError` for options that cannot work.
    """

    connect: Callable[[], Connection] = field(repr=False)
    statement: str = field(default="SELECT 1", kw_only=True)
    absent: tuple[type[Exception], ...] = field(default=(), kw_only=True)
    timeout: float = field(default=2.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_timeout(self, self.timeout)
        words = self.statement.split()
        if not words or words[0].upper() not in READING_WORDS or ";" in self.statement:
            wants = f"is one statement that begins with {' or '.join(READING_WORDS)}"
            raise refused("SqlProbe(statement)", wants, self.statement, 'statement="SELECT 1"')

    @classmethod
    def sqlite(cls, path: str | PathLike[str], *, timeout: float = 2.0, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Return a probe that reads the schema of the SQLite file at `path`, and never makes or changes a file."""
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(uri, uri=True, timeout=timeout)

        return cls(connect, statement="SELECT count(*) FROM sqlite_schema", timeout=timeout, clock=clock)

    async def __call__(self) -> str:
        """Ask once."""
        return await self._threads.ask(self._ask, seconds=self.timeout, clock=self.clock)

    def _ask(self) -> str:
        try:
            with closing(self.connect()) as connection, closing(connection.cursor()) as cursor:
                cursor.execute(self.statement)
                row = cursor.fetchone()
        except (OSError, SwitchgearError):
            raise
        except self.absent as error:
            raise ConnectionError(described(error)) from error
        except Exception as error:  # errors of a driver have no parent that this room could name
            raise ProbeFailed(described(error)) from error
        if row is None:
            raise ProbeFailed("answers without a row")
        return "answers a statement"
