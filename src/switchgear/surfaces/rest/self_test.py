"""What REST has to refuse before this process is ready: requests through the application itself, without a network.

Whom a token speaks for is tried at the application that callers reach. What a caller may do is tried at one that is
put together in the same way and knows a caller of its own, so no token is ever made that opens the real one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from switchgear.control.self_test import Trial
from switchgear.core.codes import Code
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.gates.kill_switches.switches import SELF_PROBE
from switchgear.surfaces.rest.exchange import SELF_TEST
from switchgear.surfaces.rest.headers import Verifier

_ACCOUNT = "platform"
_OPENS_NOTHING = "of the self-test"
_FROZEN = {"tool": SELF_PROBE, "arguments": {}, "account": _ACCOUNT}
_UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzZWxmLXRlc3QifQ."
"""A token that says ``{"alg":"none"}`` and so is signed by nobody."""

Drive = Callable[[], Awaitable[Code | None]]


def rest_trials(app: ASGIApp, assembled: Callable[[Verifier], ASGIApp]) -> list[Trial]:
    """Return the trials of `app`. `assembled` makes one like it that asks the given verifier."""
    return [
        Trial("rest", "authentication", Code.TENANT_UNAUTHENTICATED, _sending(app, "GET", "/v1/tools")),
        Trial("rest", "signature", Code.TENANT_UNAUTHENTICATED, _sending(app, "GET", "/v1/tools", token=_UNSIGNED)),
        Trial("rest", "kill_switch", Code.KILL_SWITCH_ACTIVE, _submitting(assembled(_Known("intents:submit")))),
        Trial("rest", "permission", Code.PERMISSION_DENIED, _submitting(assembled(_Known()))),
    ]


class _Known:
    """A verifier that knows one caller, whatever its token."""

    def __init__(self, *permissions: str) -> None:
        """Give that caller `permissions`."""
        self._principal = Principal(PLATFORM_TENANT, "switchgear", frozenset({_ACCOUNT}), frozenset(permissions))

    def verify(self, _token: str) -> Principal:
        """Return the caller."""
        return self._principal


def _submitting(app: ASGIApp) -> Drive:
    return _sending(app, "POST", "/v1/intents", body=_FROZEN, token=_OPENS_NOTHING)


def _sending(
    app: ASGIApp, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
) -> Drive:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app=_marked(app))

    async def drive() -> Code | None:
        async with httpx2.AsyncClient(transport=transport, base_url="http://self-test", headers=headers) as client:
            response = await client.request(method, path, json=body)
        return None if response.is_success else Code(response.json()["code"])

    return drive


def _marked(app: ASGIApp) -> ASGIApp:
    """Return `app` with its requests marked as our own, so that the log is about those of others."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, SELF_TEST: True}, receive, send)

    return marked
