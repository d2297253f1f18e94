"""What every problem document of the house has in common: ``application/problem+json``, RFC 9457.

A surface or an adapter decides which facts it tells and in what order, adds members of its own, and makes the
response. Here is what may not differ between them: the media type, the URI of a code, the members that the code table
fills, what is kept from callers, and how a wait is rounded. Nothing here knows HTTP libraries or writes JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    DeadlineExceeded,
    InDoubt,
    NotApplied,
    OptionError,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)

MEDIA_TYPE = "application/problem+json"
"""The media type of a problem document in JSON (RFC 9457 §3)."""


def problem_type(code: Code) -> str:
    """Return the URI that identifies problems of `code`: the member ``type`` (RFC 9457 §3.1.1)."""
    return f"urn:switchgear:code:{code}"


def problem_members(
    code: Code, *, detail: str, facts: Mapping[str, Any], status: int | None = None, instance: str | None = None
) -> dict[str, Any]:
    """Return the members of a problem document, in the order in which they are sent.

    detail    what happened this time, in words for the caller
    facts     what is known beside code and detail, in its own order, between ``code`` and ``advice``
    status    the HTTP status; None means that of the code
    instance  the URI of this one occurrence (RFC 9457 §3.1.5); None leaves the member out
    """
    known = FACTS[code]
    return {
        "type": problem_type(code),
        "title": known.meaning,
        "status": known.http_status if status is None else status,
        "detail": detail,
        **({} if instance is None else {"instance": instance}),
        "code": str(code),
        **facts,
        "advice": known.advice,
    }


def is_defect(error: SwitchgearError) -> bool:
    """Whether `error` is for the people who run the service: its text belongs into the log, not into an answer."""
    return error.code is Code.INTERNAL or isinstance(error, (OptionError, StoreError))


def detail_of(error: SwitchgearError) -> str:
    """Return what a caller may read of `error`: its message, where it is all our own, else the meaning of its code.

    What went wrong at a remote may quote a URL with a key in it. That is for the log of who runs the service.
    """
    quotes = isinstance(error, (RetryExhausted, DeadlineExceeded, InDoubt, NotApplied))  # what a remote said, perhaps
    told = "" if quotes or is_defect(error) else error.message
    return told or FACTS[error.code].meaning


def retry_after_text(seconds: float | None) -> str | None:
    """Return the value of ``Retry-After``: whole seconds, rounded up, at least 0 (RFC 9110 §10.2.3).

    None when waiting does not help, so that the field is not sent: `seconds` is None, infinite or not a number.
    """
    if seconds is None or not math.isfinite(seconds):
        return None
    return str(max(0, math.ceil(seconds)))
