"""tools/install-servers: does nothing where the servers are, and never fails a build by itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[3] / "tools" / "install-servers"


def run(folder: Path, programs: dict[str, str]) -> tuple[int, str]:
    """Run the script with nothing on its path but `programs`: names and what they do. Return its code and words."""
    for name, body in programs.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    environment = {"PATH": str(folder)}
    finished = subprocess.run(
        [shell, SCRIPT], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    return finished.returncode, finished.stderr + finished.stdout


def test_where_both_servers_are_nothing_happens(tmp_path: Path) -> None:
    """No package manager is asked."""
    programs = {"redis-server": "exit 1", "nats-server": "exit 1", "apt-get": "echo asked", "id": "echo 0"}
    assert run(tmp_path, programs) == (0, "")


def test_without_a_package_manager_it_says_what_is_missing(tmp_path: Path) -> None:
    """The tests that need the server fail by themselves in CI; the script does not."""
    code, said = run(tmp_path, {"redis-server": "exit 1", "id": "echo 0"})
    assert code == 0
    assert "missing: nats-server; there is no apt-get" in said


def test_without_the_right_it_says_so(tmp_path: Path) -> None:
    """Nobody is asked for a password."""
    code, said = run(tmp_path, {"apt-get": "echo asked", "sudo": "exit 1", "id": "echo 1000"})
    assert code == 0
    assert "run this as root" in said
    assert "asked" not in said


def test_only_what_is_missing_is_installed_and_lists_are_fetched_once_if_needed(tmp_path: Path) -> None:
    """A first try without fetching, then one with."""
    log = tmp_path / "log"
    apt = f'echo "$*" >> {log}; case "$*" in update) : > {tmp_path}/fetched ;; *) [ -e {tmp_path}/fetched ] ;; esac'
    programs = {"redis-server": "exit 1", "id": "echo 0", "apt-get": apt, "env": 'shift; exec "$@"'}
    assert run(tmp_path, programs) == (0, "")
    first, update, second = log.read_text(encoding="utf-8").splitlines()
    assert (update, first) == ("update", second)
    assert first.endswith("--no-install-recommends nats-server")
