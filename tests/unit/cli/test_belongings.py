"""What a person on call reads of an action in doubt, of what it belongs to, and of a saga and its exit code."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.surfaces.cli.belongings import belonging_rows, resolution_rows
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.sagas import draw_saga, exit_code_of_saga, steps_of

ANN: dict[str, Any] = {
    "by": "person:[ann]",
    "verdict": "not_applied",
    "at": 0.0,
    "evidence": "asked [support]",
    "proposed_value": None,
}
EPOCH = "1970-01-01T00:00:00.000Z"
SAID: dict[str, Any] = {
    "verdict": "not_applied",
    "awaits": None,
    "by": "person:[ann]",
    "at": 0.0,
    "evidence": "asked [support]",
    "proposed_value": None,
    "lookup": None,
    "next_step": None,
    "words": [],
    "doubt": {"since": 0.0, "code": "IN_DOUBT", "message": "no answer"},
}
BOX: dict[str, Any] = {
    "state": "open",
    "undo": "door.lock",
    "reverts_at": 0.0,
    "extensions": 0,
    "overdue": False,
    "revert": None,
    "revert_state": None,
    "begun_by": None,
    "begun_early": False,
    "changes": [],
    "captured": None,
    "revert_attempts": 0,
    "revert_code": None,
    "revert_message": "",
    "unreadable": [],
    "waiting_for": None,
    "code": None,
    "message": "",
}
REPLAY: dict[str, Any] = {
    "mode": "verify",
    "requested_by": "person:ann",
    "requested_at": 0.0,
    "result": None,
    "cause": None,
    "refusal": None,
}
STEP: dict[str, Any] = {
    "name": "reserve",
    "tool": "hotel.reserve",
    "phase": "compensated",
    "compensate": "hotel.release",
    "pivot": False,
    "intent": "int_" + "1" * 32,
    "compensation": "int_" + "2" * 32,
    "earlier": ["int_" + "3" * 32],
    "code": None,
}
SAGA: dict[str, Any] = {
    "id": "sga_1",
    "state": "compensated",
    "key": "k",
    "actor": "person:ann",
    "account": "main",
    "code": None,
    "message": "",
    "stuck": None,
    "final": True,
    "steps": [STEP],
    "updated_at": 0.0,
}


def shown(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what is printed of rows, by name, without those that are empty."""
    found = {}
    for name, value in rows:
        console = Console(width=500, file=io.StringIO())
        with console.capture() as captured:
            console.print(value)
        if value:
            found[name] = captured.get().rstrip("\n")
    return found


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ({}, {"resolved": f"not applied by person:[ann] at {EPOCH}: asked [support]"}),
        ({"evidence": None}, {"resolved": f"not applied by person:[ann] at {EPOCH}"}),
        ({"by": None, "lookup": "int_9"}, {"resolved": "not applied, as int_9 found"}),
        (
            {"words": [{**ANN, "by": "person:ben", "evidence": "404"}, ANN]},
            {
                "resolved": f"not applied by person:[ann] at {EPOCH}: asked [support]",
                "before": f"not applied by person:ben at {EPOCH}: 404",
            },
        ),
    ],
)
def test_a_resolution_says_who_when_and_why(said: Mapping[str, Any], rows: Mapping[str, str]) -> None:
    """A person or a lookup, the first of two persons, and the doubt; markup of others is text."""
    assert shown(resolution_rows({"resolution": {**SAID, **said}})) == {
        **rows,
        "the doubt": f"since {EPOCH} IN_DOUBT no answer",
    }


def test_a_proposal_says_what_it_awaits() -> None:
    """The second person reads what the first has said and would record, and what to do."""
    word = {**ANN, "verdict": "applied", "proposed_value": {"id": 7}}
    awaits = {"awaits": "second_person", "next_step": "another person [looks]"}
    said = {**SAID, "verdict": "applied", **awaits, "words": [word]}
    assert shown(resolution_rows({"resolution": said})) == {
        "proposed": f"applied by person:[ann] at {EPOCH}: asked [support]",
        "value then": '{"id": 7}',
        "awaits": "another person [looks]",
    }
    assert shown(resolution_rows({"resolution": None})) == {}


def test_a_disagreement_says_who_said_what_and_how_it_ends() -> None:
    """No verdict stands there: each word with its evidence, and what is to be done."""
    words = [{**ANN, "verdict": "applied"}, {**ANN, "by": "person:ben", "evidence": "404"}]
    said = {**SAID, "verdict": None, "by": None, "awaits": "agreement", "next_step": "one looks again", "words": words}
    assert [(name, value) for name, value in resolution_rows({"resolution": said}) if value] == [
        ("said", f"applied by person:\\[ann] at {EPOCH}: asked \\[support]"),
        ("said", f"not applied by person:ben at {EPOCH}: 404"),
        ("awaits", "one looks again"),
    ]


