"""Inbound limits as a FastAPI dependency, and every error of Switchgear as a problem document. Needs ``fastapi``.

For limits on every route, deadlines and shedding, take `switchgear.adapters.asgi.SwitchgearMiddleware`; both can be
used together.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from switchgear.adapters.asgi.checks import (
    require_documentation,
    require_header_value,
    require_kind,
    require_limiter,
    require_name,
    require_reader,
    require_tenants,
)
from switchgear.adapters.asgi.headers import SHOWN, checked_shown, limit_fields
from switchgear.adapters.asgi.problems import is_defect, problem_answer
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, OptionError, SwitchgearError
from switchgear.guard.limiter import Charge, RateLimiter
from switchgear.policies.checks import require_number
from switchgear.policies.levels import Level

logger = logging.getLogger("switchgear.fastapi")

_STATE = "switchgear_limit_fields"


def limited(
    limiter: RateLimiter,
    *,
    cost: float = 1.0,
    tenant_of: Callable[[Request], str | None] | None = None,
    tool: str | None = None,
    anonymous: str | None = None,
    shown: tuple[Level, ...] = SHOWN,
) -> Callable[[Request, Response], Awaitable[Charge]]:
    """Return a dependency that charges `limiter` for a request and gives the route its `Charge`.

    cost       cost units of one request, at least 0.
    tenant_of  reads the tenant from what verified it, never from path, query or body. None: there are none.
    tool       the name at the level of tools; default: method and path template of the route, ``"GET /orders/{id}"``.
    anonymous  the name under which all requests without a tenant are limited together; None refuses them with
               TENANT_UNAUTHENTICATED.
    shown      the levels that ``RateLimit`` headers tell.

    It raises `RateLimited` or `Denied`, which `install` turns into answers. Raises `OptionError` for options that
    cannot work.
    """
    require_limiter(_option("limiter"), limiter)
    require_number(_option("cost"), cost, least=0, example=1.0)
    require_reader(_option("tenant_of"), tenant_of, example="tenant_of=lambda request: request.state.tenant")
    require_name(_option("tool"), tool, example="GET /orders")
    require_name(_option("anonymous"), anonymous, example="anonymous")
    require_tenants(limiter, tenant_of, anonymous, reads="request")
    levels = checked_shown(shown)

    async def charge(request: Request, response: Response) -> Charge:
        tenant = _tenant(request, tenant_of, anonymous)
        name = tool or _route_of(request)

        def headers(retry_after: float | None = None) -> dict[str, str]:
            standings = limiter.standings(tenant=tenant, tool=name)
            told = limit_fields(standings, levels, retry_after)
            return {field.decode(): value.decode() for field, value in told}

        setattr(request.state, _STATE, headers)
        charged = limiter.check(tenant=tenant, tool=name, cost=cost)
        response.headers.update(headers())
        return charged

    return charge


def install(app: FastAPI, *, challenge: str = "Bearer", documentation: str | None = None) -> None:
    """Answer every `SwitchgearError` that a route raises with a problem document (RFC 9457).

    Status and facts are those of its code, with ``Retry-After``, and the ``RateLimit`` headers of `limited`.
    `challenge` is what ``WWW-Authenticate`` says with TENANT_UNAUTHENTICATED. `documentation` is where the pages are
    published that the ``type`` of a problem leads to; None makes it a name. Errors of our own making are logged, and
    their text stays in the log. Raises `OptionError` for options that cannot work, and after the first request of
    `app`: its handlers are fixed by then.
    """
    require_kind("install(app)", app, FastAPI, example="install(FastAPI())")
    require_header_value("install(challenge)", challenge, example="Bearer")
    require_documentation("install(documentation)", documentation)
    if app.middleware_stack is not None:
        raise OptionError("install(app) has to come before the first request of the application")

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, SwitchgearError)  # it is registered for nothing else
        if is_defect(error):
            logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        problem = problem_answer(error, challenge, documentation)
        headers: Callable[[float | None], dict[str, str]] | None = getattr(request.state, _STATE, None)
        response = Response(problem.body, problem.status)
        for field, value in problem.fields:
            response.headers[field.decode()] = value.decode("latin-1")
        response.headers.update({} if headers is None else headers(problem.retry_after))
        return response

    app.add_exception_handler(SwitchgearError, answer)


def _tenant(request: Request, tenant_of: Callable[[Request], str | None] | None, anonymous: str | None) -> str | None:
    tenant = (None if tenant_of is None else tenant_of(request)) or anonymous
    if tenant is None and tenant_of is not None:
        raise Denied("the request has no tenant", code=Code.TENANT_UNAUTHENTICATED, policy="tenant")
    return tenant


def _route_of(request: Request) -> str:
    """Return method and path template, so that ids in paths make no new names."""
    path = getattr(request.scope.get("route"), "path", "")
    return f"{request.method} {path}"


def _option(name: str) -> str:
    return f"limited({name})"
