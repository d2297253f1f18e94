"""What a server says of when to come back: seconds, or a date (``Retry-After``, RFC 9110 §10.2.3).

Reads errors that somebody else made, by the names that client libraries use. What HTTP clients make of the header of
an answer, and of its body, is for the adapters to say; both read dates here.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from math import inf, isnan


def hint_of(error: BaseException, wall_now: float) -> float | None:
    """Return the seconds that `error` asks to wait, or None when it does not say.

    Read from a numeric `retry_after` of the error, else from the `Retry-After` header of its `response`, which
    is seconds or a date (compared with `wall_now`, seconds since the epoch). Negative means: do not retry.
    """
    stated = getattr(error, "retry_after", None)
    if stated is None:
        headers = getattr(getattr(error, "response", None), "headers", None)
        get = getattr(headers, "get", None)
        stated = (get("Retry-After") or get("retry-after")) if callable(get) else None
    return _seconds(stated, wall_now)


def moment_of(date: str) -> float | None:
    """Return the seconds since the epoch that an HTTP date means, None when it cannot be read.

    A date without a zone is in UTC, as HTTP has it: never in the zone of this machine.
    """
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(stated: object, wall_now: float) -> float | None:
    if isinstance(stated, (int, float)):
        return _as_float(stated)
    if not isinstance(stated, str):
        return None
    try:
        return _as_float(float(stated))
    except ValueError:
        moment = moment_of(stated)
        return None if moment is None else max(0.0, moment - wall_now)


def _as_float(stated: float) -> float | None:
    """Return the seconds; infinity for more than a float holds, None for what is no number."""
    try:
        seconds = float(stated)
    except OverflowError:
        return inf if stated > 0 else -inf
    return None if isnan(seconds) else seconds
