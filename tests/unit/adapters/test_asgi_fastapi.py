"""`limited` and `install` with a real FastAPI application, called through the bare driver."""

import logging
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from switchgear.adapters.asgi import SwitchgearMiddleware
from switchgear.adapters.fastapi import install, limited
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import CircuitOpen, OptionError, StoreError
from switchgear.guard.limiter import Charge, RateLimiter
from switchgear.policies.rate_limit import RateLimit
from tests.unit.adapters.asgi_driver import ask


def tenant_of(request: Request) -> str | None:
    """Read the tenant as a test's verifier left it."""
    return request.headers.get("verified-tenant")


@pytest.fixture
def limiter() -> RateLimiter:
    """Return limits by tenant and route on a clock that stands still."""
    return RateLimiter(
        {"tenant": RateLimit(5, per=50.0), "tool": {"GET /orders/{order}": RateLimit(3, per=30.0)}},
        clock=VirtualClock(),
    )


@pytest.fixture
def app(limiter: RateLimiter) -> Any:  # noqa: ANN401 - FastAPI has ASGI types of its own
    """Return an application with limited routes and errors of every kind."""
    application = FastAPI()
    install(application)
    router = APIRouter(prefix="/orders")
    charge_one = limited(limiter, tenant_of=tenant_of)

    @router.get("/{order}")
    async def read(order: str, charge: Annotated[Charge, Depends(charge_one)]) -> str:
        return f"{order} for {charge.cost:g}"

    @application.get("/report", dependencies=[Depends(limited(limiter, cost=4, tenant_of=tenant_of))])
    async def report() -> str:
        return "long"

    @application.get("/broken")
    async def broken() -> None:
        raise StoreError("/var/lib/gear.db is gone")

    @application.get("/open")
    async def opened() -> None:
        raise CircuitOpen(dependency="crm", state="open", retry_after=3.5)

    application.include_router(router)
    return application


async def test_a_route_is_limited_by_its_template(app: Any) -> None:  # noqa: ANN401 - as the fixture
    """Every id is the same route; the answer tells both levels, and the refusal all facts and the same fields."""
    replies = [await ask(app, f"/orders/{number}", verified_tenant="acme") for number in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[0].body == b'"0 for 1"'
    assert replies[0].headers["ratelimit"] == '"tenant";r=4;t=10, "tool";r=2;t=10'
    assert replies[0].headers["ratelimit-policy"] == '"tenant";q=5;w=50, "tool";q=3;w=30'
    refused = replies[3]
    assert (refused.problem["code"], refused.problem["dependency"]) == ("RATE_LIMITED_TOOL", "GET /orders/{order}")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == (
        "10",
        '"tenant";r=2;t=10, "tool";r=0;t=10',
    )


async def test_cost_is_weighted_by_route(app: Any) -> None:  # noqa: ANN401 - as the fixture
    """An expensive route takes more of the tenant's limit, and is refused without charging it."""
    assert [(await ask(app, "/report", verified_tenant="acme")).status for _ in range(3)] == [200, 429, 429]
    assert (await ask(app, "/orders/1", verified_tenant="acme")).status == 200


async def test_a_request_without_a_tenant_is_refused(app: Any) -> None:  # noqa: ANN401 - as the fixture
    """There is no default tenant."""
    reply = await ask(app, "/orders/1")
    assert (reply.status, reply.problem["code"], reply.headers["www-authenticate"]) == (
        401,
        "TENANT_UNAUTHENTICATED",
        "Bearer",
    )


async def test_anonymous_requests_share_a_limit_when_that_is_asked_for() -> None:
    """`anonymous` is an explicit choice; a limit without levels that need names needs none."""
    application = FastAPI()
    install(application)
    front: Any = application
    shared = RateLimiter({"tenant": RateLimit(1, per=60.0)}, clock=VirtualClock())

    @application.get("/", dependencies=[Depends(limited(shared, tenant_of=tenant_of, anonymous="anonymous"))])
    async def read() -> str:
        return "ok"

    assert [(await ask(front)).status for _ in range(2)] == [200, 429]


async def test_every_error_of_switchgear_is_a_problem_document(app: Any) -> None:  # noqa: ANN401 - as the fixture
    """Status, code and facts are those of the error, also without a limit on the route."""
    reply = await ask(app, "/open")
    assert (reply.status, reply.headers["retry-after"]) == (503, "4")
    assert (reply.problem["code"], reply.problem["dependency"]) == ("CIRCUIT_OPEN", "crm")


async def test_a_defect_is_logged_and_not_told(
    app: Any,  # noqa: ANN401 - as the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller gets the code; the log gets the text."""
    with caplog.at_level(logging.ERROR, "switchgear.fastapi"):
        reply = await ask(app, "/broken")
    assert (reply.status, b"/var" in reply.body) == (503, False)
    assert "gear.db is gone" in caplog.text


async def test_dependency_and_middleware_work_together(app: Any, limiter: RateLimiter) -> None:  # noqa: ANN401 - as the fixture
    """The route's own fields win over the middleware's, so that each is sent once."""
    outer = RateLimiter({"global": RateLimit(100)}, clock=VirtualClock())
    reply = await ask(SwitchgearMiddleware(app, limits=outer, shown=("global",)), "/orders/1", verified_tenant="acme")
    assert (reply.status, reply.headers["ratelimit"]) == (200, '"tenant";r=4;t=10, "tool";r=2;t=10')
    assert limiter.statistics().charged == 1


async def test_an_installation_that_comes_too_late_is_refused() -> None:
    """After its first request an application takes up no handler; that must not go unnoticed."""
    application = FastAPI()
    front: Any = application
    await ask(front)
    with pytest.raises(OptionError, match="before the first request"):
        install(application)


def test_options_that_cannot_work_are_refused_at_birth(limiter: RateLimiter) -> None:
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match="tenant_of="):
        limited(limiter)
    with pytest.raises(OptionError, match="shown="):
        limited(limiter, tenant_of=tenant_of, shown="tenant")  # type: ignore[arg-type] # the mistake that is meant
