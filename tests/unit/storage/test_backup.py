"""Backups of a running SQLite store, and the manifest beside them."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.storage.abilities import Append, Committed, Event, Head, Manifest, Progress, Store
from switchgear.storage.manifest import checked_backup, manifest_path, read_manifest, write_manifest
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite.backup import Copying
from switchgear.storage.sqlite.connecting import plain_connection
from switchgear.testing.storage_scenes import append, assert_chained, count, suite_seal, write

MANIFEST = Manifest(12.5, 3, "ab" * 32, (Head("acme", 7, bytes(range(32))), Head("ü", 1, bytes(32))))


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    """Open a file, and close it."""
    store = await open_store(f"sqlite:///{path}", seal=suite_seal)
    try:
        yield store
    finally:
        await store.close()


async def append_for_ever(store: Store, tenant: str, first: int = 0) -> None:
    """Append to a tenant until cancelled, from the number `first` on."""
    for number in range(first, 1_000_000):
        await append_row(store, tenant, number)


async def append_row(store: Store, tenant: str, number: int) -> None:
    """Append an event, a row that is in lists, and a count."""
    row = write(f"k{number}", 0, facet="listed")
    one = append(number, tenant=tenant, writes=(row,), counts=(count(1),))
    assert isinstance(await store.append(one), Committed)


async def fill(store: Store) -> None:
    """Append some hundred pages for three tenants."""
    payload = Event("s", b"{}", bytes(4000))
    appends = (Append(f"f-{number}", f"t{number % 3}", (payload, payload)) for number in range(300))
    await asyncio.gather(*map(store.append, appends))


def copies(folder: Path) -> set[str]:
    """Return the names of what backups left in a folder."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("gear.db")}


def modes(folder: Path) -> set[int]:
    """Return the permissions of the files in a folder."""
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_a_backup_under_load_is_a_whole_beginning_of_the_original(tmp_path: Path) -> None:
    """Every chain in the copy verifies, ends where the manifest says, and is how the original begins."""
    copy = tmp_path / "copy.db"
    async with opened(tmp_path / "gear.db") as store:
        await fill(store)
        for number in range(3):
            await append_row(store, f"t{number}", 0)
        load = [asyncio.ensure_future(append_for_ever(store, f"t{number}", first=1)) for number in range(3)]
        steps: list[Progress] = []
        manifest = await store.backup(copy, created_at=12.5, progress=steps.append)
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)
        originals = {tenant: await store.entries(tenant, limit=10_000) for tenant in await store.tenants()}
    assert manifest == checked_backup(copy)
    assert manifest.created_at == 12.5
    assert (steps[-1].done, len(steps) > 1) == (steps[-1].total, True)
    assert [head.tenant for head in manifest.heads] == sorted(originals)
    async with opened(copy) as again:
        for head in manifest.heads:
            entries = await again.entries(head.tenant, limit=10_000)
            assert_chained(entries)
            assert await again.head(head.tenant) == head
            assert entries == originals[head.tenant][: len(entries)]
            assert len(entries) >= 200
            rows = await again.page("space", head.tenant, limit=10_000)
            counters = await again.counters("space", head.tenant)
            assert len(rows) == sum(one.value for one in counters) == head.seq - 200 >= 1
        assert isinstance(await again.append(append(0, tenant="t0")), Committed)


async def test_a_backup_is_its_owners_alone(tmp_path: Path) -> None:
    """What users entrusted to the ledger is not readable by others on the machine, in a copy neither."""
    async with opened(tmp_path / "gear.db") as store:
        await store.append(append(0))
        await store.backup(tmp_path / "copy.db", created_at=0.0)
    assert modes(tmp_path) == {0o600}


async def test_an_empty_store_can_be_copied(tmp_path: Path) -> None:
    """A backup of nothing has no chains and opens."""
    async with opened(tmp_path / "gear.db") as store:
        assert (await store.backup(tmp_path / "copy.db", created_at=0.0)).heads == ()
    async with opened(tmp_path / "copy.db") as again:
        assert await again.tenants() == []


@pytest.mark.parametrize("there", ["copy.db", "copy.db.manifest.json"])
async def test_a_backup_never_overwrites(tmp_path: Path, there: str) -> None:
    """Neither a file nor a manifest that is there is touched; a folder that is not there is said."""
    (tmp_path / there).write_text("mine")
    async with opened(tmp_path / "gear.db") as store:
        with pytest.raises(Invalid, match="never overwrites"):
            await store.backup(tmp_path / "copy.db", created_at=0.0)
        with pytest.raises(StoreError, match="cannot be made"):
            await store.backup(tmp_path / "missing" / "copy.db", created_at=0.0)
    assert copies(tmp_path) == {there}
    assert (tmp_path / there).read_text() == "mine"


async def test_one_backup_at_a_time_and_closing_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one is refused while one runs; a store that is closed ends it and leaves nothing of it."""
    monkeypatch.setattr("switchgear.storage.sqlite.backup.PAGES_AT_ONCE", 1)
    monkeypatch.setattr("switchgear.storage.sqlite.backup.PAUSE_SECONDS", 60.0)
    begun = asyncio.Event()
    store = await open_store(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)
    await fill(store)
    copy = store.backup(tmp_path / "copy.db", created_at=0.0, progress=lambda _: begun.set())
    running = asyncio.ensure_future(copy)
    await begun.wait()
    with pytest.raises(Invalid, match="one at a time"):
        await store.backup(tmp_path / "other.db", created_at=0.0)
    await store.close()
    with pytest.raises(StoreError, match="stopped"):
        await running
    with pytest.raises(StoreError, match="closed"):
        await store.backup(tmp_path / "other.db", created_at=0.0)
    assert copies(tmp_path) == set()


async def test_a_cancelled_backup_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's cancellation ends the copy at its next step; the next backup works."""
    begun = asyncio.Event()
    async with opened(tmp_path / "gear.db") as store:
        await fill(store)
        with monkeypatch.context() as patch:
            patch.setattr("switchgear.storage.sqlite.backup.PAGES_AT_ONCE", 1)
            copy = store.backup(tmp_path / "copy.db", created_at=0.0, progress=lambda _: begun.set())
            running = asyncio.ensure_future(copy)
            await begun.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        copied = store._backups._copied  # type: ignore[attr-defined] # noqa: SLF001 - the thread that works on
        await asyncio.wait([copied])
        assert copies(tmp_path) == set()
        await store.backup(tmp_path / "copy.db", created_at=0.0)


