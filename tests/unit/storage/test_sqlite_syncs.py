"""What the writer says of its syncs: one a group, and those of the checkpoints of the write-ahead log."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from switchgear.storage.abilities import Append, Event, Write
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite.log import LogMeter
from switchgear.storage.sqlite.store import TRAY_MAX
from switchgear.testing.storage_scenes import append, suite_seal, write


def log_of(path: Path, sequence: int) -> None:
    """Write the beginning of a log with this checkpoint sequence."""
    Path(f"{path}-wal").write_bytes(bytes(12) + sequence.to_bytes(4, "big") + bytes(16))


def test_a_log_that_begins_anew_has_cost_three_syncs(tmp_path: Path) -> None:
    """The first log costs its header; each later one the log before, the database, and a header."""
    path = tmp_path / "gear.db"
    meter = LogMeter(str(path))
    assert meter.syncs() == 0, "there is no log"
    log_of(path, 0)
    assert [meter.syncs(), meter.syncs()] == [1, 1]
    log_of(path, 2)
    assert [meter.syncs(), meter.syncs()] == [7, 7]
    log_of(path, 3)
    meter.close()
    meter.close()
    log_of(path, 9)
    assert meter.syncs() == 10, "what came before closing, and nothing since"


def test_a_first_log_that_is_looked_at_late_is_counted_whole(tmp_path: Path) -> None:
    """Nothing is lost when nobody asks for a while."""
    meter = LogMeter(str(tmp_path / "gear.db"))
    log_of(tmp_path / "gear.db", 4)
    assert meter.syncs() == 13
    meter.close()


def test_a_log_that_was_there_costs_nothing_and_one_that_is_cut_is_no_log(tmp_path: Path) -> None:
    """Only what this writer did is counted."""
    path = tmp_path / "gear.db"
    log_of(path, 7)
    meter = LogMeter(str(path))
    assert meter.syncs() == 0
    os.truncate(f"{path}-wal", 0)
    assert meter.syncs() == 0
    log_of(path, 8)
    assert meter.syncs() == 3
    meter.close()


async def test_syncs_are_groups_and_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published figure holds what the disk has to do: more than one sync a group once the log is moved."""
    monkeypatch.setattr("switchgear.storage.sqlite.connecting._CHECKPOINT_PAGES", 50)
    store = await open_store(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)
    for number in range(40):
        await store.append(Append(f"a-{number}", "acme", (Event("s", b"{}", bytes(20_000)),)))
    await store.append(append(41, writes=(write("k", 9),)))
    counted = store.statistics()
    await store.close()
    assert (counted.groups, counted.conflicted) == (40, 1)
    checkpoints, rest = divmod(counted.syncs - counted.groups, 3)
    assert (checkpoints >= 3, rest) == (True, 0)


async def test_one_sync_serves_a_group(tmp_path: Path) -> None:
    """Appends that travel together share the sync: a full tray leaves whole, however quickly the writer takes it."""
    store = await open_store(f"sqlite:///{tmp_path / 'gear.db'}", seal=suite_seal)
    rows = (Append(f"a-{n}", "acme", (), (Write("space", f"k{n}", 0, b""),)) for n in range(TRAY_MAX))
    await asyncio.gather(*map(store.append, rows))
    counted = store.statistics()
    await store.close()
    assert counted.committed == TRAY_MAX
    assert counted.syncs == counted.groups == 1


async def test_a_store_without_a_disk_has_no_syncs() -> None:
    """The memory store syncs nothing, and says so."""
    store = await open_store("memory://", seal=suite_seal)
    await store.append(append(0))
    assert (store.statistics().groups, store.statistics().syncs) == (1, 0)
    await store.close()
