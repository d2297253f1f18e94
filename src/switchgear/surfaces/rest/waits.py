"""The wait of a request for the outcome of an intent or a saga, which `Prefer: wait=N` asks for. Changes nothing.

A wait is counted (`RestLimits.waits_max`) and given up when its client goes away or the server stops. What goes wrong
with it is never an error of the request: the answer then shows what was waited for as it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from switchgear.control.intent_views import IntentView
from switchgear.control.sagas import SagaView
from switchgear.core.errors import SwitchgearError
from switchgear.surfaces.rest.exchange import Exchange
from switchgear.surfaces.rest.operation import Header
from switchgear.surfaces.rest.races import while_wanted

_LOG = structlog.get_logger("switchgear.rest")

_WAIT = r"^wait=[0-9]{1,3}$"

PREFER = Header(
    "Prefer",
    "`wait=N`: answer when the intent is settled, at the latest after N whole seconds (at most 60). "
    "`Preference-Applied` in the answer says that it was heard.",
    _WAIT,
)
PREFER_OF_SAGA = Header(
    "Prefer",
    "`wait=N`: answer when the saga is at its end or stuck, at the latest after N whole seconds (at most 60). "
    "`Preference-Applied` in the answer says that it was heard.",
    _WAIT,
)


class Shown(Protocol):
    """What is waited for, as it was when somebody looked: an intent or a saga."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def final(self) -> bool:
        """Whether nothing changes any more by itself."""


Kind = TypeVar("Kind", bound=Shown)


async def waited(exchange: Exchange, intent: IntentView, wish: int | None) -> IntentView | None:
    """Return the intent once it is settled or needs approval, or as it stands after `wish` seconds.

    None when nothing was waited for: nobody wished it, the intent is final, or this caller cannot be given a wait; and
    when the wait was given up. `intent` is the present state, already the caller's to see or accepted from them.
    """

    async def outcome(seconds: int) -> IntentView:
        return (await exchange.control.intents.wait(exchange.principal, intent.id, seconds)).view

    return await _heard(exchange, intent, wish, outcome, permission="intents:read")


async def saga_waited(exchange: Exchange, saga: SagaView, wish: int | None) -> SagaView | None:
    """Return the saga once it is at its end or stuck, or as it stands after `wish` seconds. None as for an intent."""

    def outcome(seconds: int) -> Awaitable[SagaView]:
        return exchange.control.sagas.wait(exchange.principal, saga.id, seconds)

    return await _heard(exchange, saga, wish, outcome, permission="sagas:read")


async def _heard(
    exchange: Exchange,
    shown: Kind,
    wish: int | None,
    outcome: Callable[[int], Awaitable[Kind]],
    *,
    permission: str,
) -> Kind | None:
    if not wish or shown.final or permission not in exchange.principal.permissions:
        return None
    with exchange.traffic.wait(exchange.principal.tenant) as granted:
        if not granted:
            return None
        try:
            return await while_wanted(outcome(wish), exchange.request, exchange.traffic)
        except SwitchgearError as error:
            _LOG.warning("wait ended early", waited_for=shown.id, code=str(error.code))
            return None


def applied(seconds: int | None) -> dict[str, str]:
    """Return the header which says that a wait of `seconds` was heard (RFC 7240 §3); without them, no header."""
    return {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}
