"""The handlers for what is known: tools, breakers and the ledger. They only read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from switchgear.surfaces.rest.exchange import Exchange, json_response

NDJSON = "application/x-ndjson"


async def tools(exchange: Exchange) -> Response:
    """List the registered tools."""
    return json_response({"items": exchange.control.tools(exchange.principal)})


async def breakers(exchange: Exchange) -> Response:
    """List the guards of all dependencies."""
    return json_response({"items": exchange.control.breakers(exchange.principal)})


async def ledger(exchange: Exchange) -> Response:
    """List the tenant's ledger in order."""
    query = exchange.query
    return json_response(await exchange.control.ledger(exchange.principal, after=query["after"], limit=query["limit"]))


async def ledger_head(exchange: Exchange) -> Response:
    """Show the end of the tenant's chain."""
    return json_response(await exchange.control.ledger_head(exchange.principal))


async def ledger_verify(exchange: Exchange) -> Response:
    """Verify the tenant's chain. What it finds is an answer, so it is 200 either way."""
    return json_response(await exchange.control.ledger_verify(exchange.principal))


async def ledger_export(exchange: Exchange) -> Response:
    """Stream the tenant's chain as JSON Lines. The first is read before the answer begins: refusals show."""
    lines = await exchange.control.ledger_export(exchange.principal)
    first = await anext(lines, b"")
    return StreamingResponse(_from(first, lines), media_type=NDJSON)


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in rest:
        yield line
