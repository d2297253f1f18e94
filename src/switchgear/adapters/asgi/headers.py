"""Header fields: what tells a caller its limits, and what tells us how much time the caller gives.

Limits are told as in draft-ietf-httpapi-ratelimit-headers-11: two lists of structured fields (RFC 9651). Partition
keys are not sent. Nothing here decides whether a request is let in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence

from switchgear.adapters.asgi.checks import are_several
from switchgear.adapters.asgi.protocol import Fields
from switchgear.core.errors import Invalid, OptionError
from switchgear.core.problems import retry_after_text
from switchgear.policies.levels import LEVELS, Level, Standing
from switchgear.policies.rate_limit import RateLimit

GRPC_TIMEOUT_HEADER = "grpc-timeout"

SHOWN: tuple[Level, ...] = ("tenant", "connector", "tool")
"""The levels that callers are told by default: not the global one, which tells them of each other's traffic."""

_INTEGER_MAX = 999_999_999_999_999  # of a structured field, RFC 9651 §3.3.1
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_GRPC_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])\Z")
_GRPC_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def checked_shown(levels: Collection[Level]) -> frozenset[Level]:
    """Return the levels to tell. Raises `OptionError` for a word that is no level."""
    if not are_several(levels) or any(level not in LEVELS for level in levels):
        raise OptionError(f'shown= takes levels such as ("tenant", "tool"), not {levels!r}')
    return frozenset(levels)


def limit_fields(standings: Sequence[Standing], shown: Collection[Level], retry_after: float | None = None) -> Fields:
    """Return ``RateLimit-Policy`` and ``RateLimit`` for the levels in `shown`; nothing when there are none.

    Beside a `retry_after` no level names a later moment, as the draft asks of both fields together: it names none.
    """
    standings = [standing for standing in standings if standing.level in shown]
    if not standings:
        return []
    policies = ", ".join(f'"{standing.level}";{_policy(standing.limit)}' for standing in standings)
    limits = ", ".join(f'"{standing.level}";{_state(standing, retry_after)}' for standing in standings)
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode())]


def retry_after_fields(seconds: float | None) -> Fields:
    """Return ``Retry-After`` in whole seconds, rounded up (RFC 9110 §10.2.3); nothing when waiting does not help."""
    text = retry_after_text(seconds)
    return [] if text is None else [(b"retry-after", text.encode())]


def values_of(fields: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    """Return the values of a header field, in order, without blanks round them."""
    wanted = name.lower().encode("latin-1")
    return [value.decode("latin-1").strip() for field, value in fields if field.lower() == wanted]


def wished_seconds(fields: Iterable[tuple[bytes, bytes]], header: str) -> float | None:
    """Return the time the caller gives: the shortest of all that the two headers say, None when they say nothing.

    `header` is in seconds with an optional fraction, ``grpc-timeout`` as gRPC over HTTP/2 writes it: digits and one
    of ``H M S m u n``. Raises `Invalid` for anything else.
    """
    fields = list(fields)
    wishes = [_seconds(header, text) for text in values_of(fields, header)]
    wishes += [_grpc_seconds(text) for text in values_of(fields, GRPC_TIMEOUT_HEADER)]
    return min(wishes, default=None)


def _policy(limit: RateLimit) -> str:
    """Return quota and window: a full bucket in the seconds that refill it, or a second's rate when that is more."""
    window = limit.bucket / limit.per_second
    quota = limit.bucket if window >= 1.0 else limit.per_second
    return f"q={_whole(quota)};w={_whole(max(1, math.ceil(window)))}"


def _state(standing: Standing, retry_after: float | None) -> str:
    """Return the units that remain, and the seconds until there are more of them, rounded up."""
    remaining, reset = _whole(standing.remaining), math.ceil(standing.reset)
    if reset == 0 or (retry_after is not None and reset > math.ceil(retry_after)):
        return f"r={remaining}"
    return f"r={remaining};t={_whole(reset)}"


def _whole(value: float) -> int:
    return min(_INTEGER_MAX, int(value))


def _seconds(header: str, text: str) -> float:
    if not _SECONDS.match(text):
        raise Invalid(f"header:{header}: must be seconds such as 2.5", policy="request")
    return float(text)


def _grpc_seconds(text: str) -> float:
    found = _GRPC_TIMEOUT.match(text)
    if found is None:
        raise Invalid(f"header:{GRPC_TIMEOUT_HEADER}: must be digits and a unit, such as 250m", policy="request")
    return int(found[1]) * _GRPC_UNITS[found[2]]
