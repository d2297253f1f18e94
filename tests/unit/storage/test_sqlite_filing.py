"""Lists by tenant: what is in recent blocks is filed a piece at a time, and nobody can tell what is filed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Append, Committed, Erase, Event, Store
from switchgear.storage.sqlite import store as adapter
from switchgear.storage.sqlite.connecting import Connect, plain_connection
from switchgear.storage.sqlite.filing import Filing
from switchgear.storage.sqlite.names import page_names
from switchgear.storage.sqlite.offline import NewFile, StoreFile
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import append, assert_chained, suite_seal, write
from tests.small_blocks import file_at_once

TENANTS = 9


@asynccontextmanager
async def opened(folder: Path, connect: Connect = plain_connection) -> AsyncIterator[Store]:
    """Open the store of a folder, and close it."""
    store = await open_sqlite(f"sqlite:///{folder / 'gear.db'}", seal=suite_seal, connect=connect)
    try:
        yield store
    finally:
        await store.close()


def asked(folder: Path, question: str) -> list[tuple[int, ...]]:
    """Return what the file answers to a question."""
    with closing(sqlite3.connect(folder / "gear.db")) as connection:
        return connection.execute(question).fetchall()


def change(folder: Path, statement: str) -> None:
    """Execute a statement on the file as damage would."""
    with closing(sqlite3.connect(folder / "gear.db")) as connection, connection:
        connection.execute(statement)


def filed(folder: Path) -> tuple[int, int]:
    """Return how many entries and how many rows are filed."""
    ((entries,),) = asked(folder, "SELECT count(*) FROM filed_entries")
    ((rows,),) = asked(folder, "SELECT count(*) FROM filed_rows")
    return entries, rows


def row_of(number: int, tenant: str, version: int = 0, facet: str = "ready") -> Append:
    """Return an append of one entry and one row of its own."""
    return append(number, tenant=tenant, writes=(write(f"k{number % 1000:03}", version, facet=facet),))


async def fill(store: Store, appends: int = 120) -> None:
    """Record appends of nine tenants in turn, three at a time."""
    for start in range(0, appends, 3):
        some = (row_of(number, f"t{number % TENANTS}") for number in range(start, start + 3))
        await asyncio.gather(*map(store.append, some))


async def content(store: Store) -> list[object]:
    """Return all lists of a store."""
    found: list[object] = [await store.tenants(), await store.scan("space", ["ready", "done"], limit=1_000)]
    for number in range(TENANTS):
        tenant = f"t{number}"
        found += [
            await store.entries(tenant),
            await store.entries(tenant, after_seq=3, limit=4),
            await store.head(tenant),
        ]
        found += [await store.page("space", tenant, limit=7), await store.page("space", tenant, facet="done")]
        found.append(await store.page("space", tenant, facet="ready", before="k070", limit=5))
    return found


async def test_what_is_filed_is_listed_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lists are the same when nothing is filed, when some is, and when it is read without an engine."""
    async with opened(tmp_path) as store:
        await fill(store)
        before = await content(store)
    assert filed(tmp_path) == (0, 0)
    (tmp_path / "gear.db").unlink()
    file_at_once(monkeypatch, piece_max=4)
    async with opened(tmp_path) as store:
        for part in range(4):
            await fill_part(store, part)
        assert await content(store) == before
        entries, rows = filed(tmp_path)
        assert (entries > 60, rows > 60) == (True, True)
        assert_chained(await store.entries("t1"))
    with StoreFile(tmp_path / "gear.db") as file:
        assert [entry.seq for entry in file.entries("t1")] == list(range(1, 15))


async def fill_part(store: Store, part: int) -> None:
    """Record a quarter of what `fill` does."""
    for start in range(30 * part, 30 * part + 30, 3):
        some = (row_of(number, f"t{number % TENANTS}") for number in range(start, start + 3))
        await asyncio.gather(*map(store.append, some))


