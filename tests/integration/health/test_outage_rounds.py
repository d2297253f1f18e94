"""Real servers break in every way that the fault proxy knows, while janitors try to destroy, as in `make drills`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tools.outage_drills.laws import in_words
from tools.outage_drills.rounds import ON_THE_WIRE
from tools.outage_drills.run import Report, Wish, run_real
from tools.outage_drills.servers import PROGRAMS, missing_programs

SEEDS = 1_000_000
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


async def test_an_outage_of_real_servers_destroys_nothing(tmp_path: Path) -> None:
    """Each fault, each kind of server, each path: nothing forbidden happens, and all come back in order and in time."""
    if missing := missing_programs():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{', '.join(missing)} is not installed; tools/install-servers does it")
    seed = random.SystemRandom().randrange(SEEDS)
    report = Report(Wish(0, len(ON_THE_WIRE), seed))
    await run_real(report.wish, report, tmp_path)
    print(*report.repairs_in_words, sep="\n")  # noqa: T201 - shown when it fails
    assert report.ok, [f"seed {seed}", *in_words(report.broken)]
    assert len(report.rounds.tried) > len(ON_THE_WIRE) * len(PROGRAMS), "somebody tried while it was broken"
    assert report.rounds.in_outage > len(ON_THE_WIRE)
    assert report.rounds.effects > len(ON_THE_WIRE)
    assert report.repairs, "something was noticed, and came back"
