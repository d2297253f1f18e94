"""Errors as problem documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    CircuitOpen,
    DeadlineExceeded,
    Denied,
    OptionError,
    RateLimited,
    Rejected,
    StoreError,
    SwitchgearError,
)
from switchgear.surfaces.rest.problems import MalformedRequest, malformed, problem_document, problem_response

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "policy",
    "dependency",
    "state",
    "retry_after",
    "decision",
    "advice",
    "trace",
    "errors",
}


def body_of(error: Exception) -> dict[str, Any]:
    """Return the problem document of `error` after a round trip through its bytes."""
    response = problem_response(error, TRACE)
    document: dict[str, Any] = json.loads(bytes(response.body))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code == document["status"]
    return document


@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_a_whole_problem(code: Code) -> None:
    """Law 8: every refusal carries code, policy, dependency, state, retry_after and decision."""
    document = body_of(Rejected(code=code))
    assert set(document) == MEMBERS
    assert document["status"] == FACTS[code].http_status
    assert document["type"] == f"urn:switchgear:code:{code}"
    assert document["instance"] == f"urn:switchgear:trace:{TRACE}"
    assert (document["code"], document["decision"]) == (code, FACTS[code].decision)


def test_the_type_is_the_address_of_the_runbook_where_it_is_published() -> None:
    """RFC 9457 §3.1.1: a type that is an address leads to a page for people; the code stays what programs compare."""
    document = problem_document(RateLimited(code=Code.RATE_LIMITED_TENANT), TRACE, "https://docs.example.com")
    assert document["type"] == "https://docs.example.com/runbooks/rate-limited#rate_limited_tenant"
    assert document["code"] == Code.RATE_LIMITED_TENANT


def test_law_8_the_facts_of_a_refusal_arrive() -> None:
    """Law 8: the same facts in the Python error and the REST problem."""
    refusal = CircuitOpen("come back", policy="breaker", dependency="crm", state="open", retry_after=12.3)
    document = body_of(refusal)
    assert {name: document[name] for name in refusal.facts()} == refusal.facts()
    assert document["detail"] == "come back"


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0.0, "0"), (0.001, "1"), (1.0, "1"), (1.2, "2"), (-3.0, "0"), (None, None), (float("inf"), None)],
)
def test_retry_after_is_whole_seconds_rounded_up(seconds: float | None, header: str | None) -> None:
    """RFC 9110 §10.2.3: whole seconds, and never earlier than what was promised."""
    response = problem_response(RateLimited(retry_after=seconds), TRACE)
    assert response.headers.get("retry-after") == header


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the password is secret"),
        KeyError("secret"),
        StoreError("cannot write /var/secret/gear.db"),
        OptionError("secret key missing"),
        SwitchgearError("secret"),
    ],
)
def test_what_is_ours_to_look_at_is_not_told(error: Exception) -> None:
    """Inner errors may hold paths and values of others: the caller gets the code and the trace."""
    response = problem_response(error, TRACE)
    assert b"secret" not in bytes(response.body)
    assert TRACE.encode() in bytes(response.body)


def test_a_deadline_says_whether_something_left() -> None:
    """Facts of errors that are no refusals arrive too."""
    document = body_of(DeadlineExceeded(sent=True, operation="journal.append"))
    assert (document["sent"], document["operation"], document["status"]) == (True, "journal.append", 504)


@pytest.mark.parametrize(
    ("policy", "challenge"),
    [("token", 'Bearer realm="switchgear", error="invalid_token"'), ("", 'Bearer realm="switchgear"')],
)
def test_unauthenticated_says_how_to_authenticate(policy: str, challenge: str) -> None:
    """RFC 6750 §3: 401 comes with a challenge, and names the error only when a token was sent."""
    response = problem_response(Denied(code=Code.TENANT_UNAUTHENTICATED, policy=policy), TRACE)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == challenge


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, Code.NOT_FOUND), (405, Code.INVALID_ARGUMENT), (400, Code.INVALID_ARGUMENT), (500, Code.INTERNAL)],
)
def test_errors_of_the_framework_are_problems_too(status: int, code: Code) -> None:
    """Every error path answers with a problem document."""
    document = body_of(HTTPException(status, headers={"X": "y"}))
    assert (document["status"], document["code"]) == (status, code)


def test_a_malformed_request_says_where() -> None:
    """A caller is shown each place that is wrong."""
    document = body_of(malformed("/tool", "must be text"))
    assert document["errors"] == [{"where": "/tool", "message": "must be text"}]
    assert "/tool" in document["detail"]


@pytest.mark.parametrize(
    "error", [MalformedRequest("", code=Code.PAYLOAD_TOO_LARGE), MalformedRequest("slow", status=408)]
)
def test_an_unread_body_closes_the_connection(error: Exception) -> None:
    """What was not read must not be taken for the next request."""
    assert problem_response(error, TRACE).headers["connection"] == "close"