async def test_a_filed_row_moves_with_its_facet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is filed, or is about to be, and changes is in the list of its new facet alone, if any."""
    file_at_once(monkeypatch)
    async with opened(tmp_path) as store:
        await fill(store)
        for number, facet in zip(range(120), itertools.cycle(["done", "", "ready"])):
            assert isinstance(await store.append(row_of(1000 + number, f"t{number % TENANTS}", 1, facet)), Committed)
        for facet, wanted in (("done", range(0, 120, 3)), ("ready", range(2, 120, 3))):
            rows = await store.scan("space", [facet], limit=1_000)
            assert sorted(row.key for row in rows) == [f"k{number:03}" for number in wanted]
            paged = [row for number in range(TENANTS) for row in await store.page("space", f"t{number}", facet=facet)]
            assert sorted(row.key for row in paged) == [f"k{number:03}" for number in wanted]
            assert await store.count("space", [facet]) == len(wanted)
    assert asked(tmp_path, "SELECT count(*) FROM filed_rows WHERE facet = ''") == [(0,)]


async def test_a_row_that_moves_while_its_block_is_filed_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that has filed a tenant is not over; what changes until then is filed anew all the same."""
    file_at_once(monkeypatch, blocks_max=10_000)
    async with opened(tmp_path) as store:
        await fill(store)
    monkeypatch.setattr(adapter, "Filing", partial(Filing, 40, 20))
    async with opened(tmp_path) as store:
        for number in sorted(range(120), key=lambda number: number % TENANTS):
            await store.append(row_of(1000 + number, f"t{number % TENANTS}", 1, "done"))
        for number in range(TENANTS):
            assert await store.page("space", f"t{number}", facet="ready") == []
            assert len(await store.page("space", f"t{number}", facet="done")) == len(range(number, 120, TENANTS))
    stale = "SELECT count(*) FROM filed_rows WHERE facet <> 'done'"
    assert asked(tmp_path, "SELECT through > 0 FROM filing WHERE part = 'rows'") == [(1,)]
    assert asked(tmp_path, stale) == [(0,)]


async def test_what_is_cut_or_erased_is_in_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that was filed is cut like another, and goes on from its head."""
    file_at_once(monkeypatch)
    async with opened(tmp_path) as store:
        await fill(store)
        assert await store.append(
            Append("cut", "t1", (Event("s", b"{}"),), erases=(Erase("s", 14),), cut=9)
        ) == Committed(15)
        assert [entry.seq for entry in await store.entries("t1", limit=3)] == [10, 11, 12]
        assert [entry.seq for entry in await store.entries("t1", after_seq=2)] == list(range(10, 16))
        assert await store.append(row_of(500, "t1")) == Committed(16)
    assert asked(
        tmp_path, "SELECT count(*) FROM filed_entries WHERE position NOT IN (SELECT position FROM entries)"
    ) == [(0,)]


@pytest.mark.parametrize("blocks_max", [1, 5])
async def test_what_is_not_filed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks_max: int) -> None:
    """While appends go on, no more blocks are left to look into than begin a pass, and those of the pass under way."""
    file_at_once(monkeypatch, blocks_max=blocks_max, piece_max=50)
    async with opened(tmp_path) as store:
        for round_ in range(3):
            await fill_part(store, round_)
            await store.check()  # it comes after what was filed last
            assert all(
                last - first <= 2 * blocks_max + 10 for first, last in asked(tmp_path, "SELECT first, last FROM blocks")
            )
    assert all(through > 0 for (through,) in asked(tmp_path, "SELECT through FROM filing"))


async def test_a_tenant_with_everything_is_filed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much one tenant has, no transaction files more of it than some blocks."""
    changes: list[int] = []

    def connect(path: str) -> sqlite3.Connection:
        connection = plain_connection(path)

        def look(statement: str) -> None:
            if statement.startswith("COMMIT"):
                changes.append(connection.total_changes)

        connection.set_trace_callback(look)
        return connection

    file_at_once(monkeypatch, shift=2, blocks_max=1_000, piece_max=8)
    async with opened(tmp_path) as store:
        await asyncio.gather(*(store.append(row_of(number, "t1")) for number in range(200)))
        wanted = await store.entries("t1")
    monkeypatch.setattr(adapter, "Filing", partial(Filing, 30, 8))
    async with opened(tmp_path, connect) as store:
        for number in range(200, 240):
            await store.append(append(number, tenant="t2"))
        assert await store.entries("t1") == wanted
        assert len(await store.page("space", "t1", limit=300)) == 200
    assert max(after - before for before, after in itertools.pairwise(changes[2:])) <= 2 * 4 * 4 + 8
    assert filed(tmp_path)[0] > 190


