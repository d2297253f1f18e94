"""Kill switches as people see them on a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from switchgear.surfaces.cli.kill import draw_released, draw_switches, draw_tripped

SWITCH: dict[str, Any] = {
    "target": "connector:crm",
    "mode": "freeze",
    "scope": "platform",
    "at": 0.0,
    "tools": 3,
    "reason": "it deletes [orders]",
    "by": ["person:ada"],
}
LIST: dict[str, Any] = {"items": [SWITCH], "readable": True, "last_proven_at": 1.0, "last_proven_ago": 12.4}
TRIPPED: dict[str, Any] = {
    "switch": SWITCH,
    "similar": [],
    "in_flight_count": 1,
    "in_flight": [{"id": "int_1", "tenant": "acme", "tool": "crm.update", "dispatched_at": 0.0}],
}


def shown(draw: Any, view: Any, width: int = 80) -> str:  # noqa: ANN401 - each view has its own shape
    """Return what `draw` prints of `view`."""
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        draw(console, view)
    return captured.get()


@pytest.mark.parametrize("width", [80, 160])
def test_the_list_says_what_is_on_and_when_it_was_proven(width: int) -> None:
    """Target, mode and reach of each switch, and the age of the last proof."""
    text = shown(draw_switches, LIST, width)
    for word in ("connector:crm", "freeze", "for every tenant", "person:ada", "last proven 12 s ago"):
        assert word in text
    assert ("it deletes [orders]" in text) is (width == 160)


def test_a_tenant_sees_no_names_of_the_platform() -> None:
    """What is not told is empty, and not a word."""
    hidden = {**SWITCH, "reason": None, "by": None}
    assert "None" not in shown(draw_switches, {**LIST, "items": [hidden]}, 160)


def test_what_cannot_be_relied_on_is_said() -> None:
    """A closed gate, and switches that were never proven, are not shown as "nothing is on" alone."""
    text = shown(draw_switches, {"items": [], "readable": False, "last_proven_at": None, "last_proven_ago": None})
    for words in ("no kill switch is on", "the kill switch cannot be read", "never proven"):
        assert words in text


def test_a_trip_names_what_had_left() -> None:
    """In-flight work is told, intent by intent."""
    text = shown(draw_tripped, TRIPPED)
    assert "cannot be stopped any more: 1" in text
    assert "int_1  acme  crm.update" in text
    assert "is the name right" not in text


def test_a_trip_that_covers_no_tool_is_questioned() -> None:
    """A slip of the pen shows at once."""
    slip = {**TRIPPED, "switch": {**SWITCH, "tools": 0}}
    assert "is the name right" in shown(draw_tripped, slip)
    assert "Did you mean tool:crm.purge?" in shown(draw_tripped, {**slip, "similar": ["tool:crm.purge"]}, 160)


def test_a_release_says_what_goes_on() -> None:
    """How many are looked at again."""
    text = shown(draw_released, {"target": "tool:x", "scope": "tenant", "held": 4})
    assert "released tool:x (for this tenant)" in text
    assert "4" in text
