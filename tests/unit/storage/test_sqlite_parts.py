"""The parts of the SQLite adapter that are plain functions: statements, error table, URL, lock."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, StoreError
from switchgear.storage.opening import checked_url, open_store
from switchgear.storage.sqlite import reader
from switchgear.storage.sqlite.connecting import plain_connection, writing_connection
from switchgear.storage.sqlite.owner import OwnerLock
from switchgear.storage.sqlite.schema import prepare, schema_files
from switchgear.storage.sqlite.statements import UPSERT_ROWS, as_json, execute_wide, statements, widened, widest
from switchgear.storage.sqlite.translate import certainly_not_committed, translated
from switchgear.testing.storage_scenes import suite_seal

PAGE_BYTES = 4096
WRITTEN = Path("/proc/self/io")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """Return an error as SQLite raises it."""
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 700])
def test_widths_are_powers_of_two_that_add_up(count: int) -> None:
    """Any number of rows is covered exactly, in shapes that the statement cache keeps."""
    found: list[int] = []
    while (left := count - sum(found)) > 0:
        found.append(widest(left))
    assert sum(found) == count
    assert found == sorted(found, reverse=True)
    assert all(width & (width - 1) == 0 and width <= 256 for width in found)


def test_a_widened_statement_has_a_place_for_each_value() -> None:
    """Two rows of six columns are twelve places."""
    assert widened("upsert_rows", 2).count("?") == 12


@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_what_stands_in_rows_is_bound_in_rows(count: int) -> None:
    """All rows are written, in as many statements as their number takes, each value in its column as it was."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE rows (space, tenant, key, version, facet, value, PRIMARY KEY (space, tenant, key))"
        )
        rows = [("space", "acme", f"k{number}", number, "facet", b"%d" % number) for number in range(count)]
        execute_wide(connection, UPSERT_ROWS, list(chain.from_iterable(rows)))
        assert connection.execute("SELECT * FROM rows ORDER BY rowid").fetchall() == rows


def test_a_name_is_a_name_whatever_its_class() -> None:
    """A name of a class of its own is the text it holds, in every statement: never the name of another tenant.

    It does not fail the group that it travels in, and no letter is lost on the way.
    """

    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another tenant"

    with closing(sqlite3.connect(":memory:")) as connection:
        asked = [[Name("tenant"), 'ü"\\\n', "\U0001f600"]]
        found = connection.execute("SELECT value FROM json_each(? -> 0)", (as_json(asked),)).fetchall()
    assert [value for (value,) in found] == asked[0]


def test_every_statement_is_complete() -> None:
    """Each section of the file is one statement of SQL."""
    for name, text in statements().items():
        assert sqlite3.complete_statement(re.sub(r"[{}]", "", text)), name


def test_no_statement_numbers_its_parameters() -> None:
    """CPython 3.12 before 3.12.4 takes a number for a name, and warns; a statement has names or turns, never both."""
    for name, text in statements().items():
        assert not re.search(r"\?\d", text), name
        assert not ("?" in text and re.search(r":\w", text)), name


_WHOLE_TABLE = r"SCAN (rows|entries|found|counters|filed|filed_rows|filed_entries)\b"


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("versions", "rows_by_key"),
        ("get", "rows_by_key"),
        ("heads", "COVERING INDEX entries_by_block"),
        ("heads", "filed USING PRIMARY KEY"),
        ("entries", "entries USING INTEGER PRIMARY KEY"),
        ("filed_places", "filed_entries USING PRIMARY KEY"),
        ("recent_places", "COVERING INDEX entries_by_block (<expr>=? AND tenant=? AND seq>? AND seq<?)"),
        ("next_seq", "filed_entries USING PRIMARY KEY"),
        ("next_seq", "COVERING INDEX entries_by_block (<expr>=? AND tenant=? AND seq>?)"),
        ("tenants", "COVERING INDEX entries_by_block"),
        ("stream", "entries_by_stream"),
        ("appended", "entries_by_stream"),
        ("count", "rows_by_block"),
        ("counted", "PRIMARY KEY"),
        ("counters", "PRIMARY KEY"),
        ("index_facets", "COVERING INDEX rows_by_block"),
        ("index_spaces", "COVERING INDEX rows_by_block"),
        ("runs", "COVERING INDEX rows_by_block (space=? AND facet=? AND <expr>=? AND tenant=? AND key<?)"),
        ("runs", "filed_rows USING PRIMARY KEY"),
        ("filed_run", "filed_rows USING PRIMARY KEY"),
        ("recent_run", "COVERING INDEX rows_by_block (space=? AND facet=? AND <expr>=? AND tenant=? AND key<?)"),
        ("index_stream", "COVERING INDEX entries_by_stream"),
        ("blocks", "filing USING PRIMARY KEY"),
        ("end_of_entries", "tenants USING INTEGER PRIMARY KEY"),
        ("end_of_rows", "COVERING INDEX sqlite_autoindex_tenants_1"),
        ("weigh_entries", "COVERING INDEX entries_by_block (<expr>=? AND tenant>? AND tenant<?)"),
        ("weigh_rows", "COVERING INDEX rows_by_block (space=? AND facet=? AND <expr>=? AND tenant>? AND tenant<?)"),
    ],
)
def test_every_read_goes_by_an_index(name: str, index: str) -> None:
    """No read grows with what it does not return: each searches by its index, and none sorts."""
    plan = plan_of(name)
    assert index in plan
    assert not re.search(rf"{_WHOLE_TABLE}|TEMP B-TREE", plan), plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("scan", "filed_rows USING PRIMARY KEY (space=? AND facet=? AND (tenant,key)>(?,?))"),
        ("scan", "COVERING INDEX rows_by_block (space=? AND facet=? AND <expr>>?)"),
        ("chains", "filed USING PRIMARY KEY"),
        ("chains", "COVERING INDEX entries_by_block (<expr>=? AND tenant>? AND tenant<?)"),
        ("file_entries", "COVERING INDEX entries_by_block (<expr>=? AND tenant>? AND tenant<?)"),
        ("file_rows", "COVERING INDEX rows_by_block (space=? AND facet=? AND <expr>=? AND tenant>? AND tenant<?)"),
    ],
)
def test_what_is_recent_alone_is_sorted(name: str, index: str) -> None:
    """These put into order what is not filed yet, which is bounded, and read no table as a whole."""
    plan = plan_of(name)
    assert index in plan
    assert not re.search(_WHOLE_TABLE, plan), plan


