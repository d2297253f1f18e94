"""Backups and thaws as the platform uses them: made while running, listed, one at a time, decided by a person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.use_cases import PERMISSIONS
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, Rejected, StoreError
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.contract import Call
from switchgear.gates.restoring.files import restore
from switchgear.ledger.events import read
from switchgear.storage.manifest import checked_backup, manifest_path
from tests.turns import turns


def with_tools(gear: Switchgear) -> list[str]:
    """Register one opaque tool, and return what it does."""
    effects: list[str] = []

    @gear.tool("mail.send")
    async def send(call: Call) -> str:
        effects.append(call.idempotency_key)
        return "sent"

    return effects


async def frozen_store(folder: Path) -> str:
    """Make a frozen store in which one action was waiting, and return its URL."""
    async with Switchgear.open(store=f"sqlite:///{folder}/gear.db", start=False) as gear:
        with_tools(gear)
        await gear.acting_as(tenant="acme", account="main", actor="service:x").submit("mail.send", {}, key="k")
        made = await gear.acting_as_platform(actor="user:ops").backups.make()
    await asyncio.to_thread(restore, folder / "backups" / made.file, folder / "new.db")
    return f"sqlite:///{folder}/new.db"


async def test_a_backup_stands_beside_the_store_and_is_listed(tmp_path: Path) -> None:
    """Its manifest describes it, its name is its moment, and the platform's chain has it."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db") as gear:
        ops = gear.acting_as_platform(actor="user:ops").backups
        first, second = await ops.make(), await ops.make()
        listed = await ops.list()
        entries = await gear.store.stream(PLATFORM_TENANT, "ledger.backups")
    assert [line.file for line in listed.items] == [second.file, first.file]
    assert (listed.folder, listed.frozen, listed.under_way) == (str(tmp_path / "backups"), False, None)
    manifest = checked_backup(tmp_path / "backups" / first.file)
    assert (first.sha256, first.bytes, first.created_at) == (manifest.sha256, manifest.bytes, manifest.created_at)
    assert [read(entry).facts["name"] for entry in entries] == [first.file, second.file]


async def test_the_folder_can_be_configured(tmp_path: Path) -> None:
    """As `[store] backups`."""
    file = tmp_path / "switchgear.toml"
    file.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/gear.db"\nbackups = "{tmp_path}/elsewhere"\n')
    async with Switchgear.open(file) as gear:
        made = await gear.acting_as_platform(actor="user:ops").backups.make()
    assert (tmp_path / "elsewhere" / made.file).exists()


async def test_one_at_a_time(tmp_path: Path) -> None:
    """The second is told which one is under way."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db") as gear:
        ops = gear.acting_as_platform(actor="user:ops").backups
        first = asyncio.ensure_future(ops.make())
        await turns()
        with pytest.raises(Conflict, match=r"gear-.* is under way"):
            await ops.make()
        assert (await ops.list()).under_way == (await first).file


async def test_damage_is_shown_in_the_list_and_what_is_none_is_not(tmp_path: Path) -> None:
    """A file without a manifest is no backup; one whose manifest is damaged is named."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db") as gear:
        ops = gear.acting_as_platform(actor="user:ops").backups
        made = await ops.make()
        manifest_path(tmp_path / "backups" / made.file).write_text("{")
        (tmp_path / "backups" / "gear-0.db").write_bytes(b"")
        (line,) = (await ops.list()).items
    assert (line.file, line.created_at, line.problem) == (made.file, None, "LEDGER_CORRUPT")


async def test_a_store_in_memory_has_no_backups() -> None:
    """The answer says why; the list is empty."""
    async with Switchgear.open(store="memory://") as gear:
        ops = gear.acting_as_platform(actor="user:ops").backups
        with pytest.raises(Invalid, match="backups"):
            await ops.make()
        assert (await ops.list()).items == []


async def test_a_folder_that_cannot_be_made_is_an_answer(tmp_path: Path) -> None:
    """And the next try is not told that one is under way."""
    (tmp_path / "backups").write_bytes(b"a file")
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db") as gear:
        for _ in range(2):
            with pytest.raises(StoreError, match="cannot be made"):
                await gear.acting_as_platform(actor="user:ops").backups.make()


