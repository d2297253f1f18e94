"""What people say about intents that need approval: approve, reject, withdraw. What waits is listed by `intents`.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.approvals import DIGEST_PATTERN
from switchgear.control.intent_views import IntentView
from switchgear.core.codes import Code
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import CHANGE_REFUSALS, Operation, Reason

Through = Annotated[
    Literal["rest", "cli"], Meta(description="What the person used. Recorded as you say it; leave it out for `rest`.")
]
Digest = Annotated[
    str,
    Meta(
        pattern=f"^{DIGEST_PATTERN}$",
        description="`approval.digest` of what the person saw. If another approval is asked for by now, it is refused.",
    ),
]


class ApproveBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A yes."""

    digest: Digest | None = None
    channel: Through = "rest"


class RejectBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A no, and why."""

    reason: Reason
    channel: Through = "rest"


class WithdrawBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One's own yes taken back."""

    reason: Annotated[str, Meta(max_length=REASON_CHARACTERS_MAX, description="Recorded in the ledger.")] = ""
    channel: Through = "rest"


async def approve(exchange: Exchange) -> Response:
    """Say yes to an intent."""
    body = await read_body(exchange.request, ApproveBody, exchange.traffic.limits)
    approval = exchange.control.approvals.approve(
        exchange.principal, exchange.path_word(INTENT.name), channel=body.channel, digest=body.digest
    )
    return json_response(await exchange.traffic.detach(approval))


async def reject(exchange: Exchange) -> Response:
    """Say no to an intent, which ends it."""
    body = await read_body(exchange.request, RejectBody, exchange.traffic.limits)
    rejection = exchange.control.approvals.reject(
        exchange.principal, exchange.path_word(INTENT.name), channel=body.channel, reason=body.reason
    )
    return json_response(await exchange.traffic.detach(rejection))


async def withdraw(exchange: Exchange) -> Response:
    """Take one's own yes back."""
    body = await read_body(exchange.request, WithdrawBody, exchange.traffic.limits)
    withdrawal = exchange.control.approvals.withdraw(
        exchange.principal, exchange.path_word(INTENT.name), channel=body.channel, reason=body.reason
    )
    return json_response(await exchange.traffic.detach(withdrawal))


OPERATIONS = (
    Operation(
        id="approveIntent",
        method="POST",
        path="/v1/intents/{intent_id}/approve",
        words=(INTENT,),
        summary="Approve an intent",
        description=(
            "Says yes to an intent that is `pending_approval`. The last yes of the quorum lets it go. A second yes of "
            "one person counts once. Whoever asked for the intent, and an agent, are refused."
        ),
        permission="intents:approve",
        handle=approve,
        body=ApproveBody,
        answers={200: IntentView},
        refusals=(*CHANGE_REFUSALS, Code.APPROVAL_STALE, Code.APPROVAL_EXPIRED),
    ),
    Operation(
        id="rejectIntent",
        method="POST",
        path="/v1/intents/{intent_id}/reject",
        words=(INTENT,),
        summary="Reject an intent",
        description=(
            "Says no to an intent that is `pending_approval`. One no is enough, and ends it. Where an earlier attempt "
            "may have been applied, it ends the repeating only: the intent is in doubt."
        ),
        permission="intents:approve",
        handle=reject,
        body=RejectBody,
        answers={200: IntentView},
        refusals=CHANGE_REFUSALS,
    ),
    Operation(
        id="withdrawApproval",
        method="POST",
        path="/v1/intents/{intent_id}/withdraw",
        words=(INTENT,),
        summary="Withdraw an approval",
        description=(
            "Takes the caller's own yes back, until an attempt has left under it. The intent is `pending_approval` "
            "again."
        ),
        permission="intents:approve",
        handle=withdraw,
        body=WithdrawBody,
        answers={200: IntentView},
        refusals=CHANGE_REFUSALS,
    ),
)
