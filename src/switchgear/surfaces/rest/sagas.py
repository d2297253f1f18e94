"""Sagas: submit one, look at them, wait for one, cancel one, let a stuck one go on.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.ledger_views import EventPage
from switchgear.control.paging import PAGE_MAX
from switchgear.control.sagas import STATES, SagaPage, SagaView
from switchgear.core.codes import Code
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import STEPS_MAX, StepDefinition
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.headers import correlation, idempotency_key, wished_wait
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import (
    AFTER,
    CHANGE_REFUSALS,
    NAME,
    Operation,
    PathWord,
    Reason,
    Remark,
    page_limit,
)
from switchgear.surfaces.rest.queries import Choice, Word
from switchgear.surfaces.rest.submitting import CORRELATION, KEY, Account
from switchgear.surfaces.rest.waits import PREFER_OF_SAGA, applied, saga_waited

SAGA = PathWord("saga_id", "Id of the saga.")
"""The word of every path that is about one saga."""
_ID = "sga_[0-9a-f]{32}"
SAGA_KEY = replace(
    KEY,
    description='A quoted string such as `"order-17"`; a bare word is accepted. The same for every repeat of one saga. '
    "Up to 255 characters.",
    needed=True,
)
"""The key of a saga, which every saga has."""

StepName = Annotated[str, Meta(pattern=f"^{NAME}$")]


class StepBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step of a saga."""

    tool: Annotated[StepName, Meta(description="Name of a registered tool.")]
    arguments: Annotated[
        dict[str, Any],
        Meta(description='Its arguments. `{"$step": "reserve", "path": "id"}` stands for a value of an earlier step.'),
    ] = {}
    name: Annotated[StepName, Meta(description="What other steps refer to; by default the tool.")] | None = None
    undo: (
        Annotated[dict[str, Any], Meta(description="Arguments of the tool that undoes it; by default those above.")]
        | None
    ) = None
    pivot: Annotated[bool, Meta(description="Once this has happened, the saga only goes forward.")] = False


class SagaBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Steps that are all done, in order, or all undone."""

    steps: Annotated[list[StepBody], Meta(min_length=1, max_length=STEPS_MAX, description="In order.")]
    account: Account | None = None


class CancelSagaBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a saga is to be cancelled."""

    reason: Remark


class ResumeSagaBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a stuck saga is to go on."""

    how: Annotated[How, Meta(description="`retry`: begin anew what is missing. `done`: it was done by hand.")]
    reason: Reason


async def submit(exchange: Exchange) -> Response:
    """Submit a saga, and wait for its end as long as the caller wishes."""
    exchange.traffic.check_accepting()
    headers = exchange.request.headers
    key, related = idempotency_key(headers), correlation(headers)
    wish = wished_wait(headers, exchange.traffic.limits.wait_max)
    body = await read_body(exchange.request, SagaBody, exchange.traffic.limits)
    submission = exchange.control.sagas.submit(
        exchange.principal,
        steps=[_definition(step) for step in body.steps],
        account=body.account,
        key=key,
        trace=exchange.note.trace.trace_id,
        correlation=related,
    )
    accepted = await exchange.traffic.detach(submission)
    seen = await saga_waited(exchange, accepted, wish)  # accepted by now: nothing that goes wrong here is a refusal
    return _answer(seen or accepted, replayed=accepted.replayed, heard=wish if seen else None)


async def list_sagas(exchange: Exchange) -> Response:
    """List the tenant's sagas, newest first."""
    query = exchange.query
    page = await exchange.control.sagas.list(
        exchange.principal, state=query["state"], cursor=query["cursor"], limit=query["limit"]
    )
    return json_response(page)


async def show(exchange: Exchange) -> Response:
    """Show one saga, and wait for its end as long as the caller wishes."""
    wish = wished_wait(exchange.request.headers, exchange.traffic.limits.wait_max)
    view = await exchange.control.sagas.show(exchange.principal, exchange.path_word(SAGA.name))
    seen = await saga_waited(exchange, view, wish)
    return json_response(seen or view, headers=applied(wish if seen else None))


async def events(exchange: Exchange) -> Response:
    """Show what the ledger holds of one saga, page by page."""
    query = exchange.query
    page = await exchange.control.sagas.events(
        exchange.principal, exchange.path_word(SAGA.name), after=query["after"], limit=query["limit"]
    )
    return json_response(page)


async def cancel(exchange: Exchange) -> Response:
    """Cancel a saga: what succeeded is undone."""
    body = await read_body(exchange.request, CancelSagaBody, exchange.traffic.limits)
    cancellation = exchange.control.sagas.cancel(exchange.principal, exchange.path_word(SAGA.name), reason=body.reason)
    return json_response(await exchange.traffic.detach(cancellation))


