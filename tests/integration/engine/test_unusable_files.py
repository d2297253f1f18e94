"""A store that cannot be opened has a clear code by Python and on the command line, and loses nothing meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from switchgear import Switchgear
from switchgear.core.codes import Code, ExitCode
from switchgear.core.errors import StoreError
from tests.integration.cli.harness import END_SECONDS, SWITCHGEAR, environment, run_apart
from tests.integration.engine.calling import Caller, at_remote, problems, start
from tools.kill_rounds.evidence import STORE
from tools.kill_rounds.scene import Scene, scene

pytestmark = pytest.mark.integration

UNPRIVILEGED = str(Path(__file__).with_name("unprivileged.py"))
OPENING = """
import asyncio, sys
from switchgear import Switchgear
from switchgear.core.errors import StoreError

async def main():
    try:
        async with Switchgear.open(store=sys.argv[1]) as gear:
            gear.tool("remote.note")(lambda call: None)
            await gear.acting_as(tenant="t1", account="main", actor="me").submit("remote.note", key="k")
            print("submitted")
    except StoreError as error:
        print(error.code)

asyncio.run(main())
"""
PAGE_BYTES = 4096


UP = (*SWITCHGEAR, "up", "--dev", "--port", "0", "--json")


def without_rights(made: Scene, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that root's rights do not help."""
    return subprocess.run(
        [sys.executable, UNPRIVILEGED, *command],
        cwd=made.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )


def used_without_rights(made: Scene) -> str:
    """Open the store and submit by the Python API; return the code that this is refused with."""
    return without_rights(made, sys.executable, "-c", OPENING, f"sqlite:///{made.folder / STORE}").stdout.strip()


def up_without_rights(made: Scene) -> tuple[int, str]:
    """Start a server on the store; return its exit code and the code that it prints."""
    ran = without_rights(made, *UP)
    return ran.returncode, str(json.loads(ran.stderr)["code"])


@contextmanager
def mode(path: Path, number: int) -> Iterator[None]:
    """Inside, the mode of `path` is another."""
    before = path.stat().st_mode
    path.chmod(number)
    try:
        yield
    finally:
        path.chmod(before)


@asynccontextmanager
async def with_history(folder: Path, *, padding: int = 0) -> AsyncIterator[Caller]:
    """Yield a caller to whom 32 actions were acknowledged as succeeded, by an engine that runs."""
    async with scene(folder, seed=1, calm=True) as made:
        await start(made)
        caller = Caller(made)
        await caller.submit_many("before", 32, padding=padding)
        yield caller


async def nothing_lost(caller: Caller) -> None:
    """Start the engine, check that all that was acknowledged has succeeded once, and that more can be done."""
    await start(caller.scene)
    states = {(await caller.show(ref)).json()["state"] for ref in caller.acknowledged}
    assert states == {"succeeded"}
    assert (await caller.submit("after", wait=True)).json()["state"] == "succeeded"
    assert await caller.scene.engine.stop() == 0
    assert {at_remote(caller.scene).applied[ref] for ref in caller.acknowledged} == {1}
    assert await problems(caller.scene) == []


async def test_a_store_in_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    """Where no log can be written beside the file, no engine starts: LEDGER_UNAVAILABLE. Then all is there again."""
    async with with_history(tmp_path) as caller:
        assert await caller.scene.engine.stop() == 0
        with mode(tmp_path, 0o500):
            assert await asyncio.to_thread(used_without_rights, caller.scene) == Code.LEDGER_UNAVAILABLE
            refused = await asyncio.to_thread(up_without_rights, caller.scene)
        assert refused == (ExitCode.UNAVAILABLE, Code.LEDGER_UNAVAILABLE)
        await nothing_lost(caller)


async def test_a_read_only_file_starts_no_engine(tmp_path: Path) -> None:
    """An engine that could not record does not start: LEDGER_UNAVAILABLE. Then all is there again."""
    async with with_history(tmp_path) as caller:
        assert await caller.scene.engine.stop() == 0
        with mode(tmp_path / STORE, 0o400):
            assert await asyncio.to_thread(used_without_rights, caller.scene) == Code.LEDGER_UNAVAILABLE
            refused = await asyncio.to_thread(up_without_rights, caller.scene)
        assert refused == (ExitCode.UNAVAILABLE, Code.LEDGER_UNAVAILABLE)
        await nothing_lost(caller)


