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
from benchmarks.durable.grown import Cost, Grown
from benchmarks.durable.growth_report import growth, growth_of, with_growth
from benchmarks.durable.runner import ENGINES, ON_UVLOOP, OVER_REST, DurableResult
from benchmarks.durable.starting import Start
from benchmarks.machine import machine_facts
from benchmarks.report import Run, markdown, summary
from benchmarks.scaling import throughput_of_threads
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
    return Run(
        machine=machine_facts() | {"cores": "2"},
        versions={"peer": "1.0"},
        missing={"absent": "No module named 'absent'"},
        calls=calls,
        durable=DurableResult([_figures(OURS), _figures(OVER_REST)], {"broken": "it raised"}, 3700.0),
        quick=False,
    )


def _figures(engine: str) -> Figures:
    return Figures(
        engine=engine,
        variant="SQLite",
        burst_per_second=3000.0,
        burst=1000,
        many_per_second=5500.0,
        in_flight=64,
        many_p50_ms=40.0,
        many_p99_ms=60.0,
        bare_await_ns=64.4,
        one_p50_ms=1.2,
        syncs_per_action=0.5,
        actions=10,
        effects=10,
    )


def _grown(*costs: Cost) -> Grown:
    starts = [Start(cached=False, queued=10_000, seconds=5.5, open_seconds=3.0, read_mb=120.0)]
    return Grown(costs=list(costs), starts=starts, memory_mb={"1000": 90.0}, file_bytes=4_000_000, recorded=1_000)


def _cost(recorded: int, tenants: int, per_second: float) -> Cost:
    """Return a cost beside a young store that does 3,000 a second."""
    return Cost(
        recorded=recorded,
        tenants=tenants,
        per_second=per_second,
        p50_ms=9.0,
        p99_ms=20.0,
        cpu_us=300.0,
        young_recorded=1_000 + tenants,
        young_per_second=3_000.0,
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
        "Goals of switchgear: at 64 in flight ≥ 5,000 /s met, p50 ≤ 15 ms not met, p99 ≤ 40 ms not met",
        ", syncs an action ≤ 0.5 met, alone p50 ≤ 1.5 ms met.",
        "Goals of switchgear over REST: at 64 in flight ≥ 1,500 /s met.",
        "| **switchgear over REST**, SQLite |",
        " | 60.0 ms | 64 ns | 1.20 ms | 0.50 | 10 of 10 |",
        "| cores | 2 |",
    ):
        assert text in page


def test_other_loops_and_rest_are_engines_of_ours() -> None:
    """`make bench` measures them with the others."""
    assert {name for name, entrant in ENGINES.items() if entrant.library == OURS} == {OURS, ON_UVLOOP, OVER_REST}


def test_growth_is_judged_by_what_was_measured_together() -> None:
    """Flat is said of time, beside the young store and over tenants; a start is judged by the slowest."""
    costs = (_cost(1_000, 1, 9000.0), _cost(1_000, 100, 900.0), _cost(9_000, 1, 2500.0), _cost(9_000, 100, 1500.0))
    section = growth(_grown(*costs), machine_facts())
    for text in (
        "group of\ntenants: 1 tenant, 100 tenants.",
        "| 9,000 | 100 | 1,500 | 9.0 ms | 20.0 ms | 300 µs | 3,000 (of 1,100) |",
        "Over 1 tenant, with 9,000 recorded beside 1,001: × 1.20; flat is ≤ × 1.25: met.",
        "Over 100 tenants, with 9,000 recorded beside 1,100: × 2.00; flat is ≤ × 1.25: not met.",
        "With 9,000 recorded, over 100 tenants beside 1 tenant: × 1.67; flat is ≤ × 1.25: not met.",
        "90 MB at 1,000. The file has 4,000 bytes an action.",
        "| 10,000 | no | 5.50 s | 3.00 s | 120 MB |",
        "≤ 5 s not met",
    ):
        assert text in section


def test_what_growth_cost_stays_on_the_page_until_it_is_measured_again() -> None:
    """Growth is measured by hand: a run of the other tables keeps it, a run of its own replaces it alone."""
    first, second = (growth(_grown(_cost(1_000, 1, rate)), machine_facts()) for rate in (3000.0, 2000.0))
    page = with_growth("# Page\n", first)
    assert growth_of(page) == first
    assert with_growth(page, second) == f"# Page\n\n{second}"
    assert growth_of("# Page\n") == ""


def test_the_readme_takes_the_summary_between_its_marks() -> None:
    """Writing again replaces the figures and nothing else."""
    text = "before\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nafter\n"
    written = _with_figures(_with_figures(text, "new\n"), "newer\n")
    assert written == "before\n<!-- benchmarks: begin -->\n\nnewer\n\n<!-- benchmarks: end -->\nafter\n"
    with pytest.raises(ValueError, match="substring not found"):
        _with_figures("no marks", summary(_run()))


def test_threads_that_start_late_have_a_rate() -> None:
    """On a busy machine a thread may start after its time is up; a rate of 0 would end the run."""
    assert throughput_of_threads(lambda: None, seconds=0.0, rounds=1) > 0


def test_results_fit_into_json() -> None:
    """`--json` carries everything that the page says."""
    assert json.loads(json.dumps(_run(_result(_standing(OURS, 1.0))).as_dict()))["durable"]["failures"]


def test_rows_are_measured_in_order_of_their_figures() -> None:
    """The best stands first, whoever it is."""
    entrants = Roster({key: _of_ours(key) for key in ours.CONTENDERS}, {})
    tiny = Scale(
        passes=2,
        effort=Effort(rounds=1, lap_seconds=0.0001),
        thread_seconds=0.005,
        thread_rounds=2,
        keys=100,
        key_rounds=2,
    )
    for result in measure_calls(entrants, tiny):
        figures = [standing.value for standing in result.standings]
        assert figures == sorted(figures, reverse=result.at_least)


def _of_ours(key: str) -> list[Contender]:
    return list(ours.CONTENDERS[key])
