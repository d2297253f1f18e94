"""One request on its way: what the edge notes of it, and what a handler gets to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal
from switchgear.surfaces.rest.trace import Trace
from switchgear.surfaces.rest.traffic import Traffic

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

    @property
    def intent_id(self) -> str:
        """Return the id in the path."""
        found: str = self.request.path_params["intent_id"]
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
