"""Finds a user by id, by name or by the caller's own id for it, and changes nothing.

Not finding a user is an answer only when the server says so itself: a 404 without a SCIM error may come from anybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from http import HTTPStatus

from switchgear.connectors.http.exchange import not_sent
from switchgear.connectors.scim.containment import nothing_changed, state_in, unreadable
from switchgear.connectors.scim.exchange import Exchange
from switchgear.connectors.scim.messages import FIND, READ, finding, reading
from switchgear.connectors.scim.states import UserState, shown_state
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded

ATTRIBUTES: Mapping[str, str] = {"user_name": "userName", "external_id": "externalId"}
"""Argument → the SCIM attribute that it is looked for in."""


async def lookup_user(exchange: Exchange, call: Call) -> Result:
    """Return ``{"found": …, "user_id": …, "now": …}``; ``now`` is the state, null when there is no such user.

    Takes one of ``user_id``, ``user_name`` and ``external_id``. Several users with one external id are refused.
    """
    given = [name for name in ("user_id", *ATTRIBUTES) if call.arguments.get(name) is not None]
    if len(given) != 1:
        return not_sent(Code.INVALID_ARGUMENT, "give one of user_id, user_name and external_id")
    value = str(call.arguments[given[0]])
    if given[0] == "user_id":
        return await _by_id(exchange, call, value)
    return await _by_filter(exchange, call, ATTRIBUTES[given[0]], value)


async def _by_id(exchange: Exchange, call: Call, user_id: str) -> Result:
    reply = await exchange.send(READ, call, reading(user_id))
    if isinstance(reply.result, Succeeded):
        state = state_in(reply, user_id)
        return state if isinstance(state, Refused) else _found(user_id, state)
    if reply.status == HTTPStatus.NOT_FOUND and reply.says_why:
        return _absent(user_id)
    return nothing_changed(reply.result)


async def _by_filter(exchange: Exchange, call: Call, attribute: str, value: str) -> Result:
    reply = await exchange.send(FIND, call, finding(attribute, value))
    if not isinstance(reply.result, Succeeded):
        return nothing_changed(reply.result)
    try:
        return _the_only(_listed(reply.result.value), attribute, value)
    except ValueError as error:
        return unreadable(f"answered {reply.status}, but {error}")


def _the_only(found: tuple[int, list[Mapping[str, object]]], attribute: str, value: str) -> Result:
    """Return the one user that was found, once it is known to be the one that was asked for."""
    total, users = found
    if total == 0:
        return _absent(None)
    if total > 1:
        message = f"{total} users have this {attribute}; look up by user_id"
        return Refused(Code.TOOL_FAILED, message, retryable=False, verdict=Verdict.SUCCESS)
    user_id = users[0].get("id")
    if not isinstance(user_id, str) or not user_id or not _same(attribute, users[0].get(attribute), value):
        raise ValueError(f"with a user that does not have this {attribute}")
    return _found(user_id, shown_state(users[0]))


def _listed(value: object) -> tuple[int, list[Mapping[str, object]]]:
    """Return how many users a list response (RFC 7644 §3.4.2) speaks of, and those in it.

    Raises `ValueError` when it is none, or speaks of one user and does not hold it.
    """
    total = value.get("totalResults") if isinstance(value, Mapping) else None
    users = (value.get("Resources") or []) if isinstance(value, Mapping) else []
    if (
        not isinstance(total, int)
        or not isinstance(users, list)
        or not all(isinstance(user, Mapping) for user in users)
    ):
        raise ValueError("it is no list of users")
    if len(users) > total or (total == 1 and not users):
        raise ValueError(f"totalResults is {total} and {len(users)} users came")
    return total, users


def _same(attribute: str, found: object, wanted: str) -> bool:
    """Whether a server takes two values for one: names ignore case and composition (RFC 7643 §4.1.1), ids do not."""
    if attribute != "userName" or not isinstance(found, str):
        return found == wanted
    return unicodedata.normalize("NFKC", found).casefold() == unicodedata.normalize("NFKC", wanted).casefold()


def _found(user_id: str, state: UserState) -> Succeeded:
    return Succeeded({"found": True, "user_id": user_id, "now": state.to_json()})


def _absent(user_id: str | None) -> Succeeded:
    return Succeeded({"found": False, "user_id": user_id, "now": None})
