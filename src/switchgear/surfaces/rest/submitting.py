"""Submitting an intent, and waiting for its outcome as long as the caller wishes.

The write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs
from starlette.responses import Response

from switchgear.control.intent_views import IntentView
from switchgear.control.intents import LIFETIME_MAX
from switchgear.core.codes import Code
from switchgear.execution.time_boxes.box import SECONDS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.headers import CORRELATION_HEADER, correlation, idempotency_key, wished_wait
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import Header, Operation
from switchgear.surfaces.rest.waits import PREFER, applied, waited

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Account = Annotated[Name, Meta(description="One of the accounts of the token; by default its only one.")]
"""The account that something is submitted for."""


class SubmitBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An action to be done once."""

    tool: Annotated[Name, Meta(description="Name of a registered tool.")]
    arguments: Annotated[dict[str, Any], Meta(description="The tool's arguments, by its schema.")]
    account: Account | None = None
    deadline: (
        Annotated[float, Meta(gt=0, le=LIFETIME_MAX, description="Seconds from now until it must be done.")] | None
    ) = None
    revert_after: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=SECONDS_MAX,
                description="Seconds after it left until its tool's revert undoes it: its time-box.",
            ),
        ]
        | None
    ) = None
    not_before: (
        Annotated[float, Meta(ge=0, description="Seconds since the epoch before which it does not leave.")] | None
    ) = None
    delay: (
        Annotated[float, Meta(ge=0, le=LIFETIME_MAX, description="The same as seconds from now; not both.")] | None
    ) = None
    priority: (
        Annotated[
            Literal["critical_plus", "critical", "sheddable_plus", "sheddable"],
            Meta(description="What goes first of what the tenant has waiting; `critical` by default."),
        ]
        | None
    ) = None


async def submit(exchange: Exchange) -> Response:
    """Submit an intent, and wait for its outcome as long as the caller wishes."""
    exchange.traffic.check_accepting()
    headers = exchange.request.headers
    key = idempotency_key(headers)
    wish = wished_wait(headers, exchange.traffic.limits.wait_max)
    related = correlation(headers)
    body = await read_body(exchange.request, SubmitBody, exchange.traffic.limits)
    submission = exchange.control.intents.submit(
        exchange.principal,
        tool=body.tool,
        arguments=body.arguments,
        account=body.account,
        key=key,
        deadline=body.deadline,
        revert_after=body.revert_after,
        not_before=body.not_before,
        delay=body.delay,
        priority=body.priority,
        trace=exchange.note.trace.trace_id,
        correlation=related,
    )
    accepted = (await exchange.traffic.detach(submission)).view
    seen = await waited(exchange, accepted, wish)  # accepted by now: nothing that goes wrong here is a refusal of it
    return _answer(seen or accepted, replayed=accepted.replayed, heard=wish if seen else None)


def _answer(view: IntentView, *, replayed: bool, heard: int | None) -> Response:
    """Return 200 with an outcome, 202 with an intent that is still open."""
    view = structs.replace(view, replayed=replayed)
    headers = {"Location": f"/v1/intents/{view.id}", **applied(heard)}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_response(view, 200 if view.final else 202, headers)


KEY = Header(
    "Idempotency-Key",
    'A quoted string such as `"order-17"`; a bare word is accepted. The same for every repeat of one action. '
    "Needed by every tool that can change something. Up to 255 characters.",
    r'^"[ !#-\[\]-~]{1,255}"$',
)
CORRELATION = Header(
    CORRELATION_HEADER, "Your own id of what this belongs to, recorded with the intent.", r"^[!-~]{1,128}$"
)

OPERATIONS = (
    Operation(
        id="submitIntent",
        method="POST",
        path="/v1/intents",
        summary="Submit an action",
        description=(
            "Accepts an action durably, then answers. 202: it is accepted and not settled, or in doubt; "
            "follow `Location`. 200: the body holds its final state, because `Prefer: wait` saw it end or "
            "because this repeats a request whose outcome is stored. A repeat is marked with "
            "`Idempotency-Replayed: true` and `replayed: true`. A final state can be a failure: read `state` "
            "and `code`. A client that goes away stops waiting, never the action."
        ),
        permission="intents:submit",
        handle=submit,
        headers=(KEY, PREFER, CORRELATION),
        body=SubmitBody,
        answers={200: IntentView, 202: IntentView},
        refusals=(
            Code.INVALID_ARGUMENT,
            Code.PAYLOAD_TOO_LARGE,
            Code.IDEMPOTENCY_KEY_REQUIRED,
            Code.IDEMPOTENCY_CONFLICT,
            Code.IDEMPOTENCY_IN_PROGRESS,
            Code.NOT_FOUND,
            Code.KILL_SWITCH_ACTIVE,
            Code.KILL_SWITCH_UNREADABLE,
            Code.RATE_LIMITED_TENANT,
            Code.BUDGET_EXCEEDED,
            Code.QUEUE_FULL,
            Code.SHUTTING_DOWN,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
)