def plan_of(name: str) -> str:
    """Return how SQLite carries out the statement `name`."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(statements()["create_schema_files"])
        for file in schema_files():
            connection.executescript(file.text)
        text = statements()[name]
        named = dict.fromkeys(re.findall(r":(\w+)", text), "[]")
        found = connection.execute(f"EXPLAIN QUERY PLAN {text}", named or ["[]"] * text.count("?")).fetchall()
    return " / ".join(row[3] for row in found)


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        (sqlite3.SQLITE_FULL, Code.LEDGER_UNAVAILABLE, "disk is full"),
        (sqlite3.SQLITE_READONLY, Code.LEDGER_UNAVAILABLE, "read-only"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, Code.LEDGER_UNAVAILABLE, "read-only"),
        (sqlite3.SQLITE_BUSY, Code.LEDGER_UNAVAILABLE, "another program"),
        (sqlite3.SQLITE_IOERR_FSYNC, Code.LEDGER_UNAVAILABLE, "failed to read or write"),
        (sqlite3.SQLITE_CANTOPEN, Code.LEDGER_UNAVAILABLE, "cannot be opened"),
        (sqlite3.SQLITE_CORRUPT, Code.LEDGER_CORRUPT, "damaged"),
        (sqlite3.SQLITE_CORRUPT_INDEX, Code.LEDGER_CORRUPT, "damaged"),
        (sqlite3.SQLITE_NOTADB, Code.LEDGER_CORRUPT, "not a SQLite database"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Code.LEDGER_CORRUPT, "damaged"),
        (sqlite3.SQLITE_MISMATCH, Code.LEDGER_CORRUPT, "damaged"),
        (sqlite3.SQLITE_TOOBIG, Code.LEDGER_CORRUPT, "damaged"),
        (sqlite3.SQLITE_SCHEMA, Code.LEDGER_UNAVAILABLE, "as SQLite says"),
    ],
)
def test_sqlite_errors_are_translated_by_table(code: int, expected: Code, words: str) -> None:
    """Each result code has its code and plain words, and names the file."""
    found = translated(sqlite_error(code), "/data/gear.db")
    assert found.code is expected
    assert words in str(found)
    assert "/data/gear.db" in str(found)


@pytest.mark.parametrize(
    ("code", "certain"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_READONLY_DBMOVED, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_IOERR, False),
        (sqlite3.SQLITE_CORRUPT, False),
        (0, False),
    ],
)
def test_a_failed_commit_is_unknown_unless_certain(code: int, certain: object) -> None:
    """Only failures before the last frame of the commit are certain; all else is unknown."""
    assert certainly_not_committed(sqlite_error(code)) is certain


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite://gear.db", "sqlite:///folder/", "sqlite:///a.db?mode=ro"]
)
async def test_a_url_without_a_file_is_refused(url: str) -> None:
    """The message says how to write it."""
    with pytest.raises(OptionError, match="sqlite"):
        await open_store(url, seal=suite_seal)


@pytest.mark.parametrize("url", ["memory://name", "memory:///path", "memory://?size=1"])
async def test_a_memory_store_has_no_name(url: str) -> None:
    """Nothing suggests that two memory stores are one."""
    with pytest.raises(OptionError, match="memory://"):
        await open_store(url, seal=suite_seal)


@pytest.mark.parametrize("url", ["", "gear.db", "unheard-of:///gear.db"])
async def test_an_unknown_scheme_names_the_known_ones(url: str) -> None:
    """The message lists the adapters that are installed."""
    with pytest.raises(OptionError, match=r"memory:, sqlite:"):
        await open_store(url, seal=suite_seal)


@pytest.mark.parametrize(
    ("url", "write"),
    [
        ("sqlite://x.db", "write sqlite:///x.db"),
        ("sqlite:x.db", "write sqlite:///x.db"),
        ("sqlite:/var/x.db", "write sqlite:////var/x.db"),
        ("sqlite://folder/x.db", "write sqlite:///folder/x.db"),
        ("sqlite://", "write sqlite:///relative.db"),
        ("sqlite:///", "write sqlite:///relative.db"),
        ("sqlite:///a.db?mode=ro", "write sqlite:///a.db"),
        ("sqlite://[", "write sqlite://"),
        ("memory://name", "write memory://"),
        ("gear.db", "installed are memory:, sqlite:"),
        ("mysql://me:s3cret@x/y", "no store adapter opens mysql: URLs; installed are memory:, sqlite:"),
    ],
)
def test_a_url_is_checked_without_opening_anything(url: str, write: str) -> None:
    """What cannot be meant is known before a store is opened; the message says what to write, and no password."""
    with pytest.raises(OptionError, match=re.escape(write)) as refused:
        checked_url(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["memory://", "sqlite:///a.db", "sqlite:////a/b%20c.db"])
def test_a_url_that_can_be_meant_passes(url: str) -> None:
    """Checking refuses nothing that opens."""
    checked_url(url)


async def test_paths_are_relative_absolute_and_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes are relative to the working directory, four are absolute; %20 is a space."""
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///one.db", f"sqlite:////{str(tmp_path)[1:]}/two%20words.db"):
        await (await open_store(url, seal=suite_seal)).close()
    assert (tmp_path / "one.db").exists()
    assert (tmp_path / "two words.db").exists()


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    """A second owner is refused at once, told who has it and what to do; afterwards it may."""
    database = tmp_path / "gear.db"
    lock = OwnerLock(database)
    with pytest.raises(StoreError, match=r"gear\.db is in use by process \d+\. Stop that engine") as refused:
        OwnerLock(database)
    assert refused.value.code is Code.STORE_IN_USE
    lock.release()
    lock.release()
    OwnerLock(database).release()


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A missing directory is LEDGER_UNAVAILABLE, not a traceback of the system."""
    with pytest.raises(StoreError, match="directory must be writable"):
        OwnerLock(tmp_path / "missing" / "gear.db")


class Between(sqlite3.Connection):
    """Lets something happen after the first page of names was read."""

    happens: Callable[[], object] | None = None

    def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
        """Execute, and let it happen."""
        cursor = super().execute(sql, *parameters)
        if sql == statements()["runs"] and self.happens is not None:
            happens, self.happens = self.happens, None
            happens()
        return cursor


@pytest.mark.parametrize(("before", "after"), [("a", "b"), ("b", "a")])
def test_a_page_of_all_facets_is_of_one_commit(tmp_path: Path, before: str, after: str) -> None:
    """A row that goes from one facet to another while a page is read is on it once, as it was."""
    path = str(tmp_path / "gear.db")
    with closing(writing_connection(path, plain_connection)) as writing:
        prepare(writing, path, SYSTEM_CLOCK)
        for key, facet in (("k1", before), ("k2", "a"), ("k3", "b")):
            writing.execute(widened("upsert_rows", 1), ("space", "acme", key, 1, facet, b""))
        with closing(sqlite3.connect(path, factory=Between)) as reading:
            moved = ("space", "acme", "k1", 2, after, b"")
            reading.happens = lambda: writing.execute(widened("upsert_rows", 1), moved)
            found = [(row.key, row.facet) for row in reader.page(reading, "space", "acme", None, None, 9)]
            assert found == [("k3", "b"), ("k2", "a"), ("k1", before)]
            assert not reading.in_transaction
            assert [row.facet for row in reader.page(reading, "space", "acme", None, None, 9)] == ["b", "a", after]


@pytest.mark.skipif(not WRITTEN.exists(), reason="only this system counts what a process writes")
def test_what_a_statement_keeps_for_its_time_is_kept_in_memory(tmp_path: Path) -> None:
    """A statement that changes many pages writes none before the commit, which writes them to the log."""
    path = str(tmp_path / "gear.db")
    with closing(writing_connection(path, plain_connection)) as writing:
        prepare(writing, path, SYSTEM_CLOCK)
        rows = [("space", f"t{number}", f"k{number % 7}", 1, "facet", bytes(900)) for number in range(2_000)]
        writing.execute("BEGIN")
        writing.executemany(widened("upsert_rows", 1), rows)
        writing.execute("COMMIT")
        changed = list(chain.from_iterable((*row[:3], 2, *row[4:]) for row in rows[::31]))
        writing.execute("BEGIN")
        before = _written_bytes()
        writing.execute(widened("upsert_rows", len(rows[::31])), changed)
        assert _written_bytes() - before < 4 * PAGE_BYTES
        writing.execute("COMMIT")
        assert _written_bytes() - before > 30 * PAGE_BYTES


def _written_bytes() -> int:
    """Return what this process has written so far, to wherever."""
    found = re.search(r"^wchar: (\d+)$", WRITTEN.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
