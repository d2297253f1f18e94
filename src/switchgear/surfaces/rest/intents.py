"""Looking at intents, and cancelling them: list, show, events, cancel.

A write is detached from its connection: a client that goes away stops waiting, never the write.
"""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from switchgear.control.intent_views import IntentView, Page
from switchgear.control.intents import STATES
from switchgear.control.ledger_views import EventPage
from switchgear.control.paging import PAGE_MAX
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.headers import wished_wait
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import (
    AFTER,
    CHANGE_REFUSALS,
    INTENT_ID,
    INTENT_ID_IN_WORDS,
    NAME,
    NAME_IN_WORDS,
    Operation,
    PathWord,
    Remark,
    page_limit,
)
from switchgear.surfaces.rest.queries import Choice, Word
from switchgear.surfaces.rest.waits import PREFER, applied, waited

INTENT = PathWord("intent_id", "Id of the intent.")
"""The word of every path that is about one intent."""


_KEY = r"[^\x00-\x1f\x7f]{1,255}"
_KEY_IN_WORDS = "1 to 255 printable characters"


class CancelBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an intent is to be cancelled."""

    reason: Remark


async def list_intents(exchange: Exchange) -> Response:
    """List the tenant's intents, newest first."""
    query = exchange.query
    page = await exchange.control.intents.list(
        exchange.principal, state=query["state"], cursor=query["cursor"], limit=query["limit"]
    )
    return json_response(page)


async def show_by_key(exchange: Exchange) -> Response:
    """Show the intent that was accepted with a key, and wait for its outcome as long as the caller wishes."""
    query = exchange.query
    wish = wished_wait(exchange.request.headers, exchange.traffic.limits.wait_max)
    view = await exchange.control.intents.show_by_key(
        exchange.principal, tool=query["tool"], key=query["key"], account=query["account"]
    )
    seen = await waited(exchange, view, wish)
    return json_response(
        seen or view, headers={"Content-Location": f"/v1/intents/{view.id}", **applied(wish if seen else None)}
    )


async def show(exchange: Exchange) -> Response:
    """Show one intent, and wait for its outcome as long as the caller wishes."""
    wish = wished_wait(exchange.request.headers, exchange.traffic.limits.wait_max)
    view = await exchange.control.intents.show(exchange.principal, exchange.path_word(INTENT.name))
    seen = await waited(exchange, view, wish)
    return json_response(seen or view, headers=applied(wish if seen else None))


async def events(exchange: Exchange) -> Response:
    """Show what the ledger holds of one intent, page by page."""
    query = exchange.query
    page = await exchange.control.intents.events(
        exchange.principal, exchange.path_word(INTENT.name), after=query["after"], limit=query["limit"]
    )
    return json_response(page)


async def cancel(exchange: Exchange) -> Response:
    """Cancel an intent; once dispatched, only ask for it."""
    body = await read_body(exchange.request, CancelBody, exchange.traffic.limits)
    cancellation = exchange.control.intents.cancel(
        exchange.principal, exchange.path_word(INTENT.name), reason=body.reason
    )
    return json_response(await exchange.traffic.detach(cancellation))


OPERATIONS = (
    Operation(
        id="listIntents",
        method="GET",
        path="/v1/intents",
        summary="List intents",
        description=(
            "Lists the tenant's intents, newest first. `next_cursor` is null on the last page. Those that are damaged "
            "are named in `unreadable`."
        ),
        permission="intents:read",
        handle=list_intents,
        query=(
            Choice("state", "Only intents in this state.", STATES),
            Word("cursor", "`next_cursor` of the page before.", INTENT_ID, INTENT_ID_IN_WORDS),
            page_limit(50),
        ),
        answers={200: Page},
    ),
    Operation(
        id="showIntentByKey",
        method="GET",
        path="/v1/intents/by-key",
        summary="Show what became of a key",
        description=(
            "Shows the intent that was accepted with this `Idempotency-Key`; `Content-Location` is where its id finds "
            "it. 404 says that nothing was accepted with it. A request that is just being accepted is waited for; "
            "when that takes too long it is 409. Of several that had the key one after the other it is the newest. "
            "With `Prefer: wait` as for one intent."
        ),
        permission="intents:read",
        handle=show_by_key,
        query=(
            Word("tool", "The tool that it was submitted to.", NAME, NAME_IN_WORDS, needed=True),
            Word("key", "The idempotency key as it is, without quotes.", _KEY, _KEY_IN_WORDS, needed=True),
            Word(
                "account",
                "The account that it was submitted for; by default the only one of the token.",
                NAME,
                NAME_IN_WORDS,
            ),
        ),
        headers=(PREFER,),
        answers={200: IntentView},
        refusals=(Code.NOT_FOUND, Code.IDEMPOTENCY_IN_PROGRESS, Code.TIMEOUT_JOURNAL_APPEND),
    ),
    Operation(
        id="showIntent",
        method="GET",
        path="/v1/intents/{intent_id}",
        words=(INTENT,),
        summary="Show an intent",
        description=(
            "Shows one intent, and what it belongs to: its time-box, its saga and what caused it. Another tenant's "
            "intent looks like one that does not exist. With `Prefer: wait` the "
            "answer comes when it is settled, in doubt or needs approval, or as it stands when the time is up: always "
            "with 200, so read `state` and `final`. An answer without `Preference-Applied` was not waited for: it is "
            "final already, or too many wait; ask again a little later."
        ),
        permission="intents:read",
        handle=show,
        headers=(PREFER,),
        answers={200: IntentView},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="listIntentEvents",
        method="GET",
        path="/v1/intents/{intent_id}/events",
        words=(INTENT,),
        summary="Show what happened to an intent",
        description="Lists the ledger's entries of one intent, in order. `next_after` is null at the end.",
        permission="intents:read",
        handle=events,
        query=(AFTER, page_limit(PAGE_MAX)),
        answers={200: EventPage},
        refusals=(Code.NOT_FOUND,),
    ),
    Operation(
        id="cancelIntent",
        method="POST",
        path="/v1/intents/{intent_id}/cancel",
        words=(INTENT,),
        summary="Cancel an intent",
        description=(
            "Cancels an intent that has not left. Once an attempt was dispatched this only records the wish "
            "(`cancel_requested`), which never hides an outcome."
        ),
        permission="intents:cancel",
        handle=cancel,
        body=CancelBody,
        answers={200: IntentView},
        refusals=CHANGE_REFUSALS,
    ),
)
