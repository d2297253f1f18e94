"""The whole engine from many seeds: no seed breaks a law, and together they try everything that there is to try."""

from __future__ import annotations

import pytest

from switchgear.lab.simulation import Coverage, simulate

BATCHES, BATCH = 12, 25
"""Seeds 1 to 300. `switchgear lab simulate` runs any others."""
_TOGETHER = Coverage()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_seed_breaks_a_law(batch: int) -> None:
    """Nothing acknowledged is lost, one key has one effect, and what is said of an action is what happened to it."""
    for seed in range(batch * BATCH + 1, (batch + 1) * BATCH + 1):
        report = simulate(seed)
        _TOGETHER.add(report.coverage)
        replay = f"switchgear lab simulate --seed {seed} --trace"
        assert not report.problems, "\n".join((replay, *report.problems))


def test_together_they_try_everything() -> None:
    """Seeds that exercise nothing prove nothing: crashes at every point, every fault and every capability occur."""
    for seed in range(1, BATCHES * BATCH + 1):  # other workers may have had some of the batches
        if _TOGETHER.counts and not _TOGETHER.missing():
            break
        _TOGETHER.add(simulate(seed).coverage)
    assert _TOGETHER.missing() == ()
