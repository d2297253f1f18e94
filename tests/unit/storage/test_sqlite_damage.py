"""A damaged file of the SQLite adapter: what can be read is read, what cannot is named, and everything has its code.

Damage is done to the pages of the file, found by their b-tree, while the store is closed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Append, Committed, Event, Store
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite import decoding
from switchgear.storage.sqlite.offline import StoreFile
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import append, count, suite_seal, write

PAGE_BYTES = 4096
COUNT = 120
VALUE, PAYLOAD = b"value" * 80, b"payload" * 80
TABLE_LEAF, INDEX_LEAF = 0x0D, 0x0A


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    """Open the file of a folder, and close it."""
    store = await open_store(f"sqlite:///{folder / 'gear.db'}", seal=suite_seal)
    try:
        yield store
    finally:
        await store.close()


async def fill(folder: Path) -> None:
    """Record 120 appends of two tenants, each with an entry and a row of some 500 bytes."""
    async with opened(folder) as store:
        for start in range(0, COUNT, 40):
            await asyncio.gather(*(store.append(filling(number)) for number in range(start, start + 40)))


def filling(number: int) -> Append:
    """Return one of the appends."""
    row = write(f"k{number:03}", 0, VALUE, facet="odd" if number % 2 else "even")
    event = Event(f"s{number % 4}", b"{}", PAYLOAD)
    return Append(f"a-{number}", f"t{number % 2}", (event,), (row,), (), (count(1),))


def leaves(path: Path, content: bytes) -> Iterator[int]:
    """Yield the offsets of the leaf pages of tables that hold `content`, but for the first and last of them."""
    data = path.read_bytes()
    found = [
        at
        for at in range(PAGE_BYTES, len(data), PAGE_BYTES)
        if data[at] == TABLE_LEAF and content in data[at : at + PAGE_BYTES]
    ]
    yield from found[1:-1]


def last_leaf(path: Path, content: bytes) -> int:
    """Return the offset of the last leaf page of a table that holds `content`."""
    data = path.read_bytes()
    pages = range(PAGE_BYTES, len(data), PAGE_BYTES)
    return max(at for at in pages if data[at] == TABLE_LEAF and content in data[at : at + PAGE_BYTES])


def spoil(path: Path, offset: int) -> None:
    """Make one page such as no b-tree has."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 200)


def change(folder: Path, statement: str) -> None:
    """Execute a statement on the file as another program would, past the rules of the schema."""
    with closing(sqlite3.connect(folder / "gear.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE type = 'table'")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ', WITHOUT', 'WITHOUT')")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ')\n WITHOUT', ') WITHOUT')")
    with closing(sqlite3.connect(folder / "gear.db", isolation_level=None)) as connection:
        connection.execute(statement)


async def test_rows_of_a_damaged_page_are_named_and_the_others_read(tmp_path: Path) -> None:
    """Lists go round the damage: every row is there, those that cannot be read with version 0 and no value."""
    await fill(tmp_path)
    spoil(tmp_path / "gear.db", next(leaves(tmp_path / "gear.db", VALUE)))
    async with opened(tmp_path) as store:
        for tenant in ("t0", "t1"):
            rows = await store.page("space", tenant, limit=1_000)
            assert [row.key for row in rows] == [
                f"k{number:03}" for number in range(COUNT - 1, -1, -1) if tenant == f"t{number % 2}"
            ]
        scanned = await store.scan("space", ["odd", "even"])
        assert len(scanned) == COUNT
        unreadable = [row for row in scanned if row.version == 0]
        assert 0 < len(unreadable) < 10
        assert {(row.value, row.facet in {"odd", "even"}) for row in unreadable} == {(b"", True)}
        assert {row.value for row in scanned if row.version} == {VALUE}
        for facet, tenant in (("even", "t0"), ("odd", "t1")):
            of_facet = await store.page("space", tenant, facet=facet, limit=1_000)
            assert [row for row in of_facet[::-1] if not row.version] == [r for r in unreadable if r.tenant == tenant]


