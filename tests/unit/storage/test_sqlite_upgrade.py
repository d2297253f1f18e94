"""Files of earlier schemas: brought to this one at opening with all they hold, or opened as they are."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Append, Committed, Erase, Event, Store
from switchgear.storage.sqlite import schema
from switchgear.storage.sqlite.connecting import Connect, plain_connection, writing_connection
from switchgear.storage.sqlite.offline import StoreFile
from switchgear.storage.sqlite.schema import prepare, schema_files
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import append, count, suite_seal, write

PAGE_BYTES, INDEX_LEAF = 4096, 0x0A
FILES, MEMORY = 1, 2
TENANTS = ("t0", "t1", "t2")
FACETS = ("odd", "even", "done")
LISTED = 170  # of the 240 rows that `fill` writes: those with a facet
VALUE = b"value" * 80
SECRET = b"a-secret-that-nobody-should-find"


@asynccontextmanager
async def opened(path: Path, connect: Connect = plain_connection) -> AsyncIterator[Store]:
    """Open a file with this version, and close it."""
    store = await open_sqlite(f"sqlite:///{path}", seal=suite_seal, connect=connect)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def as_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what makes this version know the first steps of the schema only, as an earlier one did; 9 for all."""
    steps = schema_files()
    return lambda number: monkeypatch.setattr(schema, "schema_files", lambda: steps[:number])


async def fill(path: Path, *, counted: bool = True) -> None:
    """Record 240 appends of three tenants: rows with and without a facet, some written again, and a cut chain."""
    counts = (count(1),) if counted else ()
    async with opened(path) as store:
        for start in range(0, 240, 60):
            await asyncio.gather(*(store.append(filling(number)) for number in range(start, start + 60)))
        for number in range(0, 60, 2):
            again = write(f"k{number:03}", 1, b"again", facet="done")
            await store.append(append(1000 + number, tenant=f"t{number % 3}", writes=(again,), counts=counts))
        await store.append(Append("cut", "t2", (Event("s", b"{}"),), cut=7))


