"""`lab simulate` on the command line: what it prints, and how it ends."""

from __future__ import annotations

import json

import pytest
import typer.testing

from switchgear.lab import simulation
from switchgear.lab.simulation import Campaign, Coverage, SeedReport
from switchgear.surfaces.cli import lab
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.cli.output import Output

FAILING = SeedReport(1234, "abc", ("a law: is broken",), Coverage().counts, 60.0, 10, ("      1.0  life: start",))
runner = typer.testing.CliRunner()


def test_a_campaign_is_one_document() -> None:
    """A machine gets counts, coverage and what never happened, and nothing else."""
    result = runner.invoke(app, ["lab", "simulate", "--seeds", "2", "--json"])
    document = json.loads(result.output)
    assert document["seeds"] == 2
    assert document["failed"] == []
    assert document["coverage"]["life"]["start"] >= 2


def test_a_seed_with_its_trace() -> None:
    """A seed can be run alone, and all that happens in it is printed."""
    result = runner.invoke(app, ["lab", "simulate", "--seed", "7", "--trace"])
    assert "life: start" in result.output
    assert "seed 7 good" in result.output


def test_a_failing_seed_prints_its_replay_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees a failure is told how to see it again."""

    def campaign(seeds: int, **_named: object) -> Campaign:
        return Campaign(seeds=seeds, failed=[FAILING])

    monkeypatch.setattr(simulation, "campaign", campaign)
    result = runner.invoke(app, ["lab", "simulate", "--seeds", "2"], standalone_mode=False)
    assert "switchgear lab simulate --seed 1234 --trace" in result.output
    assert "a law: is broken" in result.output
    assert result.return_value == 1


def test_a_failing_seed_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that runs one seed stops at it."""

    def simulate(_seed: int, *, lines: bool) -> SeedReport:
        assert lines
        return FAILING

    monkeypatch.setattr(simulation, "simulate", simulate)
    result = runner.invoke(app, ["lab", "simulate", "--seed", "1234", "--trace"], standalone_mode=False)
    assert result.return_value == 1
    assert "life: start" in result.output


def test_progress_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """A long campaign says how far it is, and each failure at once; a machine is told nothing before the end."""
    for as_json, told in ((False, True), (True, False)):
        tell = lab._teller(Output(as_json=as_json))  # noqa: SLF001 - what the campaign is given
        tell(Campaign(seeds=100), FAILING)
        printed = capsys.readouterr().out
        assert ("seed 1234 failed" in printed) is told
        assert ("100 seeds" in printed) is told
