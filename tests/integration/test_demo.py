"""The demo, run for real: it adds up, it says so by its exit code, and it leaves no process behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEMO = [sys.executable, "-P", "-c", "from switchgear.launch import main; main()", "demo"]
END_SECONDS = 240


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a demo whose files go to `folder`."""
    return subprocess.Popen(
        [*DEMO, "--folder", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left_behind(folder: Path) -> list[str]:
    """Return the command lines of processes that still name `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


def summary_of(demo: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the one JSON document that a demo printed."""
    output, errors = demo.communicate(timeout=END_SECONDS)
    assert output, errors
    document: dict[str, Any] = json.loads(output)
    return document


def test_demo_adds_up(tmp_path: Path) -> None:
    """Law 3, seen from outside: real traffic, a real kill -9, and no key with more than one effect."""
    folder = tmp_path / "demo"
    demo = started(folder, "--seconds", "6", "--json")
    found = summary_of(demo)
    assert (demo.returncode, found["ok"], found["problems"]) == (0, True, [])
    assert found["effects_per_key_max"] == 1
    assert found["upstream_kills"] == 1
    assert found["succeeded"] > 20
    assert found["retried"] > 0
    assert "open" in found["breaker"]
    assert found["refused"]["IDEMPOTENCY_CONFLICT"] > 0
    assert all(chain["ok"] for chain in found["ledger"].values())
    assert left_behind(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_still_gives_its_summary(tmp_path: Path, number: int) -> None:
    """Ctrl-C ends it early, with the summary, and ends every process that it started."""
    folder = tmp_path / "demo"
    demo = started(folder, "--seconds", "60", "--json")
    wait_until_effects(demo, folder)
    demo.send_signal(number)
    found = summary_of(demo)
    assert (demo.returncode, found["ok"]) == (0, True)
    assert left_behind(folder) == []


def test_interrupted_demo_says_that_it_is_stopping(tmp_path: Path) -> None:
    """Ctrl-C is answered at once with what is waited for, so it does not look like a hang."""
    demo = started(tmp_path / "demo", "--seconds", "60")
    wait_until_effects(demo, tmp_path / "demo")
    demo.send_signal(signal.SIGINT)
    output, errors = demo.communicate(timeout=END_SECONDS)
    assert demo.returncode == 0, output + errors
    assert "Ctrl-C again to skip" in output


def test_killed_demo_leaves_no_upstream_behind(tmp_path: Path) -> None:
    """Even when the demo itself is killed, the upstream ends with it."""
    folder = tmp_path / "demo"
    demo = started(folder, "--seconds", "60", "--json")
    wait_until_effects(demo, folder)
    demo.kill()
    demo.communicate(timeout=END_SECONDS)
    until = time.monotonic() + END_SECONDS
    while left := left_behind(folder):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def test_demo_for_people_draws_lines_when_it_is_no_terminal(tmp_path: Path) -> None:
    """Into a pipe go plain lines and the summary, no escape sequences."""
    demo = started(tmp_path / "demo", "--seconds", "4")
    output, errors = demo.communicate(timeout=END_SECONDS)
    assert demo.returncode == 0, output + errors
    assert "breaker" in output
    assert "Everything adds up." in output
    assert f"files {tmp_path / 'demo'}" in output
    assert "\x1b" not in output


def test_demo_refuses_a_folder_that_is_there(tmp_path: Path) -> None:
    """An earlier run is never mixed with a new one."""
    demo = started(tmp_path, "--json")
    output, errors = demo.communicate(timeout=END_SECONDS)
    assert (demo.returncode, output, json.loads(errors)["exit_code"]) == (2, "", 2)
    assert list(tmp_path.iterdir()) == []


def wait_until_effects(demo: subprocess.Popen[str], folder: Path) -> None:
    """Return once the upstream has applied something."""
    log = folder / "crm-effects.jsonl"
    until = time.monotonic() + END_SECONDS
    while not log.exists() or not log.stat().st_size:
        if demo.poll() is not None or time.monotonic() > until:
            demo.kill()
            pytest.fail("\n".join((f"no effect; the demo ended with {demo.poll()}", *demo.communicate())))
        time.sleep(0.05)
