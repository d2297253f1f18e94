"""Runs the tutorials as a reader would, each in one shell, and compares what they show with what is printed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.harness import environment
from tests.ports import free_port

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[3] / "docs"
TUTORIALS = ("tutorial.md", "tutorial-survive-a-kill.md")
PAGES = (*TUTORIALS, "how-to/act-as-two-people.md", "how-to/give-the-second-word.md")
BLOCK = re.compile(
    r"(?P<notes>(?:<!--[^\n]*-->\n)*)```sh\n(?P<commands>.*?)```\n(?:```text\n(?P<shown>.*?)```\n)?", re.DOTALL
)
SECONDS_MAX = 900
UPSTREAM_PORT = "8421"
"""The port on which a page starts a remote; here a free one stands for it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a tutorial, the exit code of the last one, and the lines shown below them."""

    commands: str
    exit_code: int
    shown: list[str]


def blocks(page: str) -> list[Block]:
    """Return the blocks of `page` that are to be run, in order."""
    found = []
    for match in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if "not run" not in match["notes"]:
            exit_code = re.search(r"exit (\d+)", match["notes"])
            lines = (match["shown"] or "").splitlines()
            found.append(Block(match["commands"], int(exit_code[1]) if exit_code else 0, lines))
    return found


def script_of(steps: list[Block], marks: Path, upstream_port: str) -> str:
    """Return one shell script that runs every step and notes how each ended and what it printed."""
    lines = []
    for number, step in enumerate(steps):
        commands = step.commands.replace(UPSTREAM_PORT, upstream_port)
        lines += [f"exec > {marks}/{number}.out 2>&1", commands, f"echo $? > {marks}/{number}.exit"]
    return "\n".join(lines)


def told_by(marks: Path, steps: list[Block], work: Path) -> str:
    """Return all that a reader of a failure needs: what each step printed, how it ended, and every log."""
    told = []
    for number, step in enumerate(steps):
        printed, ended = (marks / f"{number}.{kind}" for kind in ("out", "exit"))
        if printed.exists():
            code = ended.read_text().strip() if ended.exists() else "not yet"
            told.append(f"$ {step.commands}{printed.read_text(errors='replace')}ended: {code}")
    logs = [f"{log.relative_to(work)}:\n{log.read_text(errors='replace')}" for log in sorted(work.rglob("*.log"))]
    return "\n".join((*told, *logs))


def pattern_of(line: str) -> re.Pattern[str]:
    """Return what matches a shown line: … is anything, a run of spaces is any run of spaces."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
    return re.compile(r"\s*.*?\s*".join(parts))


@pytest.mark.timeout(SECONDS_MAX + 30)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_tutorial_does_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """A newcomer can finish a tutorial: each command ends as it says and prints what is shown."""
    steps, marks, work = blocks(page), tmp_path / "marks", tmp_path / "work"
    marks.mkdir()
    work.mkdir()
    shell = shutil.which("bash")
    assert shell is not None
    port, upstream_port = str(free_port()), str(free_port())
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "SWITCHGEAR_SERVER_PORT": port,
        "SWITCHGEAR_URL": f"http://127.0.0.1:{port}",
    }
    command = [shell, "-c", script_of(steps, marks, upstream_port)]
    try:
        subprocess.run(command, cwd=work, env=environment(**variables), timeout=SECONDS_MAX, check=False)
        compare(steps, marks)
    except BaseException as failed:
        failed.add_note(told_by(marks, steps, work))
        raise


def compare(steps: list[Block], marks: Path) -> None:
    """Compare how each step ended and what it printed with what the page says."""
    for number, step in enumerate(steps):
        printed = (marks / f"{number}.out").read_text()
        assert int((marks / f"{number}.exit").read_text()) == step.exit_code, f"{step.commands}\n{printed}"
        for line in step.shown:
            assert pattern_of(line).search(printed), f"{step.commands}\nshows {line!r}, printed\n{printed}"


def test_pattern_of_a_shown_line_is_strict() -> None:
    """The comparison can fail: what is not shown, or shown otherwise, does not match."""
    assert pattern_of("int_… succeeded").search("int_17  succeeded")
    assert not pattern_of("int_… succeeded").search("int_17  failed")
    assert all(len(blocks(page)) > 10 for page in TUTORIALS)
