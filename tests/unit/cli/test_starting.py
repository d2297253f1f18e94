"""What `up` prints once it serves: where, and how the other commands find it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.services import Place, Services


def _no(*_: object, **__: object) -> object:
    raise AssertionError("nothing else is started")


@pytest.mark.parametrize(("port", "told"), [(8420, False), (8461, True)])
def test_a_server_that_listens_elsewhere_says_how_commands_find_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], port: int, *, told: bool
) -> None:
    """The other commands ask at the usual address unless they are told, so what is unusual is said as a line to run."""

    def serve(_place: Place, ready: Callable[[str], None]) -> int:
        ready(f"http://127.0.0.1:{port}")
        return 0

    file = tmp_path / "switchgear.toml"
    file.write_text("")
    services = Services(serve=serve, embed=_no, issue_token=_no)  # type: ignore[arg-type] # the rest is never called here
    assert run(["up", "--dev", "--config", str(file)], services) == 0
    assert (f"export SWITCHGEAR_URL=http://127.0.0.1:{port}" in capsys.readouterr().out) is told
