"""Moments and lengths of time as somebody writes them on a command line; a server gets numbers."""

from __future__ import annotations

import re
from datetime import datetime

from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage

MOMENT_FORMS = "2026-11-21T09:00:00Z, or seconds since the epoch"
LENGTH_FORMS = "seconds, or such as 90s, 10m, 1h, 2d"
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d)")
_MILLISECONDS_FROM = 1e11
"""As seconds since the epoch this is beyond the year 5000; as milliseconds it is in 1973."""


def epoch_of(text: str) -> float:
    """Return the seconds since the epoch that `text` names.

    Raises `CommandFailure` (USAGE) for a time without zone, and for what must be milliseconds.
    """
    try:
        number = float(text)
    except ValueError:
        return _moment_of(text)
    if _MILLISECONDS_FROM <= number < float("inf"):
        raise failure_of_usage(
            f"{text} looks like milliseconds: write seconds since the epoch",
            advice=f"As milliseconds it is {number / 1000:.3f} in seconds.",
        )
    return number


def seconds_of(text: str) -> float:
    """Return the seconds that a length of time is. Raises `CommandFailure` (USAGE) for what is none."""
    try:
        return float(text)
    except ValueError:
        pass
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise failure_of_usage(
            f"{text!r} is no length of time", advice=f"Write {LENGTH_FORMS}; 3600 and 1h are the same."
        )
    return float(found[1]) * _UNITS[found[2]]


def _moment_of(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _no_time(text) from error
    if found.tzinfo is None:
        raise _no_time(text)
    return found.timestamp()


def _no_time(text: str) -> CommandFailure:
    return failure_of_usage(
        f"{text!r} is no time",
        advice="Write it with its zone, such as 2026-11-21T09:00:00Z, or as seconds since the epoch.",
    )
