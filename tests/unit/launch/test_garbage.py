"""What a server does about garbage collection, so that none holds up every action."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from switchgear.launch import server


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave this process as it was."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_what_comes_and_goes_with_actions_under_way_is_not_searched_again_and_again() -> None:
    """Some hundred objects a moment are no reason to look; cyclic garbage that piles up still is."""
    server._collect_garbage_seldom()  # noqa: SLF001 - a server calls it once, in a process of its own
    before = gc.get_stats()[0]["collections"]
    for _ in range(100):
        under_way: list[list[object]] = [[] for _ in range(900)]
        under_way.clear()
    assert gc.get_stats()[0]["collections"] - before <= 1
    for _ in range(30_000):
        ring: list[object] = []
        ring.append(ring)
    assert gc.get_stats()[0]["collections"] - before >= 2
