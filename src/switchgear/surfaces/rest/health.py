"""The health checks of this process. They need no token, tell nothing of a tenant and call nobody else."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from switchgear.control.readiness import ReadinessView
from switchgear.control.use_cases import Control
from switchgear.surfaces.rest.exchange import json_response
from switchgear.surfaces.rest.traffic import Traffic

_RETRY_AFTER = {"Retry-After": "1"}


async def live(_control: Control, _traffic: Traffic) -> Response:
    """Say that this process answers. Touches nothing."""
    return json_response({"alive": True})


async def ready(control: Control, traffic: Traffic) -> Response:
    """Say whether this process can accept and record work: 200, or 503 with the parts that cannot."""
    if traffic.stopping:
        return _answer(ReadinessView(ready=False, parts={"process": "stopping"}))
    view = await control.readiness.check()
    return _answer(ReadinessView(ready=view.ready, parts=_without_details(view.parts)))


def _answer(view: ReadinessView) -> Response:
    return json_response(view) if view.ready else json_response(view, 503, _RETRY_AFTER)


def _without_details(parts: Mapping[str, str]) -> dict[str, str]:
    """Keep the code of what is wrong. Its details may name a file, and anybody can ask."""
    return {name: state.partition(":")[0] for name, state in parts.items()}
