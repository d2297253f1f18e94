"""Replays: of one intent, and of many one after the other.

A replay is detached from its connection: a client that goes away stops waiting, never the replay.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.paging import PAGE_MAX
from switchgear.control.replays import RATE_MAX, BulkReplay, ReplayFilter, ReplayView
from switchgear.core.codes import Code
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.headers import wished_wait
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import (
    CHANGE_REFUSALS,
    NAME,
    NOT_BLANK,
    STATE,
    EarlierIntent,
    Header,
    Operation,
)
from switchgear.surfaces.rest.waits import applied

Mode = Annotated[
    Literal["verify", "resume", "re-execute"],
    Meta(description="Fold the events again and compare; go on by the rules; or execute anew what has no effect now."),
]
Reason = Annotated[
    str,
    Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, pattern=NOT_BLANK, description="Why. Recorded in the ledger."),
]


class ReplayBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a replay is to do, and why."""

    mode: Mode
    reason: Reason


class BulkReplayBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which intents are to be replayed, how, how fast, and why. `re-execute` needs `state`, `tool` or `since`."""

    mode: Mode
    reason: Reason
    state: Annotated[str, Meta(pattern=f"^{STATE}$", description="Only those in this state.")] | None = None
    tool: Annotated[str, Meta(pattern=f"^{NAME}$", description="Only those of this tool.")] | None = None
    since: (
        Annotated[
            float, Meta(ge=0, le=100_000_000_000, description="Only those accepted since, in seconds since the epoch.")
        ]
        | None
    ) = None
    cursor: EarlierIntent | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="How many at most.")] = 50
    rate: Annotated[float, Meta(gt=0, le=RATE_MAX, description="How many a second at most.")] = 10.0


async def replay(exchange: Exchange) -> Response:
    """Replay one intent, and wait for the end as long as the caller wishes."""
    wish = wished_wait(exchange.request.headers, exchange.traffic.limits.wait_max) or 0
    body = await read_body(exchange.request, ReplayBody, exchange.traffic.limits)
    if not wish:
        return await _replay(exchange, body, 0)
    with exchange.traffic.wait(exchange.principal.tenant) as granted:
        return await _replay(exchange, body, wish if granted else 0)


async def _replay(exchange: Exchange, body: ReplayBody, wait: int) -> Response:
    replayed = exchange.control.replays.replay(
        exchange.principal,
        exchange.path_word(INTENT.name),
        mode=body.mode,
        reason=body.reason,
        trace=exchange.note.trace.trace_id,
        wait=float(wait),
    )
    view = await exchange.traffic.detach(replayed)
    headers = applied(wait) if wait else None
    return json_response(view, 200 if view.ended else 202, headers)


async def replay_all(exchange: Exchange) -> Response:
    """Replay many intents, one after the other."""
    body = await read_body(exchange.request, BulkReplayBody, exchange.traffic.limits)
    chosen = ReplayFilter(
        state=body.state,
        tool=body.tool,
        since=body.since,
        cursor=body.cursor,
        limit=body.limit,
        rate=body.rate,
    )
    trace = exchange.note.trace.trace_id
    replayed = exchange.control.replays.replay_all(
        exchange.principal, chosen, mode=body.mode, reason=body.reason, trace=trace
    )
    return json_response(await exchange.traffic.detach(replayed))


_PREFER = Header(
    "Prefer",
    "`wait=N`: answer when the replay has ended or needs approval, at the latest after N whole seconds (at most 60). "
    "`Preference-Applied` in the answer says that it was heard.",
    r"^wait=[0-9]{1,3}$",
)

OPERATIONS = (
    Operation(
        id="replayIntent",
        method="POST",
        path="/v1/intents/{intent_id}/replay",
        words=(INTENT,),
        summary="Replay an intent",
        description=(
            "`verify` folds its events again and compares, and calls nothing. `resume` lets it go on where it stands. "
            "`re-execute` begins another generation, once it is proved that nothing of it is in effect. 200: the "
            "replay has ended, `result` or `cause` says how; a failed replay is an answer, not an error. 202: it is "
            "under way. What succeeded is never sent again, and today's gates and approvals apply. 409 while another "
            "replay of it is under way."
        ),
        permission="intents:replay",
        handle=replay,
        headers=(_PREFER,),
        body=ReplayBody,
        answers={200: ReplayView, 202: ReplayView},
        refusals=CHANGE_REFUSALS,
    ),
    Operation(
        id="replayIntents",
        method="POST",
        path="/v1/replays",
        summary="Replay many intents",
        description=(
            "Replays those that fit, newest first, each alone and after the end of the one before, at most `rate` a "
            "second. It stops at the first that comes to be in doubt, and after 50 seconds; it begins nothing when "
            "everything there is was to be executed anew: `stopped` says so. "
            "`next_cursor` goes on. 409 while another bulk replay of the tenant is under way."
        ),
        permission="intents:replay",
        handle=replay_all,
        body=BulkReplayBody,
        answers={200: BulkReplay},
        refusals=(Code.ILLEGAL_TRANSITION, Code.PAYLOAD_TOO_LARGE),
    ),
)