class Failing(sqlite3.Connection):
    """A connection that cannot give its database away."""

    def backup(self, *_: object, **__: object) -> None:
        """Fail as a disk does."""
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


def failing_connection(path: str) -> sqlite3.Connection:
    """Open a connection that fails to copy."""
    connection = sqlite3.connect(path, isolation_level=None, factory=Failing)
    connection.text_factory = bytes
    return connection


async def test_a_copy_that_fails_is_removed_and_says_where(tmp_path: Path) -> None:
    """A full disk at the target is LEDGER_UNAVAILABLE, and half a file is nowhere."""
    async with opened(tmp_path / "gear.db") as store:
        await store.append(append(0))
    source, target = tmp_path / "gear.db", tmp_path / "copy.db"
    copying = Copying(source, target, failing_connection, lambda _: None, threading.Event())
    with pytest.raises(StoreError, match=r"copy\.db: the disk is full") as failed:
        await asyncio.to_thread(copying.run, 0.0)
    assert failed.value.code is Code.LEDGER_UNAVAILABLE
    assert not target.exists()


async def test_a_manifest_that_cannot_be_written_removes_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a manifest is no backup, so it does not stay."""

    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("switchgear.storage.sqlite.backup.write_manifest", refuse)
    async with opened(tmp_path / "gear.db") as store:
        with pytest.raises(StoreError, match="No space left"):
            await store.backup(tmp_path / "copy.db", created_at=0.0)
    assert copies(tmp_path) == set()


def test_a_copy_that_does_not_get_on_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a lock of another program is bounded."""
    monkeypatch.setattr("switchgear.storage.sqlite.backup.PAUSE_SECONDS", 0.0)
    copying = Copying(tmp_path / "a", tmp_path / "b", plain_connection, lambda _: None, threading.Event())
    (tmp_path / "b").touch()
    step = copying._stepped  # noqa: SLF001 - what SQLite calls at each step
    for _ in range(101):
        step(5, 10, 20)
    with pytest.raises(StoreError, match="does not get on"):
        step(5, 10, 20)


async def test_a_memory_store_says_that_it_keeps_nothing(tmp_path: Path) -> None:
    """The refusal names what to use instead, and nothing is written."""
    store = await open_store("memory://", seal=suite_seal)
    with pytest.raises(Invalid, match="sqlite"):
        await store.backup(tmp_path / "copy.db", created_at=0.0)
    assert copies(tmp_path) == set()


async def test_a_copy_that_was_changed_is_found(tmp_path: Path) -> None:
    """The hash in the manifest is that of the file, to the last bit."""
    async with opened(tmp_path / "gear.db") as store:
        await store.append(append(0))
        await store.backup(tmp_path / "copy.db", created_at=0.0)
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[-1] ^= 1
    (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(StoreError, match="not the file") as found:
        checked_backup(tmp_path / "copy.db")
    assert found.value.code is Code.LEDGER_CORRUPT
    (tmp_path / "copy.db").unlink()
    with pytest.raises(Invalid, match="cannot be read"):
        checked_backup(tmp_path / "copy.db")


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field survives, and the file says what it is."""
    write_manifest(tmp_path / "copy.db", MANIFEST)
    assert read_manifest(tmp_path / "copy.db") == MANIFEST
    fields = json.loads(manifest_path(tmp_path / "copy.db").read_text())
    assert (fields["format"], fields["version"]) == ("switchgear-backup", 1)
    with pytest.raises(FileExistsError):
        write_manifest(tmp_path / "copy.db", MANIFEST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format":"other","version":1}',
        '{"format":"switchgear-backup","version":2}',
        '{"format":"switchgear-backup","version":1,"created_at":0,"bytes":1,"sha256":"","heads":[7]}',
        '{"format":"switchgear-backup","version":1,"created_at":0,"bytes":1,"sha256":"","heads":[SHORT]}'.replace(
            "SHORT", '{"tenant":"t","seq":1,"hash":"00"}'
        ),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_corrupt(tmp_path: Path, text: str) -> None:
    """A missing one is the caller's mistake, a damaged one is damage."""
    with pytest.raises(Invalid, match="no backup"):
        read_manifest(tmp_path / "copy.db")
    manifest_path(tmp_path / "copy.db").write_text(text)
    with pytest.raises(StoreError) as found:
        read_manifest(tmp_path / "copy.db")
    assert found.value.code is Code.LEDGER_CORRUPT


async def test_a_copy_can_be_opened_by_sqlite_alone(tmp_path: Path) -> None:
    """The copy is one plain file that passes SQLite's own check, without any other beside it."""
    async with opened(tmp_path / "gear.db") as store:
        await fill(store)
        await store.backup(tmp_path / "copy.db", created_at=0.0)
    assert copies(tmp_path) == {"copy.db", "copy.db.manifest.json"}
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
