"""What the SQLite adapter says when its disk, its file or its commit fails. Faults are put in at the connection."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from switchgear.core.clock import SYSTEM_CLOCK, Clock, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Append, Committed, Event, Store, Unknown
from switchgear.storage.sqlite.connecting import plain_connection
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import append, assert_chained, suite_seal, write

Fault = Callable[[sqlite3.Connection, str], None]


class Faulty(sqlite3.Connection):
    """A connection that lets a fault look at each statement first."""

    fault: Fault | None = None

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        """Call the fault, which may raise, then execute."""
        if Faulty.fault is not None:
            Faulty.fault(self, sql)
        return super().execute(sql, parameters)  # type: ignore[arg-type] # any parameters the adapter binds


def faulty_connection(path: str) -> sqlite3.Connection:
    """Open a connection with faults."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=Faulty)
    connection.text_factory = bytes
    return connection


def failing_commit(code: int, *, after: bool) -> Fault:
    """Return a fault that fails one COMMIT with `code`, before or after it takes effect."""

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("COMMIT"):
            Faulty.fault = None
            if after:
                connection.execute(sql)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise error

    return fault


@pytest.fixture(autouse=True)
def _no_fault_remains() -> object:
    Faulty.fault = None
    yield
    Faulty.fault = None


def move_away(folder: Path) -> None:
    """Rename every file in a folder."""
    for path in list(folder.iterdir()):
        path.rename(path.with_name(f"moved-{path.name}"))


def modes(folder: Path) -> set[int]:
    """Return the permissions of the files in a folder."""
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


@asynccontextmanager
async def opened(folder: Path, *, clock: Clock = SYSTEM_CLOCK, plain: bool = False) -> AsyncIterator[Store]:
    """Open the store of a folder with faults possible, and close it."""
    connect = plain_connection if plain else faulty_connection
    store = await open_sqlite(f"sqlite:///{folder / 'gear.db'}", seal=suite_seal, clock=clock, connect=connect)
    try:
        yield store
    finally:
        await store.close()


async def test_commits_are_on_the_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    """The first connection writes with a write-ahead log and a sync per commit; the others cannot write."""
    connections: list[sqlite3.Connection] = []

    def remembered(path: str) -> sqlite3.Connection:
        connections.append(plain_connection(path))
        return connections[-1]

    store = await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal, connect=remembered)
    writing, *reading = connections
    assert writing.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    assert writing.execute("PRAGMA synchronous").fetchone() == (2,)
    assert [connection.execute("PRAGMA query_only").fetchone() for connection in reading] == [(1,), (1,)]
    await store.close()


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """LEDGER_UNAVAILABLE to each waiting append, nothing acknowledged lost, and appends work once there is room."""
    connections: list[sqlite3.Connection] = []

    def remembered(path: str) -> sqlite3.Connection:
        connections.append(plain_connection(path))
        return connections[-1]

    store = await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal, connect=remembered)
    await store.append(append(0))
    (pages,) = connections[0].execute("PRAGMA page_count").fetchone()
    connections[0].execute(f"PRAGMA max_page_count = {pages + 1}")
    large = (Append(f"big-{n}", "acme", (Event("s", b"{}", bytes(8192)),)) for n in range(3))
    fates = await asyncio.gather(*map(store.append, large), return_exceptions=True)
    assert [fate.code for fate in fates if isinstance(fate, StoreError)] == [Code.LEDGER_UNAVAILABLE] * 3
    assert len({id(fate) for fate in fates}) == 3, "each caller has an error of its own"
    connections[0].execute("PRAGMA max_page_count = 100000")
    assert await store.append(append(1)) == Committed(2)
    assert_chained(await store.entries("acme"))
    await store.close()


@pytest.mark.parametrize("after", [False, True])
async def test_an_unclear_commit_is_unknown(tmp_path: Path, after: bool) -> None:  # noqa: FBT001 - parametrised
    """A commit that failed in its sync answers Unknown, and `appended` then tells which it was."""
    async with opened(tmp_path) as store:
        await store.append(append(0))
        Faulty.fault = failing_commit(sqlite3.SQLITE_IOERR_FSYNC, after=after)
        fate = await store.append(append(1, writes=(write("k", 0),)))
        assert isinstance(fate, Unknown)
        assert fate.append_id == "a-1"
        assert await store.appended("acme", "s", "a-1") == (Committed(2) if after else None)
        assert await store.append(append(2)) == Committed(3 if after else 2)
        assert_chained(await store.entries("acme"))


async def test_a_commit_that_certainly_failed_is_refused(tmp_path: Path) -> None:
    """A disk that was full at the commit wrote nothing, and the next append works."""
    async with opened(tmp_path) as store:
        Faulty.fault = failing_commit(sqlite3.SQLITE_FULL, after=False)
        with pytest.raises(StoreError, match="disk is full"):
            await store.append(append(0))
        assert await store.append(append(1)) == Committed(1)


