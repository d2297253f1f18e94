"""Backup under load, kill -9, restore, thaw, with real processes and files: nothing doubled, all doubts named."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from switchgear import Switchgear
from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.gates.restoring.files import restore
from switchgear.storage.manifest import read_manifest
from tests.integration.engine.backing_up import ACTIONS, add_tools

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.integration


async def killed_after_backup(folder: Path, more: int) -> dict[str, str]:
    """Run the process, kill it `more` effects after its backup, return the tools of what it accepted before, by id."""
    command = (sys.executable, "-m", "tests.integration.engine.backing_up", str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    accepted: dict[str, str] = {}
    while (line := (await process.stdout.readline()).decode()) != "BACKUP\n":
        assert line, "the process ended by itself"
        _, intent_id, tool = line.split()
        accepted[intent_id] = tool
    effects_in_backup = effects_in(folder).total()
    await asyncio.to_thread(wait_for_effects, folder, effects_in_backup + more)
    process.kill()
    await process.communicate()
    return accepted


def effects_in(folder: Path) -> Counter[str]:
    """Return how often the remote did what, by the key that it got."""
    log = folder / "effects.log"
    return Counter(log.read_text().split() if log.exists() else ())


def wait_for_effects(folder: Path, count: int) -> None:
    """Return once the remote did `count` things; the test's own timeout bounds it."""
    while effects_in(folder).total() < count:
        time.sleep(0.01)


@pytest.mark.parametrize("more", [0, 60])
async def test_what_happened_after_the_backup_does_not_happen_again(tmp_path: Path, more: int) -> None:
    """SEMANTICS §10: keyed work runs under its old key, opaque work is in doubt by name, and nothing before a thaw."""
    accepted = await killed_after_backup(tmp_path, more)
    assert len(accepted) == ACTIONS
    before = effects_in(tmp_path)
    await asyncio.to_thread(restore, tmp_path / "backup.db", tmp_path / "restored.db")
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/restored.db") as gear:
        add_tools(gear, tmp_path)
        acme = gear.acting_as(tenant="acme", account="main", actor="service:test")
        assert (await gear.control.readiness.check()).parts["restore"] == Code.RESTORE_PENDING
        with pytest.raises(Rejected) as refused:
            await acme.submit("remote.keyed", {}, key="new")
        assert refused.value.code is Code.RESTORE_PENDING
        assert (await (await acme.submit("remote.read", {})).result()).value == "acme"
        await gear.run_until_idle(120.0)
        assert effects_in(tmp_path) == before
        since = read_manifest(tmp_path / "backup.db").created_at
        thawed = await gear.acting_as_platform(actor="user:ops").backups.thaw(since=since, reason="the disk died")
        await gear.run_until_idle(120.0)
        effects = effects_in(tmp_path)
        assert max(effects.values()) == 1
        for intent_id, tool in accepted.items():
            view = (await acme.intent(intent_id)).view
            assert view.state == "succeeded" or (tool, view.state) == ("remote.opaque", "in_doubt")
            assert effects[intent_id] == 1 or view.state == "in_doubt"
        assert thawed.in_doubt > 0
        assert (await gear.control.readiness.check()).ready
        verified = await gear.control.ledger.verify(acme.principal)
        assert (verified.ok, verified.fold_matches, verified.problem) == (True, True, None)
