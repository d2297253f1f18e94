"""The commands about sagas, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, serving

pytestmark = pytest.mark.integration

TOOLS = """
[tools."hotel.release"]
function = "hotel:release"
effect = "keyed"

[tools."hotel.reserve"]
function = "hotel:reserve"
effect = "keyed"
compensate = "hotel.release"

[tools."hotel.charge"]
function = "hotel:charge"
effect = "keyed"
"""
FUNCTIONS = '''
"""A hotel whose card terminal refuses."""
from switchgear import NotApplied


async def reserve(call, room: str):
    return {"id": f"booking-{room}"}


async def release(call, room: str):
    raise NotApplied("the hotel does not answer")


async def charge(call, booking: str):
    if booking == "booking-7":
        raise NotApplied("the card was refused")
'''
RESERVE = {"tool": "hotel.reserve", "name": "reserve", "arguments": {"room": "7"}}
CHARGE = {"tool": "hotel.charge", "arguments": {"booking": {"$step": "reserve", "path": "id"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with the hotel's tools."""
    folder = prepare(tmp_path_factory.mktemp("sagas"))
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(TOOLS)
    (folder / "hotel.py").write_text(FUNCTIONS)
    (folder / "trip.json").write_text(json.dumps([RESERVE, CHARGE]))
    with serving(folder) as running:
        yield running


def test_a_saga_is_submitted_shown_and_resumed(gear: Run) -> None:
    """What failed to be undone is named with what to do; a person's word ends it."""
    submitted = gear("sagas", "submit", "trip.json", "--key", "trip-7", "--json")
    saga = submitted.document()["id"]
    assert gear("sagas", "submit", "trip.json", "--key", "trip-7", "--json").document()["id"] == saga
    stuck = gear("sagas", "show", saga, "--json").document()
    while not stuck["stuck"]:  # bounded by the time of a test
        stuck = gear("sagas", "show", saga, "--json").document()
    drawn = gear("sagas", "show", saga)
    assert "stuck" in drawn.output
    assert f"switchgear sagas resume {saga} --how retry|done --reason" in drawn.output
    assert saga in gear("sagas", "list", "--state", "stuck").output
    assert "saga.compensation_failed" in gear("sagas", "events", saga).output
    ended = gear("sagas", "resume", saga, "--how", "done", "--reason", "called the hotel", "--json")
    assert (ended.exit_code, ended.document()["state"]) == (ExitCode.OK, "compensated")
    late = gear("sagas", "cancel", saga, "--reason", "too late", "--json")
    assert (late.exit_code, late.problem()["code"]) == (ExitCode.CONFLICT, "ILLEGAL_TRANSITION")


def test_a_saga_is_waited_for_and_both_its_actions_are_shown(gear: Run) -> None:
    """The exit code says how it ended: at its end, undone, stuck, or not in time. Each step shows what undoes it."""
    done = gear("sagas", "submit", "-", "--key", "one", "--wait", "60", "--json", text=json.dumps([RESERVE]))
    assert (done.exit_code, done.document()["state"]) == (ExitCode.OK, "completed")
    stuck = gear("sagas", "submit", "trip.json", "--key", "two", "--wait", "60", "--json")
    assert (stuck.exit_code, stuck.document()["state"]) == (ExitCode.FAILED, "stuck")
    step = stuck.document()["steps"][0]
    drawn = gear("sagas", "show", stuck.document()["id"], "--wait", "60")
    assert drawn.exit_code == ExitCode.FAILED
    assert step["intent"] in drawn.output
    assert step["compensation"] in drawn.output
    shown = gear("intents", "show", step["compensation"]).output
    assert f"compensation of {step['intent']}, in {stuck.document()['id']}" in shown


@pytest.mark.parametrize("text", ["{no json", '{"steps": []}', "7"])
def test_what_is_no_list_of_steps_is_a_usage_error(gear: Run, text: str) -> None:
    """Nothing is sent, and the words show what a saga looks like."""
    ran = gear("sagas", "submit", "-", "--key", "k", text=text)
    assert ran.exit_code == ExitCode.USAGE
    missing = gear("sagas", "submit", "nowhere.json", "--key", "k")
    assert (missing.exit_code, "nowhere.json" in missing.errors) == (ExitCode.USAGE, True)


def test_a_saga_that_cannot_go_back_is_refused_with_what_to_do(gear: Run) -> None:
    """The words of the server come through."""
    ran = gear(
        "sagas", "submit", "-", "--key", "k2", text=json.dumps([{**CHARGE, "arguments": {"booking": "x"}}, RESERVE])
    )
    assert ran.exit_code == ExitCode.USAGE
    assert "mark the step as the pivot" in ran.errors
