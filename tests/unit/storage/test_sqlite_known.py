"""What the SQLite writer knows without looking: it spares reads, and never decides by what is not in the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Appended, Committed, Conflicted, Count, Exceeded, Expect, Store, Unknown
from switchgear.storage.sqlite.statements import statements
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import append, assert_chained, suite_seal, write

Happens = Callable[[str], None]
"""Looks at a statement before it is executed, and may raise."""


class Watched(sqlite3.Connection):
    """A connection that writes down what it executes, and fails when it is told to."""

    seen: list[str]
    happens: Happens | None = None

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        """Write the statement down, let it fail, or execute it."""
        self.seen = [*getattr(self, "seen", ()), sql]
        if Watched.happens is not None:
            Watched.happens(sql)
        return super().execute(sql, parameters)  # type: ignore[arg-type] # any parameters the adapter binds


@pytest.fixture(autouse=True)
def _nothing_happens() -> object:
    Watched.happens = None
    yield
    Watched.happens = None


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Store, Watched]]:
    """Open the store of a folder; yield it, and the connection that writes."""
    connections: list[Watched] = []

    def connect(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Watched)
        connection.text_factory = bytes
        connections.append(connection)
        return connection

    store = await open_sqlite(f"sqlite:///{folder / 'gear.db'}", seal=suite_seal, connect=connect)
    try:
        yield store, connections[0]
    finally:
        Watched.happens = None
        await store.close()


def raising(error: sqlite3.Error, code: int, first_words: str, *, once: bool = True) -> Happens:
    """Return what fails a statement that begins with these words, the first one or each."""
    error.sqlite_errorcode = code

    def happens(sql: str) -> None:
        if sql.startswith(first_words):
            Watched.happens = None if once else happens
            raise error

    return happens


def reads(connection: Watched) -> int:
    """Return how many reads the connection has executed, but for those that look whether something is to be filed."""
    return sum(sql.startswith(("SELECT", "WITH")) and sql != statements()["blocks"] for sql in connection.seen)


async def test_rows_that_were_written_or_are_to_be_made_are_not_read(tmp_path: Path) -> None:
    """The usual append looks nothing up: its rows are new, or were written a moment ago."""
    switch = Expect("switches", "@platform", "global", 0)
    async with opened(tmp_path) as (store, connection):
        await store.append(append(0, writes=(write("k0", 0),), expects=(switch,)))
        before = reads(connection)
        for number in range(1, 5):
            await store.append(append(2 * number, writes=(write(f"k{number}", 0),), expects=(switch,)))
            await store.append(append(2 * number + 1, writes=(write(f"k{number}", 1),), expects=(switch,)))
        assert reads(connection) == before
        row = await store.get("space", "acme", "k4")
        assert row is not None
        assert row.version == 2


async def test_a_row_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    """A row of an earlier life is unknown, and presumed to be new; the append conflicts all the same, and alone."""
    async with opened(tmp_path) as (store, _):
        for version in range(3):
            await store.append(append(version, writes=(write("k", version),)))
    async with opened(tmp_path) as (store, _):
        group = [append(3, writes=(write("a", 0),)), append(4, writes=(write("k", 0),)), append(5)]
        fates = await asyncio.gather(*map(store.append, group))
        assert fates == [Committed(4), Conflicted("space", "acme", "k", 0, 3), Committed(5)]
        assert_chained(await store.entries("acme"))


async def test_a_stream_of_repeats_is_not_written_twice(tmp_path: Path) -> None:
    """After a row that was not new, the next groups look first; when no more come, groups look nothing up again."""
    async with opened(tmp_path) as (store, _):
        for number in range(12):
            await store.append(append(number, writes=(write(f"k{number}", 0),)))
    async with opened(tmp_path) as (store, connection):
        connection.seen = []
        for number in range(12):
            fate = await store.append(append(12 + number, writes=(write(f"k{number}", 0),)))
            assert fate == Conflicted("space", "acme", f"k{number}", 0, 1)
        assert sum(sql.startswith("BEGIN") for sql in connection.seen) == 13
        for number in range(24, 44):
            await store.append(append(number, writes=(write(f"k{number}", 0),)))
        before = reads(connection)
        await store.append(append(44, writes=(write("k44", 0),)))
        assert reads(connection) == before


async def test_a_refused_append_is_told_what_the_file_says(tmp_path: Path) -> None:
    """What was presumed of rows that are then not made is looked up: the first row in the way is named, as ever."""
    async with opened(tmp_path) as (store, _):
        await store.append(append(0, writes=(write("first", 0), write("second", 0))))
    async with opened(tmp_path) as (store, _):
        assert await store.append(append(1, expects=(Expect("space", "acme", "second", 1),))) == Committed(2)
        conflict, over = Conflicted("space", "acme", "first", 0, 1), (Count("space", "used", 1, 0),)
        assert await store.append(append(2, writes=(write("first", 0), write("second", 0)))) == conflict
        assert await store.append(append(3, writes=(write("first", 0),), counts=over)) == conflict
        exceeded = await store.append(append(4, writes=(write("third", 0),), counts=over))
        assert exceeded == Exceeded("space", "acme", "used", 1, 0, 0)


async def test_a_neighbour_is_not_decided_by_a_presumption(tmp_path: Path) -> None:
    """A row that one append would make and another one expects is looked up for the sake of the other."""
    async with opened(tmp_path) as (store, _):
        await store.append(append(0, writes=(write("k", 0), write("full", 0))))
    async with opened(tmp_path) as (store, _):
        await store.append(append(1, expects=(Expect("space", "acme", "full", 1),)))
        group = [
            append(2, writes=(write("full", 0), write("k", 0))),
            append(3, writes=(write("k", 1),)),
            append(4, expects=(Expect("space", "acme", "k", 2),)),
        ]
        fates = await asyncio.gather(*map(store.append, group))
        assert fates == [Conflicted("space", "acme", "full", 0, 1), Committed(3), Committed(4)]


async def expect_update(store: Store, number: int, fate: Appended) -> None:
    """Update the row "k", which was at version 1 when it was last seen."""
    assert await store.append(append(number, writes=(write("k", 1),))) == fate


async def test_what_was_not_committed_is_not_known(tmp_path: Path) -> None:
    """After a commit that failed, the version of a row is that in the file and not that of the plan."""
    async with opened(tmp_path) as (store, _):
        await store.append(append(0, writes=(write("k", 0),)))
        Watched.happens = raising(sqlite3.OperationalError("full"), sqlite3.SQLITE_FULL, "COMMIT")
        with pytest.raises(StoreError, match="disk is full"):
            await store.append(append(1, writes=(write("k", 1), write("new", 0))))
        assert await store.append(append(2, writes=(write("new", 0),))) == Committed(2)
        await expect_update(store, 3, Committed(3))


@pytest.mark.parametrize("words", ["INSERT INTO rows", "INSERT INTO entries"])
async def test_what_was_rolled_back_is_not_known(tmp_path: Path, words: str) -> None:
    """After a statement that failed, too: nothing that the plan had changed is taken for true."""
    async with opened(tmp_path) as (store, _):
        await store.append(append(0, writes=(write("k", 0),)))
        Watched.happens = raising(sqlite3.OperationalError("disk I/O error"), sqlite3.SQLITE_IOERR, words)
        with pytest.raises(StoreError, match="disk failed"):
            await store.append(append(1, writes=(write("k", 1),)))
        await expect_update(store, 2, Committed(2))


@pytest.mark.parametrize("committed", [False, True])
async def test_what_may_have_been_committed_is_looked_up(tmp_path: Path, committed: bool) -> None:  # noqa: FBT001 - parametrised
    """After an unclear commit, the file says whether a row was written."""
    async with opened(tmp_path) as (store, connection):
        await store.append(append(0, writes=(write("k", 0),)))
        fails = raising(sqlite3.OperationalError("disk I/O error"), sqlite3.SQLITE_IOERR_FSYNC, "COMMIT")

        def happens(sql: str) -> None:
            if sql.startswith("COMMIT") and committed:
                sqlite3.Connection.execute(connection, sql)
            fails(sql)

        Watched.happens = happens
        assert isinstance(await store.append(append(1, writes=(write("k", 1),))), Unknown)
        await expect_update(store, 2, Conflicted("space", "acme", "k", 1, 2) if committed else Committed(2))


async def test_a_file_that_contradicts_itself_is_corrupt(tmp_path: Path) -> None:
    """A row that is refused although it was looked up, and is not there, is damage; it is tried twice alone."""
    async with opened(tmp_path) as (store, connection):
        error = sqlite3.IntegrityError("UNIQUE constraint failed")
        Watched.happens = raising(error, sqlite3.SQLITE_CONSTRAINT_UNIQUE, "INSERT INTO rows", once=False)
        connection.seen = []
        with pytest.raises(StoreError) as raised:
            await store.append(append(0, writes=(write("k", 0),)))
        assert raised.value.code is Code.LEDGER_CORRUPT
        assert sum(sql.startswith("BEGIN") for sql in connection.seen) == 2
        Watched.happens = None
        assert await store.append(append(1, writes=(write("k", 0),))) == Committed(1)


async def test_little_is_known_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known is bounded; what is forgotten is learned anew, and no answer hangs on it."""
    monkeypatch.setattr("switchgear.storage.sqlite.known.VERSIONS_MAX", 8)
    monkeypatch.setattr("switchgear.storage.sqlite.known.CHAINS_MAX", 2)
    async with opened(tmp_path) as (store, _):
        for version in range(3):
            for number in range(20):
                tenant, key = f"t{number % 5}", f"k{number}"
                fate = await store.append(append(number, tenant=tenant, writes=(write(key, version),)))
                assert fate == Committed(number // 5 + 1 + 4 * version)
        known = store._parts.writer._known  # type: ignore[attr-defined] # noqa: SLF001 - its size shows nowhere else
        assert len(known.versions) <= 9
        assert len(known.ids) <= 3
