"""The health checks of this process. They need no token, tell nobody of a tenant, and call nobody else.

`/livez`    answers. It touches nothing.
`/readyz`   whether work can be accepted and recorded here; never about anybody else's service
`/healthz`  everything that is known, as ``application/health+json``; the platform's tokens see all of it
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response

from switchgear.control.health_views import HealthReport
from switchgear.control.readiness import ReadinessView
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal
from switchgear.health.report import MEDIA_TYPE, Status
from switchgear.surfaces.rest.exchange import json_response
from switchgear.surfaces.rest.headers import Verifier, bearer_token

STOPPING = ReadinessView(ready=False, parts={"process": "stopping"})
_RETRY_AFTER = {"Retry-After": "1"}


async def live() -> Response:
    """Say that this process answers. Touches nothing."""
    return json_response({"alive": True})


async def ready(control: Control, *, stopping: bool) -> Response:
    """Say whether this process can accept and record work: 200, or 503 with the parts that cannot."""
    if stopping:
        return ready_answer(STOPPING)
    view = await control.readiness.check()
    return ready_answer(ReadinessView(ready=view.ready, parts=_without_details(view.parts)))


def ready_answer(view: ReadinessView) -> Response:
    """Return what `/readyz` answers to say `view`."""
    return json_response(view) if view.ready else json_response(view, 503, _RETRY_AFTER)


async def report(control: Control, caller: Principal | None, *, stopping: bool) -> Response:
    """Tell how this process stands: 200 when it passes or warns, 503 when it fails or stops."""
    found = await control.health.report(caller)
    if stopping:
        found = msgspec.structs.replace(found, status=Status.FAIL, description="this process is stopping")
    return report_answer(found)


def report_answer(found: HealthReport) -> Response:
    """Return what `/healthz` answers to say `found`."""
    failed = found.status is Status.FAIL
    body, headers = msgspec.json.encode(found), _RETRY_AFTER if failed else None
    return Response(body, status_code=503 if failed else 200, headers=headers, media_type=MEDIA_TYPE)


def caller_of(headers: Headers, verifier: Verifier | None) -> Principal | None:
    """Return who asks; None for anybody, or where no token can be verified.

    Raises `Denied` (TENANT_UNAUTHENTICATED) for a token that is sent and not good.
    """
    if verifier is None or "authorization" not in headers:
        return None
    return verifier.verify(bearer_token(headers))


def _without_details(parts: Mapping[str, str]) -> dict[str, str]:
    """Keep the code of what is wrong. Its details may name a file, and anybody can ask."""
    return {name: state.partition(":")[0] for name, state in parts.items()}
