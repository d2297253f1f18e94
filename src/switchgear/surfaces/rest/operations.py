"""The table of everything that REST offers. Routes, OpenAPI document and reference page come from it.

A row says what an operation is called, who may use it, what it takes and what it may answer. How it answers
is in its handler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchgear.control.use_cases import PAGE_MAX
from switchgear.control.views import (
    BreakerView,
    EventPage,
    HeadView,
    IntentView,
    Page,
    ToolView,
    VerificationView,
)
from switchgear.core.codes import Code
from switchgear.execution.intent import State
from switchgear.surfaces.rest import intents, records
from switchgear.surfaces.rest.exchange import Handler
from switchgear.surfaces.rest.headers import CORRELATION_HEADER
from switchgear.surfaces.rest.queries import Choice, Query, Whole, Word


@dataclass(frozen=True, slots=True)
class Tools:
    """The registered tools, by name."""

    items: list[ToolView]


@dataclass(frozen=True, slots=True)
class Breakers:
    """The guards of all dependencies, by name."""

    items: list[BreakerView]


@dataclass(frozen=True, slots=True)
class Header:
    """A header that a request may carry."""

    name: str
    description: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row. `answers` maps a status to the type of its body, None for a stream of JSON Lines."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    handle: Handler
    answers: Mapping[int, type | None]
    query: tuple[Query, ...] = ()
    headers: tuple[Header, ...] = ()
    body: type | None = None
    refusals: tuple[Code, ...] = ()


_LIMIT = "How many at most."
_STATES = tuple(str(state) for state in State if state is not State.PROPOSED)
_KEY = Header(
    "Idempotency-Key",
    'A quoted string such as `"order-17"`; a bare word is accepted. The same for every repeat of one action. '
    "Needed by every tool that can change something. Up to 255 characters.",
    r'^"[ !#-\[\]-~]{1,255}"$',
)
_PREFER = Header(
    "Prefer",
    "`wait=N`: answer when the intent is settled, at the latest after N whole seconds (at most 60). "
    "`Preference-Applied` in the answer says that it was heard.",
    r"^wait=[0-9]{1,3}$",
)
_CORRELATION = Header(
    CORRELATION_HEADER, "Your own id of what this belongs to, recorded with the intent.", r"^[!-~]{1,128}$"
)

OPERATIONS: tuple[Operation, ...] = (
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
        handle=intents.submit,
        headers=(_KEY, _PREFER, _CORRELATION),
        body=intents.SubmitBody,
        answers={200: IntentView, 202: IntentView},
        refusals=(
            Code.INVALID_ARGUMENT,
            Code.PAYLOAD_TOO_LARGE,
            Code.IDEMPOTENCY_KEY_REQUIRED,
            Code.IDEMPOTENCY_CONFLICT,
            Code.IDEMPOTENCY_IN_PROGRESS,
            Code.NOT_FOUND,
            Code.RATE_LIMITED_TENANT,
            Code.QUEUE_FULL,
            Code.SHUTTING_DOWN,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
    Operation(
        id="listIntents",
        method="GET",
        path="/v1/intents",
        summary="List intents",
        description="Lists the tenant's intents, newest first. `next_cursor` is null on the last page.",
        permission="intents:read",
        handle=intents.list_intents,
        query=(
            Choice("state", "Only intents in this state.", _STATES),
            Word("cursor", "`next_cursor` of the page before.", "int_[0-9a-f]{32}"),
            Whole("limit", _LIMIT, 1, PAGE_MAX, 50),
        ),
        answers={200: Page},
    ),
    Operation(
        id="showIntent",
        method="GET",
        path="/v1/intents/{intent_id}",
        summary="Show an intent",
        description="Shows one intent. Another tenant's intent looks like one that does not exist.",
        permission="intents:read",
        handle=intents.show,
        answers={200: IntentView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="listIntentEvents",
        method="GET",
        path="/v1/intents/{intent_id}/events",
        summary="Show what happened to an intent",
        description="Lists the ledger's entries of one intent, in order. `next_after` is null at the end.",
        permission="intents:read",
        handle=intents.events,
        query=(
            Whole("after", "Only entries above this sequence number.", 0, 2**53 - 1, 0),
            Whole("limit", _LIMIT, 1, PAGE_MAX, PAGE_MAX),
        ),
        answers={200: EventPage},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="cancelIntent",
        method="POST",
        path="/v1/intents/{intent_id}/cancel",
        summary="Cancel an intent",
        description=(
            "Cancels an intent that has not left. Once an attempt was dispatched this only records the wish "
            "(`cancel_requested`), which never hides an outcome."
        ),
        permission="intents:cancel",
        handle=intents.cancel,
        body=intents.CancelBody,
        answers={200: IntentView},
        refusals=(
            Code.NOT_FOUND,
            Code.ILLEGAL_TRANSITION,
            Code.PAYLOAD_TOO_LARGE,
            Code.TIMEOUT_JOURNAL_APPEND,
        ),
    ),
    Operation(
        id="listTools",
        method="GET",
        path="/v1/tools",
        summary="List tools",
        description="Lists the registered tools and their contracts, by name.",
        permission="tools:read",
        handle=records.tools,
        answers={200: Tools},
    ),
    Operation(
        id="listBreakers",
        method="GET",
        path="/v1/breakers",
        summary="List breakers",
        description="Lists every dependency's guard. Reading never uses up a probe.",
        permission="breakers:read",
        handle=records.breakers,
        answers={200: Breakers},
    ),
    Operation(
        id="listLedger",
        method="GET",
        path="/v1/ledger",
        summary="Read the ledger",
        description="Lists the tenant's entries in order. `next_after` is null at the end.",
        permission="ledger:read",
        handle=records.ledger,
        query=(
            Whole("after", "Only entries above this sequence number.", 0, 2**53 - 1, 0),
            Whole("limit", _LIMIT, 1, PAGE_MAX, 100),
        ),
        answers={200: EventPage},
    ),
    Operation(
        id="showLedgerHead",
        method="GET",
        path="/v1/ledger/head",
        summary="Show the end of the chain",
        description="Shows sequence number and hash of the tenant's last entry.",
        permission="ledger:read",
        handle=records.ledger_head,
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
            handle=records.ledger_verify,
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
        handle=records.ledger_export,
        answers={200: None},
    ),
)
