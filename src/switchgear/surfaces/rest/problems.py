"""Every error as a problem document: ``application/problem+json``, RFC 9457.

One place turns errors into responses. It never passes on what an unexpected error says, nor a store's
message, which may name a file: those go to the log, and the caller gets the code and the trace to ask about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Denied, Invalid, Rejected, SwitchgearError
from switchgear.core.problems import MEDIA_TYPE, detail_of, problem_members, retry_after_text
from switchgear.core.problems import is_defect as is_own_defect
from switchgear.runbooks import address_of

__all__ = [
    "MEDIA_TYPE",
    "FieldError",
    "MalformedRequest",
    "code_of",
    "error_closes_connection",
    "is_defect",
    "malformed",
    "problem_document",
    "problem_response",
]

_REALM = 'Bearer realm="switchgear"'
_REFUSAL = Rejected().facts()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request. `where` is a JSON pointer, ``header:NAME`` or ``query:NAME``."""

    where: str
    message: str


class MalformedRequest(Invalid):
    """A request that cannot be understood. `errors` says where; `status` overrides the code's HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        errors: Sequence[FieldError] = (),
        code: Code = Code.INVALID_ARGUMENT,
        status: int | None = None,
    ) -> None:
        """Keep the facts."""
        super().__init__(message, code=code, policy="request")
        self.errors = tuple(errors)
        self.status = status


def malformed(where: str, message: str) -> MalformedRequest:
    """Return a `MalformedRequest` about one place."""
    return MalformedRequest(f"{where}: {message}", errors=[FieldError(where, message)])


def is_defect(error: Exception) -> bool:
    """Whether `error` is ours to look at, so that it belongs into the log with all it says."""
    return is_own_defect(error) if isinstance(error, SwitchgearError) else code_of(error) is Code.INTERNAL


def problem_document(error: Exception, trace_id: str, documentation: str | None = None) -> dict[str, Any]:
    """Return the problem document of any error, with every member always present.

    `documentation` is where the pages are published that ``type`` leads to; None where they are not.
    """
    code = code_of(error)
    own = error.facts() if isinstance(error, SwitchgearError) else {}
    members = problem_members(
        code,
        detail=_detail(error, code),
        facts={**_REFUSAL, "decision": FACTS[code].decision, **own},
        status=_status(error, code),
        instance=f"urn:switchgear:trace:{trace_id}",
    )
    errors = list(error.errors) if isinstance(error, MalformedRequest) else []
    return {**members, "type": address_of(code, documentation), "trace": trace_id, "errors": errors}


def problem_response(error: Exception, trace_id: str, documentation: str | None = None) -> Response:
    """Return the response that tells the caller about `error`; `documentation` as for `problem_document`."""
    document = problem_document(error, trace_id, documentation)
    headers = {**_headers_of(error), **_retry_after(document["retry_after"])}
    return Response(
        msgspec.json.encode(document), status_code=document["status"], headers=headers, media_type=MEDIA_TYPE
    )


def code_of(error: Exception) -> Code:
    """Return the code of any error: its own, one that fits an HTTP status, else INTERNAL."""
    if isinstance(error, SwitchgearError):
        return error.code
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Code.NOT_FOUND if error.status_code == HTTPStatus.NOT_FOUND else Code.INVALID_ARGUMENT
    return Code.INTERNAL


def _status(error: Exception, code: Code) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    own = error.status if isinstance(error, MalformedRequest) else None
    return own or FACTS[code].http_status


def _detail(error: Exception, code: Code) -> str:
    if isinstance(error, HTTPException):
        return "there is no such path" if code is Code.NOT_FOUND else error.detail
    return detail_of(error) if isinstance(error, SwitchgearError) else FACTS[code].meaning


def _headers_of(error: Exception) -> Mapping[str, str]:
    if isinstance(error, HTTPException):
        return error.headers or {}
    if isinstance(error, Denied) and error.code is Code.TENANT_UNAUTHENTICATED:
        return {"WWW-Authenticate": f'{_REALM}, error="invalid_token"' if error.policy == "token" else _REALM}
    if error_closes_connection(error):
        return {"Connection": "close"}
    return {}


def error_closes_connection(error: Exception) -> bool:
    """Whether the rest of the request was left unread, so that the connection cannot be used again."""
    unread = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT)
    return code_of(error) is Code.PAYLOAD_TOO_LARGE or _status(error, code_of(error)) in unread


def _retry_after(seconds: float | None) -> Mapping[str, str]:
    """Return the header; none when waiting does not help."""
    text = retry_after_text(seconds)
    return {} if text is None else {"Retry-After": text}
