"""The oracle sees every engine that breaks a law on purpose, within a bounded number of seeds."""

from __future__ import annotations

import pytest

from switchgear.lab.simulation import simulate
from tests.unit.lab.mutants import MUTANTS, Mutant

SEEDS_MAX = 200
"""The most seeds that a mutant may live through."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_oracle_goes_red(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A law that is broken on purpose is seen to be broken, and by its own name."""
    mutant.apply(monkeypatch)
    for seed in (mutant.seed, *range(1, SEEDS_MAX + 1)):
        problems = simulate(seed).problems
        if any(mutant.breaks in problem for problem in problems):
            return
    raise AssertionError(f"{mutant.name} lives through {SEEDS_MAX} seeds")
