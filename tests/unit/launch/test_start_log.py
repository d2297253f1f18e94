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
from switchgear.core.ids import IdSource
from switchgear.execution.engine import LeftOpen
from switchgear.execution.recovery import Recovered
from switchgear.gates.restoring.book import Mark, RestoreBook
from switchgear.gates.restoring.keeper import RestoreKeeper
from switchgear.health import Dependency, HealthBoard
from switchgear.launch.server import log_to_standard_error, tell_of_end, tell_of_recovery, tell_of_warnings
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.memory import MemoryStore
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


@pytest.mark.parametrize(
    ("left", "in_order", "told"),
    [
        (LeftOpen(0, 0), True, ("info", "stopped", 0, 0)),
        (LeftOpen(2, 3), True, ("info", "stopped", 2, 3)),
        (None, True, ("warning", "stopped", None, None)),
        (None, False, ("warning", "stopped at once", "-", "-")),
    ],
)
def test_a_log_has_an_end(left: LeftOpen | None, told: tuple[object, ...], *, in_order: bool) -> None:
    """Whoever reads it later sees that it stopped, what was left open, none included, and whether it was cut short."""
    with capture_logs() as lines:
        tell_of_end(left, in_order=in_order)
    (line,) = lines
    shown = (line["log_level"], line["event"], line.get("in_doubt", "-"), line.get("unfinished", "-"))
    assert shown == told


@pytest.mark.usefixtures("_usual_logging")
def test_a_frozen_store_is_an_event_of_a_log_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What reads the log finds it by its fields; without a log in JSON the same words are plain text for people."""
    log_to_standard_error(default("memory://", environment={}))
    book = RestoreBook(mark=Mark(backup_at=0.0, restored_at=1.0, sha256="0" * 64), read=True)
    clock = VirtualClock()
    store = MemoryStore(seal=seal)
    RestoreKeeper(book, store, clock=clock, ids=IdSource(clock), encoder=EventEncoder()).tell()
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert (line["level"], line["code"], line["backup_at"]) == (
        "critical",
        "RESTORE_PENDING",
        "1970-01-01T00:00:00.000Z",
    )
    assert "is frozen" in line["event"]
