"""The remote's own wish to be left alone: ``Retry-After`` (RFC 9110, 10.2.3), or `retry_after` in a problem body."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRY_AFTER_MAX = 31_536_000.0
"""A wish beyond a year is read as a year, in seconds."""

_SECONDS = re.compile(r"-?\d{1,15}(\.\d{1,9})?\Z", re.ASCII)


def retry_after_of(header: str | None, body: object, now: float) -> float | None:
    """Return the wish in seconds, None when there is none that can be read. Negative means: do not retry.

    `header` is seconds or an HTTP date; `now` is seconds since the epoch. A date that has passed is 0. The header
    beats the member ``retry_after`` of a JSON body.
    """
    if header is not None:
        found = _from_header(header.strip(), now)
        if found is not None:
            return found
    return _from_body(body)


def _from_header(text: str, now: float) -> float | None:
    if _SECONDS.match(text):
        return min(float(text), RETRY_AFTER_MAX)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds()), RETRY_AFTER_MAX)


def _from_body(body: object) -> float | None:
    value = body.get("retry_after") if isinstance(body, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return min(float(value), RETRY_AFTER_MAX)
