"""What a server says when it starts on what another one left behind, and of what happens while it runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from switchgear.assembly.configuration import default, load
from switchgear.execution.recovery import Recovered
from switchgear.health import Dependency, HealthBoard
from switchgear.launch.server import log_to_standard_error, tell_of_end, tell_of_recovery, tell_of_warnings
from switchgear.testing import VirtualClock


@pytest.fixture
def _usual_logging() -> Iterator[None]:
    """Put back what configuring the log of a server changes in the whole process."""
    root, own = logging.getLogger(), logging.getLogger("switchgear")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    own.setLevel(own_level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_usual_logging")
def test_the_log_of_a_server_shows_a_recovery_as_it_shows_an_outage(capsys: pytest.CaptureFixture[str]) -> None:
    """The person on call sees from the log alone when it is over, and when it is looked at next."""
    log_to_standard_error(default("memory://", environment={}))
    clock = VirtualClock()
    board = HealthBoard([Dependency("redis", kind="redis", flap_changes=4)], clock=clock)
    board.plan_probes("redis")
    for _ in range(3):
        for polarity in ("absent", "absent", "absent", "positive", "positive"):
            clock.advance(6.0)
            board.observe("redis", polarity, "probe", detail="PONG")
    logging.getLogger("another.library").info("chatter")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(line["before"], line["after"], line["level"]) for line in lines]
    assert told[:3] == [
        ("unknown", "unhealthy", "warning"),
        ("unhealthy", "recovering", "info"),
        ("recovering", "healthy", "info"),
    ]
    assert all("next look in" in line["event"] and line["retry_after"] > 0 for line in lines)
    assert "(flapping)" in lines[-1]["event"]
    assert lines[-1]["flapping"] is True


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


_NEVER_VOUCHED = """
[store]
url = "memory://"

[dependencies.crm]
kind = "http"
probe = false

[tools."contacts.purge"]
function = "switchgear.assembly.templates.sample:count_words"
requires = ["crm"]
effect = "keyed"
destructive = true
"""


def test_a_start_says_what_check_warns_of(tmp_path: Path) -> None:
    """A destructive tool that is held for ever is found by whoever reads the log, also if nobody ran `check`."""
    file = tmp_path / "switchgear.toml"
    file.write_text(_NEVER_VOUCHED, encoding="utf-8")
    with capture_logs() as lines:
        tell_of_warnings(load(file))
    assert [line["log_level"] for line in lines] == ["warning"]
    assert "dependencies.crm.probe" in lines[0]["warning"]
    assert "'contacts.purge', which is destructive, is held for ever" in lines[0]["warning"]


def test_a_start_on_a_sound_file_warns_of_nothing() -> None:
    """Only what needs a look is a warning."""
    with capture_logs() as lines:
        tell_of_warnings(default("memory://", environment={}))
    assert lines == []


@pytest.mark.parametrize(("in_order", "told"), [(True, ("info", "stopped")), (False, ("warning", "stopped at once"))])
def test_a_log_has_an_end(told: tuple[str, str], *, in_order: bool) -> None:
    """Whoever reads it later sees that it stopped, and whether it was cut short."""
    with capture_logs() as lines:
        tell_of_end(in_order=in_order)
    assert [(line["log_level"], line["event"]) for line in lines] == [told]
