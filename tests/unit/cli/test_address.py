"""Where a command asks when nobody has named an address: where `up` serves in the same folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchgear.assembly.configuration import load
from switchgear.assembly.configuration.loading import FILE_BYTES_MAX, OVERRIDES
from switchgear.surfaces.cli import address
from switchgear.surfaces.cli.address import USUAL_URL, usual_address
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.services import Services

SERVICES = Services(serve=None, embed=None, issue_token=None)  # type: ignore[arg-type] # no server is started here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with no variable of ours set."""
    monkeypatch.chdir(tmp_path)
    for name in (address.URL_VARIABLE, address.HOST_VARIABLE, address.PORT_VARIABLE, address.CONFIGURATION_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("text", ["", "[server]\nport = 8461", '[server]\r\nhost = "localhost"\r\nport = 1\r\n'])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SWITCHGEAR_SERVER_PORT": "8472"},
        {"SWITCHGEAR_SERVER_HOST": "127.0.0.2"},
        {"SWITCHGEAR_SERVER_PORT": "", "SWITCHGEAR_SERVER_HOST": ""},
    ],
    ids=str,
)
def test_a_command_asks_where_up_serves(folder: Path, text: str, variables: dict[str, str]) -> None:
    """What is read quickly here is what the checked configuration says: same file, same variables, same defaults."""
    (folder / "switchgear.toml").write_bytes(text.encode())
    server = load("switchgear.toml", environment=variables).server
    assert usual_address(variables) == (f"http://{server.host}:{server.port}", "")


def test_names_and_limits_are_those_of_the_configuration() -> None:
    """The variables and the bound of the file are told here again, since the configuration is slow to load."""
    variables = {one.variable for one in OVERRIDES if one.section == "server"}
    assert variables == {address.HOST_VARIABLE, address.PORT_VARIABLE}
    assert address.FILE_BYTES_MAX == FILE_BYTES_MAX


def test_without_a_file_the_usual_address_is_asked(folder: Path) -> None:
    """Who has no configuration needs none, and is told of none."""
    assert not list(folder.iterdir())
    assert usual_address({}) == (USUAL_URL, "")


def test_an_address_of_ipv6_is_written_as_one(folder: Path) -> None:
    """A port is told apart from the last part of an address."""
    (folder / "switchgear.toml").write_text('[server]\nhost = "::1"\nport = 8461')
    assert usual_address({}).url == "http://[::1]:8461"


def test_the_file_may_have_another_name(folder: Path) -> None:
    """The variable that tells `up` which file to read tells it to every command."""
    (folder / "other.toml").write_text("[server]\nport = 8461")
    assert usual_address({"SWITCHGEAR_CONFIG": "other.toml"}).url == "http://127.0.0.1:8461"


UNUSABLE: dict[str, tuple[str | bytes, dict[str, str], str]] = {
    "no TOML": ("[server", {}, "is not TOML"),
    "no UTF-8": (b"\xff", {}, "is not TOML"),
    "too deep": ("a = " + "[" * 20_000, {}, "is not TOML"),
    "too long": (b"#" * (FILE_BYTES_MAX + 1), {}, "longer than"),
    "no table": ("server = 1", {}, "is no table"),
    "no number": ('[server]\nport = "x"', {}, "'x', which is no port"),
    "yes": ("[server]\nport = true", {}, "True, which is no port"),
    "too high": ("[server]\nport = 65536", {}, "65536, which is no port"),
    "any": ("[server]\nport = 0", {}, "takes a free one"),
    "variable": ("", {"SWITCHGEAR_SERVER_PORT": "80x"}, "'80x', which is no port"),
    "many digits": ("", {"SWITCHGEAR_SERVER_PORT": "9" * 5_000}, "which is no port"),
    "other machine": ('[server]\nhost = "example.com"', {}, "not on loopback"),
    "every address": ('[server]\nhost = "0.0.0.0"', {}, "not on loopback"),
    "no host": ("[server]\nhost = 1", {}, "not on loopback"),
    "no such file": ("", {"SWITCHGEAR_CONFIG": "missing.toml"}, "no file missing.toml"),
    "a folder": ("", {"SWITCHGEAR_CONFIG": "."}, "cannot be read"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_is_no_address_is_told_and_the_usual_one_asked(folder: Path, case: str) -> None:
    """A broken file stops no command that only asks; and no file sends a command, with its token, elsewhere."""
    text, variables, words = UNUSABLE[case]
    (folder / "switchgear.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = usual_address(variables)
    assert found.url == USUAL_URL
    assert words in found.note
    assert "--url" in found.note
    assert len(found.note) < 250


def _asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """Return the failure to reach a server, and the note before it."""
    run(["wait", "--for", "0", "--json", *words], SERVICES)
    note, brace, document = capsys.readouterr().err.partition("{")
    return json.loads(brace + document), note


def test_who_is_named_first_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order is: option, variable, what `up` reads. What is named also when it is the usual one."""
    (folder / "switchgear.toml").write_text("[server]\nport = 3")
    assert "http://127.0.0.1:3/" in _asked(capsys)[0]["detail"] + "/"
    monkeypatch.setenv("SWITCHGEAR_SERVER_PORT", "4")
    assert "http://127.0.0.1:4" in _asked(capsys)[0]["detail"]
    monkeypatch.setenv("SWITCHGEAR_URL", "http://127.0.0.1:5")
    assert "http://127.0.0.1:5" in _asked(capsys)[0]["detail"]
    assert "http://127.0.0.1:6" in _asked(capsys, "--url", "http://127.0.0.1:6")[0]["detail"]


def test_a_file_that_says_nothing_is_noted_beside_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes the answer of another server for that of their own; who has named one is told nothing."""
    (folder / "switchgear.toml").write_text("[server]\nport = 0")
    monkeypatch.setattr("switchgear.surfaces.cli.address.USUAL_URL", "http://127.0.0.1:7")
    failure, note = _asked(capsys)
    assert "takes a free one" in note
    assert "http://127.0.0.1:7" in failure["detail"]
    assert _asked(capsys, "--url", "http://127.0.0.1:6")[1] == ""


def test_help_says_how_a_server_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for help learns the rule, and is not told of what is wrong with a file."""
    assert run(["breakers", "--help"], SERVICES) == 0
    shown = capsys.readouterr()
    assert "./switchgear.toml" in shown.out.replace("\n", "")
    assert "SWITCHGEAR_URL" in shown.out
    assert shown.err == ""
