"""`switchgear explain`: the runbook of a code, from the package, without a server."""

from __future__ import annotations

import json

import pytest

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.core.errors import CircuitOpen, Rejected
from switchgear.runbooks import page_of, runbook
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.failures import failure_of_error, failure_of_interrupt, failure_of_problem
from switchgear.surfaces.cli.output import Output
from tests.unit.cli.test_reference import NO_SERVICES


@pytest.mark.parametrize("code", list(Code))
def test_every_code_can_be_explained(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    """Every code that a command can print leads to its page, which is printed as it is written."""
    assert run(["explain", str(code)], NO_SERVICES) == ExitCode.OK
    assert capsys.readouterr().out == runbook(page_of(code)).text()


def test_the_type_of_a_problem_is_taken_as_it_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has only a problem document can copy its type."""
    assert run(["explain", "urn:switchgear:code:IN_DOUBT"], NO_SERVICES) == ExitCode.OK
    assert capsys.readouterr().out.startswith("# In doubt\n")


def test_json_has_the_page_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """A program, such as one that opens a ticket, gets codes and sections one by one."""
    assert run(["explain", "queue", "--json"], NO_SERVICES) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["page"] == "queue"
    assert document["sections"] == dict(runbook("queue").sections)
    facts = FACTS[Code.QUEUE_FULL]
    assert document["codes"]["QUEUE_FULL"] == {
        "meaning": facts.meaning,
        "advice": facts.advice,
        "decision": facts.decision,
        "http_status": facts.http_status,
        "exit_code": int(facts.exit_code),
    }


@pytest.mark.parametrize(
    ("word", "advice"),
    [("circuit_opn", "Did you mean CIRCUIT_OPEN"), ("zzz", "Copy the code from the error")],
)
def test_a_mistyped_code_is_named(word: str, advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is explained that was not asked for; the nearest code is offered."""
    assert run(["explain", word], NO_SERVICES) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert word in printed.err
    assert advice in printed.err


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_says_where_to_read_on(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever meets a code on the command line is one command away from its runbook."""
    Output(as_json=False).fail(failure_of_error(Rejected(code=code)))
    assert f"see switchgear explain {code}\n" in capsys.readouterr().err


def test_what_has_no_runbook_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A code of somebody else, or none, is never sent to a page that is not there."""
    Output(as_json=False).fail(failure_of_problem({"code": "ELSE", "title": "Not ours."}, 500, where=""))
    Output(as_json=False).fail(failure_of_interrupt("it goes on"))
    assert "explain" not in capsys.readouterr().err


def test_the_type_is_that_of_rest() -> None:
    """A failure of a command and a problem over REST have the same type."""
    assert failure_of_error(CircuitOpen()).document()["type"] == "urn:switchgear:code:CIRCUIT_OPEN"


@pytest.mark.parametrize("seconds", ["7200", "0"])
def test_a_force_that_is_too_long_names_its_option(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong on a command line is told in the words of the command line, before a server is asked."""
    words = ["intents", "force", "int_1", "--reason", "checked", "--for", seconds]
    assert run(words, NO_SERVICES) == ExitCode.USAGE
    assert f"--for: {seconds} is " in capsys.readouterr().err
