"""What `up` prints once it serves: where, and how the other commands find it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.services import Place, Services


def _no(*_: object, **__: object) -> object:
    raise AssertionError("nothing else is started")


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
