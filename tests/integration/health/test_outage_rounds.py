"""Real servers break in every way that the fault proxy knows, while janitors try to destroy, as in `make drills`."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tools.outage_drills.faults import FAULTS
from tools.outage_drills.laws import in_words
from tools.outage_drills.rounds import ON_THE_WIRE
from tools.outage_drills.run import Report, Wish, run_real
from tools.outage_drills.servers import PROGRAMS, Remote, missing_programs, remotes

SEEDS = 1_000_000
ANSWER_SECONDS = 0.3
COMES_BACK_SECONDS = 10.0
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def programs() -> None:
    """Skip where a real server is missing, except in CI."""
    if missing := missing_programs():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{', '.join(missing)} is not installed; tools/install-servers does it")


async def test_an_outage_of_real_servers_destroys_nothing(tmp_path: Path) -> None:
    """Each fault, each kind of server, each path: nothing forbidden happens, and all come back in order and in time."""
    seed = random.SystemRandom().randrange(SEEDS)
    report = Report(Wish(0, len(ON_THE_WIRE), seed))
    await run_real(report.wish, report, tmp_path)
    print(*report.repairs_in_words, sep="\n")  # noqa: T201 - shown when it fails
    assert report.ok, [f"seed {seed}", *in_words(report.broken)]
    assert len(report.rounds.tried) > len(ON_THE_WIRE) * len(PROGRAMS), "somebody tried while it was broken"
    assert report.rounds.in_outage > len(ON_THE_WIRE)
    assert report.rounds.effects > len(ON_THE_WIRE)
    assert report.repairs, "something was noticed, and came back"


@pytest.mark.parametrize("name", [name for name in ON_THE_WIRE if FAULTS[name].breaks])
async def test_a_fault_that_is_said_to_break_lets_no_right_answer_through(tmp_path: Path, name: str) -> None:
    """The judge takes it for an outage of every server, so it has to be one. Before it, each server answers."""
    wire = FAULTS[name].wire
    assert wire is not None
    async with remotes(tmp_path, seed=1, timeout=ANSWER_SECONDS) as servers:
        for server in servers:
            await _comes_back(server)
            server.proxy.fault = wire
            assert not await _answers(server), f"{server.kind} answered"
            assert not await _answers(server), f"{server.kind} answered over a new connection"


async def _comes_back(server: Remote) -> None:
    """Return once it answers: on a busy machine it may take more than one question."""
    async with asyncio.timeout(COMES_BACK_SECONDS):
        while not await _answers(server):
            pass


async def _answers(server: Remote) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await server.question()
    except Exception:  # noqa: BLE001 - whatever a question raises, it was not answered
        return False
    return True
