"""Listing the breakers of the dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from switchgear.control.breakers import BreakerView
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.operation import Operation


@dataclass(frozen=True, slots=True)
class Breakers:
    """The guards of all dependencies, by name."""

    items: Sequence[BreakerView]


async def list_breakers(exchange: Exchange) -> Response:
    """List the guards of all dependencies."""
    return json_response(Breakers(exchange.control.breakers.list(exchange.principal)))


OPERATIONS = (
    Operation(
        id="listBreakers",
        method="GET",
        path="/v1/breakers",
        summary="List breakers",
        description=(
            "Lists every dependency's guard, and the breaker that the tenant has of its own there. Reading never uses "
            "up a probe."
        ),
        permission="breakers:read",
        handle=list_breakers,
        answers={200: Breakers},
    ),
)
