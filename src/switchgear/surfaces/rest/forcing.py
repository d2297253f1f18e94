"""A person's word that lets a held destructive action leave once, although a dependency does not vouch."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.intent_views import IntentView
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import NOT_BLANK, Operation


class ForceBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why it may leave all the same, and for how long."""

    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            pattern=NOT_BLANK,
            description="Printable text that says something. Recorded in the ledger.",
        ),
    ]
    seconds: Annotated[
        float, Meta(gt=0, le=3_600, description="How long it is good for, if no attempt leaves before that.")
    ]


async def force(exchange: Exchange) -> Response:
    """Let a held destructive action leave once."""
    body = await read_body(exchange.request, ForceBody, exchange.traffic.limits)
    forcing = exchange.control.forced.force(
        exchange.principal, exchange.path_word(INTENT.name), reason=body.reason, seconds=body.seconds
    )
    return json_response(await exchange.traffic.detach(forcing))


OPERATIONS = (
    Operation(
        id="forceIntent",
        method="POST",
        path="/v1/intents/{intent_id}/force",
        words=(INTENT,),
        summary="Force a held destructive action",
        description=(
            "For an intent that is `held` with `DESTRUCTIVE_BLOCKED`: lets its next attempt leave although the "
            "dependencies that do not vouch now still do not. It is good for those dependencies, this contract, "
            "`seconds`, and one dispatch, and is recorded with what it overrides. Kill switches, budgets and approvals "
            "stand. Not for agents, nor for who asked for the intent, unless the configuration says `single_operator`."
        ),
        permission="destructive:force",
        handle=force,
        body=ForceBody,
        answers={200: IntentView},
        refusals=(
            Code.NOT_FOUND,
            Code.ILLEGAL_TRANSITION,
            Code.TOOL_CHANGED,
            Code.PAYLOAD_TOO_LARGE,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
)
