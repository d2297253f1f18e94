"""What a run of kill rounds says of itself: a verdict, a line and a page, each honest about what broke."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools.kill_rounds.page import page_of
from tools.kill_rounds.rounds import Report, Wish

WHOLE = Report(
    wish=Wish(200, 7, Path("folder")),
    rounds=200,
    kills=321,
    kills_before_ready=45,
    acknowledged=6_789,
    repeated=1_000,
    requests=9_000,
    effects=5_000,
    cut_off=800,
    cut_off_opaque=300,
    in_doubt=350,
    entries=40_000,
    seconds=400.4,
    put_off=0,
    broken={},
)
BROKEN = replace(WHOLE, broken={"doubled": ["t1-1 (opaque) left 2 times"]})


def test_a_run_is_right_when_every_law_held_in_every_round() -> None:
    """A run that ran out of time has proved nothing about the rounds that it left out."""
    assert WHOLE.ok
    assert not BROKEN.ok
    assert not replace(WHOLE, rounds=199).ok


def test_the_line_says_what_broke_and_how_to_try_again() -> None:
    """One line has the verdict and the seed."""
    assert "200 of 200 rounds, 321 kills" in WHOLE.line
    assert "0 lost, 0 doubled" in WHOLE.line
    assert "every law held; seed 7, 400 s" in WHOLE.line
    assert "1 doubled" in BROKEN.line
    assert "BROKEN: doubled" in BROKEN.line


def test_the_page_holds_the_numbers_and_what_broke() -> None:
    """The page cannot say that all is well of a run in which a law broke."""
    page = page_of(WHOLE)
    assert "| actions acknowledged | 6,789 |" in page
    assert "| **acknowledged and lost** | **0** |" in page
    assert "Laws that broke: none." in page
    assert "Seed 7." in page
    assert "$" not in page
    assert "- doubled: t1-1 (opaque) left 2 times" in page_of(BROKEN)
