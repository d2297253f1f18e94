"""The access log: one line a request, with nothing in it that is not the operator's to read."""

from __future__ import annotations

import logging

import pytest
import structlog
from structlog.testing import capture_logs

from switchgear.surfaces.rest import Traffic
from tests.integration.rest.support import READ, Clients, Tokens


async def test_every_request_is_one_line(client: Clients) -> None:
    """A line names method, route, status, tenant, trace and duration."""
    with capture_logs() as lines:
        response = await client().post("/v1/intents", json=READ)
    line = next(line for line in lines if line["event"] == "request")
    assert len([line for line in lines if line["event"] == "request"]) == 1
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/intents", 202)
    assert (line["tenant"], line["trace"]) == ("acme", response.json()["trace"])
    assert line["duration_ms"] > 0


async def test_a_line_that_nobody_wants_is_not_made(client: Clients) -> None:
    """At level warning the access line of a request reaches no processor, so it costs nothing."""
    before, made = structlog.get_config(), []

    def note(_logger: object, name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        made.append(name)
        return line

    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(processors=[note, structlog.processors.KeyValueRenderer()], wrapper_class=wrapper)
    try:
        assert (await client().get("/v1/tools")).status_code == 200
    finally:
        structlog.configure(**before)
    assert made == []


async def test_every_answer_has_the_headers_of_the_edge_once(client: Clients) -> None:
    """Mark, trace, no sniffing, no storing: each stands once in an answer, refused or not."""
    for path, status in (("/livez", 200), ("/v1/tools", 200), ("/nowhere", 404)):
        response = await client().get(path)
        names = [name for name, _ in response.headers.multi_items()]
        assert response.status_code == status
        added = ("switchgear-api", "traceparent", "x-content-type-options", "cache-control")
        assert [names.count(name) for name in added] == [1, 1, 1, 1]


async def test_refusals_are_lines_with_their_code(client: Clients) -> None:
    """A refusal is found in the log by its code; an unknown path is not repeated there."""
    with capture_logs() as lines:
        await client(None).get("/v1/intents")
        await client().get("/secret-path")
    assert [(line["code"], line["route"]) for line in lines] == [
        ("TENANT_UNAUTHENTICATED", "/v1/intents"),
        ("NOT_FOUND", "unmatched"),
    ]


async def test_the_log_holds_no_secret(client: Clients, token: Tokens) -> None:
    """No bodies, no tokens, no query, no ids: neither in a line of a request nor in the one of a refusal."""
    secrets = ("canary-body", "canary-key", "canary-query", "canary-id", "canary-token")
    with capture_logs() as lines:
        body = {**READ, "arguments": {"contact_id": "canary-body"}}
        await client().post("/v1/intents", json=body, headers={"Idempotency-Key": "canary-key"})
        await client().get("/v1/intents", params={"x": "canary-query"})
        await client().get("/v1/intents/canary-id")
        await client(None).get("/v1/intents", headers={"Authorization": "Bearer canary-token"})
    assert len(lines) >= 4
    assert not [secret for secret in secrets if secret in repr(lines)]


async def test_a_defect_is_logged_with_its_traceback_and_no_variables(
    client: Clients, token: Tokens, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators see where it broke; what the variables held, a token among them, stays out."""

    def broken() -> None:
        raise RuntimeError("it broke here")

    monkeypatch.setattr(traffic, "check_accepting", broken)
    with capture_logs() as lines:
        response = await client().post("/v1/intents", json=READ)
    defect = next(line for line in lines if line["event"] == "request failed")
    assert "it broke here" in defect["exception"]
    assert defect["trace"] == response.json()["trace"]
    assert token() not in repr(lines)
