"""`SwitchgearMiddleware` with a bare ASGI driver on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from switchgear.adapters.asgi import SwitchgearMiddleware
from switchgear.adapters.asgi.protocol import Scope
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import FACTS
from switchgear.core.deadline import current_deadline
from switchgear.core.errors import (
    CircuitOpen,
    DeadlineExceeded,
    OptionError,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)
from switchgear.guard import Guard
from switchgear.guard.limiter import RateLimiter
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from tests.turns import turns
from tests.unit.adapters.asgi_driver import TENANTS, Front, Service, ask, begin, route_of, tenant_of


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock()


@pytest.fixture
def service() -> Service:
    """Return the application behind the middleware."""
    return Service()


async def test_a_request_within_its_limits_passes_and_is_told_them(service: Service, clock: VirtualClock) -> None:
    """Both fields are sent in the draft's structured form: quota and window, what remains, and when there is more."""
    front = Front(service, clock, levels=TENANTS)
    reply = await ask(front.app, verified_tenant="acme")
    assert (reply.status, reply.body, service.reached) == (200, b"done", 1)
    assert reply.headers["ratelimit-policy"] == '"tenant";q=2;w=10'
    assert reply.headers["ratelimit"] == '"tenant";r=1;t=5'


async def test_a_request_above_its_limits_is_refused_with_every_fact(service: Service, clock: VirtualClock) -> None:
    """429 as a problem document, `Retry-After`, and the facts that the Python error has; the service is not reached."""
    front = Front(service, clock, levels=TENANTS)
    for _ in range(2):
        await ask(front.app, verified_tenant="acme")
    reply = await ask(front.app, verified_tenant="acme")
    assert (reply.status, service.reached) == (429, 2)
    assert (reply.headers["retry-after"], reply.headers["ratelimit"]) == ("5", '"tenant";r=0;t=5')
    problem = reply.problem
    assert problem["type"] == "urn:switchgear:code:RATE_LIMITED_TENANT"
    assert (problem["code"], problem["status"], problem["policy"]) == ("RATE_LIMITED_TENANT", 429, "rate_limit")
    assert (problem["dependency"], problem["state"], problem["decision"]) == ("tenant", "limited", "defer")
    assert problem["retry_after"] == pytest.approx(5.0)
    assert (await ask(front.app, verified_tenant="globex")).status == 200
    clock.advance(5.0)
    assert (await ask(front.app, verified_tenant="acme")).status == 200


async def test_routes_have_limits_of_their_own(service: Service, clock: VirtualClock) -> None:
    """The tool level goes by `route_of`; the longest wait decides, and no level says later than `Retry-After`."""
    levels = {"tenant": RateLimit(100, per=1000.0), "tool": {"GET /slow": RateLimit(1, per=4.0)}}
    front = Front(service, clock, levels=levels, route_of=route_of)
    assert (await ask(front.app, "/slow", verified_tenant="acme")).status == 200
    reply = await ask(front.app, "/slow", verified_tenant="globex")
    assert (reply.status, reply.problem["code"], reply.headers["retry-after"]) == (429, "RATE_LIMITED_TOOL", "4")
    assert reply.headers["ratelimit"] == '"tenant";r=100, "tool";r=0;t=4'
    other = await ask(front.app, "/quick", verified_tenant="acme")
    assert (other.status, other.headers["ratelimit"]) == (200, '"tenant";r=98;t=10')


async def test_the_global_level_is_enforced_and_not_told(service: Service, clock: VirtualClock) -> None:
    """How busy all others are is nobody's business, unless it is asked for."""
    front = Front(service, clock, levels={"global": RateLimit(1, per=3.0)})
    assert "ratelimit" not in (await ask(front.app, verified_tenant="acme")).headers
    reply = await ask(front.app, verified_tenant="acme")
    assert (reply.problem["code"], reply.headers["retry-after"]) == ("RATE_LIMITED_GLOBAL", "3")
    told = Front(service, clock, levels={"global": RateLimit(1, per=3.0)}, shown=("global",))
    assert (await ask(told.app, verified_tenant="acme")).headers["ratelimit-policy"] == '"global";q=1;w=3'


async def test_the_fields_of_the_application_are_its_own(service: Service, clock: VirtualClock) -> None:
    """A field that the application sends is not sent twice."""
    service.headers = [(b"RateLimit", b'"mine";r=1')]
    reply = await ask(Front(service, clock, levels=TENANTS).app, verified_tenant="acme")
    assert {name.lower(): value for name, value in reply.headers.items()}["ratelimit"] == '"mine";r=1'


