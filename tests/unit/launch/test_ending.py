"""A process ends in time, whatever still runs in it."""

from __future__ import annotations

import threading

import pytest

from switchgear.launch.ending import ending_in_time


def test_a_block_that_is_left_in_time_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer goes with the block, and where nothing was recorded there is none."""
    begun: list[threading.Timer] = []

    def start(timer: threading.Timer) -> None:
        begun.append(timer)

    monkeypatch.setattr(threading.Timer, "start", start)
    with ending_in_time(60.0):
        pass
    assert begun == []
    with ending_in_time(60.0) as recorded:
        recorded(0)
        assert not begun[0].finished.is_set()
    assert begun[0].finished.is_set()
