"""The benchmarks say what was measured: every row has a figure of ours, goals are judged, nobody is left out."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from benchmarks import ours
from benchmarks.__main__ import _with_figures
from benchmarks.calls import PEERS, ROWS, Roster, Scale, measure_calls, roster
from benchmarks.contenders import OURS, Contender, Result, Standing, meets
from benchmarks.durable.driver import Figures
from benchmarks.durable.runner import DurableResult
from benchmarks.machine import machine_facts
from benchmarks.report import Run, markdown, summary
from benchmarks.timing import Effort

ROOT = Path(__file__).resolve().parents[3]
_DISTRIBUTIONS = {"benzene-resilience": "benzene", "interlock-cb": "interlock", "token-bucket": "token_bucket"}
_ENGINES = {"dbos", "huey"}


def _standing(library: str, value: float) -> Standing:
    return Standing(library=library, variant="as it comes", thread_safe=True, value=value, ratio=2.0)


def _result(*standings: Standing, at_least: bool = False) -> Result:
    return Result(
        key="row", title="a row", unit="ns", goals=(500.0,), standings=standings, bare=60.0, at_least=at_least
    )


def _run(*calls: Result) -> Run:
    figures = Figures(
        engine=OURS,
        variant="SQLite",
        burst_per_second=3000.0,
        burst=1000,
        many_per_second=5500.0,
        in_flight=64,
        many_p50_ms=40.0,
        many_p99_ms=60.0,
        one_p50_ms=1.2,
        syncs_per_action=0.5,
        actions=10,
        effects=10,
    )
    return Run(
        machine=machine_facts() | {"cores": "2"},
        versions={"peer": "1.0"},
        missing={"absent": "No module named 'absent'"},
        calls=calls,
        durable=DurableResult([figures], {"broken": "it raised"}, 3700.0),
        quick=False,
    )


def test_every_row_has_a_contender_of_ours() -> None:
    """A row without our own figure would be a row that hides something."""
    assert {row.key for row in ROWS} <= set(ours.CONTENDERS)


def test_every_peer_of_the_project_file_takes_part() -> None:
    """A peer that is installed for the benchmarks stands in a table."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {entry.partition(">")[0] for entry in project["dependency-groups"]["bench"]}
    assert {_DISTRIBUTIONS.get(name, name) for name in names - _ENGINES} == set(PEERS)


def test_missing_peers_are_reported() -> None:
    """A peer that cannot be imported is shown with the reason, never left out."""
    entrants = roster()
    entered = {contender.library for row in entrants.by_row.values() for contender in row}
    assert OURS in entered
    assert all(reason for reason in entrants.missing.values())
    assert "Not installed: absent (No module named 'absent')" in markdown(_run())


def test_a_goal_is_judged_by_our_slowest_form() -> None:
    """A cheap variant of ours cannot meet a goal for a dear one."""
    slow_and_fast = (_standing(OURS, 400.0), _standing("peer", 450.0), _standing(OURS, 600.0))
    assert not meets(_result(*slow_and_fast), 500.0)
    assert meets(_result(*slow_and_fast, at_least=True), 400.0)


def test_the_page_shows_goals_failures_and_what_was_measured_on() -> None:
    """Met and not met are both said; an engine that failed is a row."""
    page = markdown(_run(_result(_standing(OURS, 400.0), _standing("peer", 450.0))))
    for text in (
        "≤ 500 ns: met",
        "| broken | failed: it raised |",
        "≥ 5,000 /s met, p50 ≤ 15 ms not met",
        "| cores | 2 |",
    ):
        assert text in page


def test_the_readme_takes_the_summary_between_its_marks() -> None:
    """Writing again replaces the figures and nothing else."""
    text = "before\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nafter\n"
    written = _with_figures(_with_figures(text, "new\n"), "newer\n")
    assert written == "before\n<!-- benchmarks: begin -->\n\nnewer\n\n<!-- benchmarks: end -->\nafter\n"
    with pytest.raises(ValueError, match="substring not found"):
        _with_figures("no marks", summary(_run()))


def test_results_fit_into_json() -> None:
    """`--json` carries everything that the page says."""
    assert json.loads(json.dumps(_run(_result(_standing(OURS, 1.0))).as_dict()))["durable"]["failures"]


def test_rows_are_measured_in_order_of_their_figures() -> None:
    """The best stands first, whoever it is."""
    entrants = Roster({key: _of_ours(key) for key in ours.CONTENDERS}, {})
    tiny = Scale(effort=Effort(rounds=1, lap_seconds=0.0001), thread_seconds=0.005, thread_rounds=1, keys=100)
    for result in measure_calls(entrants, tiny):
        figures = [standing.value for standing in result.standings]
        assert figures == sorted(figures, reverse=result.at_least)


def _of_ours(key: str) -> list[Contender]:
    return list(ours.CONTENDERS[key])