class Failing(sqlite3.Connection):
    """A connection that fails a statement with some words, so many times."""

    words = ""
    times = 0

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        """Execute, or fail."""
        if Failing.times and Failing.words and Failing.words in sql:
            Failing.times -= 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(sql, parameters)  # type: ignore[arg-type] # any parameters the adapter binds


def failing(path: str) -> sqlite3.Connection:
    """Open a connection that can fail."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)
    connection.text_factory = bytes
    return connection


@pytest.mark.parametrize(
    "words",
    [
        "INSERT INTO filing (part, through, goal, total) VALUES",
        "INSERT OR IGNORE INTO filed_rows",
        "UPDATE filing SET through",
        "SELECT json_array(first, goal, last)",
    ],
)
async def test_a_piece_that_fails_is_logged_and_filed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    """Appends go on, every list is complete, and what was not filed is filed later."""
    file_at_once(monkeypatch)
    monkeypatch.setattr(Failing, "words", words)
    monkeypatch.setattr(Failing, "times", 3)
    with caplog.at_level(logging.WARNING, "switchgear.storage"):
        async with opened(tmp_path, failing) as store:
            await fill(store)
            found = await content(store)
    assert caplog.text.count("lists of tenants are not filed for now: database or disk is full") == 3
    assert min(filed(tmp_path)) > 30
    file_at_once(monkeypatch, blocks_max=10_000)
    (tmp_path / "gear.db").unlink()
    async with opened(tmp_path) as store:
        await fill(store)
        assert await content(store) == found


async def test_a_pass_that_was_cut_short_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is filed in part when the process ends is listed once, and the next process files the rest."""
    file_at_once(monkeypatch, blocks_max=10_000)
    async with opened(tmp_path) as store:
        await fill(store)
        before = await content(store)
    monkeypatch.setattr(adapter, "Filing", partial(Filing, 40, 2))
    async with opened(tmp_path) as store:
        for _ in range(4):
            await store.append(Append("none", "t0", (), (write("other", 0, facet=""),)))
        assert await content(store) == before
    entries, _ = filed(tmp_path)
    assert 0 < entries < 120


async def test_what_short_lives_left_is_filed_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that end before a pass does leave no more than one of them opens with: the next one files it first."""
    file_at_once(monkeypatch, blocks_max=10_000)
    async with opened(tmp_path) as store:
        await fill(store)
        before = await content(store)
    monkeypatch.setattr(adapter, "Filing", partial(Filing, 40, 2))
    async with opened(tmp_path):
        assert min(filed(tmp_path)) == 0, "not twice as much as begins a pass"
    monkeypatch.setattr(adapter, "Filing", partial(Filing, 20, 2))
    async with opened(tmp_path) as store:
        assert min(filed(tmp_path)) > 110
        assert await content(store) == before
        await fill(store, 12)


def test_a_new_file_is_filed_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is filled without an engine needs no pass afterwards."""
    file_at_once(monkeypatch)
    asyncio.run(_filled(tmp_path))
    with StoreFile(tmp_path / "gear.db") as source, NewFile(tmp_path / "new.db") as target:
        for tenant in source.tenants():
            target.copy_entries(tenant, source.entries(tenant))
            for row in source.rows("space", tenant):
                target.put_row(row)
        target.remove_row("space", "t1", "k001")
    with StoreFile(tmp_path / "gear.db") as source, StoreFile(tmp_path / "new.db") as copy:
        for tenant in source.tenants():
            assert list(copy.entries(tenant)) == list(source.entries(tenant))
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert connection.execute("SELECT max(last - first) FROM blocks").fetchall() == [(0,)]


