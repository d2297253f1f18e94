"""The OpenAPI 3.1 document, built from the table of operations and the types of the views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from switchgear.control.health_views import HealthReport
from switchgear.control.readiness import ReadinessView
from switchgear.core.codes import FACTS, Code
from switchgear.core.http_mark import API_HEADER, API_VERSION
from switchgear.health.report import MEDIA_TYPE as HEALTH_MEDIA_TYPE
from switchgear.surfaces.rest.examples import BODIES, WORDS, needed
from switchgear.surfaces.rest.exchange import LINES_MEDIA_TYPE
from switchgear.surfaces.rest.operation import Operation
from switchgear.surfaces.rest.operations import OPERATIONS
from switchgear.surfaces.rest.problems import MEDIA_TYPE

_REF = "#/components/schemas/{name}"
_HEADERS = {
    API_HEADER: {
        "description": "Marks the answers of a Switchgear server, and tells which API answers.",
        "required": True,
        "schema": {"type": "string", "const": API_VERSION},
    },
    "traceparent": {
        "description": "The trace that this answer belongs to (W3C Trace Context).",
        "required": True,
        "schema": {"type": "string"},
    },
}
"""What every answer carries."""
_COMMON = (
    Code.INVALID_ARGUMENT,
    Code.TENANT_UNAUTHENTICATED,
    Code.PERMISSION_DENIED,
    Code.SHED_OVERLOAD,
    Code.LEDGER_UNAVAILABLE,
    Code.TIMEOUT_JOURNAL_READ,
    Code.LEDGER_CORRUPT,
    Code.INTERNAL,
)
BODY_STATUSES = {
    408: "The body came too slowly.",
    415: "The body is not application/json in UTF-8.",
}
"""What a request with a body may also be answered, with INVALID_ARGUMENT."""


def openapi_document() -> dict[str, Any]:
    """Return the document as it is served at ``/openapi.json``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Switchgear",
            "version": version("switchgear"),
            "description": "Submit actions, follow them, read the ledger. The tenant comes from the token.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": {**_schemas(), "Problem": _problem_schema()},
            "headers": _HEADERS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"token": []}],
    }


def refusals_of(operation: Operation) -> dict[int, list[Code]]:
    """Return the codes that `operation` may answer with, by status, in order."""
    by_status: dict[int, list[Code]] = {}
    for code in dict.fromkeys((*operation.refusals, *_COMMON)):
        by_status.setdefault(FACTS[code].http_status, []).append(code)
    return dict(sorted(by_status.items()))


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    paths["/livez"] = {"get": _health("isLive", "Whether this process answers", {200: {"type": "object"}})}
    readiness = {"$ref": _REF.format(name="ReadinessView")}
    paths["/healthz"] = {"get": _health_report()}
    paths["/readyz"] = {
        "get": _health("isReady", "Whether it can accept and record work", {200: readiness, 503: readiness})
    }
    every = (found for methods in paths.values() for found in methods.values())
    for response in (response for found in every for response in found["responses"].values()):
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    return paths


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": f"{operation.description}\n\nNeeds the permission `{operation.permission}`.",
        "parameters": list(_parameters(operation)),
        "responses": dict(_responses(operation)),
    }
    if operation.body is not None:
        schema = {"$ref": _REF.format(name=operation.body.__name__)}
        content = {"application/json": {"schema": schema, "example": dict(BODIES[operation.id])}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for word in operation.words:
        schema = {"type": "string"} if word.pattern is None else {"type": "string", "pattern": word.pattern}
        found = _parameter(word.name, "path", word.description, schema, required=True)
        yield found | {"example": WORDS[word.name]}
    for query in operation.query:
        yield _parameter(query.name, "query", query.description, query.schema(), required=needed(query))
    for header in operation.headers:
        schema = {"type": "string", "pattern": header.pattern}
        yield _parameter(header.name, "header", header.description, schema, required=needed(header))


def _parameter(name: str, place: str, description: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "description": description, "required": required, "schema": schema}


def _responses(operation: Operation) -> Iterator[tuple[str, Any]]:
    for status, kind in operation.answers.items():
        yield str(status), _answer(status, kind, operation.also)
    for status, codes in refusals_of(operation).items():
        yield str(status), _refusal(", ".join(codes))
    if operation.body is not None:
        for status, meaning in BODY_STATUSES.items():
            yield str(status), _refusal(f"INVALID_ARGUMENT: {meaning}")


def _answer(status: int, kind: type | None, also: Iterable[str]) -> dict[str, Any]:
    words = {200: "Done.", 201: "Made.", 202: "Accepted; not settled yet, or in doubt."}[status]
    if kind is None:
        return {"description": words, "content": {LINES_MEDIA_TYPE: {"schema": {"type": "string"}}}}
    schema = {"$ref": _REF.format(name=kind.__name__)}
    others = {media_type: {"schema": {"type": "string"}} for media_type in also}
    return {"description": words, "content": {"application/json": {"schema": schema}, **others}}


def _refusal(words: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Problem")}
    return {"description": words, "content": {MEDIA_TYPE: {"schema": schema}}}


def _health(operation_id: str, summary: str, answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    responses = {
        str(status): {
            "description": "Yes." if status == HTTPStatus.OK else "No.",
            "content": {"application/json": {"schema": schema}},
        }
        for status, schema in answers.items()
    }
    return {"operationId": operation_id, "summary": summary, "responses": responses, "security": []}


def _health_report() -> dict[str, Any]:
    """Describe the one check that a token shows more of."""
    content = {HEALTH_MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="HealthReport")}}}
    words = {200: "It passes, or warns.", 503: "It fails, or stops."}
    responses = {str(status): {"description": text, "content": content} for status, text in words.items()}
    return {
        "operationId": "readHealth",
        "summary": "How this process stands",
        "description": (
            "Disk, memory, ledger, queue, breakers, kill switches, doubts, self-test. What counts over tenants, or "
            "names a dependency, is shown to tokens with the permission `platform:read` only."
        ),
        "responses": {**responses, "401": _refusal(str(Code.TENANT_UNAUTHENTICATED))},
        "security": [{}, {"token": []}],
    }


def _schemas() -> dict[str, Any]:
    kinds = {kind for operation in OPERATIONS for kind in (*operation.answers.values(), operation.body) if kind}
    ordered = sorted((*kinds, HealthReport, ReadinessView), key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_REF)
    rules = {kind.__name__: getattr(kind, "schema_rule", {}) for kind in ordered}
    return {name: schema | rules.get(name, {}) for name, schema in sorted(schemas.items())}


def _problem_schema() -> dict[str, Any]:
    text, maybe_number = {"type": "string"}, {"type": ["number", "null"]}
    error = {
        "type": "object",
        "properties": {"where": text, "message": text},
        "required": ["where", "message"],
    }
    members = {
        "type": {"type": "string", "format": "uri", "description": "Leads to the runbook of the code."},
        "title": text,
        "status": {"type": "integer"},
        "detail": text,
        "instance": {"type": "string", "format": "uri"},
        "code": {"type": "string", "enum": [str(code) for code in Code]},
        "policy": text,
        "dependency": text,
        "state": text,
        "retry_after": maybe_number,
        "decision": {"type": "string", "enum": ["reject", "defer"]},
        "advice": text,
        "trace": text,
        "errors": {"type": "array", "items": error},
    }
    return {
        "title": "Problem",
        "description": "Why a request was refused or failed (RFC 9457). Further members may follow.",
        "type": "object",
        "properties": members,
        "required": list(members),
    }