@pytest.mark.parametrize(("content", "unreadable_rows"), [(VALUE, True), (PAYLOAD, False)])
async def test_the_newest_page_bars_nobody_from_the_others(
    tmp_path: Path, content: bytes, *, unreadable_rows: bool
) -> None:
    """Where the next row or entry would go is no place that a list, or a chain, has to be read from."""
    await fill(tmp_path)
    spoil(tmp_path / "gear.db", last_leaf(tmp_path / "gear.db", content))
    async with opened(tmp_path) as store:
        rows = await store.scan("space", ["odd", "even"])
        assert len(rows) == COUNT
        assert any(row.version == 0 for row in rows) == unreadable_rows
        assert len(await store.page("space", "t1", limit=COUNT)) == COUNT // 2
        entries = await store.entries("t1")
        assert [entry.seq for entry in entries] == list(range(1, COUNT // 2 + 1))
        assert any(not entry.hash for entry in entries) != unreadable_rows


async def test_a_file_whose_index_is_damaged_can_be_rebuilt(tmp_path: Path) -> None:
    """Offline, every row is named although the index of names is damaged; what it hides is named as unreadable."""
    await fill(tmp_path)
    file = tmp_path / "gear.db"
    data = file.read_bytes()
    pages = range(PAGE_BYTES, len(data), PAGE_BYTES)
    spoil(file, next(at for at in pages if data[at] == INDEX_LEAF and b"spacek000t0" in data[at : at + PAGE_BYTES]))
    with StoreFile(file) as source:
        assert source.places() == [("space", "t0"), ("space", "t1")]
        found = [row for tenant in ("t0", "t1") for row in source.rows("space", tenant)]
    assert len(found) == COUNT
    assert {row.version for row in found} <= {0, 1}


async def test_damage_is_told_to_those_who_meet_it_alone(tmp_path: Path) -> None:
    """Rows read together, and appends of one group, are answered one by one once damage is met."""
    await fill(tmp_path)
    spoil(tmp_path / "gear.db", next(leaves(tmp_path / "gear.db", VALUE)))
    async with opened(tmp_path) as store:
        rows = await store.scan("space", ["odd", "even"])
        got = await asyncio.gather(*(store.get("space", row.tenant, row.key) for row in rows), return_exceptions=True)
        assert [isinstance(one, StoreError) for one in got] == [row.version == 0 for row in rows]
        again = (Append(f"n-{row.key}", row.tenant, (), (write(row.key, 1),)) for row in rows)
        fates = await asyncio.gather(*map(store.append, again), return_exceptions=True)
        assert [isinstance(fate, Committed) for fate in fates] == [row.version == 1 for row in rows]
        assert {one.code for one in (*got, *fates) if isinstance(one, StoreError)} == {Code.LEDGER_CORRUPT}


async def test_entries_of_a_damaged_page_are_named_and_the_others_read(tmp_path: Path) -> None:
    """A chain and a stream are read round the damage; an entry that cannot be read has neither body nor hash."""
    await fill(tmp_path)
    spoil(tmp_path / "gear.db", next(leaves(tmp_path / "gear.db", PAYLOAD)))
    async with opened(tmp_path) as store:
        chains = [await store.entries(tenant) for tenant in ("t0", "t1")]
        assert [[entry.seq for entry in chain] for chain in chains] == [list(range(1, COUNT // 2 + 1))] * 2
        unreadable = [entry for chain in chains for entry in chain if not entry.hash]
        assert 0 < len(unreadable) < 10
        assert {(entry.body, entry.payload, entry.append_id) for entry in unreadable} == {(b"", None, "")}
        streams = [await store.stream(f"t{number % 2}", f"s{number}") for number in range(4)]
        assert [len(stream) for stream in streams] == [COUNT // 4] * 4
        lost = [entry.position for stream in streams for entry in stream if not entry.hash]
        assert sorted(lost) == sorted(entry.position for entry in unreadable)
        assert {entry.seq for stream in streams for entry in stream if not entry.hash} == {0}


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE rows SET version = 'x' WHERE key = 'k007'", {"k007"}),
        ("UPDATE rows SET version = -1 WHERE key = 'k007'", {"k007"}),
        ("UPDATE rows SET version = x'00' WHERE key = 'k007'", {"k007"}),
        ("UPDATE rows SET facet = CAST(x'ff' AS TEXT) WHERE key = 'k007'", set()),
    ],
)
async def test_columns_that_nobody_wrote_make_a_row_unreadable(tmp_path: Path, statement: str, names: set[str]) -> None:
    """Another type, a negative version or text that is none costs that row, and no other."""
    await fill(tmp_path)
    change(tmp_path, statement)
    async with opened(tmp_path) as store:
        rows = await store.scan("space", ["odd", "even"])
        assert {row.key for row in rows if row.version == 0} == names
        assert len(rows) == COUNT - (not names)
        with pytest.raises(StoreError) as refused:
            await store.get("space", "t1", "k007")
        assert refused.value.code is Code.LEDGER_CORRUPT


@pytest.mark.parametrize(
    ("statement", "call"),
    [
        ("UPDATE entries SET hash = x'00' WHERE seq = 60", "head"),
        ("UPDATE entries SET hash = 7 WHERE seq = 60", "append"),
        ("UPDATE entries SET seq = -1 WHERE seq = 60", "stream"),
        ("UPDATE entries SET append_id = CAST(x'ff' AS TEXT)", "entries"),
        ("UPDATE tenants SET name = CAST(x'ff' AS TEXT) WHERE id = 1", "tenants"),
        ("UPDATE counters SET value = 'many'", "counters"),
        ("UPDATE counters SET value = x'00'", "append"),
    ],
)
async def test_what_nobody_could_have_written_is_corrupt_or_unreadable(
    tmp_path: Path, statement: str, call: str
) -> None:
    """Whatever stands where something else should, the answer is LEDGER_CORRUPT or names the record; never a defect."""
    await fill(tmp_path)
    change(tmp_path, statement)
    async with opened(tmp_path) as store:
        found = await answer(store, call)
        if isinstance(found, StoreError):
            assert found.code is Code.LEDGER_CORRUPT
        else:
            assert any(not entry.hash or entry.seq < 1 for entry in found)  # type: ignore[attr-defined] # entries


async def answer(store: Store, call: str) -> object:
    """Return what a call answers or raises."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "head": lambda: store.head("t0"),
        "append": lambda: store.append(append(999, tenant="t0", counts=(count(1),))),
        "stream": lambda: store.stream("t0", "s2"),
        "entries": lambda: store.entries("t0"),
        "tenants": store.tenants,
        "counters": lambda: store.counters("space", "t0"),
    }
    try:
        return await calls[call]()
    except StoreError as error:
        return error


@pytest.mark.parametrize(
    ("decode", "values"),
    [
        (decoding.integer, (True,)),
        (decoding.integer, (-1,)),
        (decoding.text, (None,)),
        (decoding.blob, ("0g",)),
        (decoding.chain_end, ([1, 0, "00" * 32],)),
        (decoding.chain_end, ([1, 1, "00" * 31],)),
        (decoding.chain_end, ([1, None, ""],)),
    ],
)
def test_answers_are_checked_column_by_column(decode: Callable[..., object], values: tuple[object, ...]) -> None:
    """What nobody could have written is damage, and the error does not show it."""
    with pytest.raises(sqlite3.DatabaseError, match="answer to 'get' cannot be read"):
        decode(*values, "get")


async def test_a_read_only_file_refuses_appends_and_can_be_read(tmp_path: Path) -> None:
    """LEDGER_UNAVAILABLE from appends and the check; what is there is read as ever."""
    await fill(tmp_path)

    def read_only(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        connection.text_factory = bytes
        return connection

    store = await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal, connect=read_only)
    for call in (store.append(append(999)), store.check()):
        with pytest.raises(StoreError, match="read-only") as refused:
            await call
        assert refused.value.code is Code.LEDGER_UNAVAILABLE
    assert len(await store.entries("t0")) == COUNT // 2
    await store.close()
