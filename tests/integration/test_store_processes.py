"""The SQLite store between processes: killed at any moment, opened twice, on a full disk."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.ledger.chain import seal
from switchgear.ledger.verify import verify_chain
from switchgear.storage.abilities import Committed
from switchgear.storage.opening import open_store

pytestmark = pytest.mark.integration

CHILD = Path(__file__).with_name("store_child.py")
ROUNDS = 24
SEED = 20261121


def start(url: str, task: str) -> subprocess.Popen[bytes]:
    """Start the other process on a store. No line is read ahead of: `communicate` knows nothing of what was."""
    command = [sys.executable, str(CHILD), url, task]
    return subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def kill_after(url: str, seconds: float) -> list[list[str]]:
    """Let the other process append for `seconds` from its first acknowledgement; kill it; return what it was told."""
    child = start(url, "append")
    assert child.stdout is not None
    first = child.stdout.readline()
    try:
        rest, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        rest, _ = child.communicate()
    assert child.returncode == -9, "it was appending until it was killed"
    whole = (first + rest).decode().rpartition("\n")[0]
    return [line.split() for line in whole.splitlines()]


async def check_nothing_lost(url: str, acknowledged: list[list[str]]) -> int:
    """Check that every acknowledged append and row is there, and every chain right. Return the number of entries."""
    store = await open_store(url, seal=seal)
    try:
        for tenant, key, append_id, seq_last, version in acknowledged:
            assert await store.appended(tenant, key, append_id) == Committed(int(seq_last))
            row = await store.get("intents", tenant, key)
            assert row is not None
            assert row.version >= int(version)
        verified = [await verify_chain(store, tenant) for tenant in await store.tenants()]
        assert [found.problem for found in verified if not found.ok] == []
        return sum(found.count for found in verified)
    finally:
        await store.close()


def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Law 2: after kill -9 with 16 in flight, every acknowledged append is there and every chain verifies."""
    rng, url = random.Random(SEED), f"sqlite:///{tmp_path / 'gear.db'}"
    total = 0
    for turn in range(ROUNDS):
        acknowledged = kill_after(url, rng.uniform(0.0, 0.12))
        total += len(acknowledged)
        entries = asyncio.run(check_nothing_lost(url, acknowledged))
        assert entries >= 2 * total, f"round {turn}, seed {SEED}"
    assert total > ROUNDS


async def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    """STORE_IN_USE names the file and the other process; the lock goes with that process, even when it is killed."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    child = start(url, "hold")
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    with pytest.raises(StoreError, match=rf"gear\.db is in use by process {child.pid}") as refused:
        await open_store(url, seal=seal)
    assert refused.value.code is Code.STORE_IN_USE
    child.kill()
    child.communicate()
    await (await open_store(url, seal=seal)).close()


def test_a_full_disk_loses_nothing_and_heals(tmp_path: Path) -> None:
    """Refused appends are not there, acknowledged ones are, and once the file may grow again appends work."""
    child = start(f"sqlite:///{tmp_path / 'gear.db'}", "fill")
    out, _ = child.communicate(timeout=120)
    found = json.loads(out)
    assert found["acknowledged"] > 0
    assert found["refused"] == ["refused"]
    assert found["after"] == ["committed"] * 3
    assert (found["lost"], found["ghosts"], found["problem"]) == ([], [], "")
