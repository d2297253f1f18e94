"""The mark of a restored store: made before the store has its name, read at start, and never passed over."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from msgspec import structs

from switchgear.assembly.gear import Switchgear
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Invalid, OptionError, Rejected, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.gates.gate import NO_CONDITIONS, GateRequest, Stage
from switchgear.gates.restoring.book import KEY, SPACE, STREAM, UNREADABLE, Mark, RestoreBook
from switchgear.gates.restoring.files import restore
from switchgear.gates.restoring.gate import RestoreGate
from switchgear.gates.restoring.keeper import RestoreKeeper
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Event, Store, Write
from switchgear.storage.manifest import manifest_path
from switchgear.storage.opening import open_store

MARK = Mark(backup_at=5.0, restored_at=9.0, sha256="0" * 64)
REQUEST = GateRequest(
    stage=Stage.ADMISSION,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="crm.update",
    contract="",
    requires=("crm",),
    effect=Effect.KEYED,
    destructive=False,
    cost=1,
    payload="",
    at=0.0,
    deadline_at=9.0,
)


def keeper_of(store: Store) -> RestoreKeeper:
    """Return a keeper that has read nothing yet."""
    clock = VirtualClock()
    return RestoreKeeper(RestoreBook(), store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())


async def opened(file: Path) -> Store:
    """Open the store of a file."""
    return await open_store(f"sqlite:///{file}", seal=seal)


async def backup_of(folder: Path, *, mark: Mark | None = None, created_at: float = 50.0) -> Path:
    """Make a store with one event, marked if wished, and return a backup of it."""
    store = await opened(folder / "gear.db")
    try:
        await store.append(Append("apd_1", "acme", (Event("int_1", b"{}"),)))
        if mark is not None:
            await keeper_of(store).mark(mark, [])
        await store.backup(folder / "backup.db", created_at=created_at)
    finally:
        await store.close()
    return folder / "backup.db"


def names(folder: Path, pattern: str) -> list[str]:
    """Return the names of the files in a folder that fit `pattern`."""
    return sorted(path.name for path in folder.glob(pattern))


async def restored(folder: Path) -> Mark:
    """Bring the backup back, as the command does: where no loop runs."""
    return await asyncio.to_thread(restore, folder / "backup.db", folder / "new.db")


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("effect", Effect)
def test_writes_are_stopped_and_reads_pass(stage: Stage, effect: Effect) -> None:
    """At both stages, whatever the class of the write; the refusal is for now."""
    gate = RestoreGate(RestoreBook(mark=MARK, read=True))
    request = structs.replace(REQUEST, stage=stage, effect=effect)
    if not effect.writes:
        assert gate.check(request) is NO_CONDITIONS
        return
    with pytest.raises(Rejected) as refused:
        gate.check(request)
    assert (refused.value.code, refused.value.decision) == (Code.RESTORE_PENDING, "defer")


def test_a_store_whose_mark_was_not_read_is_frozen() -> None:
    """Law 6: unreadable is no."""
    with pytest.raises(Rejected):
        RestoreGate(RestoreBook()).check(REQUEST)
    assert RestoreGate(RestoreBook(read=True)).check(REQUEST) is NO_CONDITIONS


async def test_a_mark_that_cannot_be_understood_freezes(caplog: pytest.LogCaptureFixture) -> None:
    """It is taken for that of a store that was just restored, and a thaw writes it anew."""
    store = await open_store("memory://", seal=seal)
    write = Write(SPACE, KEY, 0, b"[", "frozen")
    await store.append(Append("apd_1", PLATFORM_TENANT, (Event(STREAM, b"{}"),), (write,)))
    keeper = keeper_of(store)
    await keeper.load()
    assert (keeper.book.frozen, keeper.book.mark) == (True, UNREADABLE)
    assert "cannot be read" in caplog.text
    await keeper.thawed(since=1.0, reason="looked", in_doubt=0, actor="user:ops")
    again = keeper_of(store)
    await again.load()
    assert not again.book.frozen


async def test_a_frozen_store_says_so_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """The log names what to do; a store that was thawed says nothing."""
    store = await open_store("memory://", seal=seal)
    keeper = keeper_of(store)
    keeper.tell()
    assert caplog.records == []
    await keeper.mark(MARK, [])
    keeper.tell()
    assert [(record.levelno, "ledger thaw" in record.message) for record in caplog.records] == [
        (logging.CRITICAL, True)
    ]


async def test_two_who_thaw_do_it_once() -> None:
    """The row's version decides; the second learns how it stands."""
    store = await open_store("memory://", seal=seal)
    one, other = keeper_of(store), keeper_of(store)
    await one.mark(MARK, [])
    await other.load()
    await one.thawed(since=1.0, reason="looked", in_doubt=2, actor="user:ops")
    with pytest.raises(Conflict):
        await other.thawed(since=1.0, reason="looked", in_doubt=2, actor="user:kim")
    assert not other.book.frozen


