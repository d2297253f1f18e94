"""The handlers for intents: submit, list, show, events, cancel.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import structlog
from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.use_cases import LIFETIME_MAX
from switchgear.control.views import IntentView
from switchgear.core.errors import SwitchgearError
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.headers import correlation, idempotency_key, wished_wait
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.races import first_of, wait_disconnected

_LOG = structlog.get_logger("switchgear.rest")

Name = Annotated[str, Meta(min_length=1, max_length=128)]


class SubmitBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An action to be done once."""

    tool: Annotated[Name, Meta(description="Name of a registered tool.")]
    arguments: Annotated[dict[str, Any], Meta(description="The tool's arguments, by its schema.")]
    account: Annotated[Name, Meta(description="One of the accounts of the token.")]
    deadline: (
        Annotated[float, Meta(gt=0, le=LIFETIME_MAX, description="Seconds from now until it must be done.")] | None
    ) = None


class CancelBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an intent is to be cancelled."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, description="Recorded in the ledger.")]


async def submit(exchange: Exchange) -> Response:
    """Submit an intent, and wait for its outcome as long as the caller wishes."""
    exchange.traffic.check_accepting()
    headers = exchange.request.headers
    key = idempotency_key(headers)
    wish = wished_wait(headers, exchange.traffic.limits.wait_max)
    related = correlation(headers)
    body = await read_body(exchange.request, SubmitBody, exchange.traffic.limits)
    submission = exchange.control.submit(
        exchange.principal,
        tool=body.tool,
        arguments=body.arguments,
        account=body.account,
        key=key,
        deadline=body.deadline,
        trace=exchange.note.trace.trace_id,
        correlation=related,
    )
    accepted = await exchange.traffic.detach(submission)
    seen = await _waited(exchange, accepted, wish) if wish and not accepted.final else None
    return _answer(seen or accepted, replayed=accepted.replayed, waited=wish if seen else None)


async def list_intents(exchange: Exchange) -> Response:
    """List the tenant's intents, newest first."""
    query = exchange.query
    return json_response(
        await exchange.control.intents(
            exchange.principal, state=query["state"], cursor=query["cursor"], limit=query["limit"]
        )
    )


async def show(exchange: Exchange) -> Response:
    """Show one intent."""
    return json_response(await exchange.control.show(exchange.principal, exchange.intent_id))


async def events(exchange: Exchange) -> Response:
    """Show what the ledger holds of one intent, page by page."""
    query = exchange.query
    page = await exchange.control.events(
        exchange.principal, exchange.intent_id, after=query["after"], limit=query["limit"]
    )
    return json_response(page)


async def cancel(exchange: Exchange) -> Response:
    """Cancel an intent; once dispatched, only ask for it."""
    body = await read_body(exchange.request, CancelBody, exchange.traffic.limits)
    cancellation = exchange.control.cancel(exchange.principal, exchange.intent_id, reason=body.reason)
    return json_response(await exchange.traffic.detach(cancellation))


async def _waited(exchange: Exchange, accepted: IntentView, seconds: int) -> IntentView | None:
    """Return the intent once it is settled or time is up; None when this caller cannot be given a wait.

    The action is accepted by now, so nothing that goes wrong here may look like a refusal of it.
    """
    if "intents:read" not in exchange.principal.permissions:
        return None
    with exchange.traffic.wait(exchange.principal.tenant) as granted:
        if not granted:
            return None
        try:
            return await first_of(
                exchange.control.wait(exchange.principal, accepted.id, seconds),
                wait_disconnected(exchange.request),
                exchange.traffic.wait_stopping(),
            )
        except SwitchgearError as error:
            _LOG.warning("wait ended early", intent=accepted.id, code=str(error.code))
            return None


def _answer(view: IntentView, *, replayed: bool, waited: int | None) -> Response:
    """Return 200 with an outcome, 202 with an intent that is still open."""
    view = replace(view, replayed=replayed)
    headers = {"Location": f"/v1/intents/{view.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    if waited is not None:
        headers["Preference-Applied"] = f"wait={waited}"
    return json_response(view, 200 if view.final else 202, headers)
