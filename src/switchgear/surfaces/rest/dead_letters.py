"""Dead letters: list them, set one or many going again, put one away."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.dead_letters import RATE_MAX, Requeued
from switchgear.control.intent_views import IntentView, Page
from switchgear.control.paging import PAGE_MAX
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import (
    CHANGE_REFUSALS,
    INTENT_ID,
    INTENT_ID_IN_WORDS,
    NAME,
    NAME_IN_WORDS,
    EarlierIntent,
    Operation,
    Reason,
    page_limit,
)
from switchgear.surfaces.rest.queries import Word


class DiscardBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a dead letter is put away."""

    reason: Reason


class RequeueAllBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which dead letters are to run again, and how fast."""

    tool: Annotated[str, Meta(pattern=f"^{NAME}$", description="Only those of this tool.")] | None = None
    cursor: EarlierIntent | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="How many are looked at.")] = 50
    per_second: Annotated[float, Meta(gt=0, le=RATE_MAX, description="The most that start in a second.")] = 10.0


async def list_dead_letters(exchange: Exchange) -> Response:
    """List the tenant's dead letters, newest first."""
    query = exchange.query
    page = await exchange.control.dead_letters.list(
        exchange.principal, tool=query["tool"], cursor=query["cursor"], limit=query["limit"]
    )
    return json_response(page)


async def requeue(exchange: Exchange) -> Response:
    """Let one run again."""
    requeued = exchange.control.dead_letters.requeue(exchange.principal, exchange.path_word(INTENT.name))
    return json_response(await exchange.traffic.detach(requeued))


async def requeue_all(exchange: Exchange) -> Response:
    """Let many run again, each alone."""
    body = await read_body(exchange.request, RequeueAllBody, exchange.traffic.limits)
    requeued = exchange.control.dead_letters.requeue_all(
        exchange.principal, tool=body.tool, cursor=body.cursor, limit=body.limit, per_second=body.per_second
    )
    return json_response(await exchange.traffic.detach(requeued))


async def discard(exchange: Exchange) -> Response:
    """Put one away for good."""
    body = await read_body(exchange.request, DiscardBody, exchange.traffic.limits)
    discarded = exchange.control.dead_letters.discard(
        exchange.principal, exchange.path_word(INTENT.name), reason=body.reason
    )
    return json_response(await exchange.traffic.detach(discarded))


OPERATIONS = (
    Operation(
        id="listDeadLetters",
        method="GET",
        path="/v1/dead-letters",
        summary="List dead letters",
        description=(
            "Lists the tenant's actions that failed or were abandoned and wait for a decision, newest first: "
            "`ended`, `code` and `message` say why, and their events the history. `next_cursor` is null at the end."
        ),
        permission="deadletters:read",
        handle=list_dead_letters,
        query=(
            Word("tool", "Only those of this tool, among the `limit` looked at.", NAME, NAME_IN_WORDS),
            Word("cursor", "`next_cursor` of the page before.", INTENT_ID, INTENT_ID_IN_WORDS),
            page_limit(50),
        ),
        answers={200: Page},
    ),
    Operation(
        id="requeueDeadLetter",
        method="POST",
        path="/v1/dead-letters/{intent_id}/requeue",
        words=(INTENT,),
        summary="Let a dead letter run again",
        description=(
            "It keeps its keys, and gets fresh attempts and a fresh deadline. Refused while an attempt of it may have "
            "been applied: such a one is only discarded."
        ),
        permission="deadletters:requeue",
        handle=requeue,
        answers={200: IntentView},
        refusals=(Code.NOT_FOUND, Code.ILLEGAL_TRANSITION, Code.TOOL_UNREGISTERED, Code.TIMEOUT_JOURNAL_APPEND),
    ),
    Operation(
        id="requeueDeadLetters",
        method="POST",
        path="/v1/dead-letters/requeue",
        summary="Let many dead letters run again",
        description=(
            "Takes up to `limit` of them, newest first, each alone, and lets `per_second` of them start in a second. "
            "Those that are refused stay dead letters and are named with their reason."
        ),
        permission="deadletters:requeue",
        handle=requeue_all,
        body=RequeueAllBody,
        answers={200: Requeued},
        refusals=(Code.PAYLOAD_TOO_LARGE,),
    ),
    Operation(
        id="discardDeadLetter",
        method="POST",
        path="/v1/dead-letters/{intent_id}/discard",
        words=(INTENT,),
        summary="Put a dead letter away",
        description="Ends it for good, with a reason on record. Its key is free again after its retention.",
        permission="deadletters:discard",
        handle=discard,
        body=DiscardBody,
        answers={200: IntentView},
        refusals=CHANGE_REFUSALS,
    ),
)