@pytest.mark.parametrize(
    ("intent", "rows"),
    [
        ({}, {}),
        ({"revert_after": 60.0, "time_box": None}, {"time-box": "reverted 1 min after it leaves"}),
        ({"time_box": BOX}, {"time-box": f"until {EPOCH}; open", "revert": "by door.lock"}),
        (
            {
                "time_box": {
                    **BOX,
                    "state": "reverting",
                    "extensions": 2,
                    "overdue": True,
                    "revert": "int_2",
                    "revert_state": "held",
                }
            },
            {"time-box": f"until {EPOCH}, extended twice; reverting overdue", "revert": "int_2 held"},
        ),
        (
            {
                "time_box": {
                    **BOX,
                    "revert": "int_2",
                    "revert_state": "held",
                    "begun_early": True,
                    "begun_by": "person:ann",
                }
            },
            {
                "time-box": f"ended early, was set until {EPOCH}; open",
                "revert": "int_2 held, begun early by person:ann",
            },
        ),
        (
            {
                "time_box": {
                    **BOX,
                    "state": "closed",
                    "changes": [
                        {
                            "kind": "closed",
                            "by": "person:ann",
                            "at": 0.0,
                            "reason": "moved",
                            "seconds": None,
                            "reverts_at": None,
                        }
                    ],
                }
            },
            {"time-box": f"until {EPOCH}; closed", "closed": f"by person:ann at {EPOCH}: moved"},
        ),
        ({"time_box": {**BOX, "state": "voided"}}, {"time-box": f"until {EPOCH}; voided"}),
        (
            {
                "saga": {
                    "id": "sga_1",
                    "saga_state": "stuck",
                    "step": "a",
                    "phase": "applied",
                    **STEP,
                    "intent": "int_1",
                }
            },
            {"saga": "sga_1 stuck, step a compensated", "undone by": STEP["compensation"]},
        ),
        (
            {"unreadable": ["time_box", "saga"]},
            {"unreadable": "its time_box and saga; see: switchgear explain LEDGER_CORRUPT"},
        ),
        ({"lookup": "int_3"}, {"looked up": "by int_3"}),
        (
            {"causation": {"kind": "compensate", "intent": "int_4", "saga": "sga_1", "by": None}},
            {"cause": "compensation of int_4, in sga_1"},
        ),
        (
            {"generation": 2, "causation": {"kind": "replay", "intent": "int_1", "saga": None, "by": "person:ann"}},
            {"generation": "2", "cause": "replay of int_1, asked for by person:ann"},
        ),
        (
            {"replay": REPLAY},
            {"replay": f"verify by person:ann at {EPOCH}: under way"},
        ),
    ],
)
def test_what_an_action_belongs_to_is_named(intent: Mapping[str, Any], rows: Mapping[str, str]) -> None:
    """Until when it holds and what reverts it; its saga and the other action of its step; what caused it."""
    assert shown(belonging_rows({"id": "int_1", **intent})) == rows


@pytest.mark.parametrize("width", [80, 160])
def test_a_step_shows_what_does_it_and_what_undoes_it(width: int) -> None:
    """Neither hides the other, whatever the width; what came to nothing before is below them."""
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        draw_saga(console, SAGA)
    lines = captured.get().splitlines()
    rows = [next(index for index, line in enumerate(lines) if digit * 32 in line) for digit in "123"]
    assert rows == sorted(rows)
    assert "undone by" in lines[rows[1]]


@pytest.mark.parametrize(
    ("saga", "waited", "code"),
    [
        ({"state": "completed"}, False, ExitCode.OK),
        ({"state": "running", "final": False}, False, ExitCode.OK),
        ({"state": "running", "final": False}, True, ExitCode.TIMEOUT),
        ({"state": "compensated", "code": "TOOL_FAILED"}, False, FACTS[Code.TOOL_FAILED].exit_code),
        ({"state": "compensated", "code": "BUDGET_EXCEEDED"}, True, FACTS[Code.BUDGET_EXCEEDED].exit_code),
        ({"state": "compensated"}, True, ExitCode.FAILED),
        ({"state": "stuck", "final": False, "stuck": {"intent": "int_1", "code": "IN_DOUBT"}}, True, ExitCode.IN_DOUBT),
        ({"state": "stuck", "final": False, "stuck": {"intent": None, "code": "TOOL_FAILED"}}, True, ExitCode.FAILED),
    ],
)
def test_the_exit_code_says_how_a_saga_ended(saga: Mapping[str, Any], waited: bool, code: ExitCode) -> None:  # noqa: FBT001 - a column of the table
    """Done, undone for a reason, stuck at a doubt or at a failure; that it goes on counts only for who has waited."""
    assert exit_code_of_saga({**SAGA, **saga}, waited=waited) == code


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (None, "cannot be read: No such file or directory"),
        ('[{"tool": "a",}]', "is not JSON: "),
        ("{}", "a saga is a list"),
    ],
)
def test_a_file_that_holds_no_steps_says_why(tmp_path: Path, text: str | None, detail: str) -> None:
    """A missing file, bad JSON and the wrong shape are told apart in words, and say what a file of steps holds."""
    file = tmp_path / "trip.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CommandFailure) as caught:
        steps_of(str(file))
    assert detail in caught.value.problem["detail"]
    assert "Errno" not in caught.value.problem["detail"]