async def resume(exchange: Exchange) -> Response:
    """Let a stuck saga go on."""
    body = await read_body(exchange.request, ResumeSagaBody, exchange.traffic.limits)
    resumption = exchange.control.sagas.resume(
        exchange.principal, exchange.path_word(SAGA.name), how=body.how, reason=body.reason
    )
    return json_response(await exchange.traffic.detach(resumption))


def _definition(step: StepBody) -> StepDefinition:
    return StepDefinition(tool=step.tool, arguments=step.arguments, name=step.name, undo=step.undo, pivot=step.pivot)


def _answer(view: SagaView, *, replayed: bool, heard: int | None) -> Response:
    """Return 200 with a saga that is at its end, 202 with one that is not."""
    view = replace(view, replayed=replayed)
    headers = {"Location": f"/v1/sagas/{view.id}", **applied(heard)}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_response(view, 200 if view.final else 202, headers)


OPERATIONS = (
    Operation(
        id="submitSaga",
        method="POST",
        path="/v1/sagas",
        summary="Submit a saga",
        description=(
            "Accepts steps that are all done, in order, or all undone. Each step is an intent of its own. When one "
            "fails for good, those that succeeded are undone in reverse, each by the tool that its own tool names. A "
            "saga that could not go back is refused. 202: it is accepted and not at its end, or stuck; follow "
            "`Location`. 200: it is at its end, because `Prefer: wait` saw it end or because this repeats an earlier "
            "request. The end can be that all was undone: read `state`. The key belongs to the saga, not to its tools."
        ),
        permission="sagas:submit",
        handle=submit,
        headers=(SAGA_KEY, PREFER_OF_SAGA, CORRELATION),
        body=SagaBody,
        answers={200: SagaView, 202: SagaView},
        refusals=(
            Code.INVALID_ARGUMENT,
            Code.PAYLOAD_TOO_LARGE,
            Code.IDEMPOTENCY_KEY_REQUIRED,
            Code.IDEMPOTENCY_CONFLICT,
            Code.NOT_FOUND,
            Code.RATE_LIMITED_TENANT,
            Code.BUDGET_EXCEEDED,
            Code.QUEUE_FULL,
            Code.SHUTTING_DOWN,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
    Operation(
        id="listSagas",
        method="GET",
        path="/v1/sagas",
        summary="List sagas",
        description=(
            "Lists the tenant's sagas, newest first. `next_cursor` is null on the last page. Those that are damaged "
            "are named in `unreadable`."
        ),
        permission="sagas:read",
        handle=list_sagas,
        query=(
            Choice("state", "Only sagas in this state.", STATES),
            Word("cursor", "`next_cursor` of the page before.", _ID, "the id of a saga, such as sga_0190…"),
            page_limit(50),
        ),
        answers={200: SagaPage},
    ),
    Operation(
        id="showSaga",
        method="GET",
        path="/v1/sagas/{saga_id}",
        words=(SAGA,),
        summary="Show a saga",
        description=(
            "Shows one saga and how far each step is. Another tenant's looks like one that does not exist. With "
            "`Prefer: wait` the answer comes when it is at its end or stuck, or as it stands when the time is up: "
            "always with 200, so read `state` and `final`."
        ),
        permission="sagas:read",
        handle=show,
        headers=(PREFER_OF_SAGA,),
        answers={200: SagaView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="listSagaEvents",
        method="GET",
        path="/v1/sagas/{saga_id}/events",
        words=(SAGA,),
        summary="Show what happened to a saga",
        description=(
            "Lists the ledger's entries of one saga, in order. What happened to its intents is among their own. "
            "`next_after` is null at the end."
        ),
        permission="sagas:read",
        handle=events,
        query=(AFTER, page_limit(PAGE_MAX)),
        answers={200: EventPage},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="cancelSaga",
        method="POST",
        path="/v1/sagas/{saga_id}/cancel",
        words=(SAGA,),
        summary="Cancel a saga",
        description=(
            "No further step begins, and what succeeded is undone. A step that has left is settled first. Refused once "
            "the pivot has happened; one that is under way may still turn out to have happened, and then the saga goes "
            "on."
        ),
        permission="sagas:cancel",
        handle=cancel,
        body=CancelSagaBody,
        answers={200: SagaView},
        refusals=CHANGE_REFUSALS,
    ),
    Operation(
        id="resumeSaga",
        method="POST",
        path="/v1/sagas/{saga_id}/resume",
        words=(SAGA,),
        summary="Let a stuck saga go on",
        description=(
            "Says how a saga that is stuck at a step goes on: `retry` begins anew what is missing, `done` says that it "
            "was done by hand. A retry that could be a second effect is refused. Where an intent is in doubt, resolve "
            "that instead: the saga goes on by itself."
        ),
        permission="sagas:resume",
        handle=resume,
        body=ResumeSagaBody,
        answers={200: SagaView},
        refusals=(
            Code.NOT_FOUND,
            Code.PERMISSION_DENIED,
            Code.ILLEGAL_TRANSITION,
            Code.PAYLOAD_TOO_LARGE,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
)
