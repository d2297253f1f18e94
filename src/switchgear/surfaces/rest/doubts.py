"""What is in doubt: how much, and a person's word on what became of one action."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from switchgear.control.doubts import DoubtsView
from switchgear.control.intent_views import IntentView
from switchgear.surfaces.rest.exchange import Exchange, json_response
from switchgear.surfaces.rest.intents import INTENT
from switchgear.surfaces.rest.json_body import read_body
from switchgear.surfaces.rest.operation import CHANGE_REFUSALS, NOT_BLANK, Operation


class ResolveBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of an action in doubt."""

    verdict: Annotated[
        Literal["applied", "not_applied", "abandon"],
        Meta(description="It happened; it did not, so it may run again; or nobody will find out."),
    ]
    evidence: Annotated[
        str, Meta(min_length=1, max_length=2_000, pattern=NOT_BLANK, description="How you found out. Recorded.")
    ]
    value: Annotated[Any, Meta(description="The outcome to keep, with `applied` only.")] = None

    schema_rule: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"properties": {"verdict": {"const": "applied"}}},
            {"properties": {"value": {"type": "null"}}},
        ]
    }
    """Only what was applied has a value."""


async def report(exchange: Exchange) -> Response:
    """Count what is in doubt."""
    return json_response(exchange.control.doubts.report(exchange.principal))


async def resolve(exchange: Exchange) -> Response:
    """Say what became of an action in doubt."""
    body = await read_body(exchange.request, ResolveBody, exchange.traffic.limits)
    resolution = exchange.control.doubts.resolve(
        exchange.principal,
        exchange.path_word(INTENT.name),
        verdict=body.verdict,
        evidence=body.evidence,
        value=body.value,
    )
    return json_response(await exchange.traffic.detach(resolution))


OPERATIONS = (
    Operation(
        id="showDoubts",
        method="GET",
        path="/v1/doubts",
        summary="Count what is in doubt",
        description=(
            "Says how many of the tenant's actions are in doubt, by state, and since when the oldest is. "
            "They are listed by `GET /v1/intents?state=in_doubt`, `reconciling` and `needs_operator`."
        ),
        permission="intents:read",
        handle=report,
        answers={200: DoubtsView},
    ),
    Operation(
        id="resolveIntent",
        method="POST",
        path="/v1/intents/{intent_id}/resolve",
        words=(INTENT,),
        summary="Say what became of an action in doubt",
        description=(
            "A person's word, recorded with its evidence. `applied` ends it with `value`; `not_applied` lets it run "
            "again or fail, as its attempts and deadline say; `abandon` makes it a dead letter that never runs "
            "again. A destructive action needs the same word of a second person: the first one's is in `resolution`, "
            "which awaits `second_person`. A second person who says something else settles nothing: both words are on "
            "record, `resolution` awaits `agreement`, and its `next_step` says how that ends. Agents cannot say it."
        ),
        permission="intents:resolve",
        handle=resolve,
        body=ResolveBody,
        answers={200: IntentView},
        refusals=CHANGE_REFUSALS,
    ),
)
