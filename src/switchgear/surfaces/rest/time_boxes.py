"""Time-boxes: list and show them and what happened, revert early, extend, close. Opening one is part of submitting."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.ledger_views import EventPage
from switchgear.control.paging import PAGE_MAX
from switchgear.control.time_box_views import TimeBoxView
from switchgear.control.time_boxes import BOX_CURSOR, BOX_STATES, TimeBoxPage
from switchgear.core.codes import Code
from switchgear.execution.time_boxes.box import SECONDS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import AFTER, Operation, PathWord, Reason, page_limit
from switchgear.surfaces.rest.queries import Choice, Word

BOX = PathWord("time_box_id", "Id of the time-box: that of its intent, and `.2` behind it for a second execution.")
"""The word of every path that is about one time-box."""

_REFUSALS = (
    Code.NOT_FOUND,
    Code.INVALID_ARGUMENT,
    Code.ILLEGAL_TRANSITION,
    Code.PAYLOAD_TOO_LARGE,
    Code.TIMEOUT_JOURNAL_APPEND,
)


class RevertBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an action is to be reverted now."""

    reason: Reason


class ExtendBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By how long the end of a time-box is to be moved, and why."""

    seconds: Annotated[float, Meta(gt=0, le=SECONDS_MAX, description="Seconds added to its end.")]
    reason: Reason


class CloseBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an action is to stay."""

    reason: Reason


async def list_time_boxes(exchange: Exchange) -> Response:
    """List the tenant's time-boxes, newest first."""
    query = exchange.query
    page = await exchange.control.time_boxes.list(
        exchange.principal, state=query["state"], cursor=query["cursor"], limit=query["limit"]
    )
    return json_response(page)


async def show(exchange: Exchange) -> Response:
    """Show one time-box."""
    return json_response(await exchange.control.time_boxes.show(exchange.principal, exchange.path_word(BOX.name)))


async def events(exchange: Exchange) -> Response:
    """Show what the ledger holds of one time-box, page by page."""
    query = exchange.query
    page = await exchange.control.time_boxes.events(
        exchange.principal, exchange.path_word(BOX.name), after=query["after"], limit=query["limit"]
    )
    return json_response(page)


async def revert(exchange: Exchange) -> Response:
    """Begin a revert; a client that goes away does not undo it."""
    body = await read_body(exchange.request, RevertBody, exchange.traffic.limits)
    reverting = exchange.control.time_boxes.revert(exchange.principal, exchange.path_word(BOX.name), reason=body.reason)
    return json_response(await exchange.traffic.detach(reverting))


async def extend(exchange: Exchange) -> Response:
    """Move the end of a time-box."""
    body = await read_body(exchange.request, ExtendBody, exchange.traffic.limits)
    extending = exchange.control.time_boxes.extend(
        exchange.principal, exchange.path_word(BOX.name), seconds=body.seconds, reason=body.reason
    )
    return json_response(await exchange.traffic.detach(extending))


async def close(exchange: Exchange) -> Response:
    """End a time-box without a revert."""
    body = await read_body(exchange.request, CloseBody, exchange.traffic.limits)
    closing = exchange.control.time_boxes.close(exchange.principal, exchange.path_word(BOX.name), reason=body.reason)
    return json_response(await exchange.traffic.detach(closing))


OPERATIONS = (
    Operation(
        id="listTimeBoxes",
        method="GET",
        path="/v1/time-boxes",
        summary="List time-boxes",
        description=(
            "Lists the tenant's time-boxed actions, newest first: what holds until when, what is overdue and why, and "
            "what needs a person. `next_cursor` is null on the last page. Those that are damaged are named in "
            "`unreadable`."
        ),
        permission="time_boxes:read",
        handle=list_time_boxes,
        query=(
            Choice("state", "Only those in this state.", BOX_STATES),
            Word("cursor", "`next_cursor` of the page before.", BOX_CURSOR, "the id of a time-box, such as int_0190…"),
            page_limit(50),
        ),
        answers={200: TimeBoxPage},
    ),
    Operation(
        id="showTimeBox",
        method="GET",
        path="/v1/time-boxes/{time_box_id}",
        words=(BOX,),
        summary="Show a time-box",
        description=(
            "Shows one time-box: until when it lasts, what its action has captured, what reverts it and how that "
            "went, and in `changes` who extended or ended it, when and why. `captured` is for who has "
            "`intents:read`. Another tenant's looks like one that does not exist."
        ),
        permission="time_boxes:read",
        handle=show,
        answers={200: TimeBoxView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="listTimeBoxEvents",
        method="GET",
        path="/v1/time-boxes/{time_box_id}/events",
        words=(BOX,),
        summary="Show what happened to a time-box",
        description=(
            "Lists the ledger's entries of one time-box, in order. What happened to its action and to its revert is "
            "among their own. `next_after` is null at the end."
        ),
        permission="time_boxes:read",
        handle=events,
        query=(AFTER, page_limit(PAGE_MAX)),
        answers={200: EventPage},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="revertTimeBox",
        method="POST",
        path="/v1/time-boxes/{time_box_id}/revert",
        words=(BOX,),
        summary="Revert a time-boxed action now",
        description=(
            "Begins the revert before its time, or again after a person was called. Refused while it is not known "
            "whether the action, or an earlier revert, happened. Repeating it changes nothing."
        ),
        permission="time_boxes:change",
        handle=revert,
        body=RevertBody,
        answers={200: TimeBoxView},
        refusals=(*_REFUSALS, Code.TOOL_UNREGISTERED),
    ),
    Operation(
        id="extendTimeBox",
        method="POST",
        path="/v1/time-boxes/{time_box_id}/extend",
        words=(BOX,),
        summary="Extend a time-box",
        description="Moves its end, to at most 31 days from now. Refused once the revert has begun.",
        permission="time_boxes:change",
        handle=extend,
        body=ExtendBody,
        answers={200: TimeBoxView},
        refusals=_REFUSALS,
    ),
    Operation(
        id="closeTimeBox",
        method="POST",
        path="/v1/time-boxes/{time_box_id}/close",
        words=(BOX,),
        summary="Close a time-box",
        description="Ends it without a revert, so that the action stays. Not for agents, nor once a revert has begun.",
        permission="time_boxes:change",
        handle=close,
        body=CloseBody,
        answers={200: TimeBoxView},
        refusals=(*_REFUSALS, Code.PERMISSION_DENIED),
    ),
)
