"""How a moment is written: one way for the command line, logs, health and messages."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

import switchgear
from switchgear.core.moments import moment_text

SOURCE = Path(switchgear.__file__).parent
EXCEPTIONS = {
    "core/moments.py",
    "control/backups.py",  # the name of a file
    "gates/budget_names.py",  # the name of a period
    "surfaces/cli/demo/view.py",  # the hand of a clock, on a live screen
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_251_600.5, "2026-11-21T09:00:00.500Z"),
        (1_795_251_600.9999, "2026-11-21T09:00:00.999Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (1e300, f"@{1e300:.0f}"),
        (float("nan"), "@nan"),
        (float("inf"), "@inf"),
    ],
)
def test_a_moment_is_rfc_3339_in_utc_to_the_millisecond(seconds: float, text: str) -> None:
    """Programs read it back, and it is never later than the moment; what no calendar has is shown all the same."""
    assert moment_text(seconds) == text
    if not text.startswith("@"):
        assert 0 <= seconds - datetime.fromisoformat(text).timestamp() < 0.001


def test_nothing_else_writes_moments() -> None:
    """One way, one function: a second way to write a moment is a second thing to learn at night."""
    writing = re.compile(r"\.isoformat\(|\.strftime\(|fromtimestamp\(|TimeStamper\(")
    found = {str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if writing.search(file.read_text("utf-8"))}
    assert found <= EXCEPTIONS
