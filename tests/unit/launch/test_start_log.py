"""What a server says when it starts on what another one left behind."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from switchgear.execution.recovery import Recovered
from switchgear.launch.server import tell_of_recovery


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (Recovered(queued=3), "info"),
        (Recovered(queued=3, in_doubt=1), "warning"),
        (Recovered(unreadable=1), "warning"),
    ],
)
def test_a_start_says_in_one_line_what_it_found(found: Recovered, level: str) -> None:
    """Whoever starts it after a crash need not ask; what needs a look is a warning."""
    with capture_logs() as lines:
        tell_of_recovery(found)
    (line,) = lines
    counts = (line["queued"], line["in_doubt"], line["unreadable"])
    assert (line["log_level"], counts) == (level, (found.queued, found.in_doubt, found.unreadable))


def test_a_start_on_nothing_says_nothing() -> None:
    """A line that is always there is not read."""
    with capture_logs() as lines:
        tell_of_recovery(Recovered())
    assert lines == []
