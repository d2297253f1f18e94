"""The remote's own wish to be left alone: ``Retry-After`` (RFC 9110 §10.2.3), or a member of a problem body (RFC 9457).

One parser for every HTTP client and for the connector. A wish is in seconds, or a date. Negative means: do not retry.
Nonsense is no wish. Nothing here reads a body: it takes what somebody has in memory.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping

from switchgear.policies.hints import moment_of

RETRY_AFTER_MAX = 31_536_000.0
"""A wish beyond a year is read as a year, in seconds."""

HINT_BODY_BYTES_MAX = 65_536
"""The longest body in which a wish is looked for, in bytes, as the caller reads it."""

HINT_MEMBERS = ("retry_after", "retryAfter", "retry-after")
"""The members of a JSON object that may hold a wish. The first that can be read counts."""

_SECONDS = re.compile(r"-?\d{1,15}(\.\d{1,9})?\Z", re.ASCII)
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER_FORMAT = zlib.MAX_WBITS | 32  # zlib tells by the first bytes whether it is gzip or its own


def stated_by(header: str | None, body: object) -> float | str | None:
    """Return what the remote states: seconds, the text of a date, or None for no wish that can be read.

    `header` is that of the answer, `body` the JSON value of its body or None. A header that can be read beats the body.
    """
    found = None if header is None else _readable(header)
    return _stated_in(body) if found is None else found


def retry_after_of(header: str | None, body: object, now: float) -> float | None:
    """Return the wish in seconds, None when there is none that can be read. Negative means: do not retry.

    `header` and `body` are those of `stated_by`; `now` is seconds since the epoch. A date that has passed is 0.
    """
    stated = stated_by(header, body)
    return _until(stated, now) if isinstance(stated, str) else stated


def announces_json(content_type: str | None) -> bool:
    """Return whether a content type is JSON (RFC 8259) or builds on it (RFC 6839), such as a problem document."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def json_in(content_type: str | None, body: bytes | None) -> object:
    """Return the JSON value of a body that announces one.

    None for any other, for one that cannot be read, and for one of more than `HINT_BODY_BYTES_MAX` bytes.
    """
    if not body or len(body) > HINT_BODY_BYTES_MAX or not announces_json(content_type):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None  # the body of a failure is read for a wish only


def unpacked(body: bytes, encoding: str | None) -> bytes | None:
    """Return a body without its ``Content-Encoding``: gzip, deflate or none.

    None for another coding, one that is broken, and a body of more than `HINT_BODY_BYTES_MAX` bytes.
    """
    coding = (encoding or "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in _CODINGS:
        return None
    try:
        plain = zlib.decompressobj(_EITHER_FORMAT).decompress(body, HINT_BODY_BYTES_MAX + 1)
    except zlib.error:
        return None
    return plain if len(plain) <= HINT_BODY_BYTES_MAX else None


def _stated_in(body: object) -> float | str | None:
    if not isinstance(body, Mapping):
        return None
    stated = (_readable(body.get(name)) for name in HINT_MEMBERS)
    return next((wish for wish in stated if wish is not None), None)


def _readable(value: object) -> float | str | None:
    """Return seconds within a year, the text of a date, or None."""
    if isinstance(value, str):
        text = value.strip()
        if _SECONDS.match(text):
            return _bounded(float(text))
        return None if moment_of(text) is None else text
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else _bounded(value)


def _bounded(seconds: float) -> float:
    return float(min(max(seconds, -RETRY_AFTER_MAX), RETRY_AFTER_MAX))


def _until(date: str, now: float) -> float | None:
    moment = moment_of(date)
    return None if moment is None else min(max(0.0, moment - now), RETRY_AFTER_MAX)
