"""SCIM operations against a scripted server on loopback: a row for every status, and for silence, resets and lies.

Waiting is done on a virtual clock: no test sleeps.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from switchgear.connectors.bounds import TOO_LATE
from switchgear.connectors.credentials import Credentials, Reference
from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.scim import ScimConnection, ScimConnector
from switchgear.connectors.scim.messages import ERROR_SCHEMA
from switchgear.core.clock import SYSTEM_CLOCK, Clock, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Succeeded, Uncertain
from tests.unit.connectors.calling import call_of

pytestmark = pytest.mark.integration

FAILURE, SUCCESS = Verdict.FAILURE, Verdict.SUCCESS
SECRET = "s3cret-token"
PRIOR = {"active": True, "version": 'W/"1"', "last_modified": None}
NOW = {"active": False, "version": 'W/"2"', "last_modified": None}
Step = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """What the server was sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Answers each request by the next step of `script`, the last one for ever, and keeps what it was sent."""

    script: list[Step] = field(default_factory=list)
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    seen: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                self.requests.append(await _request(reader))
                self.seen.release()
                step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                await step(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    return Request(method, url.path, parse_qs(url.query), headers, json.loads(body) if body else None)


def answering(status: int, body: object = None, *headers: str) -> Step:
    """Return a step that answers with a status, a JSON body and headers."""
    content = b"" if body is None else json.dumps(body).encode()

    async def step(writer: asyncio.StreamWriter) -> None:
        kind = ["content-type: application/scim+json"] if content else []
        head = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", *kind, *headers, "", ""]
        writer.write("\r\n".join(head).encode() + content)
        await writer.drain()

    return step


async def stalling(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.transport.abort()


def user(*, active: object = True, version: str | None = 'W/"1"', **more: object) -> Step:
    """Return a step that shows user 7."""
    meta = {} if version is None else {"meta": {"version": version}}
    return answering(200, {"id": "7", "active": active, **meta, **more})


def error(status: int, scim_type: str | None = None, *headers: str) -> Step:
    """Return a step that answers with a SCIM error (RFC 7644 §3.12)."""
    body = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": "because"}
    return answering(status, body if scim_type is None else {**body, "scimType": scim_type}, *headers)


def listing(*users: dict[str, object], total: int | None = None) -> Step:
    """Return a step that answers with a list."""
    return answering(200, {"totalResults": len(users) if total is None else total, "Resources": list(users)})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Return a running server without a script."""
    made = Server()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(made.serve(reader, writer)))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _connector(server: Server, *, clock: Clock = SYSTEM_CLOCK) -> ScimConnector:
    http = HttpConnection(
        name="idp",
        base_url=f"http://127.0.0.1:{server.port}/scim/v2",
        headers={"Authorization": Reference("env", "TOKEN", "Bearer ")},
    )
    revoke = HttpOperation(method="POST", path="/Users/{user_id}/sessions:revoke", query=(), body="none", result="none")
    connector = ScimConnector(
        ScimConnection(http=http, revoke_sessions=revoke), Credentials({"TOKEN": SECRET}, Path()), clock=clock
    )
    for operation in ("lookup_user", "deactivate", "restore", "revoke_sessions"):
        connector.register(operation, operation)
    return connector


async def _run(server: Server, operation: str, *script: Step, attempt: int = 1, **arguments: object) -> Result:
    server.script = list(script)
    connector = _connector(server)
    given = arguments if operation == "lookup_user" else {"user_id": "7", **arguments}
    call = call_of(operation, arguments=given)
    try:
        return await connector.execute(structs.replace(call, attempt=attempt))
    finally:
        await connector.close()


def _summary(result: Result) -> tuple[object, ...]:
    match result:
        case Succeeded():
            return ("succeeded",)
        case Refused():
            return ("refused", result.code, result.retryable, result.verdict, result.retry_after)
        case Uncertain():
            return ("uncertain", result.code, result.verdict, result.retry_after)


def _final(code: Code = Code.TOOL_FAILED) -> tuple[object, ...]:
    return ("refused", code, False, SUCCESS, None)