async def test_a_request_without_a_tenant_is_refused(service: Service, clock: VirtualClock) -> None:
    """There is no default tenant: 401 with the challenge, and nothing reaches the service."""
    reply = await ask(Front(service, clock, levels=TENANTS, challenge='Bearer realm="api"').app)
    assert (reply.status, reply.problem["code"], service.reached) == (401, "TENANT_UNAUTHENTICATED", 0)
    assert reply.headers["www-authenticate"] == 'Bearer realm="api"'


async def test_requests_without_a_tenant_share_one_limit_when_that_is_asked_for(
    service: Service, clock: VirtualClock
) -> None:
    """`anonymous` is an explicit choice, and bounds all of them together."""
    front = Front(service, clock, levels=TENANTS, anonymous="anonymous")
    assert [(await ask(front.app)).status for _ in range(3)] == [200, 200, 429]
    assert (await ask(front.app, verified_tenant="acme")).status == 200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60.0),
        ({"x_request_timeout": "2.5"}, 2.5),
        ({"x_request_timeout": "600"}, 60.0),
        ({"grpc_timeout": "250m"}, 0.25),
        ({"grpc_timeout": "1H"}, 60.0),
        ({"grpc_timeout": "500000u", "x_request_timeout": "2"}, 0.5),
    ],
)
async def test_the_deadline_is_what_the_caller_says_and_at_most_our_own(
    clock: VirtualClock, headers: dict[str, str], seconds: float
) -> None:
    """The tightest of both headers and of `deadline_max` is in force for everything inside."""
    left: list[float] = []

    async def app(_scope: Scope, _receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI passes them
        ends = current_deadline()
        left.append(float("inf") if ends is None else ends.remaining())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    assert (await ask(SwitchgearMiddleware(app, clock=clock), **headers)).status == 204
    assert left == [pytest.approx(seconds)]
    assert current_deadline() is None


@pytest.mark.parametrize(
    "headers",
    [
        {"x_request_timeout": "soon"},
        {"x_request_timeout": "-1"},
        {"x_request_timeout": "inf"},
        {"x_request_timeout": ""},
        {"grpc_timeout": "1"},
        {"grpc_timeout": "123456789S"},
    ],
)
async def test_a_deadline_that_cannot_be_read_is_refused(
    service: Service, clock: VirtualClock, headers: dict[str, str]
) -> None:
    """A caller who means a deadline and does not get it has to know: 400, naming the header."""
    reply = await ask(Front(service, clock).app, **headers)
    assert (reply.status, reply.problem["code"], service.reached) == (400, "INVALID_ARGUMENT", 0)
    assert next(iter(headers)).replace("_", "-") in reply.problem["detail"].lower()


async def test_no_time_means_no_work(service: Service, clock: VirtualClock) -> None:
    """A deadline of zero has expired: 504, and nothing is charged or reached."""
    front = Front(service, clock, levels=TENANTS)
    reply = await ask(front.app, verified_tenant="acme", x_request_timeout="0")
    assert (reply.status, reply.problem["code"], reply.problem["sent"]) == (504, "DEADLINE_EXCEEDED", False)
    assert front.limits is not None
    assert (service.reached, front.limits.statistics().charged) == (0, 0)


async def test_an_answer_that_does_not_begin_in_time_is_a_504(service: Service, clock: VirtualClock) -> None:
    """The application is cancelled at the deadline, not sooner, and the caller is told that something was sent."""
    service.held = asyncio.Event()
    request = begin(Front(service, clock).app, x_request_timeout="2")
    await clock.elapse(1.9)
    assert not request.task.done()
    await clock.elapse(0.2)
    await request.task
    assert (request.reply.status, request.reply.problem["sent"]) == (504, True)


async def test_an_answer_that_began_is_left_to_the_application(service: Service, clock: VirtualClock) -> None:
    """A stream may outlast the deadline: there is nothing left to tell but the truth."""
    service.held_body = asyncio.Event()
    request = begin(Front(service, clock, guard=Guard("edge", bulkhead=Bulkhead(1), clock=clock)).app)
    await clock.elapse(1000.0)
    assert not request.task.done()
    service.held_body.set()
    await request.task
    assert (request.reply.status, request.reply.body) == (200, b"done")


async def test_without_a_bound_only_callers_bound_their_requests(service: Service, clock: VirtualClock) -> None:
    """`deadline_max=None` leaves a request its time; a caller's own deadline counts, unless no header is read."""
    service.held = asyncio.Event()
    front = Front(service, clock, deadline_max=None)
    patient, hasty = begin(front.app), begin(front.app, x_request_timeout="3")
    deaf = begin(Front(service, clock, deadline_header=None, deadline_max=9.0).app, x_request_timeout="3")
    await clock.elapse(5.0)
    assert [request.task.done() for request in (patient, hasty, deaf)] == [False, True, False]
    service.held.set()
    await asyncio.gather(patient.task, hasty.task, deaf.task)
    assert [request.reply.status for request in (patient, hasty, deaf)] == [200, 504, 200]


async def test_a_cancellation_from_outside_stays_one(service: Service, clock: VirtualClock) -> None:
    """The server's own cancellation passes, at the deadline's very moment too, and its task stays cancelled."""
    service.held = asyncio.Event()
    request = begin(Front(service, clock).app, x_request_timeout="2")
    await turns(20)
    request.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.task
    both = begin(Front(service, clock).app, x_request_timeout="2")
    await turns(20)
    clock.advance(2.0)
    both.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both.task
    assert both.reply.messages == []


async def test_what_a_task_left_behind_sends_after_our_answer_is_dropped(clock: VirtualClock) -> None:
    """One request has one answer, whatever the application's other tasks do."""
    late = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def app(_scope: Scope, _receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI passes them
        async def straggle() -> None:
            await late.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        tasks.append(asyncio.ensure_future(straggle()))
        await asyncio.Event().wait()

    request = begin(SwitchgearMiddleware(app, clock=clock), x_request_timeout="1")
    await clock.elapse(1.0)
    await request.task
    late.set()
    await asyncio.gather(*tasks)
    assert request.reply.status == 504


@pytest.mark.parametrize(
    "error",
    [
        CircuitOpen(dependency="crm", state="open", retry_after=1.2),
        DeadlineExceeded(sent=True, dependency="crm"),
        RetryExhausted(attempts=3, history=("http://secret.internal said no",), dependency="crm"),
    ],
)
async def test_a_refusal_from_within_is_told_as_one(
    service: Service, clock: VirtualClock, error: SwitchgearError
) -> None:
    """An error of a guard inside becomes its problem document; what a remote said stays out of it."""
    service.error = error
    reply = await ask(Front(service, clock).app)
    assert (reply.problem["code"], reply.problem["dependency"]) == (error.code, "crm")
    assert reply.status == reply.problem["status"] == FACTS[error.code].http_status
    assert b"secret" not in reply.body
    assert reply.headers.get("retry-after") == ("2" if isinstance(error, CircuitOpen) else None)


async def test_an_error_after_the_answer_began_is_left_to_the_server(service: Service, clock: VirtualClock) -> None:
    """There is no second answer: the server has to close the connection."""
    service.error, service.error_after_start = CircuitOpen(dependency="crm"), True
    request = begin(Front(service, clock).app)
    with pytest.raises(CircuitOpen):
        await request.task
    assert request.reply.status == 200


@pytest.mark.parametrize("error", [StoreError("/var/lib/file"), OptionError("odd"), ValueError("x")])
async def test_defects_are_left_to_the_server(service: Service, clock: VirtualClock, error: Exception) -> None:
    """What the people who run the service must see is raised, not told to callers."""
    service.error = error
    with pytest.raises(type(error)):
        await ask(Front(service, clock).app)


async def test_exempt_paths_and_other_connections_pass_untouched(service: Service, clock: VirtualClock) -> None:
    """Health checks are not limited, and websockets and lifespan are none of our business; dots climb no fence."""
    front = Front(service, clock, levels=TENANTS, exempt=("/livez", "/assets/"))
    for path in ("/livez", "/assets/a.css"):
        reply = await ask(front.app, path)
        assert (reply.status, "ratelimit" in reply.headers) == (200, False)
    for path in ("/livez/x", "/assets", "/assets/../orders"):
        assert (await ask(front.app, path)).status == 401
    seen: list[str] = []

    async def app(scope: Scope, _receive: object, _send: object) -> None:
        seen.append(scope["type"])

    for kind in ("lifespan", "websocket"):
        passing: Any = SwitchgearMiddleware(app, clock=clock, limits=front.limits, tenant_of=tenant_of)
        await passing({"type": kind}, None, None)
    assert seen == ["lifespan", "websocket"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limits": RateLimiter({"tenant": RateLimit(1)})}, "tenant_of="),
        ({"limits": RateLimiter({"tool": RateLimit(1)})}, "route_of="),
        ({"limits": RateLimiter({"connector": RateLimit(1)})}, "no connector"),
        ({"deadline_max": 0}, "deadline_max"),
        ({"exempt": "/livez"}, "exempt="),
        ({"exempt": ("livez",)}, "exempt="),
        ({"shown": ("all",)}, "shown="),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any], words: str) -> None:
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match=words):
        SwitchgearMiddleware(Service(), **options)
