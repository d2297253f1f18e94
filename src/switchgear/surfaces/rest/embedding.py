"""A gear inside an application of your own: opened and closed with it, and its health as routes of it.

``app = FastAPI(lifespan=gear_lifespan("switchgear.toml"))`` opens a gear before the first request, and drains and
closes it after the last. It mounts nothing; `add_health_routes` adds the three health checks, if you want them. Works
with every Starlette application. The REST interface of Switchgear itself is not part of it: `app` has that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from switchgear.assembly.gear import Switchgear
from switchgear.control.health_views import health_view
from switchgear.control.readiness import ReadinessView
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.errors import Denied, OptionError
from switchgear.health.report import Component, Status
from switchgear.surfaces.rest import health
from switchgear.surfaces.rest.headers import Verifier
from switchgear.surfaces.rest.problems import problem_response
from switchgear.surfaces.rest.trace import trace_of

App = TypeVar("App", bound=Starlette)
Lifespan = Callable[[App], AbstractAsyncContextManager[Mapping[str, Any]]]
"""What ``FastAPI(lifespan=…)`` and ``Starlette(lifespan=…)`` take."""
_CLOSED = "not open"
_STATE = "switchgear_gear"


def gear_lifespan(
    path: str | Path | None = None,
    *,
    store: str | None = None,
    tools: Callable[[Switchgear], object] | None = None,
    inside: Lifespan[App] | None = None,
) -> Lifespan[App]:
    """Return a lifespan that opens a gear with the application, and drains and closes it with it.

    path    the configuration file of the gear; or else
    store   its store alone, such as ``sqlite:///gear.db``.
    tools   is called with the gear once it is open, to register tools in Python; it may be an async function.
    inside  a lifespan of your own, entered once the gear is open and left before it closes.

    Raises `OptionError` as `Switchgear.open` does, at once for options that cannot work together. The application does
    not start when the gear cannot be opened.
    """
    if (path is None) == (store is None):
        raise OptionError(
            'gear_lifespan takes the file, gear_lifespan("switchgear.toml"), or store="sqlite:///gear.db"'
        )

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[Mapping[str, Any]]:
        async with AsyncExitStack() as closing:
            gear = await closing.enter_async_context(Switchgear.open(path, store=store))
            if tools is not None and isinstance(registering := tools(gear), Awaitable):
                await registering
            setattr(app.state, _STATE, gear)
            closing.callback(setattr, app.state, _STATE, None)
            own = {} if inside is None else await closing.enter_async_context(inside(app))
            yield own or {}

    return lifespan


def gear_of(connection: HTTPConnection) -> Switchgear:
    """Return the gear of the application that a request came to. In FastAPI: ``Depends(gear_of)``.

    Raises `OptionError` as `gear_in` does.
    """
    return gear_in(connection.app)


def gear_in(app: Starlette) -> Switchgear:
    """Return the gear of an application. Raises `OptionError` while it is not running, and when it has none."""
    gear = _gear(app)
    if gear is None:
        raise OptionError("no gear is open here: make the application with lifespan=gear_lifespan(…), and start it")
    return gear


def add_health_routes(app: Starlette, *, verifier: Verifier | None = None) -> None:
    """Add ``/livez``, ``/readyz`` and ``/healthz`` to an application whose lifespan is a gear's.

    With a `verifier`, a token that carries ``platform:read`` sees all of ``/healthz``. Raises `OptionError` when the
    application has one of these paths already.
    """
    taken = {getattr(route, "path", "") for route in app.routes} & {"/livez", "/readyz", "/healthz"}
    if taken:
        raise OptionError(f"the application has {', '.join(sorted(taken))} already; leave one of the two out")

    async def live(_request: Request) -> Response:
        return await health.live()

    async def ready(request: Request) -> Response:
        gear = _gear(request.app)
        if gear is None:
            return health.ready_answer(ReadinessView(ready=False, parts={"gear": _CLOSED}))
        return await health.ready(gear.control, stopping=gear.stopping)

    async def report(request: Request) -> Response:
        gear = _gear(request.app)
        if gear is None:
            return _report_closed()
        try:
            caller = health.caller_of(request.headers, verifier)
        except Denied as refusal:
            trace = trace_of(request.headers.get("traceparent"))
            return problem_response(refusal, trace.trace_id, gear.configuration.server.documentation)
        return await health.report(gear.control, caller, stopping=gear.stopping)

    for path, endpoint in (("/livez", live), ("/readyz", ready), ("/healthz", report)):
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)


def _gear(app: Starlette) -> Switchgear | None:
    gear: Switchgear | None = getattr(app.state, _STATE, None)
    return gear


def _report_closed() -> Response:
    closed = Component(name="gear", measurement="state", status=Status.FAIL, public=True, value=_CLOSED)
    return health.report_answer(health_view([closed], at=SYSTEM_CLOCK.time(), whole=False))
