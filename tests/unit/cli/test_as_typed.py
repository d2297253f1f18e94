"""A wrong request in the words of the line that was typed: options, and no member of a body that nobody has seen."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.application import app, run
from switchgear.surfaces.cli.as_typed import as_typed, options_of
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import CommandFailure
from tests.unit.cli.test_reference import NO_SERVICES

OPTIONS = {"seconds": "--by", "steps": "FILE", "key": "--key", "per_second": "--per-second"}


def problem(*places: str) -> dict[str, Any]:
    """Return what a server says of values that are wrong in some places."""
    errors = [{"where": place, "message": "must be above 0"} for place in places]
    return {"detail": "; ".join(f"{place}: must be above 0" for place in places), "errors": errors}


@pytest.mark.parametrize(
    ("place", "typed"),
    [
        ("/seconds", "--by"),
        ("query:per_second", "--per-second"),
        ("header:Idempotency-Key", "--key"),
        ("/steps/0/tool", "FILE/0/tool"),
        ("/steps", "FILE"),
        ("/other", "/other"),
        ("header:Prefer", "header:Prefer"),
        ("body", "body"),
    ],
)
def test_a_place_in_a_request_becomes_what_was_typed(place: str, typed: str) -> None:
    """The option in the place of its member, in the sentence and in the list; what has no option stays."""
    assert as_typed(problem(place), OPTIONS) == problem(typed)


def test_several_are_told_in_one_go() -> None:
    """Each place by itself, in the order in which the server told them."""
    assert as_typed(problem("/steps", "/seconds"), OPTIONS) == problem("FILE", "--by")


@pytest.mark.parametrize("errors", [None, [], "text", ["text"], [{"message": "without a place"}]])
def test_what_names_no_place_stays_as_it_is(errors: object) -> None:
    """Another server may say what it likes."""
    told = {"detail": "/seconds: is wrong", "errors": errors}
    assert as_typed(told, OPTIONS) == told


def test_options_have_the_names_of_the_members_that_they_become() -> None:
    """An option that is typed otherwise than its member is called still has the member's name as its own."""
    root: Any = typer.main.get_command(app)
    boxes, sagas, intents = (root.commands[name].commands for name in ("time-boxes", "sagas", "intents"))
    assert options_of(boxes["extend"])["seconds"] == "--by"
    assert options_of(intents["force"])["seconds"] == "--for"
    assert options_of(sagas["submit"])["steps"] == "FILE"
    assert options_of(root.commands["submit"])["revert_after"] == "--revert-after"
    assert options_of(root.commands["submit"])["tool"] == "TOOL"


@pytest.mark.parametrize("number", ["nan", "inf", "1e400"])
def test_a_number_that_is_none_is_named_by_its_option(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON cannot carry is refused before it is sent, as the server would refuse it, and is no defect."""
    words = ["deadletters", "requeue", "--all", "--per-second", number, "--url", "http://127.0.0.1:9"]
    assert run(words, NO_SERVICES) == ExitCode.USAGE
    assert f"--per-second: must be a number, not {float(number)}" in capsys.readouterr().err


def test_a_client_names_the_member() -> None:
    """Below the command line there are no options yet."""
    with Client("http://127.0.0.1:9", None) as client, pytest.raises(CommandFailure, match=r"^/seconds: must be a"):
        client.put("/v1/x", {"seconds": float("nan"), "reason": "x"})
