"""Moments and lengths of time as somebody writes them on a command line; a server gets numbers.

Every option of a time is made here, so that all take the same forms and each failure names the option that was typed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import typer

from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage
from switchgear.surfaces.cli.rendering import span

MOMENT_FORMS = "2026-11-21T09:00:00Z, or seconds since the epoch"
LENGTH_FORMS = "seconds, or such as 90s, 10m, 1h, 2d"
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d)")
_MILLISECONDS_FROM = 1e11
"""As seconds since the epoch this is beyond the year 5000; as milliseconds it is in 1973."""


def length_option(option: str, words: str, *, least: float = 0.0, most: float = math.inf) -> Any:  # noqa: ANN401 - what Annotated takes
    """Return the option of a length of time, in seconds, that is at least `least` and at most `most`.

    `words` say what it is for. What is typed wrongly is a `CommandFailure` (USAGE) that names `option`.
    """

    def parsed(text: str) -> float:
        seconds = _named(option, seconds_of, text)
        if not least <= seconds <= most:
            side = f"below {span(least)}" if seconds < least else f"above {span(most)}"
            raise failure_of_usage(f"{option}: {text} is {side}", advice=f"Write {option} with a length: {bounds}.")
        return seconds

    bounds = f"{LENGTH_FORMS}{_bounds(least, most)}"
    return typer.Option(option, metavar="SECONDS", parser=parsed, help=f"{words}: {bounds}.")


def moment_option(option: str, words: str) -> Any:  # noqa: ANN401 - what Annotated takes
    """Return the option of a moment, in seconds since the epoch; as `length_option` does."""

    def parsed(text: str) -> float:
        return _named(option, epoch_of, text)

    return typer.Option(option, metavar="TIME", parser=parsed, help=f"{words}: {MOMENT_FORMS}.")


def epoch_of(text: str) -> float:
    """Return the seconds since the epoch that `text` names.

    Raises `CommandFailure` (USAGE) for a time without zone, and for what must be milliseconds.
    """
    try:
        number = float(text)
    except ValueError:
        return _moment_of(text)
    if not math.isfinite(number):
        raise _no_time(text)
    if number >= _MILLISECONDS_FROM:
        raise failure_of_usage(
            f"{text} looks like milliseconds: write seconds since the epoch",
            advice=f"As milliseconds it is {number / 1000:.3f} in seconds.",
        )
    return number


def seconds_of(text: str | float) -> float:
    """Return the seconds that a length of time is; an option's default is a number already.

    Raises `CommandFailure` (USAGE) for what is none.
    """
    found = _LENGTH.fullmatch(str(text).strip())
    try:
        seconds = float(text) if found is None else float(found[1]) * _UNITS[found[2]]
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise failure_of_usage(
            f"{text!r} is no length of time", advice=f"Write {LENGTH_FORMS}; 3600 and 1h are the same."
        )
    return seconds


def _named(option: str, read: Callable[[str], float], text: str) -> float:
    try:
        return read(text)
    except CommandFailure as failure:
        raise failure_of_usage(f"{option}: {failure}", advice=failure.advice) from failure


def _bounds(least: float, most: float) -> str:
    said = [f"at least {span(least)}"] if least else []
    if most < math.inf:
        said.append(f"at most {span(most)}")
    return f"; {' and '.join(said)}" if said else ""


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