def _again(code: Code, verdict: Verdict = FAILURE, after: float | None = None) -> tuple[object, ...]:
    return ("refused", code, True, verdict, after)


DEPENDENCY = Code.DEPENDENCY_FAILED
LIMITED = Code.RATE_LIMITED_CONNECTOR


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (user(), ("succeeded",)),
        (error(400, "invalidFilter"), _final()),
        (error(401), _final()),
        (error(403), _final()),
        (error(404), _final()),
        (error(409, "uniqueness"), _final()),
        (error(412), _final()),
        (error(429, None, "retry-after: 7"), _again(LIMITED, after=7.0)),
        (error(500), _again(DEPENDENCY)),
        (error(503, None, "retry-after: 9"), _again(DEPENDENCY, after=9.0)),
        (answering(302, None, "location: https://evil.example/"), _final(Code.EGRESS_DENIED)),
        (resetting, _again(DEPENDENCY)),
        (answering(200), _again(DEPENDENCY)),
        (answering(200, []), _again(DEPENDENCY)),
        (answering(200, {"id": "8", "active": True}), _again(DEPENDENCY)),
        (answering(200, {"id": "7", "active": "true"}), _again(DEPENDENCY)),
    ],
)
async def test_what_only_read_was_not_applied(server: Server, step: Step, expected: tuple[object, ...]) -> None:
    """Whatever becomes of the first request, nothing was changed and nothing is in doubt."""
    result = await _run(server, "deactivate", step, user(active=False, version='W/"2"'))
    assert _summary(result) == expected
    if not isinstance(result, Succeeded):
        assert [request.method for request in server.requests] == ["GET"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (user(active=False), ("succeeded",)),
        (answering(204), ("succeeded",)),
        (error(400, "invalidPath"), _final()),
        (error(401), _final()),
        (error(403), _final()),
        (error(404), _final()),
        (error(409, "uniqueness"), _final()),
        (error(412), _again(Code.CHANGED_MEANWHILE, SUCCESS)),
        (error(429, None, "retry-after: 7"), _again(LIMITED, after=7.0)),
        (error(500), ("uncertain", DEPENDENCY, FAILURE, None)),
        (error(503, None, "retry-after: 9"), ("uncertain", DEPENDENCY, FAILURE, 9.0)),
        (answering(302), ("uncertain", Code.EGRESS_DENIED, SUCCESS, None)),
        (resetting, ("uncertain", DEPENDENCY, FAILURE, None)),
        (answering(200, "done"), ("uncertain", DEPENDENCY, FAILURE, None)),
        (user(active=True), ("uncertain", DEPENDENCY, FAILURE, None)),
        (answering(200, {"id": "7"}), ("uncertain", DEPENDENCY, FAILURE, None)),
    ],
)
async def test_a_change_is_read_by_the_table(server: Server, step: Step, expected: tuple[object, ...]) -> None:
    """Once the change has left, the table of HTTP says what is known; an answer that shows no change is doubt."""
    assert _summary(await _run(server, "deactivate", user(), step, user(active=False))) == expected


@pytest.mark.parametrize(("requests", "kind"), [(1, Refused), (2, Uncertain)])
async def test_silence_is_doubt_only_after_the_change_left(server: Server, requests: int, kind: type[Result]) -> None:
    """A deadline that passes while reading changed nothing; one that passes after the change leaves doubt."""
    server.script = [*[user()] * (requests - 1), stalling]
    clock = VirtualClock()
    connector = _connector(server, clock=clock)
    running = asyncio.create_task(connector.execute(call_of("deactivate", clock=clock, user_id="7")))
    for _ in range(requests):
        await server.seen.acquire()
    await clock.elapse(5.0)
    result = await running
    assert isinstance(result, kind)
    assert isinstance(result, (Refused, Uncertain))
    assert result.code is Code.TIMEOUT_INTENT_EXECUTE
    await connector.close()


