"""Law 11 on a real file: what another program changed behind the store's back, the verifier names."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import export_lines
from switchgear.ledger.verify import Verification, verify_chain, verify_export
from switchgear.storage.abilities import Append
from switchgear.storage.opening import open_store

pytestmark = pytest.mark.integration

COUNT = 250


async def record(url: str) -> None:
    """Record a chain of 250 entries."""
    store, encoder = await open_store(url, seal=seal), EventEncoder()
    for number in range(COUNT):
        event = encoder.encode("noted", stream="s", scope=Scope("acme", "main", "me"), at=0.0, payload={"n": number})
        await store.append(Append(f"a{number}", "acme", (event,)))
    await store.close()


async def verify_both(url: str) -> tuple[Verification, Verification]:
    """Verify the chain in the file, and an export of it."""
    store = await open_store(url, seal=seal)
    found = await verify_chain(store, "acme")
    exported = verify_export([line async for line in export_lines(store, "acme")])
    await store.close()
    return found, exported


@pytest.mark.parametrize(
    ("statement", "seq", "words"),
    [
        (
            "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'me', 'be') AS BLOB) WHERE seq = 137",
            137,
            "edited",
        ),
        ("UPDATE entries SET hash = zeroblob(32) WHERE seq = 137", 137, "edited"),
        ("UPDATE entries SET prev = zeroblob(32) WHERE seq = 137", 137, "previous hash"),
        ("UPDATE entries SET payload = x'00' WHERE seq = 137", 137, "does not match its digest"),
        ("UPDATE entries SET stream = 'other' WHERE seq = 137", 137, "stands in stream"),
        ("DELETE FROM entries WHERE seq = 137", 137, "entry 137 is missing"),
        ("DELETE FROM entries WHERE seq < 201", 1, "entry 1 is missing"),
    ],
)
async def test_a_changed_file_is_found(tmp_path: Path, statement: str, seq: int, words: str) -> None:
    """Store and export agree on the first bad sequence and on what is wrong."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    await record(url)
    with closing(sqlite3.connect(tmp_path / "gear.db")) as connection, connection:
        connection.execute(statement)
    for found in await verify_both(url):
        assert (found.ok, found.first_bad_seq) == (False, seq)
        assert words in found.problem


async def test_an_erased_payload_is_no_tampering(tmp_path: Path) -> None:
    """Erasing a user's data leaves the chain whole."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    await record(url)
    with closing(sqlite3.connect(tmp_path / "gear.db")) as connection, connection:
        connection.execute("UPDATE entries SET payload = NULL WHERE seq = 137")
    for found in await verify_both(url):
        assert (found.ok, found.count) == (True, COUNT)