async def test_a_connection_that_cannot_be_reopened_is_tried_again(tmp_path: Path) -> None:
    """After an unclear commit on a lost disk, each append says so until the disk is back."""
    async with opened(tmp_path) as store:
        Faulty.fault = failing_commit(sqlite3.SQLITE_IOERR_FSYNC, after=False)
        commit_fails = Faulty.fault

        def lost(connection: sqlite3.Connection, sql: str) -> None:
            if sql.startswith("COMMIT"):
                commit_fails(connection, sql)
            if sql.startswith("PRAGMA"):
                raise sqlite3.OperationalError("unable to open database file")

        def stays_lost(connection: sqlite3.Connection, sql: str) -> None:
            try:
                lost(connection, sql)
            finally:
                Faulty.fault = stays_lost

        Faulty.fault = stays_lost
        assert isinstance(await store.append(append(0)), Unknown)
        for number in (1, 2):
            with pytest.raises(StoreError, match="unable to open"):
                await store.append(append(number))
        with pytest.raises(StoreError, match="unable to open"):
            await store.check()
        Faulty.fault = None
        assert await store.append(append(3)) == Committed(1)


async def test_a_late_acknowledgement_is_unknown(tmp_path: Path) -> None:
    """An append that is not acknowledged in its time is Unknown; it may well be committed, and is then found."""
    clock, stalled = VirtualClock(), asyncio.Event()
    loop = asyncio.get_running_loop()
    gate = threading.Event()

    def stall(_: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("COMMIT"):
            loop.call_soon_threadsafe(stalled.set)
            assert gate.wait(60)

    async with opened(tmp_path, clock=clock) as store:
        Faulty.fault = stall
        late = asyncio.ensure_future(store.append(append(0)))
        await stalled.wait()
        await clock.elapse(10)
        fate = await late
        assert isinstance(fate, Unknown)
        assert "10 s" in fate.reason
        Faulty.fault = None
        gate.set()
        assert await store.append(append(1)) == Committed(2)
        assert await store.appended("acme", "s", "a-0") == Committed(1)


async def test_a_late_read_has_its_code(tmp_path: Path) -> None:
    """A read that takes too long is TIMEOUT_JOURNAL_READ."""
    clock, stalled, gate = VirtualClock(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def stall(_: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("SELECT"):
            loop.call_soon_threadsafe(stalled.set)
            assert gate.wait(60)

    async with opened(tmp_path, clock=clock) as store:
        Faulty.fault = stall
        late = asyncio.ensure_future(store.get("space", "acme", "k"))
        await stalled.wait()
        await clock.elapse(10)
        with pytest.raises(StoreError) as raised:
            await late
        assert raised.value.code is Code.TIMEOUT_JOURNAL_READ
        Faulty.fault = None
        gate.set()


async def test_another_program_on_the_file_is_said(tmp_path: Path) -> None:
    """A lock that does not go away refuses appends and fails the check; afterwards both work."""
    async with opened(tmp_path) as store:
        with closing(sqlite3.connect(tmp_path / "gear.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another program"):
                await store.append(append(0))
            with pytest.raises(StoreError, match="another program"):
                await store.check()
        await store.check()
        assert await store.append(append(1)) == Committed(1)


async def test_a_disk_without_room_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store says that it cannot record before an append has to find out."""
    monkeypatch.setattr("switchgear.storage.sqlite.writer.FREE_BYTES_MIN", 1 << 62)
    async with opened(tmp_path) as store:
        with pytest.raises(StoreError, match="bytes are free") as raised:
            await store.check()
    assert raised.value.code is Code.LEDGER_UNAVAILABLE


async def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    """A file of something else is refused at opening, and left as it is."""
    (tmp_path / "gear.db").write_bytes(b"not a database at all " * 400)
    with pytest.raises(StoreError) as raised:
        await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)
    assert raised.value.code is Code.LEDGER_CORRUPT
    assert (tmp_path / "gear.db").read_bytes().startswith(b"not a database")


async def test_a_damaged_page_is_corrupt(tmp_path: Path) -> None:
    """Damage inside the file is LEDGER_CORRUPT where it is met, in reads as in appends."""
    async with opened(tmp_path, plain=True) as store:
        for number in range(40):
            await store.append(Append(f"a-{number}", "acme", (Event("s", b"{}", bytes(2000)),)))
    content = bytearray((tmp_path / "gear.db").read_bytes())
    for page in range(4096, len(content), 4096):
        if not any(word in content[page : page + 4096] for word in (b"CREATE", b"layout")):  # the schema stays
            content[page : page + 4096] = b"\xa5" * 4096
    (tmp_path / "gear.db").write_bytes(content)
    async with opened(tmp_path, plain=True) as store:
        with pytest.raises(StoreError) as read:
            await store.entries("acme")
        with pytest.raises(StoreError) as wrote:
            await store.append(append(99))
    assert (read.value.code, wrote.value.code) == (Code.LEDGER_CORRUPT, Code.LEDGER_CORRUPT)


async def test_a_failed_opening_gives_the_lock_back(tmp_path: Path) -> None:
    """What could not be opened can be tried again, in the same process."""
    (tmp_path / "gear.db").write_bytes(b"not a database at all " * 400)
    with pytest.raises(StoreError):
        await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)
    (tmp_path / "gear.db").unlink()
    async with opened(tmp_path) as store:
        assert await store.append(append(0)) == Committed(1)


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_an_opening_that_fails_leaves_no_connection_open(tmp_path: Path, which: int) -> None:
    """Whichever connection does not take its settings: all are closed, and none is left to the garbage collector."""
    connections: list[sqlite3.Connection] = []

    def remembered(path: str) -> sqlite3.Connection:
        connections.append(faulty_connection(path))
        return connections[-1]

    def fault(connection: sqlite3.Connection, _sql: str) -> None:
        if connection in connections[which:]:
            raise sqlite3.OperationalError("unable to open database file")

    Faulty.fault = fault
    with pytest.raises(StoreError, match="unable to open"):
        await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal, connect=remembered)
    Faulty.fault = None
    assert len(connections) == which + 1
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """What users entrusted to the ledger is not readable by others on the machine."""
    async with opened(tmp_path) as store:
        await store.append(append(0))
        assert modes(tmp_path) == {0o600}


async def test_a_new_tenant_whose_first_append_conflicts_is_not_remembered(tmp_path: Path) -> None:
    """What a group that was rolled back had learned is forgotten: the tenant's next append starts its chain."""
    async with opened(tmp_path) as store:
        await store.append(append(0, tenant="new", writes=(write("k", 5),)))
        assert await store.append(append(1, tenant="new")) == Committed(1)
        assert (await store.head("new")).seq == 1


async def test_a_late_check_is_no_good_check(tmp_path: Path) -> None:
    """A store that cannot even begin in time cannot record right now."""
    clock, gate = VirtualClock(), threading.Event()

    def stall(_: sqlite3.Connection, sql: str) -> None:
        if sql.startswith("BEGIN"):
            assert gate.wait(60)

    async with opened(tmp_path, clock=clock) as store:
        Faulty.fault = stall
        late = asyncio.ensure_future(store.check())
        await clock.elapse(10)
        with pytest.raises(StoreError, match="not acknowledged within 10 s"):
            await late
        Faulty.fault = None
        gate.set()


async def test_a_row_that_cannot_be_read_is_corrupt(tmp_path: Path) -> None:
    """What SQLite returns but nobody could have written is LEDGER_CORRUPT, and neighbours are still answered."""
    async with opened(tmp_path) as store:
        await store.append(append(0, writes=(write("k", 0),)))
        with closing(sqlite3.connect(tmp_path / "gear.db", isolation_level=None)) as other:
            other.execute("UPDATE rows SET facet = CAST(x'ff' AS TEXT)")
        with pytest.raises(StoreError) as raised:
            await store.get("space", "acme", "k")
        assert raised.value.code is Code.LEDGER_CORRUPT
        assert b"v".hex() not in str(raised.value).replace(str(tmp_path), ""), "an error never shows what users stored"
        assert (await store.head("acme")).seq == 1


async def test_a_rollback_that_fails_costs_the_connection_only(tmp_path: Path) -> None:
    """When undoing fails too, the connection is replaced and the next append works."""

    def fault(_: sqlite3.Connection, sql: str) -> None:
        if sql.startswith(("INSERT INTO entries", "ROLLBACK")):
            raise sqlite3.OperationalError("disk I/O error")

    async with opened(tmp_path) as store:
        Faulty.fault = fault
        with pytest.raises(StoreError, match="disk I/O error"):
            await store.append(append(0))
        Faulty.fault = None
        assert await store.append(append(1)) == Committed(1)


async def test_a_vanished_folder_fails_the_check(tmp_path: Path) -> None:
    """The free space of a path that is gone cannot be known, so the store cannot record."""
    async with opened(tmp_path) as store:
        move_away(tmp_path)
        with pytest.raises(StoreError) as raised:
            await store.check()
    assert raised.value.code is Code.LEDGER_UNAVAILABLE


async def test_an_error_while_closing_still_gives_the_lock_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is said, and the file can be opened again."""
    store = await open_sqlite(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)

    def fails(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("switchgear.storage.sqlite.writer.Writer.close", fails)
        with pytest.raises(StoreError, match="disk I/O error"):
            await store.close()
    store._parts.writer.close()  # type: ignore[attr-defined] # noqa: SLF001 - the patch above left it open
    async with opened(tmp_path) as again:
        await again.check()
