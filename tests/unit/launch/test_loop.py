"""The event loop that a server runs on."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from switchgear.launch import server


def test_a_server_runs_on_the_fast_loop() -> None:
    """Where uvloop is installed, `switchgear up` runs on it."""
    with asyncio.Runner(loop_factory=server.loop_factory()) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)


def test_a_server_runs_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvloop does not exist, the loop of the standard library serves: nothing else depends on it."""
    monkeypatch.setattr(server, "find_spec", lambda _name: None)
    assert server.loop_factory() is None
