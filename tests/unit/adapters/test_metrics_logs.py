"""`JsonFormatter`: one JSON object a line, with the fields that a record carries beside its text."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from switchgear.adapters.logs import JsonFormatter
from switchgear.core.clock import VirtualClock
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the line of a record."""
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return line


def record_of(**extra: object) -> logging.LogRecord:
    """Return a record with extra fields, as `extra=` makes it."""
    return logging.getLogger("switchgear.guard").makeRecord(
        "switchgear.guard", logging.WARNING, __file__, 1, "breaker of %s\nopened", ("crm",), None, extra=extra
    )


def test_a_line_has_the_text_and_every_extra_field() -> None:
    """What a plain formatter drops is there by name, and nothing else of the record is."""
    fields = {"guard": "crm", "key": None, "state": "open", "generation": 3, "retry_after": 9.5, "event": "opened"}
    line = line_of(record_of(**fields))
    at = line.pop("at")
    assert line == {
        "level": "warning",
        "logger": "switchgear.guard",
        "message": "breaker of crm\nopened",
        **fields,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)


def test_an_extra_field_never_replaces_what_every_line_has() -> None:
    """A field that is called `level` does not hide the level."""
    assert line_of(record_of(level="forged", logger="forged", at="forged"))["level"] == "warning"


def test_values_that_json_cannot_say_become_text() -> None:
    """A line is valid JSON whatever is logged."""
    line = line_of(record_of(retry_after=float("inf"), state={1, 2}, error=ValueError("x")))
    assert (line["retry_after"], line["error"]) == ("inf", "x")


def test_an_exception_is_in_the_line() -> None:
    """The traceback is one field, not many lines."""
    record = record_of()
    record.exc_info = (ValueError, ValueError("broken"), None)
    assert line_of(record)["exception"] == "ValueError: broken"


def test_a_transition_is_one_line_with_every_fact(caplog: pytest.LogCaptureFixture) -> None:
    """Guard, key, state, generation and the wait are fields of the record, and what was left out is counted."""
    clock = VirtualClock()
    guard = Guard("crm", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=clock)
    with caplog.at_level(logging.INFO, "switchgear.guard"):
        for key in ("a", "b", "c"):
            guard.key(key).permit_nowait().fail()
        clock.advance(5.0)
        guard.permit_nowait().fail()
    first, last = (line_of(record) for record in caplog.records)
    facts = ("event", "guard", "key", "state", "retry_after", "left_out")
    assert [first[name] for name in facts] == ["opened", "crm", "a", "open", 10.0, 0]
    assert [last[name] for name in facts] == ["opened", "crm", None, "open", 10.0, 2]
    assert first["generation"] == 1
