"""Refusals as problem documents: ``application/problem+json``, RFC 9457.

The document has the facts of the error's `to_dict()`, and the title, status and advice of the code table; its ``type``
is the address of the code's runbook, by the one rule that a server of the gear goes by as well. What a
remote said in the attempts of a retry is left out: it is for the log, not for callers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from switchgear.adapters.asgi.headers import retry_after_fields
from switchgear.adapters.asgi.protocol import Fields
from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Denied, SwitchgearError
from switchgear.core.problems import MEDIA_TYPE, detail_of, is_defect, problem_members
from switchgear.runbooks import address_of

__all__ = ["MEDIA_TYPE", "Problem", "is_defect", "problem_answer", "problem_document"]

_KEPT_BACK = frozenset({"history"})


def problem_document(error: SwitchgearError, documentation: str | None = None) -> dict[str, Any]:
    """Return the problem document of an error. Every value fits into JSON.

    `documentation` is where the pages are published that ``type`` leads to; None where they are not.
    """
    kept = {name: value for name, value in error.facts().items() if name not in _KEPT_BACK}
    facts = {"decision": FACTS[error.code].decision, "retry_after": None, **kept}
    members = problem_members(error.code, detail=detail_of(error), facts=facts)
    return {**members, "type": address_of(error.code, documentation)}


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that tells a caller about an error: status, header fields, body, and the seconds to wait."""

    status: int
    fields: Fields
    body: bytes
    retry_after: float | None


def problem_answer(error: SwitchgearError, challenge: str, documentation: str | None = None) -> Problem:
    """Return the answer for `error`; `documentation` as for `problem_document`.

    `challenge` is what ``WWW-Authenticate`` says to a request without a tenant (RFC 9110 §11.6.1).
    """
    document = problem_document(error, documentation)
    body = json.dumps(document).encode()
    fields: Fields = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *retry_after_fields(document["retry_after"]),
    ]
    if isinstance(error, Denied) and error.code is Code.TENANT_UNAUTHENTICATED:
        fields.append((b"www-authenticate", challenge.encode("latin-1")))
    return Problem(document["status"], fields, body, document["retry_after"])
