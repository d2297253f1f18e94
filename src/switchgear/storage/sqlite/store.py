"""The SQLite adapter: opens the file, owns its lock, and puts the writer and the readers behind desks.

A store belongs to the event loop that opened it. Nothing here waits on the loop's thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import StoreError
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Counter,
    Entry,
    Head,
    Manifest,
    Progress,
    Row,
    Seal,
    Store,
    StoreStatistics,
    Unknown,
)
from switchgear.storage.checks import check_append, check_limit, check_names
from switchgear.storage.opening import checked_url
from switchgear.storage.planner import RowKey
from switchgear.storage.sqlite import reader
from switchgear.storage.sqlite.backup import Backups
from switchgear.storage.sqlite.connecting import (
    Connect,
    plain_connection,
    reading_connection,
    writing_connection,
)
from switchgear.storage.sqlite.desk import Desk, DeskOptions
from switchgear.storage.sqlite.filing import Filing
from switchgear.storage.sqlite.owner import OwnerLock
from switchgear.storage.sqlite.reader import Query, Reader
from switchgear.storage.sqlite.schema import prepare, read_earlier
from switchgear.storage.sqlite.translate import translated
from switchgear.storage.sqlite.writer import Answer, Probe, Writer

APPENDS_MAX = 10_000
"""Most appends that may wait; one more is refused with QUEUE_FULL."""

READS_MAX = 10_000
"""Most reads of one kind that may wait."""

GROUP_MAX = 256
"""Most appends of one transaction."""

TRAY_MAX = GROUP_MAX
"""Most appends, or reads, that travel to their thread at once: what one turn of the loop asks for, up to a group.

