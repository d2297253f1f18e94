"""One JSON object a log line, with what the line carries beside its text. Standard library only.

Guards log each transition of a breaker, throttled, to the logger ``switchgear.guard``. The record has `event`,
`guard`, `key`, `state`, `generation` and `retry_after` as extra fields; a plain formatter drops those, this one does
not. Nothing here chooses what is logged, or where to.
"""

from __future__ import annotations

import json
import logging
import math
from typing import Any

from switchgear.core.moments import moment_text

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Format records as JSON: ``handler.setFormatter(JsonFormatter())``.

    Each line has `at` (RFC 3339, UTC), `level`, `logger`, `message`, then the record's extra fields by name, and
    `exception` when there is one. What JSON cannot say is written as text.
    """

    def __init__(self) -> None:
        """Take no format: there is one."""
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": moment_text(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: _plain(value) for name, value in vars(record).items() if name not in _USUAL and name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _plain(value: object) -> object:
    """Return a number that JSON can say; infinity and not-a-number become text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
