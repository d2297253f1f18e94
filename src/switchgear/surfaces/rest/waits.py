"""The wait of a request for the outcome of an intent, which `Prefer: wait=N` asks for. Nothing is changed here.

A wait is counted (`RestLimits.waits_max`) and given up when its client goes away or the server stops. What goes wrong
with it is never an error of the request: the answer then shows the intent as it was.
"""

from __future__ import annotations

import structlog

from switchgear.control.intent_views import IntentView
from switchgear.core.errors import SwitchgearError
from switchgear.surfaces.rest.exchange import Exchange
from switchgear.surfaces.rest.operation import Header
from switchgear.surfaces.rest.races import while_wanted

_LOG = structlog.get_logger("switchgear.rest")

PREFER = Header(
    "Prefer",
    "`wait=N`: answer when the intent is settled, at the latest after N whole seconds (at most 60). "
    "`Preference-Applied` in the answer says that it was heard.",
    r"^wait=[0-9]{1,3}$",
)


async def waited(exchange: Exchange, intent: IntentView, wish: int | None) -> IntentView | None:
    """Return the intent once it is settled or needs approval, or as it stands after `wish` seconds.

    None when nothing was waited for: nobody wished it, the intent is final, or this caller cannot be given a wait; and
    when the wait was given up. `intent` is the present state, already the caller's to see or accepted from them.
    """
    if not wish or intent.final or "intents:read" not in exchange.principal.permissions:
        return None
    with exchange.traffic.wait(exchange.principal.tenant) as granted:
        if not granted:
            return None
        try:
            outcome = exchange.control.intents.wait(exchange.principal, intent.id, wish)
            seen = await while_wanted(outcome, exchange.request, exchange.traffic)
            return None if seen is None else seen.view
        except SwitchgearError as error:
            _LOG.warning("wait ended early", intent=intent.id, code=str(error.code))
            return None


def applied(seconds: int | None) -> dict[str, str]:
    """Return the header which says that a wait of `seconds` was heard (RFC 7240 §3); without them, no header."""
    return {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}
