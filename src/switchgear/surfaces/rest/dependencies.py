"""Listing dependencies and where they stand, and the operations that destroy something only while they are well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from switchgear.control.dependencies import DependencyView, DestructiveView
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.operation import Operation, PathWord

DEPENDENCY = PathWord("name", "Name of the dependency.")
"""The word of the path that is about one dependency."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Where all dependencies stand, by name."""

    items: Sequence[DependencyView]


@dataclass(frozen=True, slots=True)
class DestructiveOperations:
    """All destructive operations, by name."""

    items: Sequence[DestructiveView]


async def list_dependencies(exchange: Exchange) -> Response:
    """List where all dependencies stand."""
    return json_response(Dependencies(exchange.control.dependencies.list(exchange.principal)))


async def show_dependency(exchange: Exchange) -> Response:
    """Show where one dependency stands."""
    return json_response(exchange.control.dependencies.show(exchange.principal, exchange.path_word(DEPENDENCY.name)))


async def list_destructive(exchange: Exchange) -> Response:
    """List the destructive operations."""
    return json_response(DestructiveOperations(exchange.control.dependencies.destructive(exchange.principal)))


OPERATIONS = (
    Operation(
        id="listDependencies",
        method="GET",
        path="/v1/dependencies",
        summary="List dependencies",
        description=(
            "Lists where every declared dependency stands, since when, and when it is looked at again. The platform "
            "also sees why. Reading asks nobody."
        ),
        permission="dependencies:read",
        handle=list_dependencies,
        answers={200: Dependencies},
    ),
    Operation(
        id="showDependency",
        method="GET",
        path="/v1/dependencies/{name}",
        words=(DEPENDENCY,),
        summary="Show a dependency",
        description="Shows where one dependency stands.",
        permission="dependencies:read",
        handle=show_dependency,
        answers={200: DependencyView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="listDestructiveOperations",
        method="GET",
        path="/v1/destructive-operations",
        summary="List destructive operations",
        description=(
            "Lists what deletes or cuts off, and the dependencies that have to vouch for it. The platform also sees "
            "functions of the process, and when and why each was held back last."
        ),
        permission="dependencies:read",
        handle=list_destructive,
        answers={200: DestructiveOperations},
    ),
)
