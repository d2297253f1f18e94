"""Read what a request says in its headers: token, idempotency key, preferences, correlation.

Each function raises `MalformedRequest` that names the header, or `Denied` for a missing token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Protocol

from starlette.datastructures import Headers

from switchgear.core.codes import Code
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.surfaces.rest.problems import malformed

KEY_LENGTH_MAX = 255
"""The longest idempotency key, in characters."""
CORRELATION_HEADER = "X-Correlation-ID"

_QUOTED_KEY = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\Z')
_BARE_KEY = re.compile(r"[!#-+\--:<-\[\]-~]+\Z")
_CORRELATION = re.compile(r"[!-~]{1,128}\Z")
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~\w-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s",;]*)))?')
_WHOLE_SECONDS = re.compile(r"[0-9]{1,9}\Z")


class Verifier(Protocol):
    """Turns a token into whom it speaks for, as `switchgear.control.access.TokenVerifier` does."""

    def verify(self, token: str) -> Principal:
        """Return whom `token` speaks for. Raises `Denied` (TENANT_UNAUTHENTICATED)."""


def bearer_token(headers: Headers) -> str:
    """Return the bearer token (RFC 6750 §2.1). Raises `Denied` (TENANT_UNAUTHENTICATED) without one."""
    values = headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Denied(
            "send the header `Authorization: Bearer …` once",
            code=Code.TENANT_UNAUTHENTICATED,
            policy="authorization",
        )
    return token.strip()


def idempotency_key(headers: Headers) -> str | None:
    """Return the ``Idempotency-Key``: a quoted string (RFC 8941 §3.3.3) or a bare word; None without one."""
    text = _single(headers, "Idempotency-Key")
    if text is None:
        return None
    quoted = _QUOTED_KEY.match(text)
    if quoted is None and not _BARE_KEY.match(text):
        raise malformed("header:Idempotency-Key", 'must be a quoted ASCII string such as "order-17"')
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise malformed("header:Idempotency-Key", f"must have 1 to {KEY_LENGTH_MAX} characters")
    return key


def wished_wait(headers: Headers, wait_max: float) -> int | None:
    """Return the seconds of ``Prefer: wait=N`` (RFC 7240 §4.3), at most `wait_max`; None without the wish."""
    for name, value in _preferences(headers):
        if name == "wait":
            if not _WHOLE_SECONDS.match(value):
                raise malformed("header:Prefer", "wait must be whole seconds of at least 0")
            return min(int(value), math.floor(wait_max))
    return None


def correlation(headers: Headers) -> str | None:
    """Return the caller's own id of what this belongs to: 1 to 128 visible ASCII characters, or None."""
    text = _single(headers, CORRELATION_HEADER)
    if text is not None and not _CORRELATION.match(text):
        raise malformed(f"header:{CORRELATION_HEADER}", "must be 1 to 128 visible ASCII characters")
    return text


def _single(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise malformed(f"header:{name}", "must be sent once")
    return values[0].strip() if values else None


def _preferences(headers: Headers) -> Iterator[tuple[str, str]]:
    for value in headers.getlist("prefer"):
        for part in value.split(","):
            found = _PREFERENCE.match(part)
            if found is not None:
                yield found[1].lower(), found[2] or found[3] or ""
