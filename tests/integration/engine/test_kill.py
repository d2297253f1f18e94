"""kill -9 at random moments: a real engine, a real file, a real remote; nothing acknowledged lost, nothing doubled.

The same rounds as `make soak`, fewer of them.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tools.kill_rounds.laws import in_words
from tools.kill_rounds.rounds import Wish, run_rounds

ROUNDS = 12
SEEDS = 1_000_000
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


async def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Laws 2, 3, 4 and 11 after every round and at the end; what a kill cut off is in doubt by name."""
    seed = random.SystemRandom().randrange(SEEDS)
    report = await run_rounds(Wish(ROUNDS, seed, tmp_path))
    assert report.ok, [f"seed {seed}", *in_words(report.broken)]
    assert report.kills >= ROUNDS
    assert report.acknowledged > ROUNDS, f"seed {seed}: the callers had time to work"
    assert report.requests > ROUNDS, f"seed {seed}: the remote was reached"
