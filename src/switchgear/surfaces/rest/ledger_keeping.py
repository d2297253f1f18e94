"""Keeping the ledger of a tenant: checkpoints, segments, archive, erasure. Reading it is in `ledger`.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.ledger_keeping import ArchivableView, CheckpointView, ErasureView, SegmentView
from switchgear.core.codes import Code
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response, lines_response
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import DIGEST, Operation
from switchgear.surfaces.rest.queries import Whole

SEQUENCE_MAX = 2**53 - 1
BEFORE = Whole("before", "Only entries below this sequence number.", 1, SEQUENCE_MAX, SEQUENCE_MAX)
LAST_SEQ = Whole("last_seq", "The last entry of the segment.", 1, SEQUENCE_MAX, 1)

HexDigest = Annotated[str, Meta(pattern=f"^{DIGEST}$", description="64 hex digits.")]


class ArchiveBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which entries may go, and the proof that the caller has their segment."""

    last_seq: Annotated[int, Meta(ge=1, le=SEQUENCE_MAX, description="The last entry that may go.")]
    hash: HexDigest
    sha256: HexDigest


class EraseBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why the data of an intent is erased."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, description="Stays in the ledger for ever.")
    ]


class SignBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing: signing takes the chain as it is."""


async def checkpoint(exchange: Exchange) -> Response:
    """Show the newest checkpoint."""
    return json_response(await exchange.control.keeping.checkpoint(exchange.principal))


async def sign(exchange: Exchange) -> Response:
    """Sign the chain as it is now."""
    await read_body(exchange.request, SignBody, exchange.traffic.limits)
    return json_response(await exchange.traffic.detach(exchange.control.keeping.sign(exchange.principal)))


async def archivable(exchange: Exchange) -> Response:
    """Show what may be archived."""
    found = await exchange.control.keeping.archivable(exchange.principal, before=exchange.query["before"])
    return json_response(found)


async def segment(exchange: Exchange) -> Response:
    """Stream the entries that are to be archived."""
    lines = await exchange.control.keeping.segment(exchange.principal, last_seq=exchange.query["last_seq"])
    return await lines_response(lines)


async def archive(exchange: Exchange) -> Response:
    """Let entries go whose segment the caller has."""
    body = await read_body(exchange.request, ArchiveBody, exchange.traffic.limits)
    archiving = exchange.control.keeping.archive(
        exchange.principal, last_seq=body.last_seq, hash=body.hash, sha256=body.sha256
    )
    return json_response(await exchange.traffic.detach(archiving))


async def erase(exchange: Exchange) -> Response:
    """Erase the data of one intent."""
    body = await read_body(exchange.request, EraseBody, exchange.traffic.limits)
    erasing = exchange.control.keeping.erase(exchange.principal, exchange.path_word(INTENT.name), reason=body.reason)
    return json_response(await exchange.traffic.detach(erasing))


_WRITES = (Code.PAYLOAD_TOO_LARGE, Code.TIMEOUT_JOURNAL_APPEND)

OPERATIONS = (
    Operation(
        id="showCheckpoint",
        method="GET",
        path="/v1/ledger/checkpoint",
        summary="Show the newest checkpoint",
        description="Shows the newest signed note about the tenant's chain. Kept elsewhere, it proves all before it.",
        permission="ledger:read",
        handle=checkpoint,
        answers={200: CheckpointView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="signLedger",
        method="POST",
        path="/v1/ledger/checkpoint",
        summary="Sign the ledger",
        description="Signs the tenant's chain as it is now, records that in the chain, and returns the checkpoint.",
        permission="ledger:sign",
        handle=sign,
        body=SignBody,
        answers={200: CheckpointView},
        refusals=(Code.NOT_FOUND, *_WRITES),
    ),
    Operation(
        id="showArchivable",
        method="GET",
        path="/v1/ledger/archivable",
        summary="Show what may be archived",
        description=(
            "Shows which of the oldest entries may leave: those up to the first of an intent that is still open. "
            "`last_seq` is 0 when there are none."
        ),
        permission="ledger:archive",
        handle=archivable,
        query=(BEFORE,),
        answers={200: ArchivableView},
    ),
    Operation(
        id="exportSegment",
        method="GET",
        path="/v1/ledger/segment",
        summary="Export a segment",
        description="Streams the entries up to `last_seq` as JSON Lines, to be verified and kept before they go.",
        permission="ledger:archive",
        handle=segment,
        query=(LAST_SEQ,),
        answers={200: None},
    ),
    Operation(
        id="archiveLedger",
        method="POST",
        path="/v1/ledger/archive",
        summary="Archive the beginning of the ledger",
        description=(
            "Records that the entries up to `last_seq` are in a segment that the caller has, then lets them go. "
            "Repeating it is no mistake."
        ),
        permission="ledger:archive",
        handle=archive,
        body=ArchiveBody,
        answers={200: SegmentView},
        refusals=(Code.ILLEGAL_TRANSITION, *_WRITES),
    ),
    Operation(
        id="eraseIntent",
        method="POST",
        path="/v1/intents/{intent_id}/erase",
        words=(INTENT,),
        summary="Erase the data of an intent",
        description=(
            "Erases arguments, value and messages of an intent that is final, for ever. That it happened, and the "
            "reason of the erasure, stay in the ledger."
        ),
        permission="ledger:erase",
        handle=erase,
        body=EraseBody,
        answers={200: ErasureView},
        refusals=(Code.NOT_FOUND, Code.ILLEGAL_TRANSITION, *_WRITES),
    ),
)