async def _filled(folder: Path) -> None:
    async with opened(folder) as store:
        await fill(store)


async def test_passes_over_few_tenants_go_on_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many passes find little to file, the next one is begun like the first."""
    file_at_once(monkeypatch, piece_max=1_000)
    async with opened(tmp_path) as store:
        for number in range(300):
            assert isinstance(await store.append(row_of(number, "t1")), Committed)
    assert min(filed(tmp_path)) > 290


class Defect(Filing):
    """Meets something that nobody thought of, within its transaction."""

    def file(self, connection: sqlite3.Connection) -> None:
        """Begin as ever, and break."""
        super().file(connection)
        raise ArithmeticError


async def test_a_defect_in_filing_stands_in_the_way_of_no_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised while a piece is filed, its transaction is over when the next append comes."""
    file_at_once(monkeypatch)
    monkeypatch.setattr(adapter, "Filing", partial(Defect, 1, 2))
    with caplog.at_level(logging.ERROR, "switchgear.storage"):
        async with opened(tmp_path) as store:
            await fill(store)
            await store.check()
    assert "a defect in store-writer" in caplog.text
    assert filed(tmp_path) == (0, 0)


async def test_a_tenant_whose_name_cannot_be_read_only_stops_filing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Damage among the names of tenants is told as such, and appends of the others go on."""
    file_at_once(monkeypatch, blocks_max=10_000)
    async with opened(tmp_path) as store:
        await fill(store)
    change(tmp_path, "UPDATE tenants SET name = CAST(x'ff' AS TEXT) WHERE name = 't3'")
    file_at_once(monkeypatch, blocks_max=40, piece_max=20)
    with caplog.at_level(logging.WARNING, "switchgear.storage"):
        async with opened(tmp_path) as store:
            for number in range(500, 520):
                assert isinstance(await store.append(row_of(number, "t1")), Committed)
    assert "not filed for now: the answer to 'end_of_rows' cannot be read" in caplog.text


async def test_a_tenant_without_a_name_is_filed_like_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The empty text is below all others, and not below itself."""
    file_at_once(monkeypatch)
    async with opened(tmp_path) as store:
        for number in range(40):
            await store.append(row_of(number, "" if number % 2 else "t0"))
        assert len(await store.page("space", "", limit=50)) == 20
        assert len(await store.scan("space", ["ready"])) == 40
        assert len(await store.entries("")) == 20


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM filing",
        "UPDATE filing SET part = part || 'x'",
        "UPDATE filing SET through = goal + 1",
        "UPDATE filing SET through = 1 << 62, goal = 1 << 62",
        "UPDATE filing SET through = -(1 << 62)",
        "UPDATE filing SET goal = goal + 1000",
        "UPDATE filing SET goal = -5",
    ],
)
async def test_what_is_filed_cannot_hide_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """When the file says what cannot be of how far it is filed, no block counts as filed, until a pass says it anew."""
    file_at_once(monkeypatch, blocks_max=40, piece_max=20)
    async with opened(tmp_path) as store:
        await fill(store)
        before = await content(store)
    change(tmp_path, statement)
    async with opened(tmp_path) as store:
        assert await content(store) == before
        assert isinstance(await store.append(row_of(1000, "t0", 1, "done")), Committed)
        for number in range(120, 240):
            assert isinstance(await store.append(row_of(number, f"t{number % TENANTS}")), Committed)
        for number in range(TENANTS):
            assert_chained(await store.entries(f"t{number}"))
    async with opened(tmp_path) as store:
        assert await store.append(row_of(240, "t0")) == Committed(29)
        assert "k000" not in [row.key for row in await store.page("space", "t0", facet="ready")]
        assert [row.key for row in await store.page("space", "t0", facet="done")] == ["k000"]
    told = "SELECT first > 0 AND first <= goal + 1 AND goal < last FROM blocks"
    assert asked(tmp_path, told) == [(1,), (1,)]


