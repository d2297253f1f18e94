"""The simulation repeats, notices what it never tried, and reports what is wrong instead of raising it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from switchgear.core.errors import OptionError
from switchgear.execution.engine import Engine
from switchgear.lab.simulation import NEVER, Campaign, Coverage, SeedReport, campaign, simulate
from switchgear.lab.simulation.wall import WallClock
from switchgear.storage.abilities import Append
from switchgear.testing import SimulatedClock

module = importlib.import_module("switchgear.lab.simulation.campaign")  # the package offers its function by this name
_HASH = "from switchgear.lab.simulation import simulate; print(simulate({seed}).trace_hash)"


def test_the_same_seed_is_the_same_run() -> None:
    """The trace of a seed does not depend on what was run before it."""
    first = simulate(7)
    simulate(8)
    assert simulate(7).trace_hash == first.trace_hash


def test_a_repeated_append_is_as_old_as_its_records() -> None:
    """The law about keys goes by when the records of an append were made, not by when it was handed in once more."""
    clock = SimulatedClock()
    wall, append = WallClock(clock), Append("apd-1", "acme", ())
    wall.jump(-1_200.0)
    wall.writing(append)
    clock.advance(10.0)
    wall.jump(1_200.0)
    wall.writing(append)
    assert (wall.written["apd-1"].at, wall.written["apd-1"].leapt) == (1_000.0, -1_200.0)


def test_two_seeds_are_two_runs() -> None:
    """A trace hash tells seeds apart."""
    assert simulate(7).trace_hash != simulate(8).trace_hash


def test_another_process_runs_the_same() -> None:
    """A seed that fails on one machine fails on another: nothing depends on hashes of strings, or on addresses."""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", _HASH.format(seed=11)],
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
            timeout=250,
        ).stdout.strip()
        for salt in ("1", "2")
    }
    assert hashes == {simulate(11).trace_hash}


def test_the_trace_is_kept_only_when_it_is_asked_for() -> None:
    """Many seeds do not keep what only one of them needs."""
    assert simulate(7).lines == ()
    assert any("intent.dispatched" in line for line in simulate(7, lines=True).lines)


def test_what_a_run_raises_is_a_problem_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect ends one seed and never the campaign."""

    def broken(_self: Engine) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(Engine, "start", broken)
    assert any("a defect" in problem for problem in simulate(1).problems)


def test_a_campaign_gathers_its_seeds() -> None:
    """A campaign runs the seeds that it was told to, tells of each, and counts what happened."""
    told: list[int] = []
    found = campaign(3, first=5, tell=lambda _found, report: told.append(report.seed))
    assert told == [5, 6, 7]
    assert found.seeds == 3
    assert found.coverage.counts["life:start"] >= 3


def test_a_campaign_ends_when_its_time_is_up() -> None:
    """Seconds bound a campaign, however many seeds are left."""
    assert campaign(10_000, seconds=0.001).seeds == 1


def test_a_campaign_ends_when_enough_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty failing seeds say what is to be said."""
    failing = SeedReport(1, "", ("a law",), Coverage().counts, 1.0, 1)
    monkeypatch.setattr(module, "simulate", lambda _seed: failing)
    found: Campaign = campaign(1_000)
    assert len(found.failed) == module.FAILURES_MAX


@pytest.mark.parametrize(("seeds", "jobs", "seconds"), [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0)])
def test_a_campaign_that_cannot_be_is_refused(seeds: int, jobs: int, seconds: float) -> None:
    """Numbers that make no campaign are refused at once."""
    with pytest.raises(OptionError):
        campaign(seeds, jobs=jobs, seconds=seconds)


def test_coverage_names_what_never_happened() -> None:
    """A run that tries nothing is seen."""
    coverage = Coverage()
    assert coverage.missing() == NEVER
    coverage.note("life", "start")
    assert "life:start" not in coverage.missing()
    assert coverage.of("life") == {"start": 1}