async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """STORE_IN_USE, also by the command line; the first works on, and the store is free once it was killed."""
    async with with_history(tmp_path) as caller:
        with pytest.raises(StoreError) as refused:
            async with Switchgear.open(store=f"sqlite:///{tmp_path / STORE}"):
                pass
        assert refused.value.code is Code.STORE_IN_USE
        ran = await asyncio.to_thread(run_apart, tmp_path, "up", "--dev", "--port", "0", "--json")
        assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.UNAVAILABLE, Code.STORE_IN_USE)
        assert str(caller.scene.engine.pid) in ran.problem()["detail"]
        assert (await caller.submit("meanwhile", wait=True)).json()["state"] == "succeeded"
        await caller.scene.engine.kill()
        async with Switchgear.open(store=f"sqlite:///{tmp_path / STORE}", start=False):
            pass
        await nothing_lost(caller)


def damage(path: Path, pages: range) -> None:
    """Overwrite pages of a file with what is no page, under whoever has it open."""
    descriptor = os.open(path, os.O_WRONLY)
    for page in pages:
        os.pwrite(descriptor, b"\xff" * PAGE_BYTES, page * PAGE_BYTES)
    os.fsync(descriptor)
    os.close(descriptor)


async def test_a_damaged_beginning_is_refused_at_the_start(tmp_path: Path) -> None:
    """A file whose first page is damaged is LEDGER_CORRUPT; with the page back, everything is there."""
    async with with_history(tmp_path) as caller:
        assert await caller.scene.engine.stop() == 0
        whole = (tmp_path / STORE).read_bytes()
        damage(tmp_path / STORE, range(1))
        assert await asyncio.to_thread(used_without_rights, caller.scene) == Code.LEDGER_CORRUPT
        refused = await asyncio.to_thread(up_without_rights, caller.scene)
        assert refused == (ExitCode.VERIFY_FAILED, Code.LEDGER_CORRUPT)
        (tmp_path / STORE).write_bytes(whole)
        await nothing_lost(caller)


async def test_damaged_pages_are_met_with_a_code_and_nothing_is_denied(tmp_path: Path) -> None:
    """Law 11: what was acknowledged is shown right or said to be damaged, never to be missing; nothing is done twice.

    The engine that starts on such a file, and the one that runs while it is damaged, answer alike.
    """
    async with with_history(tmp_path, padding=2_000) as caller:
        assert await caller.scene.engine.stop() == 0
        whole = (tmp_path / STORE).read_bytes()
        pages = len(whole) // PAGE_BYTES
        first = random.Random(11).randrange(pages // 4, pages // 2)
        await start(caller.scene)
        damage(tmp_path / STORE, range(first, first + pages // 4))
        await answers_or_says_corrupt(caller)
        await caller.scene.engine.kill()
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"{STORE}{suffix}").unlink(missing_ok=True)
        if await starts(caller.scene):
            await answers_or_says_corrupt(caller)
        await caller.scene.engine.kill()
        assert max(at_remote(caller.scene).applied.values()) == 1, "nothing is done twice"


async def starts(made: Scene) -> bool:
    """Start the engine on a damaged file; it starts, or says that the file is damaged."""
    try:
        await start(made)
    except RuntimeError as error:
        refused = str(error)
    else:
        return True
    assert Code.LEDGER_CORRUPT in refused
    return False


async def answers_or_says_corrupt(caller: Caller) -> None:
    """Ask for all that was acknowledged, and submit it again: it is right, or damaged. The ledger says so too."""
    answers = [await caller.show(ref) for ref in caller.acknowledged]
    answers += [await caller.submit(ref, padding=2_000) for ref in list(caller.acknowledged)]
    said = {answer.json().get("code") or answer.json()["state"] for answer in answers}
    assert said <= {"succeeded", Code.LEDGER_CORRUPT}
    assert Code.LEDGER_CORRUPT in said, "some damage was met"
    verification = (await caller.get("/v1/ledger/verify")).json()
    assert verification.get("ok") is False or verification["code"] == Code.LEDGER_CORRUPT
    assert (await caller.get("/livez")).is_success