def filling(number: int) -> Append:
    """Return one of the appends."""
    row = write(f"k{number:03}", 0, VALUE, facet=("", "odd", "even")[number // 3 % 3])
    event = Event(f"s{number % 4}", b'{"n":%d}' % number, b"payload" * 40)
    return Append(f"a-{number}", f"t{number % 3}", (event,), (row,))


async def content(store: Store) -> list[object]:
    """Return all that a store answers, list by list."""
    facets = list(FACETS)
    found: list[object] = [await store.tenants(), await store.scan("space", facets, limit=10_000)]
    for facet in facets:
        found.append((await store.count("space", [facet]), await store.scan("space", [facet], limit=10_000)))
        found += [await store.page("space", tenant, facet=facet, before="k150", limit=40) for tenant in TENANTS]
    for tenant in TENANTS:
        found += [await store.head(tenant), await store.entries(tenant, limit=10_000)]
        found += [await store.stream(tenant, f"s{number}", after_position=20) for number in range(4)]
        found += [await store.page("space", tenant, limit=10_000), await store.appended(tenant, "s1", "a-121")]
    return found + [await store.get("space", f"t{number % 3}", f"k{number:03}") for number in range(240)]


def traces(folder: Path) -> list[str]:
    """Return the files that hold the secret."""
    return sorted(file.name for file in folder.iterdir() if SECRET in file.read_bytes())


def steps_of(path: Path) -> list[int]:
    """Return the steps that are recorded in a file."""
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM schema_files ORDER BY number")]


def leaving_removed(path: str) -> sqlite3.Connection:
    """Connect as where SQLite was built to leave what is removed in its pages."""
    connection = plain_connection(path)
    connection.execute("PRAGMA secure_delete = OFF").fetchall()
    return connection


def with_little_room(path: str) -> sqlite3.Connection:
    """Connect to a file that can grow by four pages."""
    connection = plain_connection(path)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}").fetchall()
    return connection


def spoil_a_row(path: Path) -> None:
    """Make a page of rows such as no b-tree has, in a file that has them clustered."""
    data = path.read_bytes()
    pages = range(PAGE_BYTES, len(data), PAGE_BYTES)
    found = [at for at in pages if data[at] == INDEX_LEAF and VALUE in data[at : at + PAGE_BYTES]]
    with path.open("r+b") as file:
        file.seek(found[1])
        file.write(b"\xff" * 200)


def lose_a_row(path: Path) -> None:
    """Take a row out of its table, and leave it in the index of facets."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'rows_by_facet'").fetchone()
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'rows_by_facet'")
        connection.execute("PRAGMA writable_schema = RESET")
        assert connection.execute("DELETE FROM rows WHERE key = 'k007'").rowcount == 1
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_all_of_an_earlier_file_is_there_afterwards(
    tmp_path: Path, as_of: Callable[[int], None], number: int
) -> None:
    """Rows, counters, entries and heads are the same before and after, and so are all lists of them."""
    path = tmp_path / "gear.db"
    as_of(number)
    await fill(path, counted=number > 1)
    async with opened(path) as store:
        before = await content(store)
        counters = [await store.counters("space", tenant) for tenant in TENANTS] if number > 1 else [[]] * 3
    assert steps_of(path) == list(range(1, number + 1))
    as_of(9)
    async with opened(path) as store:
        assert steps_of(path) == [file.number for file in schema_files()]
        assert path.with_name("gear.db-wal").stat().st_size == 0, "what a step wrote is moved into the database"
        assert await content(store) == before
        assert [await store.counters("space", tenant) for tenant in TENANTS] == counters
        new = await store.append(append(9000, tenant="t1", writes=(write("k001", 1), write("new", 0))))
        assert isinstance(new, Committed)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'rows_before'").fetchall() == []


def test_a_whole_table_is_sorted_in_files(tmp_path: Path, as_of: Callable[[int], None]) -> None:
    """A step that may sort a million rows does not hold them in memory; afterwards groups are kept there again."""
    path = str(tmp_path / "gear.db")
    as_of(2)
    with closing(writing_connection(path, plain_connection)) as connection:
        prepare(connection, path, SYSTEM_CLOCK)
    as_of(9)
    sorting: list[int] = []
    with closing(writing_connection(path, plain_connection)) as connection:

        def look(statement: str) -> None:
            if statement.startswith("CREATE UNIQUE INDEX"):
                sorting.append(kept_in(connection))

        connection.set_trace_callback(look)
        prepare(connection, path, SYSTEM_CLOCK)
        connection.set_trace_callback(None)
        assert (set(sorting), kept_in(connection)) == ({FILES}, MEMORY)


def kept_in(connection: sqlite3.Connection) -> int:
    """Return where a connection keeps what it needs for a time, as SQLite numbers it."""
    (found,) = connection.execute("PRAGMA temp_store").fetchone()
    assert isinstance(found, int)
    return found


async def test_all_layouts_answer_alike(tmp_path: Path, as_of: Callable[[int], None]) -> None:
    """The same appends to an earlier layout and to this one leave stores that answer the same."""
    found = []
    for number in (2, 3, 4, 9):
        as_of(number)
        await fill(tmp_path / f"{number}.db")
        async with opened(tmp_path / f"{number}.db") as store:
            found.append(await content(store))
    assert found[0] == found[1] == found[2] == found[3]


async def test_no_copy_of_a_row_outlives_its_erasure(tmp_path: Path, as_of: Callable[[int], None]) -> None:
    """Rows that were laid out anew leave nothing readable where they were."""
    path = tmp_path / "gear.db"
    as_of(2)
    async with opened(path) as store:
        rows = tuple(write(f"k{number}", 0, SECRET * 9) for number in range(60))
        await store.append(Append("a", "acme", (Event("s", b"{}", SECRET),), rows))
    assert traces(tmp_path)
    as_of(9)
    async with opened(path, leaving_removed) as store:
        bare = tuple(write(f"k{number}", 1, b"") for number in range(60))
        erased = Append("b", "acme", (Event("s", b"{}"),), bare, erases=(Erase("s", 1),))
        assert await store.append(erased) == Committed(2)
        assert traces(tmp_path) == []


async def test_a_damaged_file_is_read_as_it_is(
    tmp_path: Path, as_of: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Damage costs the records that it hit and the new layout, which is logged; the engine starts, and records."""
    path = tmp_path / "gear.db"
    as_of(2)
    await fill(path)
    spoil_a_row(path)
    as_of(9)
    with caplog.at_level(logging.WARNING, "switchgear.storage"):
        async with opened(path) as store:
            rows = await store.scan("space", FACETS, limit=10_000)
            assert len(rows) == LISTED
            assert 0 < len([row for row in rows if row.version == 0]) < 12
            paged = [row for tenant in TENANTS for row in await store.page("space", tenant, limit=10_000)]
            assert sorted(paged, key=lambda row: (row.tenant, row.key)) == rows
            assert await store.append(append(9000, tenant="t9", writes=(write("new", 0),))) == Committed(1)
    assert "gear.db stays without schema 0003_layout for now: database disk image is malformed" in caplog.text
    assert steps_of(path) == [1, 2]
    with StoreFile(path) as file:
        assert len([row for tenant in TENANTS for row in file.rows("space", tenant)]) == 240


async def test_a_file_of_which_a_row_would_be_left_behind_is_read_as_it_is(
    tmp_path: Path, as_of: Callable[[int], None]
) -> None:
    """An index that names more rows than there are is damage that no page shows: nothing is dropped for it."""
    path = tmp_path / "gear.db"
    as_of(2)
    await fill(path)
    lose_a_row(path)
    as_of(9)
    async with opened(path) as store:
        assert await store.get("space", "t1", "k007") is None
        assert await store.get("space", "t2", "k008") is not None
    assert steps_of(path) == [1, 2]


async def test_a_full_disk_leaves_the_file_as_it_is(tmp_path: Path, as_of: Callable[[int], None]) -> None:
    """What has no room is tried again at the next opening, and what was written for it is given back."""
    path = tmp_path / "gear.db"
    as_of(2)
    await fill(path)
    async with opened(path) as store:
        before = await content(store)
    as_of(9)

    async with opened(path, with_little_room) as store:
        assert steps_of(path) == [1, 2]
        assert (tmp_path / "gear.db-wal").stat().st_size == 0
        assert await content(store) == before
    async with opened(path) as store:
        assert await content(store) == before
    assert steps_of(path) == [file.number for file in schema_files()]


async def test_a_step_that_is_more_than_layout_must_succeed(
    tmp_path: Path, as_of: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements need what such a step makes, so a file without it is not opened."""
    path = tmp_path / "gear.db"
    as_of(2)
    await fill(path)
    spoil_a_row(path)
    as_of(9)
    monkeypatch.setattr(schema, "_LAYOUT_ONLY", frozenset())
    with pytest.raises(StoreError, match="damaged") as refused:
        async with opened(path):
            pass
    assert refused.value.code is Code.LEDGER_CORRUPT