async def test_a_second_entry_of_a_sequence_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A chain that was forked, by damage to a list, is told when it is filed; no entry is dropped in silence."""
    file_at_once(monkeypatch, blocks_max=10_000)
    async with opened(tmp_path) as store:
        await fill(store)
    change(tmp_path, "UPDATE entries SET seq = 1 WHERE seq = 14 AND tenant = 1")
    file_at_once(monkeypatch, blocks_max=40, piece_max=20)
    with caplog.at_level(logging.WARNING, "switchgear.storage"):
        async with opened(tmp_path) as store:
            for number in range(500, 530):
                await store.append(row_of(number, "t5"))
    assert "not filed for now: NOT NULL constraint failed: filed_entries.position" in caplog.text


async def test_a_pass_that_is_begun_again_begins_at_the_first_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a pass under way is no longer known of, by damage, the next one leaves nobody out."""
    file_at_once(monkeypatch, blocks_max=10_000)
    filing = Filing(1, 20)
    for part in range(3):
        async with opened(tmp_path) as store:
            await fill_part(store, part)
        with closing(plain_connection(str(tmp_path / "gear.db"))) as connection, connection:
            assert filing.is_due(connection)
            filing.file(connection)
        change(tmp_path, "DELETE FROM filing")
    with closing(plain_connection(str(tmp_path / "gear.db"))) as connection, connection:
        while filing.is_due(connection):
            filing.file(connection)
    assert filed(tmp_path) == (89, 89)


async def test_a_place_of_another_entry_is_named_as_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that leads to an entry of another sequence, or tenant, shows neither, and comes to its end."""
    file_at_once(monkeypatch, piece_max=20)
    async with opened(tmp_path) as store:
        await fill(store)
    change(tmp_path, "UPDATE filed_entries SET position = position - 1 WHERE tenant = 2 AND seq = 4")
    change(tmp_path, "UPDATE filed_entries SET position = 3 WHERE tenant = 2 AND seq = 6")
    async with opened(tmp_path) as store:
        online = await store.entries("t1")
    with StoreFile(tmp_path / "gear.db") as file:
        assert list(itertools.islice(file.entries("t1"), 100)) == online
    assert [entry.seq for entry in online] == list(range(1, 15))
    assert [entry.seq for entry in online if not entry.hash] == [4, 6]


async def test_an_end_of_another_chain_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that says that a chain ends at an entry of another tenant is damaged: nothing is appended behind it."""
    file_at_once(monkeypatch, piece_max=20)
    async with opened(tmp_path) as store:
        for number in range(60):
            await store.append(row_of(number, f"t{number // 20}"))
    change(tmp_path, "UPDATE filed_entries SET position = position - 20 WHERE tenant = 2 AND seq = 20")
    async with opened(tmp_path) as store:
        for call in (store.head("t1"), store.append(row_of(99, "t1"))):
            with pytest.raises(StoreError) as refused:
                await call
            assert refused.value.code is Code.LEDGER_CORRUPT
        assert (await store.head("t2")).seq == 20


def steps_of_page(folder: Path) -> int:
    """Return how many steps SQLite takes to find a page of names."""
    steps = itertools.count()
    with closing(plain_connection(str(folder / "gear.db"))) as connection:
        connection.set_progress_handler(lambda: 0 * next(steps), 1)
        assert len(page_names(connection, "space", "t1", None, None, 10)) == 10
    return next(steps)


async def test_a_page_costs_the_same_of_a_long_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page reads does not grow with what is filed of the tenant."""
    steps: list[int] = []
    file_at_once(monkeypatch, piece_max=2_000)
    for appends in (50, 1_000):
        async with opened(tmp_path) as store:
            await asyncio.gather(*(store.append(row_of(number, "t1")) for number in range(appends)))
            for _ in range(3):
                await store.append(append(5_000, tenant="t2"))
        steps.append(steps_of_page(tmp_path))
        (tmp_path / "gear.db").unlink()
    assert steps[1] < 1.2 * steps[0]
