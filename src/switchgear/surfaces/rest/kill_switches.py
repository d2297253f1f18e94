"""Listing, tripping and releasing kill switches."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.kill_switches import KillSwitchList, ReleasedView, TrippedView
from switchgear.core.codes import Code
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import Operation, PathWord, Reason

TARGET = PathWord(
    "target",
    "`global`, `tenant:NAME`, `connector:NAME` or `tool:NAME`.",
    "^(global|(tenant|connector|tool):[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127})$",
)
"""The word of every path that is about one switch."""

_REFUSALS = (
    Code.INVALID_ARGUMENT,
    Code.PERMISSION_DENIED,
    Code.ILLEGAL_TRANSITION,
    Code.KILL_SWITCH_UNREADABLE,
    Code.PAYLOAD_TOO_LARGE,
    Code.TIMEOUT_JOURNAL_APPEND,
)


class TripBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much to stop, and why."""

    mode: Annotated[
        Literal["stop_new", "freeze"],
        Meta(description="`stop_new` refuses new submissions; `freeze` also holds what was accepted."),
    ]
    reason: Reason


class ReleaseBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a switch is to be released."""

    reason: Reason


async def list_kill_switches(exchange: Exchange) -> Response:
    """List the switches that are on for the caller."""
    return json_response(exchange.control.kill_switches.list(exchange.principal))


async def trip(exchange: Exchange) -> Response:
    """Set a switch; a client that goes away does not undo it."""
    body = await read_body(exchange.request, TripBody, exchange.traffic.limits)
    tripping = exchange.control.kill_switches.trip(
        exchange.principal, exchange.path_word(TARGET.name), mode=body.mode, reason=body.reason
    )
    return json_response(await exchange.traffic.detach(tripping))


async def release(exchange: Exchange) -> Response:
    """Take a switch off."""
    body = await read_body(exchange.request, ReleaseBody, exchange.traffic.limits)
    releasing = exchange.control.kill_switches.release(
        exchange.principal, exchange.path_word(TARGET.name), reason=body.reason
    )
    return json_response(await exchange.traffic.detach(releasing))


OPERATIONS = (
    Operation(
        id="listKillSwitches",
        method="GET",
        path="/v1/kill-switches",
        summary="List kill switches",
        description=(
            "Lists the switches that are on for the caller: its tenant's, and the platform's that cover it. "
            "`last_proven_at` says when they were last seen to stop something."
        ),
        permission="kill:read",
        handle=list_kill_switches,
        answers={200: KillSwitchList},
    ),
    Operation(
        id="tripKillSwitch",
        method="PUT",
        path="/v1/kill-switches/{target}",
        words=(TARGET,),
        summary="Trip a kill switch",
        description=(
            "Sets a switch. Once it answers 200, nothing that it stops leaves any more; `in_flight` names what had "
            "left before. With `platform:kill` it holds for every tenant, else for the caller's own. Repeating it "
            "changes nothing; only a release weakens a freeze."
        ),
        permission="kill:trip",
        handle=trip,
        body=TripBody,
        answers={200: TrippedView},
        refusals=_REFUSALS,
    ),
    Operation(
        id="releaseKillSwitch",
        method="POST",
        path="/v1/kill-switches/{target}/release",
        words=(TARGET,),
        summary="Release a kill switch",
        description=(
            "Takes a switch off; what it held goes on by itself. Not for agents, nor for who tripped it, unless the "
            "configuration says `single_operator`."
        ),
        permission="kill:release",
        handle=release,
        body=ReleaseBody,
        answers={200: ReleasedView},
        refusals=(Code.NOT_FOUND, *_REFUSALS),
    ),
)
