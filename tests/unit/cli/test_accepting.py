"""Accepting a changed tool: what is shown, when nobody is asked, and what is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli import tools
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.services import Services

TOOL: dict[str, Any] = {
    "name": "crm.update",
    "effect": "keyed",
    "version": "1",
    "contract": "b" * 64,
    "accepted_version": "1",
    "accepted_contract": "a" * 64,
    "changed": True,
    "needs_key": True,
    "timeout": 1.0,
    "attempts": 1,
    "requires": [],
    "description": "",
    "differences": [
        {"part": "effect", "before": "opaque", "after": "keyed"},
        {"part": "arguments.text", "before": None, "after": "string, required"},
        {"part": "lookup", "before": "crm.find", "after": None},
    ],
}


def _no(*_: object, **__: object) -> object:
    raise AssertionError("these commands need no service")


SERVICES = Services(serve=_no, embed=_no, issue_token=_no)  # type: ignore[arg-type] # never called here


class Server:
    """Answers as a server would; `posted` is what it was sent."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.posted: list[Mapping[str, Any]] = []

    def get(self, _path: str) -> dict[str, Any]:
        """Answer with the one tool."""
        return {"items": [TOOL]}

    def post(self, _path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Accept it."""
        self.posted.append(body)
        return {**TOOL, "changed": False}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Be the server of the commands."""
    found = Server()

    @contextmanager
    def session(_url: str, _token: str | None, *, as_json: bool) -> Iterator[object]:
        yield type("Session", (), {"client": found, "output": Output(as_json=as_json)})

    monkeypatch.setattr(tools, "session", session)
    return found


@pytest.mark.parametrize(("said", "code"), [("y\n", ExitCode.OK), ("n\n", ExitCode.REFUSED), ("", ExitCode.USAGE)])
def test_a_person_sees_the_change_and_is_asked(
    said: str, code: ExitCode, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both contracts are shown; a no and a closed input accept nothing, and the latter says how to go without."""
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    assert run(["tools", "accept", "crm.update"], SERVICES) == code
    printed = capsys.readouterr()
    assert "a" * 12 in printed.out
    assert "b" * 12 in printed.out
    for words in ("effect was opaque, is keyed", "arguments.text is new: string, required", "was crm.find"):
        assert words in printed.out
    assert ("--yes" in printed.err) == (code is ExitCode.USAGE)
    assert server.posted == ([{"contract": TOOL["contract"]}] if code is ExitCode.OK else [])


def test_the_list_says_what_has_changed(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Who looks at the tools sees at once what is another than was accepted, before and after."""
    assert run(["tools"], SERVICES) == ExitCode.OK
    assert "differs  effect was opaque, is keyed" in capsys.readouterr().out
    assert server.posted == []


@pytest.mark.parametrize("words", [("--yes",), ("--json",), ("--contract", "b" * 64)])
def test_who_says_so_beforehand_is_not_asked(words: tuple[str, ...], server: Server) -> None:
    """A machine, a yes, and a contract that was looked at elsewhere go straight ahead."""
    assert run(["tools", "accept", "crm.update", *words], SERVICES) == ExitCode.OK
    assert server.posted == [{"contract": TOOL["contract"]}]


@pytest.mark.parametrize(
    ("name", "words"), [("crm.updat", "'crm.updat'; did you mean crm.update?\n"), ("mail", "tool 'mail'\n")]
)
def test_a_slip_of_the_pen_is_told_what_was_meant(
    name: str, words: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tool that is near, and none where none is; nothing is sent."""
    assert run(["tools", "accept", name, "--yes"], SERVICES) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert server.posted == []


def test_an_input_that_is_not_there_is_a_closed_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started without standard input cannot be asked either."""
    monkeypatch.setattr("sys.stdin", None)
    assert run(["tools", "accept", "crm.update"], SERVICES) == ExitCode.USAGE
    assert server.posted == []
