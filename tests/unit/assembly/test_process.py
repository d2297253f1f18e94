"""What a process does for an engine that has it to itself."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from switchgear.assembly.gear import Switchgear


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave this process as it was."""
    threshold, seconds = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()
    sys.setswitchinterval(seconds)


def test_what_comes_and_goes_with_actions_under_way_is_not_searched_again_and_again() -> None:
    """Some hundred objects a moment are no reason to look; cyclic garbage that piles up still is."""
    Switchgear.dedicate_process()
    before = gc.get_stats()[0]["collections"]
    for _ in range(100):
        under_way: list[list[object]] = [[] for _ in range(900)]
        under_way.clear()
    assert gc.get_stats()[0]["collections"] - before <= 1
    for _ in range(30_000):
        ring: list[object] = []
        ring.append(ring)
    assert gc.get_stats()[0]["collections"] - before >= 2


def test_a_thread_does_not_wait_long_for_a_busy_loop() -> None:
    """The writer of the store has a handful of turns in each group."""
    Switchgear.dedicate_process()
    assert sys.getswitchinterval() <= 0.001
