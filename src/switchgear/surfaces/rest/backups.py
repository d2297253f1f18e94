"""Backups of the store, and the end of restore mode. Both are the platform's.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.backups import BackupList, BackupView, ThawedView
from switchgear.core.codes import Code
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import Operation

EPOCH_MAX = 2**53


class BackupBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing: a backup takes the store as it is."""


class ThawBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From when on the past may have been executed, and why the store goes on."""

    since: Annotated[
        float,
        Meta(ge=0, le=EPOCH_MAX, description="Seconds since the epoch: when the backup was made, or earlier."),
    ]
    reason: Annotated[
        str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, description="Stays in the platform's ledger.")
    ]


async def make_backup(exchange: Exchange) -> Response:
    """Copy the store."""
    await read_body(exchange.request, BackupBody, exchange.traffic.limits)
    made = await exchange.traffic.detach(exchange.control.backups.make(exchange.principal))
    return json_response(made)


async def list_backups(exchange: Exchange) -> Response:
    """List the backups."""
    return json_response(await exchange.control.backups.list(exchange.principal))


async def thaw(exchange: Exchange) -> Response:
    """Let a restored store go on."""
    body = await read_body(exchange.request, ThawBody, exchange.traffic.limits)
    thawing = exchange.control.backups.thaw(exchange.principal, since=body.since, reason=body.reason)
    return json_response(await exchange.traffic.detach(thawing))


_WRITES = (Code.ILLEGAL_TRANSITION, Code.PAYLOAD_TOO_LARGE, Code.LEDGER_UNAVAILABLE, Code.TIMEOUT_JOURNAL_APPEND)

OPERATIONS = (
    Operation(
        id="makeBackup",
        method="POST",
        path="/v1/ledger/backups",
        summary="Back up the store",
        description=(
            "Copies the whole store, of all tenants, while it runs, into the configured folder, and answers once the "
            "copy and its manifest are on the disk. One at a time."
        ),
        permission="platform:backup",
        handle=make_backup,
        body=BackupBody,
        answers={200: BackupView},
        refusals=_WRITES,
    ),
    Operation(
        id="listBackups",
        method="GET",
        path="/v1/ledger/backups",
        summary="List backups",
        description=(
            "Lists the backups in the folder, newest first, and says whether this store itself was restored and waits "
            "to be thawed."
        ),
        permission="platform:backup",
        handle=list_backups,
        answers={200: BackupList},
    ),
    Operation(
        id="thawLedger",
        method="POST",
        path="/v1/ledger/thaw",
        summary="Let a restored store go on",
        description=(
            "Puts into doubt what was waiting in the backup and may have been executed from `since` on, then lets "
            "writes pass. Repeating it after an error goes on with what is left."
        ),
        permission="platform:restore",
        handle=thaw,
        body=ThawBody,
        answers={200: ThawedView},
        refusals=_WRITES,
    ),
)