async def test_a_restored_gear_is_not_ready_until_it_is_thawed(tmp_path: Path) -> None:
    """It refuses writes, says why, and goes on once a person has said since when; the ledger has the word."""
    url = await frozen_store(tmp_path)
    async with Switchgear.open(store=url) as gear:
        effects = with_tools(gear)
        ops = gear.acting_as_platform(actor="user:ops").backups
        acme = gear.acting_as(tenant="acme", account="main", actor="service:x")
        assert (await gear.control.readiness.check()).parts["restore"] == "RESTORE_PENDING"
        listed = await ops.list()
        assert (listed.frozen, listed.restored_from is not None) == (True, True)
        with pytest.raises(Rejected) as refused:
            await acme.submit("mail.send", {}, key="other")
        assert refused.value.code is Code.RESTORE_PENDING
        found = await ops.thaw(since=listed.restored_from or 0.0, reason="the disk died")
        assert (found.in_doubt, found.sagas, found.time_boxes, found.unreadable) == (1, 0, 0, 0)
        (doubt,) = await acme.intents(state="in_doubt")
        assert "may have been executed" in doubt.view.message
        outcome = await (await acme.submit("mail.send", {}, key="other")).result()
        assert (outcome.state, len(effects)) == ("succeeded", 1)
        assert (await gear.control.readiness.check()).ready
        event = read((await gear.store.stream(PLATFORM_TENANT, "ledger.restore"))[-1])
        assert (event.type, event.facts["by"], event.facts["in_doubt"]) == ("ledger.thawed", "user:ops", 1)
        assert event.payload == {"reason": "the disk died"}
        with pytest.raises(Conflict, match="not frozen"):
            await ops.thaw(since=0.0, reason="again")


async def test_it_stays_frozen_over_a_restart_and_thawed_over_the_next(tmp_path: Path) -> None:
    """The mark is in the store."""
    url = await frozen_store(tmp_path)
    for _ in range(2):
        async with Switchgear.open(store=url) as gear:
            assert (await gear.acting_as_platform(actor="user:ops").backups.list()).frozen
    async with Switchgear.open(store=url) as gear:
        await gear.acting_as_platform(actor="user:ops").backups.thaw(since=0.0, reason="looked")
    async with Switchgear.open(store=url) as gear:
        assert gear.recovered.in_doubt == 1
        assert not (await gear.acting_as_platform(actor="user:ops").backups.list()).frozen


async def test_a_thaw_that_was_recorded_but_not_ended_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger went away between the record and the recovery; the same command goes on from there."""
    async with Switchgear.open(store=await frozen_store(tmp_path)) as gear:
        with_tools(gear)
        ops = gear.acting_as_platform(actor="user:ops").backups

        async def away() -> None:
            raise StoreError("the disk is away")

        with monkeypatch.context() as patched:
            patched.setattr(gear.engine, "wake", away)
            with pytest.raises(StoreError):
                await ops.thaw(since=0.0, reason="looked")
        assert not (await gear.control.readiness.check()).ready
        await ops.thaw(since=0.0, reason="looked")
        assert (await gear.control.readiness.check()).ready


@pytest.mark.parametrize(
    ("actor", "since", "reason", "error"),
    [
        ("agent:planner", 0.0, "because", Denied),
        ("user:ops", 0.0, " ", Invalid),
        ("user:ops", 0.0, "x" * 501, Invalid),
        ("user:ops", 1e12, "because", Invalid),
        ("user:ops", -1.0, "because", Invalid),
        ("user:ops", float("nan"), "because", Invalid),
    ],
)
async def test_a_person_says_since_when_and_why(
    tmp_path: Path, actor: str, since: float, reason: str, error: type[Exception]
) -> None:
    """An agent cannot know; a time to come cannot be meant; the reason goes on record."""
    async with Switchgear.open(store=await frozen_store(tmp_path)) as gear:
        who = Principal(PLATFORM_TENANT, actor, frozenset(), frozenset(PERMISSIONS))
        with pytest.raises(error):
            await gear.control.backups.thaw(who, since=since, reason=reason)
        assert gear.engine.resting


async def test_a_thaw_says_what_is_in_doubt_after_it(tmp_path: Path) -> None:
    """What went into doubt and may be repeated goes on at once, so it is nothing that a person must look at."""

    def with_keyed(gear: Switchgear) -> None:
        @gear.tool("crm.update", effect="keyed")
        async def update(call: Call) -> str:
            return "done"

    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db", start=False) as gear:
        with_keyed(gear)
        acme = gear.acting_as(tenant="acme", account="main", actor="service:x")
        submitted = await acme.submit("crm.update", {}, key="k")
        made = await gear.acting_as_platform(actor="user:ops").backups.make()
    await asyncio.to_thread(restore, tmp_path / "backups" / made.file, tmp_path / "new.db")
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/new.db") as gear:
        with_keyed(gear)
        found = await gear.acting_as_platform(actor="user:ops").backups.thaw(since=0.0, reason="looked")
        assert found.in_doubt == 0
        event = read((await gear.store.stream(PLATFORM_TENANT, "ledger.restore"))[-1])
        assert event.facts["in_doubt"] == 1
        acme = gear.acting_as(tenant="acme", account="main", actor="service:x")
        assert (await (await acme.intent(submitted.id)).result(timeout=60)).value == "done"
