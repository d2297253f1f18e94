"""Time-boxes as people see them on a terminal."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from switchgear.surfaces.cli.time_boxes import draw_time_box, draw_time_boxes

BOX: dict[str, Any] = {
    "id": "int_0190b6",
    "intent": "int_0190b6",
    "tool": "idp.[deactivate]",
    "undo": "idp.restore",
    "state": "reverting",
    "seconds": 3600.0,
    "reverts_at": 0.0,
    "overdue": True,
    "extensions": 2,
    "revert": "int_0190b7",
    "revert_state": "held",
    "begun_by": "engine",
    "begun_early": False,
    "changes": [],
    "captured": None,
    "revert_attempts": 0,
    "revert_code": None,
    "revert_message": "",
    "unreadable": [],
    "waiting_for": "KILL_SWITCH_ACTIVE",
    "code": None,
    "message": "",
}


def shown(draw: Any, view: Mapping[str, Any], width: int = 160) -> str:  # noqa: ANN401 - each view has its own shape
    """Return what `draw` prints of `view`."""
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        draw(console, view)
    return captured.get()


def test_a_held_revert_is_loud_in_the_list() -> None:
    """State, that it is overdue, and why it does not run stand in one row."""
    text = shown(draw_time_boxes, {"items": [BOX], "next_cursor": "int_0190b6"})
    for word in ("int_0190b6", "reverting overdue", "idp.[deactivate]", "KILL_SWITCH_ACTIVE", "--cursor int_0190b6"):
        assert word in text


def test_an_empty_list_says_so() -> None:
    """No table without rows."""
    assert "no time-boxes" in shown(draw_time_boxes, {"items": [], "next_cursor": None})


@pytest.mark.parametrize("width", [60, 160])
def test_one_box_names_its_revert_and_why_a_person_is_needed(width: int) -> None:
    """What undoes it, when, by which intent; and the code with its message."""
    called = {**BOX, "state": "needs_operator", "waiting_for": None, "code": "CHANGED_MEANWHILE", "message": "moved"}
    text = " ".join(shown(draw_time_box, called, width).split())
    for word in ("reverted by idp.restore", "extended twice", "revert int_0190b7 held", "CHANGED_MEANWHILE moved"):
        assert word in text
    early = shown(draw_time_box, {**called, "begun_early": True, "begun_by": "person:[ann]"}, 200)
    assert "revert int_0190b7 held, begun early by person:[ann]" in early
    assert "  was to end " in early
    assert "early" not in text
    assert "was to end" not in text
    assert "revert int" not in shown(draw_time_box, {**called, "revert": None, "revert_state": None})


def test_an_end_that_never_came_is_not_told_as_one_to_come() -> None:
    """A box that was reverted early, or closed, has no end ahead of it: neither in the list nor in its own view."""
    early = {**BOX, "state": "reverted", "overdue": False, "begun_early": True, "waiting_for": None}
    for ended in (early, {**early, "state": "closed", "begun_early": False}):
        assert f"was {AT}" in shown(draw_time_boxes, {"items": [ended], "next_cursor": None})
        assert f"  was to end {AT}" in shown(draw_time_box, ended)
    assert "was " not in shown(draw_time_boxes, {"items": [BOX], "next_cursor": None})


@pytest.mark.parametrize(("revert_state", "told"), [("failed", True), ("dead_lettered", True), ("in_doubt", False)])
def test_a_revert_that_has_failed_says_what_a_person_can_do(revert_state: str, told: bool) -> None:  # noqa: FBT001 - a table
    """Try again or let it be; a revert in doubt is settled first, which is another command."""
    called = {**BOX, "state": "needs_operator", "waiting_for": None, "revert_state": revert_state}
    text = shown(draw_time_box, {**called, "code": "CHANGED_MEANWHILE"}, 200)
    assert ("time-boxes revert int_0190b6 --reason" in text) is told
    assert ("time-boxes close int_0190b6 --reason" in text) is told


CHANGE = {"by": "person:[ann]", "at": 0.0, "reason": "still [looking]", "seconds": None, "reverts_at": None}
AT = "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"changes": [{**CHANGE, "kind": "extended", "seconds": 3600.0, "reverts_at": 0.0}]},
            f"  extended by 1 h to {AT} by person:[ann] at {AT}: still [looking]",
        ),
        (
            {"changes": [{**CHANGE, "kind": "revert_begun", "reason": None}]},
            f"  revert begun by person:[ann] at {AT}",
        ),
        ({"changes": [{**CHANGE, "kind": "closed"}]}, f"  closed by person:[ann] at {AT}: still [looking]"),
        ({"captured": {"prior": ["a"]}}, '  before ["a"]'),
        (
            {"unreadable": ["revert", "events"]},
            "  unreadable its revert and events; see: switchgear explain LEDGER_CORRUPT",
        ),
        (
            {
                "revert_state": "dead_lettered",
                "revert_attempts": 2,
                "revert_code": "TOOL_FAILED",
                "revert_message": "[no]",
            },
            "  revert int_0190b7 dead_lettered, tried twice: TOOL_FAILED [no]",
        ),
        ({"code": "TOOL_FAILED", "revert_code": "TOOL_FAILED", "revert_state": None}, "  revert int_0190b7 unreadable"),
    ],
)
def test_one_box_says_who_did_what_and_how_its_revert_went(facts: Mapping[str, Any], line: str) -> None:
    """Who ended or extended it, when and why; what was captured; what the revert met, once."""
    assert line in shown(draw_time_box, {**BOX, **facts}).splitlines()


def test_what_is_damaged_is_counted_below_a_list() -> None:
    """The ids of what was left out, and what says more."""
    text = shown(draw_time_boxes, {"items": [BOX], "next_cursor": None, "unreadable": ["int_1", "int_2"]})
    assert "2 records left out, being damaged: int_1, int_2; see: switchgear explain LEDGER_CORRUPT" in text
