"""kill -9 at random moments, with a real process and a real file: nothing acknowledged lost, nothing doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from switchgear import Switchgear

WORKER = Path(__file__).with_name("worker.py")
ROUNDS = 12
pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the worker."""
    return subprocess.Popen([sys.executable, str(WORKER), str(folder), *arguments], stdout=subprocess.PIPE, text=True)


def killed_after_some_work(folder: Path, first: int, moment: float) -> list[str]:
    """Run the worker, kill it `moment` seconds after its first acknowledgement, return all it acknowledged."""
    worker = start(folder, "submit", str(first))
    assert worker.stdout is not None
    lines = [worker.stdout.readline()]
    time.sleep(moment)
    worker.kill()
    lines += worker.stdout.readlines()
    worker.stdout.close()
    worker.wait(10)
    return [line for line in lines if line.endswith("\n")]


async def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Every acknowledged intent is on record; effects per key ≤ 1; interrupted opaque actions are in doubt."""
    seed = random.randrange(10_000)
    rng = random.Random(seed)
    acknowledged: dict[str, str] = {}
    for number in range(ROUNDS):
        for line in killed_after_some_work(tmp_path, number * 10_000, rng.uniform(0.0, 0.15)):
            _, _, intent_id, tool = line.split()
            acknowledged[intent_id] = tool
    finished = start(tmp_path, "finish")
    finished.communicate(timeout=60)
    assert finished.returncode == 0
    effects = Counter((tmp_path / "effects.log").read_text().split())
    assert len(acknowledged) > ROUNDS, f"seed {seed}"
    assert max(effects.values()) == 1, f"seed {seed}"
    async with Switchgear.open(store=f"sqlite:///{tmp_path}/gear.db", start=False) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="service:test")
        for intent_id, tool in acknowledged.items():
            intent = await acme.intent(intent_id)
            if intent.state == "succeeded":
                assert effects[intent_id] == (0 if tool == "remote.read" else 1)
            else:
                assert (tool, intent.state) == ("remote.opaque", "in_doubt")
        verification = await gear.control.ledger_verify(acme.principal)
        assert (verification.ok, verification.problem) == (True, None)
