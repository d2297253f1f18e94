"""Status and body → what is known of the action.

Defaults, unless the operation's `Outcomes` say otherwise:

    2xx             succeeded; in doubt when its body cannot be read as announced. A value that the ledger has no
                    room for is replaced by a note
    408, 425, 429   not applied, retryable, a failure of the dependency
    401, 403, 429   besides: of the tenant, whose credentials or quota it is
    other 4xx       not applied for good, no failure of the dependency; 404 and 410 to a GET or HEAD say NOT_FOUND,
                    which tells a lookup that the action it asks about did not happen
    5xx             in doubt, a failure of the dependency
    3xx             never followed, EGRESS_DENIED: not applied when the request was safe (GET, HEAD) or the remote
                    demands it again elsewhere (307, 308); in doubt otherwise: 303 usually means "done, look there".
                    What follows from doubt is the effect's business, so a keyed action repeats with its key

What a status says about the dependency, and how its wish to wait is read, is one table for all HTTP: that of the
adapters, `http_outcomes` and `http_hints`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from switchgear.adapters.http_hints import json_in, retry_after_of
from switchgear.adapters.http_outcomes import verdict_of
from switchgear.connectors.http.answer import Answer
from switchgear.connectors.http.specification import HttpOperation
from switchgear.connectors.values import brief, parse_json, recordable
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Succeeded, Uncertain

_SAFE = frozenset({"GET", "HEAD"})
_REPEATED_ELSEWHERE = frozenset({307, 308})
_TOO_MANY = 429
_OF_TENANT = frozenset({401, 403, _TOO_MANY})
_MISSING = frozenset({404, 410})


def result_of(operation: HttpOperation, answer: Answer, now: float) -> Result:
    """Return what is known of the action. `now` is seconds since the epoch, for a ``Retry-After`` date."""
    standing = operation.outcomes.standing(answer.status)
    if standing == "succeeded":
        return _succeeded(operation, answer)
    if standing == "redirect":
        return _redirected(operation, answer)
    wish = retry_after_of(answer.retry_after, json_in(answer.content_type, answer.body), now)
    if standing == "not_applied":
        return _refused(operation, answer, wish)
    return Uncertain(Code.DEPENDENCY_FAILED, _message(answer), verdict_of(answer.status), wish)


def _succeeded(operation: HttpOperation, answer: Answer) -> Result:
    if operation.result == "none":
        return Succeeded()
    if answer.problem:
        return Uncertain(Code.DEPENDENCY_FAILED, f"answered {answer.status}, but {answer.problem}")
    if not answer.body:
        return Succeeded()
    try:
        return Succeeded(recordable(_value(operation, answer)))
    except ValueError as error:
        return Uncertain(
            Code.DEPENDENCY_FAILED, f"answered {answer.status}, but its body is unreadable: {brief(error)}"
        )


def _value(operation: HttpOperation, answer: Answer) -> object:
    if operation.result == "json" or (operation.result == "auto" and answer.announces_json):
        return parse_json(answer.body)
    return answer.body.decode("utf-8")


def _refused(operation: HttpOperation, answer: Answer, wish: float | None) -> Refused:
    retryable = operation.outcomes.is_retryable(answer.status) and not (wish is not None and wish < 0)
    return Refused(
        _code_of(operation, answer.status, retryable=retryable),
        _message(answer),
        retryable,
        verdict_of(answer.status),
        wish if retryable else None,
        of_tenant=answer.status in _OF_TENANT,
    )


def _code_of(operation: HttpOperation, status: int, *, retryable: bool) -> Code:
    if retryable:
        return Code.RATE_LIMITED_CONNECTOR if status == _TOO_MANY else Code.DEPENDENCY_FAILED
    return Code.NOT_FOUND if status in _MISSING and operation.method in _SAFE else Code.TOOL_FAILED


def _redirected(operation: HttpOperation, answer: Answer) -> Result:
    place = _host_of(answer.location)
    message = f"answered {answer.status}, a redirect{f' to {place}' if place else ''}; redirects are never followed"
    if operation.method in _SAFE or answer.status in _REPEATED_ELSEWHERE:
        return Refused(Code.EGRESS_DENIED, message, retryable=False, verdict=Verdict.SUCCESS)
    return Uncertain(Code.EGRESS_DENIED, message, Verdict.SUCCESS)


def _host_of(location: str | None) -> str:
    """Return host and port alone: the rest of a location may carry a token."""
    try:
        return brief(urlsplit(location or "").netloc.rpartition("@")[2])
    except ValueError:
        return ""


def _message(answer: Answer) -> str:
    text = brief(answer.body[:2_000].decode("utf-8", errors="replace"))
    return f"answered {answer.status}{f': {text}' if text else ''}"
