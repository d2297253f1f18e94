"""The registered tools: list them, accept one that has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.tools import ToolView
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import DIGEST, Operation, PathWord

NAME = PathWord("tool", "Name of the tool.")


class AcceptToolBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which contract is accepted: the one that was looked at."""

    contract: Annotated[str, Meta(pattern=f"^{DIGEST}$", description="`contract` of the tool as it is now.")]


@dataclass(frozen=True, slots=True)
class Tools:
    """The registered tools, by name."""

    items: Sequence[ToolView]


async def list_tools(exchange: Exchange) -> Response:
    """List the registered tools."""
    return json_response(Tools(exchange.control.tools.list(exchange.principal)))


async def accept_tool(exchange: Exchange) -> Response:
    """Accept the present contract of a tool."""
    body = await read_body(exchange.request, AcceptToolBody, exchange.traffic.limits)
    name = exchange.path_word(NAME.name)
    accepting = exchange.control.tools.accept(exchange.principal, name, contract=body.contract)
    return json_response(await exchange.traffic.detach(accepting))


OPERATIONS = (
    Operation(
        id="listTools",
        method="GET",
        path="/v1/tools",
        summary="List tools",
        description="Lists the registered tools and their contracts, by name.",
        permission="tools:read",
        handle=list_tools,
        answers={200: Tools},
    ),
    Operation(
        id="acceptTool",
        method="POST",
        path="/v1/tools/{tool}/accept",
        summary="Accept a changed tool",
        description=(
            "Accepts the present contract of a tool, for new actions and for the open ones of its earlier contracts. "
            "A tool that comes with another contract under the same version is stopped until then."
        ),
        permission="platform:tools",
        handle=accept_tool,
        words=(NAME,),
        body=AcceptToolBody,
        answers={200: ToolView},
        refusals=(Code.NOT_FOUND, Code.TOOL_CHANGED, Code.PAYLOAD_TOO_LARGE, Code.TIMEOUT_JOURNAL_APPEND),
    ),
)