Smaller trays would have loop and thread work side by side, and each take the interpreter's lock from the other.
"""

READS_AT_ONCE = 64
"""Most rows that one statement fetches."""

_SQLITE_MIN = (3, 38, 0)
_PRIVATE = 0o600


async def open_sqlite(
    url: str,
    *,
    seal: Seal,
    clock: Clock = SYSTEM_CLOCK,
    timeouts: Mapping[str, Operation] = OPERATIONS,
    connect: Connect = plain_connection,
) -> Store:
    """Open, or make, the file of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Raises `OptionError` for a URL without a path, `StoreError` when the file cannot be opened: STORE_IN_USE while
    another engine has it, LEDGER_CORRUPT when it is damaged, else LEDGER_UNAVAILABLE. `connect` opens bare
    connections; tests put failing ones in.
    """
    path = path_of(url)
    parts = await asyncio.to_thread(_open_parts, path, seal, clock, connect)
    return SqliteStore(parts, connect, clock, timeouts)


@dataclass(frozen=True, slots=True)
class Parts:
    """What was opened, before any thread runs."""

    path: Path
    lock: OwnerLock
    writer: Writer
    points: Reader
    queries: Reader


class SqliteStore:
    """A `Store` in one SQLite file."""

    def __init__(self, parts: Parts, connect: Connect, clock: Clock, timeouts: Mapping[str, Operation]) -> None:
        """Start the threads of the writer and the two readers."""
        self._parts = parts
        self._read_operation = timeouts["journal.read"]
        self._append_seconds = timeouts["journal.append"].seconds
        self._writer: Desk[Append | Probe, Answer] = Desk(
            DeskOptions(
                name="store-writer",
                seconds=self._append_seconds,
                waiting_max=APPENDS_MAX,
                tray_max=TRAY_MAX,
                batch_max=GROUP_MAX,
            ),
            parts.writer.handle,
            self._late_append,
            clock,
            parts.writer.tidy,
        )
        reads = partial(
            DeskOptions,
            seconds=self._read_operation.seconds,
            waiting_max=READS_MAX,
            tray_max=TRAY_MAX,
            batch_max=READS_AT_ONCE,
        )
        self._points: Desk[RowKey, Row | None] = Desk(
            reads(name="store-rows"), parts.points.rows, self._late_read, clock
        )
        self._queries: Desk[Query, Any] = Desk(
            reads(name="store-queries"), parts.queries.queries, self._late_read, clock
        )
        self._backups = Backups(parts.path, connect)
        self._closing: asyncio.Task[None] | None = None

    async def append(self, append: Append) -> Appended:
        """Commit `append` durably, or report a conflict, a counter at its limit, or a lost acknowledgement.

        Cancelling the caller detaches it: the append is still committed or refused as a whole. Raises `StoreError` when
        nothing was written, or (QUEUE_FULL) when 10,000 appends wait, `Invalid` for one that no store can hold.
        """
        check_append(append)
        answer = await self._writer.ask(append)
        assert answer is not None, "only a probe is answered with nothing"
        return answer

    async def appended(self, tenant: str, stream: str, append_id: str) -> Committed | None:
        """Return the committed append with this id, which wrote an event to `stream`, or None."""
        check_names(tenant, stream, append_id)
        found: Committed | None = await self._queries.ask(
            partial(reader.appended, tenant=tenant, stream=stream, append_id=append_id)
        )
        return found

    async def entries(self, tenant: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries with a sequence above `after_seq`, in order. `limit` is 1 to 10,000."""
        check_limit(limit)
        check_names(tenant)
        found: list[Entry] = await self._queries.ask(
            partial(reader.entries, tenant=tenant, after_seq=after_seq, limit=limit)
        )
        return found

    async def stream(self, tenant: str, stream: str, *, after_position: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the tenant's entries of one stream above `after_position`, in order. `limit` is 1 to 10,000."""
        check_limit(limit)
        check_names(tenant, stream)
        query = partial(reader.stream, tenant=tenant, name=stream, after_position=after_position, limit=limit)
        found: list[Entry] = await self._queries.ask(query)
        return found

    async def head(self, tenant: str) -> Head:
        """Return the end of the tenant's chain."""
        check_names(tenant)
        found: Head = await self._queries.ask(partial(reader.head, tenant=tenant))
        return found

    async def tenants(self, *, limit: int | None = None) -> Sequence[str]:
        """Return the tenants with a chain, sorted: all, or the first `limit`."""
        check_limit(1 if limit is None else limit)
        found: list[str] = await self._queries.ask(partial(reader.tenants, limit=limit))
        return found

    async def get(self, space: str, tenant: str, key: str) -> Row | None:
        """Return one row, or None. Rows asked for in one turn of the loop are read together."""
        check_names(space, tenant, key)
        return await self._points.ask((space, tenant, key))

    async def page(
        self, space: str, tenant: str, *, facet: str | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Row]:
        """Return a tenant's rows with a facet by descending key, below `before` if given, of one facet if given."""
        check_limit(limit)
        check_names(space, tenant, facet or "", before or "")
        found: list[Row] = await self._queries.ask(
            partial(reader.page, space=space, tenant=tenant, facet=facet, before=before, limit=limit)
        )
        return found

    async def scan(
        self, space: str, facets: Sequence[str], *, after: tuple[str, str] | None = None, limit: int = 1000
    ) -> Sequence[Row]:
        """Return rows of all tenants in one of `facets`, ordered by (tenant, key), above `after`."""
        check_limit(limit)
        check_names(space, *facets, *(after or ()))
        found: list[Row] = await self._queries.ask(
            partial(reader.scan, space=space, facets=tuple(facets), after=after or ("", ""), limit=limit)
        )
        return found

    async def count(self, space: str, facets: Sequence[str]) -> int:
        """Return how many rows of all tenants are in one of `facets`."""
        check_names(space, *facets)
        found: int = await self._queries.ask(partial(reader.count, space=space, facets=tuple(facets)))
        return found

    async def counters(
        self, space: str, tenant: str, *, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> Sequence[Counter]:
        """Return a tenant's counters by ascending key, those that begin with `prefix`, above `after` if given."""
        check_limit(limit)
        check_names(space, tenant, prefix, after or "")
        query = partial(reader.counters, space=space, tenant=tenant, prefix=prefix, after=after, limit=limit)
        found: list[Counter] = await self._queries.ask(query)
        return found

    async def backup(
        self, path: Path, *, created_at: float, progress: Callable[[Progress], None] | None = None
    ) -> Manifest:
        """Write a consistent copy of everything to `path`, on the disk, and its manifest beside it.

        Raises as `Backup.backup` says. Closing the store ends a copy that is under way.
        """
        return await self._backups.make(path, created_at, progress)

    def statistics(self) -> StoreStatistics:
        """Return counts since opening."""
        return self._parts.writer.statistics

    async def check(self) -> None:
        """Raise `StoreError` unless the file can be written and its disk has 4 MiB free. Writes nothing."""
        answer = await self._writer.ask(Probe())
        if isinstance(answer, Unknown):
            raise StoreError(f"{self._parts.path}: {answer.reason}")

    async def close(self) -> None:
        """Commit what was accepted, end the threads, close the file and give its lock back. Closing twice is fine.

        Raises `StoreError` when a thread does not end; the lock then goes with the process.
        """
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._backups.close()
        await self._writer.close()
        await self._points.close()
        await self._queries.close()
        await asyncio.to_thread(_close_parts, self._parts)

    def _late_append(self, request: Append | Probe) -> Answer:
        identity = request.id if isinstance(request, Append) else ""
        return Unknown(identity, f"not acknowledged within {self._append_seconds:g} s")

    def _late_read(self, request: RowKey | Query) -> StoreError:  # noqa: ARG002 - all reads are late alike
        seconds = self._read_operation.seconds
        return StoreError(f"{self._parts.path}: no answer within {seconds:g} s", code=self._read_operation.code)


def path_of(url: str) -> Path:
    """Return the file that a URL of this adapter names. Raises `OptionError` when it names none."""
    checked_url(url)
    return Path(unquote(urlsplit(url).path.removeprefix("/"))).resolve()


def _open_parts(path: Path, seal: Seal, clock: Clock, connect: Connect) -> Parts:
    """Take the lock, then open the file; give the lock back when that fails."""
    if sqlite3.sqlite_version_info < _SQLITE_MIN:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; this store needs 3.38 or newer")
    lock = OwnerLock(path)
    try:
        return _open_locked(path, lock, seal, clock, connect)
    except sqlite3.Error as error:
        lock.release()
        raise translated(error, str(path)) from error
    except (OSError, StoreError):
        lock.release()
        raise


def _open_locked(path: Path, lock: OwnerLock, seal: Seal, clock: Clock, connect: Connect) -> Parts:
    _make_private(path)
    name = str(path)
    with ExitStack() as opened:  # what is open already is closed when the next cannot be
        writing = opened.enter_context(closing(writing_connection(name, connect)))
        prepare(writing, name, clock)
        points = opened.enter_context(closing(reading_connection(name, connect)))
        queries = opened.enter_context(closing(reading_connection(name, connect)))
        for connection in (writing, points, queries):
            read_earlier(connection)
        writer = Writer(name, writing, connect, seal, Filing())
        writer.catch_up()
        opened.pop_all()
    return Parts(path, lock, writer, Reader(name, points), Reader(name, queries))


def _make_private(path: Path) -> None:
    """Make the file readable by its owner only, before SQLite makes it readable by more."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, _PRIVATE))


def _close_parts(parts: Parts) -> None:
    try:
        parts.points.close()
        parts.queries.close()
        parts.writer.close()
    except sqlite3.Error as error:
        raise translated(error, str(parts.path)) from error
    finally:
        parts.lock.release()
