"""What is erased is gone from the disk, and a cut uses the index; nothing of it in the answers alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from switchgear.ledger.chain import seal
from switchgear.storage.abilities import Append, Committed, Erase, Event, Write
from switchgear.storage.sqlite.connecting import plain_connection
from switchgear.storage.sqlite.statements import statements
from switchgear.storage.sqlite.store import open_sqlite

SECRET = b"a-secret-that-nobody-should-find"


def traces(folder: Path) -> list[str]:
    """Return the files that hold the secret."""
    return sorted(file.name for file in folder.iterdir() if SECRET in file.read_bytes())


async def test_nothing_of_an_erased_payload_stays_on_the_disk(tmp_path: Path) -> None:
    """Not in the database, its free space or its log: neither of the payload nor of the row that was built from it."""
    store = await open_sqlite(f"sqlite:///{tmp_path}/gear.db", seal=seal)
    events = tuple(Event("s", b"{}", SECRET * size) for size in (1, 20, 2000))
    await store.append(Append("a", "acme", events, (Write("space", "k", 0, SECRET * 50),)))
    await store.append(Append("b", "acme", (Event("t", b"{}", b"kept"),)))
    assert traces(tmp_path)
    erased = Append("c", "acme", (Event("s", b"{}"),), (Write("space", "k", 1, b""),), erases=(Erase("s", 3),))
    assert await store.append(erased) == Committed(5)
    assert traces(tmp_path) == []
    assert [entry.payload for entry in await store.entries("acme")] == [None, None, None, b"kept", None]
    await store.close()
    assert traces(tmp_path) == []


async def test_nothing_of_an_earlier_version_of_a_row_stays_on_the_disk(tmp_path: Path) -> None:
    """Also where SQLite was built to leave what is replaced, and in a store that has erased something before."""

    def leaving(path: str) -> sqlite3.Connection:
        connection = plain_connection(path)
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
        return connection

    store = await open_sqlite(f"sqlite:///{tmp_path}/gear.db", seal=seal, connect=leaving)
    await store.append(Append("a", "acme", (Event("other", b"{}", b"x"),), erases=(Erase("other", 1),)))
    for version in range(6):
        rows = (
            Write("space", "k", version, SECRET * 9 * (version + 1)),
            Write("space", f"other-{version}", 0, b"kept"),
        )
        await store.append(Append(f"b{version}", "acme", (Event("s", b"{}"),), rows))
    assert traces(tmp_path)
    bare = Write("space", "k", 6, b"")
    await store.append(Append("c", "acme", (Event("s", b"{}"),), (bare,), erases=(Erase("s", 7),)))
    assert traces(tmp_path) == []
    await store.close()


async def test_removals_survive_closing(tmp_path: Path) -> None:
    """A cut chain opens again, goes on from its head, and lists its tenant."""
    url = f"sqlite:///{tmp_path}/gear.db"
    store = await open_sqlite(url, seal=seal)
    await store.append(Append("a", "acme", (Event("s", b"{}"),) * 3))
    await store.append(Append("b", "acme", (), cut=2))
    head = await store.head("acme")
    await store.close()
    store = await open_sqlite(url, seal=seal)
    assert (await store.head("acme"), await store.tenants()) == (head, ["acme"])
    assert await store.append(Append("c", "acme", (Event("s", b"{}"),))) == Committed(4)
    assert [entry.seq for entry in await store.entries("acme")] == [3, 4]
    await store.close()


async def test_removals_find_their_entries_by_index(tmp_path: Path) -> None:
    """An erasure reads the entries of its stream, a cut those that it removes; neither reads those of others."""
    store = await open_sqlite(f"sqlite:///{tmp_path}/gear.db", seal=seal)
    await store.close()
    connection = sqlite3.connect(tmp_path / "gear.db")
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statements()['erase']}", (1, "s", 9)).fetchall()
    assert [row[3].split(" ")[:5] for row in plan] == [["SEARCH", "entries", "USING", "INDEX", "entries_by_stream"]]
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statements()['cut']}", {"tenant": 1, "seq": 9}).fetchall()
    found = " / ".join(row[3] for row in plan)
    assert "SEARCH entries USING INTEGER PRIMARY KEY" in found
    assert "SEARCH filed_entries USING PRIMARY KEY (tenant=? AND seq<?)" in found
    assert "COVERING INDEX entries_by_block (<expr>=? AND tenant=? AND seq<?)" in found
    assert "SCAN entries" not in found
    connection.close()