async def test_deactivating_is_two_requests_on_the_wire(server: Server) -> None:
    """Read, then change under the tag that was read; only ``active`` and ``meta`` are asked for."""
    changed = answering(200, {"id": "7", "active": False, "meta": {"lastModified": "then"}}, 'etag: W/"2"')
    result = await _run(server, "deactivate", user(), changed)
    assert result == Succeeded({"prior": PRIOR, "now": {**NOW, "last_modified": "then"}})
    read, change = server.requests
    assert (read.method, read.path, read.query) == ("GET", "/scim/v2/Users/7", {"attributes": ["active,meta"]})
    assert (change.method, change.path, change.query) == ("PATCH", read.path, read.query)
    assert change.headers["if-match"] == 'W/"1"'
    assert change.headers["content-type"] == "application/scim+json"
    assert change.headers["authorization"] == f"Bearer {SECRET}"
    assert change.body == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }


async def test_without_a_tag_there_is_no_condition(server: Server) -> None:
    """A server that gives no version gets no ``If-Match``, which it could not keep."""
    result = await _run(server, "deactivate", user(version=None), user(active=False, version=None))
    assert isinstance(result, Succeeded)
    assert "if-match" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("after", "now"),
    [
        (user(active=False, version='W/"2"'), NOW),
        (user(active=False, version='W/"3"'), NOW),
        (error(503), NOW),
        (resetting, NOW),
    ],
)
async def test_an_answer_without_a_user_is_looked_after(server: Server, after: Step, now: dict[str, object]) -> None:
    """After a 204 the user is read once; its own tag is the one of the change, and failing to read undoes nothing."""
    result = await _run(server, "deactivate", user(), answering(204, None, 'etag: W/"2"'), after)
    assert result == Succeeded({"prior": PRIOR, "now": now})


async def test_a_change_that_did_not_take_is_in_doubt(server: Server) -> None:
    """A server that says yes and shows the user active has not contained anybody."""
    result = await _run(server, "deactivate", user(), answering(204), user())
    assert isinstance(result, Uncertain)
    assert result.message == "answered 204, but active is true"


async def test_an_inactive_user_is_left_alone(server: Server) -> None:
    """What is so already is not made so again, and its prior state is what it was."""
    result = await _run(server, "deactivate", user(active=False))
    assert result == Succeeded({"prior": {**PRIOR, "active": False}, "now": {**PRIOR, "active": False}})
    assert len(server.requests) == 1


@pytest.mark.parametrize(("given", "prior"), [({}, None), ({"prior": PRIOR}, PRIOR)])
async def test_a_repeat_does_not_take_its_own_work_for_the_prior_state(
    server: Server, given: dict[str, Any], prior: object
) -> None:
    """A repeat that finds the user inactive may look at what the first attempt did: that is not the prior state."""
    result = await _run(server, "deactivate", user(active=False, version='W/"2"'), attempt=2, **given)
    assert result == Succeeded({"prior": prior, "now": NOW})


@pytest.mark.parametrize(
    ("present", "compared", "version"),
    [
        (user(active=False, version='W/"2"'), "version", 'W/"2"'),
        (user(active=False, version=None), "value", None),
    ],
)
async def test_an_untouched_user_is_restored(server: Server, present: Step, compared: str, version: str | None) -> None:
    """The state comes back, and the value says what showed that nobody had touched it."""
    result = await _run(server, "restore", present, user(version='W/"3"'), prior=PRIOR, now=NOW)
    assert isinstance(result, Succeeded)
    assert result.value["compared"] == compared
    assert result.value["now"] == {"active": True, "version": 'W/"3"', "last_modified": None}
    assert server.requests[1].headers.get("if-match") == version
    assert server.requests[1].body["Operations"] == [{"op": "replace", "path": "active", "value": True}]


async def test_what_was_not_shown_is_removed_again(server: Server) -> None:
    """A user that had no ``active`` gets none back."""
    prior = {**PRIOR, "active": None}
    result = await _run(server, "restore", user(active=False, version='W/"2"'), answering(204), prior=prior, now=NOW)
    assert isinstance(result, Succeeded)
    assert server.requests[1].body["Operations"] == [{"op": "remove", "path": "active"}]


