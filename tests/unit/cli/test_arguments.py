"""Reading the arguments of `submit`, the token file, and the exit code of an outcome."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.session import save_token, saved_token
from switchgear.surfaces.cli.submitting import arguments_of, look_for, text_instead
from switchgear.surfaces.cli.waiting import exit_code_of
from tests.unit.cli.test_reference import NO_SERVICES


@pytest.mark.parametrize(
    ("pairs", "document", "arguments"),
    [
        ([], None, {}),
        (["name=Ada"], None, {"name": "Ada"}),
        (["n=7", "on=true", "none=null", "list=[1]"], None, {"n": 7, "on": True, "none": None, "list": [1]}),
        (['text="7"'], None, {"text": "7"}),
        (["equation=a=b"], None, {"equation": "a=b"}),
        (["empty="], None, {"empty": ""}),
        (["x=NaN"], None, {"x": "NaN"}),
        (["b=2"], '{"a": 1, "b": 1}', {"a": 1, "b": 2}),
    ],
)
def test_arguments_are_json_else_text(pairs: list[str], document: str | None, arguments: dict[str, Any]) -> None:
    """A value is JSON when it can be read as such, else text; pairs stand over the document."""
    assert arguments_of(pairs, document) == arguments


def test_arguments_come_from_a_file_or_from_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """@FILE reads a file and - reads standard input."""
    file = tmp_path / "arguments.json"
    file.write_text('{"a": 1}')
    monkeypatch.setattr("sys.stdin", io.StringIO('{"b": 2}'))
    assert arguments_of([], f"@{file}") == {"a": 1}
    assert arguments_of([], "-") == {"b": 2}


def test_a_file_of_arguments_that_is_not_there_is_named_in_words() -> None:
    """A person reads what is wrong with the file, and no number of an error."""
    with pytest.raises(CommandFailure, match=r"^--args @missing\.json: the file cannot be read: No such file"):
        arguments_of([], "@missing.json")


@pytest.mark.parametrize(
    ("pairs", "document"),
    [
        (["novalue"], None),
        (["=x"], None),
        (["a=1", "a=2"], None),
        ([], "{"),
        ([], "[1]"),
        ([], "@missing.json"),
        ([], "NaN"),
        ([], '{"x": NaN}'),
        ([], '{"x": 1e400}'),
        ([], '{"x": ' + "[" * 100_000),
    ],
)
def test_arguments_that_are_none_are_wrong_usage(pairs: list[str], document: str | None) -> None:
    """What cannot be read, or is given twice, is refused before anything is sent, and says what was read."""
    with pytest.raises(CommandFailure) as caught:
        arguments_of(pairs, document)
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (['{"a": 1}'], """--args '{"a": 1}'"""),
        (["{a:", "1}"], "--args '{a: 1}'"),
        (["@order.json"], "--args @order.json"),
        (["-"], "--args -"),
        (["amount=20", "text=to be"], "--arg amount=20 --arg 'text=to be'"),
        (["hello"], "--arg NAME=hello"),
    ],
)
def test_arguments_behind_the_name_of_a_tool_are_told_where_they_go(
    words: list[str], instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure shows the very words that were given, as the options that they are meant to be."""
    assert run(["submit", "mail.send", *words], NO_SERVICES) == ExitCode.USAGE
    assert f"next Write {instead}\n" in capsys.readouterr().err


def test_number_that_may_be_text_is_shown_as_text() -> None:
    """A refused value that was read as JSON comes back as it must be written to be text; others are left alone."""
    pairs = ["contact_id=007.0", "contact_id2=7", "ok=yes", "list=[1]", "amount=1.50"]
    detail = "the arguments do not fit: /amount: must be a string, not the number 1.5; /list: must; /ok: must"
    assert text_instead(pairs, detail) == ["--arg 'amount=\"1.50\"'"]


@pytest.mark.parametrize(
    ("key", "words"),
    [(None, "list"), ("order 17", "show --tool crm.update --key 'order 17' --account main")],
)
def test_what_may_have_been_accepted_is_looked_for_by_its_key(key: str | None, words: str) -> None:
    """Whoever interrupts a submission is told the one command that finds it, to be copied as it is."""
    assert look_for({"tool": "crm.update", "arguments": {}, "account": "main"}, key) == words


@pytest.mark.parametrize(
    ("state", "code", "final", "waited", "exit_code"),
    [
        ("succeeded", None, True, True, ExitCode.OK),
        ("failed", "TOOL_FAILED", True, True, ExitCode.FAILED),
        ("failed", "RETRY_EXHAUSTED", True, False, ExitCode.FAILED),
        ("cancelled", "CANCELLED", True, True, ExitCode.REFUSED),
        ("expired", "DEADLINE_EXCEEDED", True, True, ExitCode.TIMEOUT),
        ("in_doubt", "DEPENDENCY_FAILED", False, True, ExitCode.IN_DOUBT),
        ("ready", None, False, True, ExitCode.TIMEOUT),
        ("ready", None, False, False, ExitCode.OK),
    ],
)
def test_outcome_decides_the_exit_code(
    state: str, code: str | None, exit_code: ExitCode, *, final: bool, waited: bool
) -> None:
    """A script can tell done, failed, cancelled, in doubt and not yet from the exit code alone."""
    assert exit_code_of({"state": state, "code": code, "final": final}, waited=waited) == exit_code


def test_saved_token_is_private_and_stays_on_loopback(tmp_path: Path) -> None:
    """The token file is readable by its owner only, and its token is sent to this machine only."""
    file = tmp_path / "switchgear.token"
    file.write_text("old")
    file.chmod(0o644)
    save_token("secret", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert saved_token("http://127.0.0.1:8420", file) == "secret"
    assert saved_token("http://[::1]:8420", file) == "secret"
    assert saved_token("http://example.com", file) is None
    assert saved_token("http://127.0.0.1.example.com", file) is None
