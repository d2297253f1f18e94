"""The board where the destructive gate looks: at every step of an outage, only what vouches lets pass."""

from __future__ import annotations

import pytest

from switchgear.core.errors import DestructiveBlocked
from switchgear.health import Confirmed, Dependency, DestructiveGate, HealthBoard, Inventory, Witness
from switchgear.testing import VirtualClock


class Scene:
    """A gate before one deletion, and the board that it asks."""

    def __init__(self) -> None:
        """Start with a dependency that was confirmed a moment ago."""
        self.clock = VirtualClock()
        self.board = HealthBoard([Dependency("redis", kind="redis")], clock=self.clock)
        self.see("++")
        self.gate = DestructiveGate(self.board, inventory=Inventory(), clock=self.clock, reason_max_age=3_600.0)
        self.reason = Witness("redis", self.board, clock=self.clock).ask(lambda: "ended", says=lambda reply: True)

    def see(self, signs: str) -> None:
        """Observe a row of probes."""
        for sign in signs:
            self.board.observe("redis", "positive" if sign == "+" else "absent", "probe")

    def delete(self) -> str:
        """Delete, and return the empty text; or the state in which it was held back."""
        assert isinstance(self.reason, Confirmed)
        try:
            with self.gate.destructive("sessions.delete", requires=("redis",), because=self.reason):
                return ""
        except DestructiveBlocked as blocked:
            return blocked.state


@pytest.mark.parametrize(
    ("signs", "held_back_by"),
    [
        ("", ""),
        ("-", "healthy"),
        ("-+", ""),
        ("---", "unhealthy"),
        ("---+", "recovering"),
        ("---++", ""),
    ],
)
def test_the_gate_follows_the_board(signs: str, held_back_by: str) -> None:
    """One doubt holds it back although the state has not changed yet; recovering is not enough."""
    scene = Scene()
    scene.see(signs)
    assert scene.delete() == held_back_by


def test_silence_alone_closes_the_gate() -> None:
    """Nobody observes anything, and the moment comes from which on nothing is deleted."""
    scene = Scene()
    scene.clock.advance(29.0)
    assert scene.delete() == ""
    scene.clock.advance(1.0)
    assert scene.delete() == "unknown"


def test_a_name_that_nobody_declared_closes_the_gate() -> None:
    """A mistyped dependency never vouches."""
    scene = Scene()
    assert isinstance(scene.reason, Confirmed)
    with (
        pytest.raises(DestructiveBlocked, match="reddis"),
        scene.gate.destructive("sessions.delete", requires=("reddis",), because=scene.reason),
    ):
        pass