async def test_who_was_inactive_before_stays_so(server: Server) -> None:
    """Compare-and-revert gives back the prior value, and that may be the present one."""
    prior = {**PRIOR, "active": False}
    result = await _run(server, "restore", user(active=False, version='W/"2"'), prior=prior, now=NOW)
    assert isinstance(result, Succeeded)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([user(active=True, version='W/"3"')], "changed meanwhile: active is true, and was false"),
        ([user(active=None, version='W/"2"')], "changed meanwhile: active is not shown, and was false"),
        ([user(active=False, version='W/"3"')], "changed meanwhile: somebody has changed the user"),
        ([user(active=False, version='W/"2"'), error(412)], "changed meanwhile: somebody changed the user between"),
    ],
)
async def test_a_touched_user_goes_to_a_person(server: Server, script: list[Step], message: str) -> None:
    """What somebody else changed is never overwritten: a definite refusal, and nothing is applied."""
    result = await _run(server, "restore", *script, prior=PRIOR, now=NOW)
    assert _summary(result) == _final(Code.CHANGED_MEANWHILE)
    assert isinstance(result, Refused)
    assert result.message.startswith(message)


async def test_an_unknown_prior_state_goes_to_a_person(server: Server) -> None:
    """Nobody is made active on a guess, and nothing is sent."""
    result = await _run(server, "restore", user(active=False), prior=None, now=NOW)
    assert _summary(result) == _final()
    assert server.requests == []


async def test_a_repeat_is_content_with_what_it_wanted(server: Server) -> None:
    """A second attempt that finds the prior state may be looking at what the first one did."""
    present = user(version='W/"3"')
    assert isinstance(await _run(server, "restore", present, attempt=2, prior=PRIOR, now=NOW), Succeeded)
    assert {request.method for request in server.requests} == {"GET"}


async def test_a_deactivation_settled_without_a_value_is_compared_by_value(server: Server) -> None:
    """Where the state afterwards was never seen, ``now`` is null, and being inactive is all that is asked."""
    result = await _run(server, "restore", user(active=False), user(), prior=PRIOR, now=None)
    assert isinstance(result, Succeeded)
    assert result.value["compared"] == "value"


@pytest.mark.parametrize(
    ("arguments", "step", "value"),
    [
        ({"user_id": "7"}, user(), {"found": True, "user_id": "7", "now": PRIOR}),
        ({"user_id": "7"}, error(404), {"found": False, "user_id": "7", "now": None}),
        ({"user_name": "ada"}, listing(), {"found": False, "user_id": None, "now": None}),
        (
            {"user_name": "ADA"},
            listing({"id": "7", "userName": "Ada", "active": True, "meta": {"version": 'W/"1"'}}),
            {"found": True, "user_id": "7", "now": PRIOR},
        ),
        (
            {"external_id": "x-1"},
            listing({"id": "7", "externalId": "x-1"}),
            {"found": True, "user_id": "7", "now": {"active": None, "version": None, "last_modified": None}},
        ),
    ],
)
async def test_a_lookup_tells_what_is_there(
    server: Server, arguments: dict[str, Any], step: Step, value: dict[str, object]
) -> None:
    """Found or not is an answer, once the server itself gives it."""
    assert await _run(server, "lookup_user", step, **arguments) == Succeeded(value)
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("arguments", "step", "expected"),
    [
        ({"user_id": "7"}, answering(404, {"error": "no such route"}), _final()),
        ({"user_name": "ada"}, error(400, "invalidFilter"), _final()),
        ({"user_name": "ada"}, error(404), _final()),
        ({"user_name": "ada"}, error(500), _again(DEPENDENCY)),
        ({"user_name": "ada"}, resetting, _again(DEPENDENCY)),
        ({"user_name": "ada"}, answering(200, {"Resources": []}), _again(DEPENDENCY)),
        ({"user_name": "ada"}, listing(total=1), _again(DEPENDENCY)),
        ({"user_name": "ada"}, listing({"id": "8", "userName": "bob"}), _again(DEPENDENCY)),
        ({"user_name": "ada"}, listing({"id": "8", "userName": "ada", "active": 1}), _again(DEPENDENCY)),
        ({"external_id": "x"}, listing({"id": "8", "externalId": "X"}), _again(DEPENDENCY)),
        ({"external_id": "x"}, listing({"id": "7"}, {"id": "8"}), _final()),
    ],
)
async def test_a_lookup_that_did_not_find_out_says_so(
    server: Server, arguments: dict[str, Any], step: Step, expected: tuple[object, ...]
) -> None:
    """Absence is not evidence: a stranger's 404, an ignored filter, an empty answer say nothing of a user."""
    assert _summary(await _run(server, "lookup_user", step, **arguments)) == expected


