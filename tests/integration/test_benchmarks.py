"""The benchmarks that start processes of their own measure what they say, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.durable.driver import Workload, measure
from benchmarks.durable.growth import Wish, measure_growth
from benchmarks.durable.rest import opening

pytestmark = pytest.mark.integration


async def test_starts_find_what_was_left_open(tmp_path: Path) -> None:
    """A start is timed with the actions that are open, without carrying them out; so the second finds them again."""
    grown = await measure_growth(tmp_path, Wish(actions=1_000, groups=(1, 3), left_open=5, a_round=2))
    assert [(start.cached, start.queued) for start in grown.starts] == [(False, 5), (True, 5)]
    assert all(start.open_seconds < start.seconds for start in grown.starts)
    assert grown.file_bytes > 0


async def test_over_rest_every_outcome_is_checked_and_the_server_stops(tmp_path: Path) -> None:
    """As many effects as actions, counted by the tool in the server; the server is told to stop afterwards."""
    figures = await measure("over REST", opening, tmp_path, Workload(burst=100, seconds=0.2, in_flight=64))
    assert figures.effects == figures.actions > 100
    assert '"stopping"' in (tmp_path / "rest" / "server.log").read_text(encoding="utf-8")
