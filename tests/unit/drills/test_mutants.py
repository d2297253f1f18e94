"""The judge of the drills sees every gate, board and prober that is wrong on purpose, within so many seeds."""

from __future__ import annotations

import pytest

from tests.unit.drills.mutants import MUTANTS, Mutant
from tools.outage_drills.drill import drilled
from tools.outage_drills.laws import judged
from tools.outage_drills.plan import Plan
from tools.outage_drills.run import quiet

SEEDS_MAX = 120
"""The most seeds that a mutant may live through."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_judge_goes_red(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A law that is broken on purpose is seen to be broken, and by its own name."""
    mutant.apply(monkeypatch)
    with quiet():
        for seed in range(mutant.seed, mutant.seed + SEEDS_MAX):
            if mutant.breaks & judged(drilled(Plan.drawn(seed))).keys():
                return
    raise AssertionError(f"{mutant.name} lives through {SEEDS_MAX} seeds")
