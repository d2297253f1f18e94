"""The schema of a SQLite store: numbered files with checksums, and what is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite.schema import SchemaFile, schema_files
from switchgear.testing.storage_scenes import suite_seal


async def open_and_close(path: Path) -> None:
    """Open the store of a file, and close it."""
    await (await open_store(f"sqlite:///{path}", seal=suite_seal)).close()


def change(path: Path, statement: str) -> None:
    """Execute a statement on the file as another program would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_files_are_numbered_without_gaps() -> None:
    """Each step has one number, from 1, and a checksum of its bytes."""
    files = schema_files()
    assert [file.number for file in files] == list(range(1, len(files) + 1))
    assert all(len(file.checksum) == 64 for file in files)


async def test_applied_files_are_recorded_once(tmp_path: Path) -> None:
    """A second opening applies nothing."""
    path = tmp_path / "gear.db"
    await open_and_close(path)
    await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT number, name, checksum FROM schema_files").fetchall()
    assert rows == [(file.number, file.name, file.checksum) for file in schema_files()]


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An older program does not touch what it does not know, and says which version is needed."""
    path = tmp_path / "gear.db"
    await open_and_close(path)
    change(path, "INSERT INTO schema_files VALUES (9999, 'future', 'x', 0)")
    with pytest.raises(StoreError, match=r"schema 9999_future of a newer Switchgear") as raised:
        await open_and_close(path)
    assert raised.value.code is Code.LEDGER_UNAVAILABLE


async def test_a_schema_from_another_file_is_refused(tmp_path: Path) -> None:
    """A checksum that differs means that the tables may not be what this version thinks."""
    path = tmp_path / "gear.db"
    await open_and_close(path)
    change(path, "UPDATE schema_files SET checksum = 'other'")
    with pytest.raises(StoreError, match="differs from the installed one") as raised:
        await open_and_close(path)
    assert raised.value.code is Code.LEDGER_CORRUPT


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """The store never adds its tables to somebody else's file."""
    path = tmp_path / "theirs.db"
    change(path, "CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


async def test_a_step_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is one transaction: a broken one changes nothing, and the file opens with a version that works."""
    broken = SchemaFile(9998, "broken", "x", "CREATE TABLE half (x);\nCREATE TABLE half (x);\n")
    path = tmp_path / "gear.db"
    with monkeypatch.context() as patch:
        patch.setattr("switchgear.storage.sqlite.schema.schema_files", lambda: [*schema_files(), broken])
        with pytest.raises(StoreError, match="half already exists"):
            await open_and_close(path)
    await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
