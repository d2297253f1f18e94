"""What HTTP says about a dependency: which statuses fail, what may be sent again, what may have left.

One table for every HTTP client and for the connector. The rows for a client's own errors stand in its module, in the
words of `switchgear.adapters.gate`. Nothing here sends, waits or imports a client.
"""

from __future__ import annotations

from collections.abc import Callable

from switchgear.adapters.gate import Row
from switchgear.adapters.http_hints import HINT_BODY_BYTES_MAX
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, Rejected
from switchgear.core.outcome import Verdict

OVERLOADED_STATUSES: tuple[int, ...] = (408, 425, 429)
"""Statuses by which a server says: not now. The request was not carried out, and another attempt may help."""

FAILING_STATUSES: frozenset[int] = frozenset({*OVERLOADED_STATUSES, *range(500, 600)})
"""Statuses that less traffic would change: the dependency failed. Every other status is a success, 404 too."""

KEY_HEADER = "Idempotency-Key"
"""The header by which a server recognises a request that it has had before (draft-ietf-httpapi-idempotency-key)."""

SMALL_BODY_BYTES_MAX = HINT_BODY_BYTES_MAX
"""The body of a failing answer is read at once up to this length, so that its connection is free for others,
and for a wish of the server that stands in it."""

_EFFECTS = {
    "GET": Effect.READ_ONLY,
    "HEAD": Effect.READ_ONLY,
    "OPTIONS": Effect.READ_ONLY,
    "TRACE": Effect.READ_ONLY,
    "PUT": Effect.NATURAL,
    "DELETE": Effect.NATURAL,
}


def verdict_of(status: int) -> Verdict:
    """Return what a status says about the dependency: 408, 425, 429 and 5xx are failures."""
    return Verdict.FAILURE if status in FAILING_STATUSES else Verdict.SUCCESS


def effect_of(method: str, *, keyed: bool, replayable: bool) -> Effect:
    """Return what sending the request a second time would do (RFC 9110 §9.2.2).

    `keyed` says that it carries an ``Idempotency-Key``; `replayable` that its body can be sent again.
    """
    if not replayable:
        return Effect.OPAQUE
    return _EFFECTS.get(method.upper()) or (Effect.KEYED if keyed else Effect.OPAQUE)


def is_small(content_length: str | None) -> bool:
    """Return whether a ``Content-Length`` announces a body of at most `SMALL_BODY_BYTES_MAX`."""
    length = (content_length or "").strip()
    return length.isascii() and length.isdigit() and int(length[:20]) <= SMALL_BODY_BYTES_MAX


def may_have_left(error: BaseException, row_of: Callable[[Exception], Row]) -> bool:
    """Return whether the server may have had the request, when it ended with `error`. In doubt, it may."""
    if isinstance(error, Rejected):
        return False
    if isinstance(error, DeadlineExceeded):
        return error.sent
    return not isinstance(error, Exception) or row_of(error).may_have_left
