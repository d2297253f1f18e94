"""Reading the ledger of a tenant, or of the platform: list, head, verify, export."""

from __future__ import annotations

from starlette.responses import Response

from switchgear.control.ledger_views import EventPage, HeadView, VerificationView
from switchgear.surfaces.rest.exchange import Exchange, json_response, lines_response
from switchgear.surfaces.rest.operation import AFTER, Operation, page_limit
from switchgear.surfaces.rest.queries import Choice

CHAIN = Choice("chain", "Which chain: `platform` needs `platform:read`; by default the tenant's own.", ("platform",))
"""Whose chain is read."""


async def list_entries(exchange: Exchange) -> Response:
    """List the tenant's ledger in order."""
    query = exchange.query
    page = await exchange.control.ledger.list(
        exchange.principal, after=query["after"], limit=query["limit"], platform=_platform(exchange)
    )
    return json_response(page)


async def head(exchange: Exchange) -> Response:
    """Show the end of the tenant's chain."""
    return json_response(await exchange.control.ledger.head(exchange.principal, platform=_platform(exchange)))


async def verify(exchange: Exchange) -> Response:
    """Verify the tenant's chain. What it finds is an answer, so it is 200 either way."""
    return json_response(await exchange.control.ledger.verify(exchange.principal, platform=_platform(exchange)))


async def export(exchange: Exchange) -> Response:
    """Stream the tenant's chain as JSON Lines."""
    return await lines_response(await exchange.control.ledger.export(exchange.principal, platform=_platform(exchange)))


def _platform(exchange: Exchange) -> bool:
    return exchange.query["chain"] is not None


OPERATIONS = (
    Operation(
        id="listLedger",
        method="GET",
        path="/v1/ledger",
        summary="Read the ledger",
        description=(
            "Lists the tenant's entries in order. `next_after` is null at the end. With `chain=platform` it lists what "
            "belongs to no tenant, such as transitions of dependencies; that it was read is recorded there first."
        ),
        permission="ledger:read",
        handle=list_entries,
        query=(AFTER, page_limit(100), CHAIN),
        answers={200: EventPage},
    ),
    Operation(
        id="showLedgerHead",
        method="GET",
        path="/v1/ledger/head",
        summary="Show the end of the chain",
        description="Shows sequence number and hash of the tenant's last entry.",
        permission="ledger:read",
        handle=head,
        query=(CHAIN,),
        answers={200: HeadView},
    ),
    *(
        Operation(
            id=operation_id,
            method=method,
            path="/v1/ledger/verify",
            summary="Verify the ledger",
            description=(
                "Verifies the tenant's chain and folds it again. The status is 200 whatever is found; `ok` "
                "says which. GET and POST do the same; POST is there for clients that cache a GET."
            ),
            permission="ledger:read",
            handle=verify,
            query=(CHAIN,),
            answers={200: VerificationView},
        )
        for method, operation_id in (("GET", "verifyLedger"), ("POST", "verifyLedgerNow"))
    ),
    Operation(
        id="exportLedger",
        method="GET",
        path="/v1/ledger/export",
        summary="Export the ledger",
        description=(
            "Streams the tenant's chain as JSON Lines, for `switchgear ledger verify` offline. A connection "
            "that breaks off before its regular end means an incomplete export."
        ),
        permission="ledger:read",
        handle=export,
        query=(CHAIN,),
        answers={200: None},
    ),
)
