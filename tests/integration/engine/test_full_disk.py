"""A disk that is full under a running engine: a limit of the file size that is set on its process from outside."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from switchgear.core.codes import Code, ExitCode
from tests.integration.cli.harness import run_apart
from tests.integration.engine.calling import TENANT, Caller, at_remote, problems, sizes, start
from tools.kill_rounds.scene import Scene, scene
from tools.kill_rounds.submitting import ACCOUNT

pytestmark = pytest.mark.integration

CHILD = Path(__file__).with_name("filling.py")
ROOM_BYTES = 100_000
REFUSED = [f"refused{number}" for number in range(3)]


def limit(made: Scene, size: int) -> None:
    """Let no file of the engine grow beyond `size` bytes; -1 for no limit."""
    hard = resource.prlimit(made.engine.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(made.engine.pid, resource.RLIMIT_FSIZE, (size, hard))


def fill_the_disk(made: Scene) -> None:
    """Leave a little room."""
    limit(made, sizes(made.folder) + ROOM_BYTES)


async def filled(caller: Caller) -> None:
    """Fill the disk, and submit until the engine says that it cannot record."""
    fill_the_disk(caller.scene)
    for number in range(200):
        answer = await caller.submit(f"filling{number:03}", padding=10_000)
        if answer.status_code == 503:
            assert answer.json()["code"] == Code.LEDGER_UNAVAILABLE
            return
    raise AssertionError("the disk never got full")


async def submitted_by_cli(made: Scene) -> tuple[int, str]:
    """Submit by the command line; return its exit code and the code that it prints."""
    words = ("submit", "remote.keyed", "--arg", "ref=cli", "--arg", f"padding={'x' * 50_000}", "--key", "cli")
    place = ("--account", ACCOUNT, "--url", made.engine.url, "--token", made.tokens[TENANT], "--json")
    ran = await asyncio.to_thread(run_apart, made.folder, *words, *place)
    return ran.exit_code, str(ran.problem()["code"])


async def test_a_full_disk_refuses_and_heals(tmp_path: Path) -> None:
    """Law 2: what cannot be recorded is refused with its code and never leaves; what was acknowledged goes on."""
    async with scene(tmp_path, seed=1, calm=True) as made:
        await start(made)
        caller = Caller(made)
        await caller.submit_many("before", 20)
        await filled(caller)
        answers = [(await caller.submit(ref, padding=10_000)).json() for ref in REFUSED]
        assert [answer["code"] for answer in answers] == [Code.LEDGER_UNAVAILABLE] * len(REFUSED)
        assert await submitted_by_cli(made) == (ExitCode.UNAVAILABLE, Code.LEDGER_UNAVAILABLE)
        assert not any(at_remote(made).arrived[ref] for ref in REFUSED), "what is refused has not left"
        limit(made, -1)
        for ref in REFUSED:
            assert (await caller.submit(ref, wait=True, padding=10_000)).json()["state"] == "succeeded"
        await caller.until_all(caller.acknowledged, frozenset({"succeeded"}))
        assert await made.engine.stop() == 0
        assert {at_remote(made).applied[ref] for ref in caller.acknowledged} == {1}
        assert await problems(made) == []


async def test_an_engine_that_is_killed_on_a_full_disk_goes_on(tmp_path: Path) -> None:
    """What was acknowledged before the disk was full outlives the kill, and nothing is doubled."""
    async with scene(tmp_path, seed=1, calm=True) as made:
        await start(made)
        caller = Caller(made)
        await filled(caller)
        await made.engine.kill()
        await start(made)  # a new process, without the limit
        await caller.until_all(caller.acknowledged, frozenset({"succeeded"}))
        assert await made.engine.stop() == 0
        assert {at_remote(made).applied[ref] for ref in caller.acknowledged} == {1}
        assert await problems(made) == []


def test_a_full_disk_by_the_python_api(tmp_path: Path) -> None:
    """`submit` raises LEDGER_UNAVAILABLE; what is under way is recorded once there is room; nothing is lost."""
    ran = subprocess.run([sys.executable, str(CHILD), str(tmp_path)], capture_output=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    found = json.loads(ran.stdout)
    assert found["codes"] == [Code.LEDGER_UNAVAILABLE]
    assert found["acknowledged"] > 0
    assert found["left_unrecorded"] == []
    assert found["states_at_the_end"] == ["succeeded"]
    assert found["effects_at_the_end"] == [1]
    assert found["problem"] is None
