"""Letting many dead letters run again: the exit code says whether all did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli import deadletters
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.output import Output
from tests.unit.cli.test_reference import NO_SERVICES

STAYS = {"id": "int_2", "code": "ILLEGAL_TRANSITION", "message": "it may have been applied"}


@pytest.mark.parametrize(
    ("requeued", "refused", "code"),
    [
        (["int_1"], [], ExitCode.OK),
        ([], [], ExitCode.OK),
        (["int_1"], [STAYS], ExitCode.FAILED),
        ([], [STAYS], ExitCode.FAILED),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_letter_that_stays_is_no_success(
    requeued: list[str],
    refused: list[dict[str, str]],
    code: ExitCode,
    as_json: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A script sees from the exit code that something was left, as with many replays; the answer names it."""

    class Client:
        def post(self, _path: str, _body: object) -> dict[str, Any]:
            return {"requeued": requeued, "refused": refused, "next_cursor": None}

    @contextmanager
    def session(_url: str, _token: str | None, *, as_json: bool) -> Iterator[object]:
        yield type("Session", (), {"client": Client(), "output": Output(as_json=as_json)})

    monkeypatch.setattr(deadletters, "session", session)
    assert run(["deadletters", "requeue", "--all", *as_json], NO_SERVICES) == code
    assert ("it may have been applied" in capsys.readouterr().out) == bool(refused)