async def test_a_restore_makes_a_frozen_store_of_the_backup(tmp_path: Path) -> None:
    """What was in it is in it; the event names the backup and the ends of its chains; nothing else is left behind."""
    backup = await backup_of(tmp_path)
    before = backup.read_bytes()
    mark = await restored(tmp_path)
    store = await opened(tmp_path / "new.db")
    keeper = keeper_of(store)
    await keeper.load()
    (entry,) = await store.stream(PLATFORM_TENANT, STREAM)
    (kept,) = await store.entries("acme")
    await store.close()
    assert (keeper.book.frozen, keeper.book.mark, mark.backup_at) == (True, mark, 50.0)
    facts = read(entry).facts
    assert (facts["backup_at"], facts["chains"]) == (50.0, 1)
    assert facts["heads"] == [{"tenant": "acme", "seq": 1, "hash": kept.hash.hex()}]
    assert backup.read_bytes() == before
    assert names(tmp_path, "*restoring*") == []


@pytest.mark.parametrize(("thawed_at", "expected"), [(None, 5.0), (20.0, 50.0)])
async def test_a_backup_of_a_frozen_store_is_frozen_since_the_first(
    tmp_path: Path, thawed_at: float | None, expected: float
) -> None:
    """What the first backup had forgotten is forgotten still, unless somebody had thawed it before the second."""
    earlier = Mark(backup_at=5.0, restored_at=9.0, sha256="0" * 64, thawed_at=thawed_at)
    await backup_of(tmp_path, mark=earlier)
    mark = await restored(tmp_path)
    assert (mark.backup_at, mark.thawed_at) == (expected, None)


@pytest.mark.parametrize("name", ["new.db", "new.db-wal", "new.db.manifest.json"])
async def test_a_restore_never_overwrites(tmp_path: Path, name: str) -> None:
    """Neither a store nor what belongs to one."""
    await backup_of(tmp_path)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(Invalid, match="exists already"):
        await restored(tmp_path)
    assert (tmp_path / name).read_bytes() == b"mine"


async def test_a_store_that_is_open_is_in_use(tmp_path: Path) -> None:
    """Also when its file was removed under it."""
    await backup_of(tmp_path)
    store = await opened(tmp_path / "new.db")
    try:
        (tmp_path / "new.db").rename(tmp_path / "gone.db")
        with pytest.raises(StoreError) as refused:
            await restored(tmp_path)
    finally:
        await store.close()
    assert refused.value.code is Code.STORE_IN_USE


async def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    """One changed byte, or a manifest that is none; no store is made."""
    backup = await backup_of(tmp_path)
    damaged = bytearray(backup.read_bytes())
    damaged[-1] ^= 1
    backup.write_bytes(damaged)
    with pytest.raises(StoreError) as refused:
        await restored(tmp_path)
    assert refused.value.code is Code.LEDGER_CORRUPT
    assert not (tmp_path / "new.db").exists()
    manifest_path(backup).unlink()
    with pytest.raises(Invalid, match="no backup"):
        await restored(tmp_path)


async def test_a_restore_that_breaks_off_leaves_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unmarked copy under the name of a store would act at once; the next try begins anew."""
    await backup_of(tmp_path)
    (tmp_path / "new.db.restoring").write_bytes(b"what an earlier one left")

    async def fails(*_: object) -> Mark:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("switchgear.gates.restoring.files._marked", fails)
        with pytest.raises(StoreError, match="full"):
            await restored(tmp_path)
    assert names(tmp_path, "new.db*") == ["new.db.owner"]
    assert (await restored(tmp_path)).backup_at == 50.0


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A restore makes a file, no folders."""
    await backup_of(tmp_path)
    with pytest.raises(Invalid, match="there is no folder"):
        await asyncio.to_thread(restore, tmp_path / "backup.db", tmp_path / "nowhere" / "new.db")


async def test_a_backup_is_not_opened_as_a_store(tmp_path: Path) -> None:
    """It has no mark, so it would act as if nothing had happened since."""
    backup = await backup_of(tmp_path)
    with pytest.raises(OptionError, match="ledger restore"):
        async with Switchgear.open(store=f"sqlite:///{backup}"):
            pass
