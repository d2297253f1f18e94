"""Law 11 on a real file: what another program changed is named by the verifier, and damaged pages have a code."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from switchgear.core.errors import StoreError
from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import export_lines
from switchgear.ledger.verify import Verification, verify_chain, verify_export
from switchgear.storage.abilities import Append, Count, Event, Store, Unknown, Write
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


# --- damaged pages ---

PAGE_BYTES = 4096
SEEDS = 60
Calls = dict[str, Callable[[], Awaitable[object]]]


def damage(path: Path, rng: random.Random) -> str:
    """Damage the file at one place by chance, and return how."""
    data = bytearray(path.read_bytes())
    at = rng.randrange(1, len(data) // PAGE_BYTES) * PAGE_BYTES
    how = rng.choice(["page", "zeros", "bytes", "header", "bit"])
    if how == "page":
        data[at : at + PAGE_BYTES] = rng.randbytes(PAGE_BYTES)
    elif how == "zeros":
        data[at : at + PAGE_BYTES] = bytes(PAGE_BYTES)
    elif how == "bit":
        data[at + rng.randrange(PAGE_BYTES)] ^= 1 << rng.randrange(8)
    else:
        for _ in range(20 if how == "bytes" else 3):
            data[at + rng.randrange(PAGE_BYTES if how == "bytes" else 40)] = rng.randrange(256)
    path.write_bytes(data)
    return f"{how} of page {at // PAGE_BYTES}"


async def record_rows(url: str) -> None:
    """Record entries, rows and counters of three tenants."""
    store, encoder = await open_store(url, seal=seal), EventEncoder()
    appends = []
    for number in range(200):
        scope = Scope(f"t{number % 3}", "main", "me")
        event = encoder.encode("noted", stream=f"s{number % 20}", scope=scope, at=0.0, payload={"n": "x" * 200})
        row = Write("rows", f"k{number:03}", 0, b"v" * 300, ("ready", "done")[number % 2])
        counts = (Count("counters", f"c{number % 7}", 1),)
        appends.append(Append(f"a{number}", scope.tenant, (event, event), (row,), (), counts))
    await asyncio.gather(*map(store.append, appends))
    await store.close()


def calls(store: Store, folder: Path) -> Calls:
    """Return every call that may meet damage."""
    late = Append(
        "new", "t1", (Event("s1", b"{}"),), (Write("rows", "k001", 1, b"x"),), (), (Count("counters", "c1", 1),)
    )
    return {
        "entries": lambda: store.entries("t1"),
        "stream": lambda: store.stream("t1", "s1"),
        "head": lambda: store.head("t1"),
        "tenants": store.tenants,
        "get": lambda: store.get("rows", "t1", "k001"),
        "page": lambda: store.page("rows", "t1", limit=1_000),
        "page of a facet": lambda: store.page("rows", "t1", facet="ready", limit=1_000),
        "scan": lambda: store.scan("rows", ["ready", "done"]),
        "count": lambda: store.count("rows", ["ready"]),
        "counters": lambda: store.counters("counters", "t1"),
        "appended": lambda: store.appended("t1", "s1", "a1"),
        "verify": lambda: verify_chain(store, "t1"),
        "append": lambda: store.append(late),
        "check": store.check,
        "backup": lambda: store.backup(folder / "copy.db", created_at=0.0),
        "close": store.close,
    }


async def lived(folder: Path) -> dict[str, str]:
    """Open the file of a folder, make every call, and return what each came to."""
    try:
        store = await open_store(f"sqlite:///{folder / 'gear.db'}", seal=seal)
    except StoreError as error:
        return {"opening": str(error.code)}
    return {name: await met(call) for name, call in calls(store, folder).items()}


async def met(call: Callable[[], Awaitable[object]]) -> str:
    """Return what a call came to: an answer, or a code. Anything else is raised."""
    try:
        async with asyncio.timeout(60):
            answer = await call()
    except StoreError as error:
        return str(error.code)
    return "unknown" if isinstance(answer, Unknown) else "answered"


async def test_damaged_pages_have_a_code_wherever_they_are(tmp_path: Path) -> None:
    """No crash, no hang, no defect: whatever is damaged, each call answers or says LEDGER_CORRUPT."""
    await record_rows(f"sqlite:///{tmp_path / 'whole.db'}")
    whole = (tmp_path / "whole.db").read_bytes()
    outcomes: Counter[str] = Counter()
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "gear.db").write_bytes(whole)
        how = damage(folder / "gear.db", random.Random(seed))
        for name, outcome in (await lived(folder)).items():
            assert outcome in {"answered", "unknown", "LEDGER_CORRUPT"}, f"{name}, seed {seed}, {how}: {outcome}"
            outcomes[outcome] += 1
    assert outcomes["LEDGER_CORRUPT"] > 0, "some damage is met"
    assert outcomes["answered"] > 10 * outcomes["LEDGER_CORRUPT"], "most calls read round it"
