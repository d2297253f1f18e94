"""Assemble the application: one route an operation, the health checks, the edge round all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from switchgear.control.use_cases import Control
from switchgear.surfaces.rest import health
from switchgear.surfaces.rest.edge import Edge
from switchgear.surfaces.rest.exchange import Exchange, json_response, note_of
from switchgear.surfaces.rest.headers import Verifier, bearer_token
from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.openapi import openapi_document
from switchgear.surfaces.rest.operation import Operation
from switchgear.surfaces.rest.operations import OPERATIONS
from switchgear.surfaces.rest.problems import code_of, problem_response
from switchgear.surfaces.rest.queries import read_query
from switchgear.surfaces.rest.self_test import rest_trials
from switchgear.surfaces.rest.traffic import Traffic

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(control: Control, verifier: Verifier, *, traffic: Traffic | None = None) -> FastAPI:
    """Return the REST application over `control`, for callers whose tokens `verifier` accepts.

    `traffic` carries the bounds and says when the server is stopping; one with default bounds is made when it
    is None. What has to be refused here is tried by the self-test, before the process is ready.
    """
    traffic = traffic or Traffic(RestLimits())
    app = _assembled(control, verifier, traffic)
    trials = rest_trials(app, lambda stand_in: _assembled(control, stand_in, Traffic(traffic.limits)))
    control.readiness.self_test.add(trials)
    return app


def _assembled(control: Control, verifier: Verifier, traffic: Traffic) -> FastAPI:
    app = FastAPI(title="Switchgear", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for operation in OPERATIONS:
        endpoint = _endpoint(operation, control, verifier, traffic)
        app.router.routes.append(_route(operation.path, operation.method, endpoint))
    _add_health(app, control, verifier, traffic)
    app.add_exception_handler(HTTPException, _routing_problems(traffic.documentation))
    app.add_middleware(Edge, traffic=traffic)
    return app


def _route(path: str, method: str, endpoint: Endpoint) -> Route:
    """Return a plain route: bodies, queries and the OpenAPI document are ours, so nothing is left for FastAPI to do."""
    route = Route(path, _Answering(endpoint), methods=[method])
    route.methods = {method}  # Starlette adds HEAD to GET, and the document does not have it
    return route


class _Answering:
    """An endpoint as an ASGI application of its own. What it raises goes straight to the edge."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def _endpoint(operation: Operation, control: Control, verifier: Verifier, traffic: Traffic) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        note = note_of(request.scope)
        note.route = operation.path
        principal = verifier.verify(bearer_token(request.headers))
        note.tenant = principal.tenant
        query = read_query(request.scope["query_string"], operation.query)
        return await operation.handle(Exchange(control, traffic, principal, request, query))

    return endpoint


def _add_health(app: FastAPI, control: Control, verifier: Verifier, traffic: Traffic) -> None:
    document = openapi_document()

    async def openapi(request: Request) -> Response:
        note_of(request.scope).route = "/openapi.json"
        return json_response(document)

    async def live(request: Request) -> Response:
        note_of(request.scope).route = "/livez"
        return await health.live()

    async def ready(request: Request) -> Response:
        note_of(request.scope).route = "/readyz"
        return await health.ready(control, stopping=traffic.stopping)

    async def report(request: Request) -> Response:
        note = note_of(request.scope)
        note.route = "/healthz"
        caller = health.caller_of(request.headers, verifier)
        note.tenant = None if caller is None else caller.tenant
        return await health.report(control, caller, stopping=traffic.stopping)

    routes = {"/livez": live, "/readyz": ready, "/healthz": report, "/openapi.json": openapi}
    for path, endpoint in routes.items():
        app.router.routes.append(_route(path, "GET", endpoint))


def _routing_problems(documentation: str | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers where no route took it: an unknown path, or a method that this path does not have."""

    async def answer(request: Request, error: Exception) -> Response:
        note = note_of(request.scope)
        note.code = str(code_of(error))
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = {"Allow": _allowed(request)}
            error = HTTPException(error.status_code, "this path does not have that method", allowed)
        return problem_response(error, note.trace.trace_id, documentation)

    return answer


def _allowed(request: Request) -> str:
    """Return the methods of every route of this path (RFC 9110 §10.2.1)."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods
    return ", ".join(sorted(methods))