async def test_a_filter_arrives_as_it_was_meant(server: Server) -> None:
    """Quotes, ampersands and letters beyond ASCII reach the server inside the one value."""
    name = 'zoë" or active eq true & count=9'
    await _run(server, "lookup_user", listing(), user_name=name)
    query = server.requests[0].query
    assert query["filter"] == [f'userName eq "{name}"'.replace('zoë"', 'zoë\\"')]
    assert (query["count"], query["attributes"]) == (["2"], ["userName,active,meta"])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (answering(200), ("succeeded",)),
        (answering(204), ("succeeded",)),
        (answering(202), ("succeeded",)),
        (error(404), _final()),
        (error(429), _again(LIMITED)),
        (error(500), ("uncertain", DEPENDENCY, FAILURE, None)),
        (resetting, ("uncertain", DEPENDENCY, FAILURE, None)),
    ],
)
async def test_sessions_end_by_one_request(server: Server, step: Step, expected: tuple[object, ...]) -> None:
    """The declared request is sent once, without a body, and the table of HTTP says what is known."""
    assert _summary(await _run(server, "revoke_sessions", step)) == expected
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/scim/v2/Users/7/sessions:revoke", None)


async def test_an_echoed_credential_is_not_recorded(server: Server) -> None:
    """What a server repeats of our secret stays out of messages and values."""
    encoded = base64.b64encode(SECRET.encode()).decode()
    echo = answering(403, {"schemas": [ERROR_SCHEMA], "detail": f"who is {SECRET}, or {encoded}?"})
    refused = await _run(server, "deactivate", echo)
    assert isinstance(refused, Refused)
    assert refused.message == "answered 403: who is [hidden], or [hidden]?"


async def test_a_passed_deadline_sends_nothing(server: Server) -> None:
    """A call whose time is up does not leave."""
    clock = VirtualClock()
    connector = _connector(server, clock=clock)
    call = call_of("deactivate", seconds=1.0, clock=clock, user_id="7")
    clock.advance(2.0)
    assert await connector.execute(call) == TOO_LATE
    assert server.requests == []
    await connector.close()


@pytest.mark.parametrize("user_id", ["../Groups/1", "a/b", "a b?x=1", "ü"])
async def test_an_id_stays_in_its_segment(server: Server, user_id: str) -> None:
    """An id cannot reach another resource: it is one segment of the path, or the call is refused."""
    result = await _run(server, "revoke_sessions", answering(200), user_id=user_id)
    if isinstance(result, Refused):
        assert (result.code, server.requests) == (Code.INVALID_ARGUMENT, [])
        return
    assert server.requests[0].path.count("/") == "/scim/v2/Users/x/sessions:revoke".count("/")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("restore", {"prior": {"active": "yes"}, "now": None}),
        ("deactivate", {"prior": 1}),
        ("deactivate", {"user_id": None}),
        ("lookup_user", {"user_id": "7", "user_name": "ada"}),
    ],
)
async def test_arguments_that_cannot_be_meant_send_nothing(
    server: Server, operation: str, arguments: dict[str, Any]
) -> None:
    """Also without a schema in front of it, the connector refuses what it cannot carry out."""
    result = await _run(server, operation, user(), **arguments)
    assert isinstance(result, Refused)
    assert (result.code, result.verdict, server.requests) == (Code.INVALID_ARGUMENT, Verdict.IGNORED, [])


async def test_an_unknown_tool_sends_nothing(server: Server) -> None:
    """A tool that was never registered is told so, and a name is taken once."""
    connector = _connector(server)
    result = await connector.execute(call_of("other"))
    assert isinstance(result, Refused)
    assert result.code is Code.TOOL_UNREGISTERED
    await connector.close()
