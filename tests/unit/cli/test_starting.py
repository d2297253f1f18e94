"""What `up` prints once it serves: where, and how the other commands find it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.configuration import Configuration, loading
from switchgear.launch.server import issue_token
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.services import Grant, Place, Services


def _no(*_: object, **__: object) -> object:
    raise AssertionError("nothing else is started")


def test_what_was_checked_is_what_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read once: who starts a server, or makes a token, gets what was read, whatever the file is by then."""
    given: list[Configuration] = []

    def serve(place: Place, _ready: Callable[[str], None]) -> int:
        given.append(place.configuration)
        return 0

    def issue(configuration: Configuration, grant: Grant) -> str:
        given.append(configuration)
        return issue_token(configuration, grant)

    reads: list[Path] = []
    read = loading._text  # noqa: SLF001 - the one place where the file is read, to count how often it is

    def counted(file: Path) -> str:
        reads.append(file)
        return read(file)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "_text", counted)
    Path("switchgear.toml").write_text('[store]\nurl = "sqlite:///gear.db"')
    services = Services(serve=serve, embed=_no, issue_token=issue)  # type: ignore[arg-type] # the rest is never called here
    assert run(["up", "--dev"], services) == 0
    assert run(["token", "--tenant", "acme", "--save"], services) == 0
    assert [one.source for one in given] == ["switchgear.toml"] * 2
    assert reads == [Path("switchgear.toml")] * 2


async def test_a_gear_opens_on_a_configuration_that_was_read(tmp_path: Path) -> None:
    """What was read from a file is not read again: the file may be gone by then."""
    file = tmp_path / "switchgear.toml"
    file.write_text('[store]\nurl = "memory://"')
    configuration = loading.load(file)
    file.unlink()
    async with Switchgear.open(configuration, start=False) as gear:
        assert gear.configuration is configuration


@pytest.mark.parametrize(
    ("port", "text", "told"),
    [
        (8420, "", False),
        (8461, "", True),
        (8461, "[server]\nport = 8461", False),
        (8420, "[server]\nport = 8461", True),
        (40_123, "[server]\nport = 0", True),
    ],
)
def test_a_server_that_commands_would_not_find_says_how_they_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    port: int,
    text: str,
    *,
    told: bool,
) -> None:
    """The other commands ask where `up` would serve in the same folder, so what differs is said as a line to run."""

    def serve(_place: Place, ready: Callable[[str], None]) -> int:
        ready(f"http://127.0.0.1:{port}")
        return 0

    monkeypatch.chdir(tmp_path)
    for name in ("SWITCHGEAR_URL", "SWITCHGEAR_SERVER_PORT", "SWITCHGEAR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    Path("switchgear.toml").write_text(text)
    services = Services(serve=serve, embed=_no, issue_token=_no)  # type: ignore[arg-type] # the rest is never called here
    assert run(["up", "--dev"], services) == 0
    shown = capsys.readouterr()
    assert (f"export SWITCHGEAR_URL=http://127.0.0.1:{port}" in shown.out) is told
    assert shown.err == ""
