"""Every malformed request: a problem that says where, and no trace of half-work."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.integration.rest.support import READ, UPDATE, Clients

GOOD = json.dumps(UPDATE).encode()
JSON = {"Content-Type": "application/json"}


def changed(**members: object) -> bytes:
    """Return the good body with members replaced; the type itself removes one."""
    body = {name: value for name, value in {**UPDATE, **members}.items() if value is not object}
    return json.dumps(body).encode()


BODIES: list[tuple[bytes, str]] = [
    (b"", "body"),
    (b"null", "/"),
    (b"[]", "/"),
    (b'"x"', "/"),
    (GOOD[:-1], "body"),
    (GOOD + b"x", "body"),
    (b"\xff" + GOOD, "body"),
    (GOOD.replace(b'"7"', b"NaN"), "body"),
    (GOOD.replace(b'"7"', b"1e999"), "body"),
    (GOOD.replace(b'"7"', b'"\\ud800"'), "body"),
    (GOOD.replace(b'"tool"', b'"tool": "x", "tool"'), "body"),
    (b"[" * 200_000, "body"),
    (changed(tool=object), "/"),
    (changed(tool=7), "/tool"),
    (changed(tool=""), "/tool"),
    (changed(tool="x" * 129), "/tool"),
    (changed(tool=None), "/tool"),
    (changed(arguments=object), "/"),
    (changed(arguments=[]), "/arguments"),
    (changed(arguments=None), "/arguments"),
    (changed(account=""), "/account"),
    (changed(account={}), "/account"),
    (changed(deadline=0), "/deadline"),
    (changed(deadline=-1), "/deadline"),
    (changed(deadline="soon"), "/deadline"),
    (changed(deadline=True), "/deadline"),
    (changed(deadline=1e12), "/deadline"),
    (changed(tenant="other"), "/"),
    (changed(key="k"), "/"),
]


@pytest.mark.parametrize(("content", "where"), BODIES)
async def test_a_malformed_body_is_refused(client: Clients, content: bytes, where: str) -> None:
    """Bad input gets a clear error that names the place, and nothing is recorded of it."""
    acme = client()
    refused = await acme.post("/v1/intents", content=content, headers={**JSON, "Idempotency-Key": "k"})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, "INVALID_ARGUMENT")
    assert [error["where"] for error in problem["errors"]] == [where]
    await assert_nothing_recorded(acme)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"contact_id": 7}, 400),
        ({}, 400),
        ({"contact_id": "7", "other": 1}, 400),
        ({"contact_id": "7", "email": 2**60}, 400),
        (json.loads('{"contact_id": ' + "[" * 80 + "]" * 80 + "}"), 400),
    ],
)
async def test_arguments_that_do_not_fit_the_tool_are_refused(client: Clients, arguments: object, status: int) -> None:
    """The tool's schema is checked before anything is recorded."""
    acme = client()
    body = {**UPDATE, "arguments": arguments}
    refused = await acme.post("/v1/intents", json=body, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (status, "INVALID_ARGUMENT")
    await assert_nothing_recorded(acme)


@pytest.mark.parametrize(
    ("headers", "status", "where"),
    [
        ({"Content-Type": "text/plain"}, 415, "header:Content-Type"),
        ({"Content-Type": "application/json; charset=latin-1"}, 415, "header:Content-Type"),
        ({"Content-Type": ""}, 415, "header:Content-Type"),
        ({**JSON, "Idempotency-Key": '"a'}, 400, "header:Idempotency-Key"),
        ({**JSON, "Idempotency-Key": "x" * 300}, 400, "header:Idempotency-Key"),
        ({**JSON, "Prefer": "wait=soon"}, 400, "header:Prefer"),
        ({**JSON, "X-Correlation-ID": "a b"}, 400, "header:X-Correlation-ID"),
        ({**JSON, "Content-Length": "1"}, 400, "header:Content-Length"),
        ({**JSON, "Content-Length": "x"}, 400, "header:Content-Length"),
    ],
)
async def test_a_malformed_header_is_refused(client: Clients, headers: dict[str, str], status: int, where: str) -> None:
    """Headers are read as strictly as bodies."""
    acme = client()
    refused = await acme.post("/v1/intents", content=GOOD, headers={"Idempotency-Key": "k", **headers})
    assert (refused.status_code, refused.json()["code"]) == (status, "INVALID_ARGUMENT")
    assert refused.json()["errors"][0]["where"] == where
    await assert_nothing_recorded(acme)


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/livez", {"X": "y" * 17_000}), ("/v1/tools?x=" + "y" * 17_000, {}), ("/" + "y" * 17_000, {})],
)
async def test_an_oversized_head_is_refused(client: Clients, path: str, headers: dict[str, str]) -> None:
    """Law 10: path, query and headers have one bound together."""
    refused = await client().get(path, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (431, "INVALID_ARGUMENT")


@pytest.mark.parametrize("announced", [None, "10", "99999999"])
async def test_an_oversized_body_is_refused(client: Clients, announced: str | None) -> None:
    """Law 10: bytes are counted as they come, whatever `Content-Length` said."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    acme = client()
    headers = {**JSON, "Idempotency-Key": "k", **({"Content-Length": announced} if announced else {})}
    refused = await acme.post("/v1/intents", content=endless(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    await assert_nothing_recorded(acme)


@pytest.mark.parametrize(
    ("body", "where"),
    [({}, "/"), ({"reason": ""}, "/reason"), ({"reason": "x" * 501}, "/reason"), ({"reason": "x", "y": 1}, "/")],
)
async def test_a_cancel_needs_a_reason(client: Clients, body: object, where: str) -> None:
    """What is recorded says why; without a reason nothing happens."""
    acme = client()
    view = (await acme.post("/v1/intents", json=READ)).json()
    refused = await acme.post(f"/v1/intents/{view['id']}/cancel", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (400, where)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/intents?limit=0", "query:limit"),
        ("/v1/intents?limit=201", "query:limit"),
        ("/v1/intents?limit=x", "query:limit"),
        ("/v1/intents?cursor=x", "query:cursor"),
        ("/v1/intents?state=lost", "query:state"),
        ("/v1/intents?tenant=other", "query:tenant"),
        ("/v1/intents?limit=1&limit=2", "query:limit"),
        ("/v1/intents/by-key?tool=crm.update&key=", "query:key"),
        ("/v1/intents/by-key?tool=crm.update&key=a%00b", "query:key"),
        ("/v1/intents/by-key?tool=crm.update", "query:key"),
        ("/v1/intents/by-key?key=k", "query:tool"),
        ("/v1/intents/by-key?tool=a%20b&key=k", "query:tool"),
        ("/v1/intents/by-key?tool=crm.update&key=k&account=", "query:account"),
        ("/v1/ledger?after=-1", "query:after"),
        ("/v1/ledger?limit=0", "query:limit"),
        ("/v1/tools?x=1", "query:x"),
        ("/v1/intents/int_0?x=1", "query:x"),
    ],
)
async def test_a_malformed_query_is_refused(client: Clients, path: str, where: str) -> None:
    """A parameter is understood or refused, never ignored."""
    refused = await client().get(path)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT")
    assert refused.json()["errors"][0]["where"] == where


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/v1", 404, "NOT_FOUND"),
        ("GET", "/v1/intents/", 404, "NOT_FOUND"),
        ("GET", "/v1/intents/%2e%2e/tools", 404, "NOT_FOUND"),
        ("GET", "/v1/intents/a%00b", 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/intents/%ff", 404, "NOT_FOUND"),
        ("GET", "/v1/intents/" + "x" * 4000, 404, "NOT_FOUND"),
        ("GET", "/docs", 404, "NOT_FOUND"),
        ("DELETE", "/v1/intents", 405, "INVALID_ARGUMENT"),
        ("PUT", "/v1/tools", 405, "INVALID_ARGUMENT"),
        ("TRACE", "/livez", 405, "INVALID_ARGUMENT"),
        ("OPTIONS", "/v1/intents", 405, "INVALID_ARGUMENT"),
    ],
)
async def test_what_is_not_there_is_a_problem(client: Clients, method: str, path: str, status: int, code: str) -> None:
    """Every error path answers with application/problem+json, routing included."""
    refused = await client().request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["trace"] == refused.headers["traceparent"].split("-")[1]


async def test_a_wrong_method_is_told_the_right_ones(client: Clients) -> None:
    """RFC 9110 §15.5.6: 405 lists every method of the path."""
    refused = await client().delete("/v1/intents")
    assert refused.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/livez", "/v1/tools"])
async def test_a_method_that_the_document_does_not_have_is_refused(client: Clients, path: str) -> None:
    """What can be asked is what the document says: HEAD is not answered beside GET, and 405 names GET alone."""
    refused = await client().head(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


async def test_an_unknown_tool_is_404(client: Clients) -> None:
    """A tool that does not exist is named, and nothing is recorded."""
    acme = client()
    refused = await acme.post("/v1/intents", json={**READ, "tool": "crm.gone"})
    assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
    await assert_nothing_recorded(acme)


async def assert_nothing_recorded(acme: httpx2.AsyncClient) -> None:
    """Assert that the tenant has no intent, so that the key is free too."""
    assert (await acme.get("/v1/intents")).json()["items"] == []
