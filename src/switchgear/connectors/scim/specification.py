"""What is declared of a SCIM server, and the operations that its tools may carry out. Plain data, checked at birth."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.scim.containment import deactivate, restore
from switchgear.connectors.scim.exchange import Exchange
from switchgear.connectors.scim.lookup import lookup_user
from switchgear.connectors.scim.states import STATE_SCHEMA
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.execution.contract import Call, Result

USER_ID = "user_id"
REVOKE_SESSIONS = "revoke_sessions"
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_USER_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 256}
_TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 1_024}

Run = Callable[[Exchange, Call], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimOperation:
    """What an operation does to the world, and the arguments that it takes.

    `resource` names what it touches, with ``{user_id}`` for the user: two operations on one resource can undo each
    other. It is None for what touches nothing. `run` makes one attempt.
    """

    description: str
    effect: Effect
    arguments_schema: Mapping[str, Any]
    run: Run
    resource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimConnection:
    """A SCIM server.

    `http` says where it is, which headers it wants, and the bounds; ``/Users`` is added to its `base_url`.
    `revoke_sessions` is the request that ends the sessions of a user, which SCIM itself does not have: its path holds
    ``{user_id}`` and it has no body. None when there is none.
    """

    http: HttpConnection
    revoke_sessions: HttpOperation | None = None

    def __post_init__(self) -> None:
        """Check the request that ends sessions."""
        revoke = self.revoke_sessions
        if revoke is None:
            return
        if revoke.method not in _CHANGING or revoke.body != "none":
            raise OptionError(f'revoke_sessions is one of {", ".join(_CHANGING)} and has no body; write body = "none"')
        if revoke.template.names != (USER_ID,) or revoke.query:
            raise OptionError('revoke_sessions needs {user_id} and no more: path = "/Users/{user_id}/sessions:revoke"')
        if revoke.host is not None and not self.http.allows(revoke.host):
            raise OptionError(f"revoke_sessions goes to {revoke.host!r}, which hosts of the connector does not list")

    @property
    def operations(self) -> Mapping[str, ScimOperation]:
        """The operations that this server has, by name."""
        if self.revoke_sessions is None:
            return OPERATIONS
        return {**OPERATIONS, REVOKE_SESSIONS: _revocation(self.revoke_sessions)}

    def binding(self, operation: str) -> str:
        """Return what a tool sends where, in a stable form, so that another request is another contract."""
        declared = self.revoke_sessions if operation == REVOKE_SESSIONS else None
        return f"{self.http.base_url} scim {operation}{f' {declared.binding}' if declared else ''}"


def _arguments(required: tuple[str, ...], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*required], "additionalProperties": False, "properties": properties}


OPERATIONS: Mapping[str, ScimOperation] = {
    "lookup_user": ScimOperation(
        description="Find a user by id, name or external id and tell whether it is active. Changes nothing.",
        effect=Effect.READ_ONLY,
        arguments_schema={
            **_arguments((), user_id=_USER_ID_SCHEMA, user_name=_TEXT_SCHEMA, external_id=_TEXT_SCHEMA),
            "minProperties": 1,
            "maxProperties": 1,
        },
        run=lookup_user,
    ),
    "deactivate": ScimOperation(
        description="Take a user out of service. Returns the state before and after.",
        effect=Effect.NATURAL,
        arguments_schema=_arguments((USER_ID,), user_id=_USER_ID_SCHEMA, prior=STATE_SCHEMA),
        resource="users/{user_id}",
        run=deactivate,
    ),
    "restore": ScimOperation(
        description="Give a user back the state that deactivate found, if nobody has touched it since.",
        effect=Effect.NATURAL,
        arguments_schema=_arguments(
            (USER_ID, "prior", "now"), user_id=_USER_ID_SCHEMA, prior=STATE_SCHEMA, now=STATE_SCHEMA
        ),
        resource="users/{user_id}",
        run=restore,
    ),
}
"""Name → operation, as every SCIM server has them."""


def _revocation(request: HttpOperation) -> ScimOperation:
    """Return the operation that ends the sessions of a user by one declared request."""

    async def run(exchange: Exchange, call: Call) -> Result:
        reply = await exchange.send(request, call, {USER_ID: call.arguments.get(USER_ID)})
        return reply.result

    return ScimOperation(
        description="End every session of a user.",
        effect=Effect.NATURAL,
        arguments_schema=_arguments((USER_ID,), user_id=_USER_ID_SCHEMA),
        resource="users/{user_id}/sessions",
        run=run,
    )
