"""What a run of outage drills says of itself: a verdict, a line and a page, each honest about what broke."""

from __future__ import annotations

from pathlib import Path

from switchgear.health.dependency import Dependency
from tools.outage_drills.__main__ import main
from tools.outage_drills.facts import Effect, Facts, Outage
from tools.outage_drills.page import NOT_MEASURED, page_of
from tools.outage_drills.paths import PATHS
from tools.outage_drills.run import Repair, Report, Wish
from tools.outage_drills.tally import combinations


def _report(*, broken: bool = False) -> Report:
    report = Report(Wish(3, 1, 7))
    report.drills.drills, report.rounds.drills = 3, 1
    report.drills.effects = 12_345
    report.repairs = [Repair("reset", "redis", 0.1, 2.0), Repair("reset", "nats", 0.4, 2.0)]
    if broken:
        report.drills.note("told", ["seed 9: a session was destroyed"])
    return report


def test_a_run_is_right_when_every_law_held_in_every_drill() -> None:
    """A run that ran out of time has proved nothing about what it left out."""
    report = _report()
    assert report.ok
    assert not _report(broken=True).ok
    report.drills.drills = 2
    assert not report.ok


def test_the_line_says_what_broke_and_how_to_try_again() -> None:
    """One line has the verdict and the seed."""
    assert "3 of 3 drills, 1 of 1 rounds" in _report().line
    assert "every law held; seed 7" in _report().line
    assert "BROKEN: told" in _report(broken=True).line


def test_the_page_holds_the_numbers_and_what_broke() -> None:
    """The page cannot say that all is well of a run in which a law broke."""
    page = page_of(_report())
    assert "| destroyed | 12,345 | 0 |" in page
    assert "| **destroyed when it was forbidden** | **0** | **0** |" in page
    assert "reset: nats healthy 0.40 s after the repair" in page
    assert "Laws that broke: none." in page
    assert "$" not in page
    wrong = page_of(_report(broken=True))
    assert "- told: seed 9: a session was destroyed" in wrong
    assert "| **destroyed when it was forbidden** | **1** | **0** |" in wrong


def test_a_page_without_a_run_has_no_figures() -> None:
    """What was not measured is not written."""
    assert NOT_MEASURED in page_of(None)


def test_every_path_is_in_the_combinations_and_on_the_page() -> None:
    """A path that is entered is drilled, and shown."""
    page = page_of(None)
    assert all(f"- {path}\n" in page for path in PATHS)
    assert {path for _, _, path in combinations()} == set(PATHS)


def test_the_page_in_the_documentation_is_of_these_drills() -> None:
    """Faults, paths and laws on the page are those of the code; only the last run is by hand."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "outage-drills.md"
    on_disk, now = (text.partition("## The last run")[0] for text in (page.read_text(encoding="utf-8"), page_of(None)))
    assert on_disk == now, 'write the page anew: make drills ARGS="--page docs/reference/outage-drills.md"'


def test_what_was_tried_counts_by_the_fault_that_it_met() -> None:
    """An effect while nothing was wrong tries no combination."""
    report, redis = _report(), Dependency("redis", kind="redis")
    outage = Outage("redis", "slow", 1.0, 2.0, breaks=False)
    effects = [Effect(at, "each()", ("redis",), "session", "redis", 0.5) for at in (1.5, 2.5)]
    report.drills.take(Facts({"redis": redis}, 30.0, outages=[outage], journal=[*effects]), "one")
    assert report.drills.tried == {("slow", "redis", "each()")}
    assert len(report.untried) == len(combinations()) - 1


def test_the_command_runs_drills_and_writes_the_page(tmp_path: Path) -> None:
    """A few drills from a seed end with 0, and a page that names the seed."""
    page = tmp_path / "page.md"
    assert main(["--runs", "3", "--rounds", "0", "--seed", "7", "--page", str(page)]) == 0
    assert "Seed 7." in page.read_text(encoding="utf-8")


def test_a_run_without_time_fails() -> None:
    """Drills that were not carried out prove nothing."""
    assert main(["--runs", "3", "--rounds", "0", "--seed", "7", "--seconds", "-1"]) == 1
