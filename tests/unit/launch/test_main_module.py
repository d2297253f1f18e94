"""`python -m switchgear` is the console script by another name."""

from __future__ import annotations

import runpy
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from switchgear import launch

PROGRAM = Path(launch.__file__).parents[1] / "__main__.py"


def ran(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the package as a program, and return the exit code."""
    monkeypatch.setattr(sys, "argv", ["switchgear", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_package_runs_as_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its words are the words of the command, and so are its exit codes."""
    assert ran("--version", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"switchgear {version('switchgear')}\n"
    assert ran("nonsense", monkeypatch=monkeypatch) == 2


def test_without_the_gear_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installation of the guard alone has no command line, and says how it gets one."""
    monkeypatch.setattr(launch, "find_spec", lambda _name: None)
    assert ran("--version", monkeypatch=monkeypatch) == launch.EXIT_WITHOUT_GEAR
    assert "pip install 'switchgear[gear]'" in capsys.readouterr().err
