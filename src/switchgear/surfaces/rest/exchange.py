"""One request on its way: what the edge notes of it, and what a handler gets to answer it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal
from switchgear.surfaces.rest.trace import Trace
from switchgear.surfaces.rest.traffic import Traffic

LINES_MEDIA_TYPE = "application/x-ndjson"
"""The media type of an answer that is a stream of JSON Lines."""
SELF_TEST = "switchgear.self_test"
"""What marks the scope of a request that this process sent to itself. No network can set it."""
_NOTE = "switchgear.note"


@dataclass(slots=True)
class Note:
    """What the access log will say of a request. `route` is the path's template, so no value is logged."""

    trace: Trace
    route: str = "unmatched"
    tenant: str | None = None
    code: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a handler answers with: the use cases, the verified caller, the request and its checked query."""

    control: Control
    traffic: Traffic
    principal: Principal
    request: Request
    query: Mapping[str, Any]

    @property
    def note(self) -> Note:
        """Return the note of this request."""
        return note_of(self.request.scope)

    def path_word(self, name: str) -> str:
        """Return the word that stands in the path at ``{name}``."""
        found: str = self.request.path_params[name]
        return found


Handler = Callable[[Exchange], Awaitable[Response]]


def attach_note(scope: Scope, note: Note) -> None:
    """Keep `note` with the request."""
    scope[_NOTE] = note


def note_of(scope: Scope) -> Note:
    """Return the note of the request."""
    note: Note = scope[_NOTE]
    return note


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` (a view, or anything that fits into JSON) as a JSON response."""
    return Response(msgspec.json.encode(value), status_code=status, headers=headers, media_type="application/json")


async def lines_response(lines: AsyncIterator[bytes]) -> Response:
    """Return `lines` as a stream of JSON Lines. The first is read before the answer begins: refusals show."""
    first = await anext(lines, b"")
    return StreamingResponse(_from(first, lines), media_type=LINES_MEDIA_TYPE)


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in rest:
        yield line
