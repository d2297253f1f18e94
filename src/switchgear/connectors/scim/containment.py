"""Takes a user out of service and brings it back: read, compare, change on condition that nobody came in between.

Each operation is one attempt. What only read is never in doubt: until the change has left, nothing was applied.

A state that an earlier attempt may have made is not taken for somebody else's. `deactivate` then calls the prior state
what the argument ``prior`` says, or not known; `restore` is content to find what it wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from switchgear.connectors.scim.exchange import Exchange, Reply
from switchgear.connectors.scim.messages import READ, patch, patching, reading
from switchgear.connectors.scim.states import Ground, UserState, ground_of_sameness, recorded_state, shown_state
from switchgear.connectors.values import brief
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain

_RACED = "changed meanwhile: somebody changed the user between our read and our change"
_READ_AGAIN = Refused(Code.CHANGED_MEANWHILE, _RACED, retryable=True, verdict=Verdict.SUCCESS)


async def deactivate(exchange: Exchange, call: Call) -> Result:
    """Set ``active`` to false and return ``{"prior": …, "now": …}``. A user that is inactive already is left alone.

    ``prior`` is null when it is not known: an earlier attempt of this call may have made the user inactive, and the
    argument ``prior`` does not say what it was before.
    """
    believed = recorded_state("prior", call.arguments.get("prior"))
    present = await present_state(exchange, call)
    if isinstance(present, Refused):
        return present
    if present.active is False:
        return Succeeded(_change(believed if call.attempt > 1 else present, present))
    left = await _set_active(exchange, call, present, active=False, raced=_READ_AGAIN)
    return Succeeded(_change(present, left)) if isinstance(left, UserState) else left


async def restore(exchange: Exchange, call: Call) -> Result:
    """Set ``active`` back to ``prior`` if the user is still as ``now`` says. Both are what `deactivate` returned.

    Returns ``{"prior": …, "now": …, "compared": "version" | "last_modified" | "value"}``, where `compared` says what
    shows that nobody touched the user. A user that was touched is refused for good, and so is an unknown ``prior``.
    """
    prior = recorded_state("prior", call.arguments.get("prior"))
    left = recorded_state("now", call.arguments.get("now")) or UserState(active=False)
    if prior is None:
        return _for_a_person("it is not known whether the user was active before it was deactivated")
    present = await present_state(exchange, call)
    if isinstance(present, Refused):
        return present
    ground = ground_of_sameness(left, present)
    if ground is None:
        wanted = call.attempt > 1 and present.active is prior.active
        return Succeeded(_restored(None, present, "value")) if wanted else _changed(left, present)
    return await _put_back(exchange, call, prior, present, ground)


async def present_state(exchange: Exchange, call: Call) -> UserState | Refused:
    """Return the state that the server shows now, or why there is none. Nothing is ever in doubt: this only reads."""
    reply = await exchange.send(READ, call, reading(call.arguments.get("user_id")))
    if not isinstance(reply.result, Succeeded):
        return nothing_changed(reply.result)
    return state_in(reply, call.arguments.get("user_id"))


def state_in(reply: Reply, user_id: object) -> UserState | Refused:
    """Return the state in an answer that should hold the user `user_id`."""
    user = reply.result.value if isinstance(reply.result, Succeeded) else None
    try:
        state = shown_state(user, reply.etag)
    except ValueError as error:
        return unreadable(f"answered {reply.status}, but no user can be read: {error}")
    if isinstance(user, Mapping) and user.get("id") != user_id:
        return unreadable(f"answered {reply.status} with another user than the one asked for")
    return state


def nothing_changed(result: Refused | Uncertain) -> Refused:
    """Return what a failed read says: nothing was applied, and where it was uncertain another attempt may help."""
    if isinstance(result, Refused):
        return result
    return Refused(result.code, result.message, retryable=True, verdict=result.verdict, retry_after=result.retry_after)


def unreadable(message: str) -> Refused:
    """Return the refusal of a read that cannot be understood. Nothing was applied."""
    return Refused(Code.DEPENDENCY_FAILED, brief(message), retryable=True, verdict=Verdict.FAILURE)


async def _put_back(exchange: Exchange, call: Call, prior: UserState, present: UserState, ground: Ground) -> Result:
    if present.active is prior.active:
        return Succeeded(_restored(present, present, ground))
    now = await _set_active(exchange, call, present, active=prior.active, raced=_touched(_RACED))
    return Succeeded(_restored(present, now, ground)) if isinstance(now, UserState) else now


async def _set_active(
    exchange: Exchange, call: Call, present: UserState, *, active: bool | None, raced: Refused
) -> UserState | Refused | Uncertain:
    """Change ``active`` on condition that the user is as it was read, and return what it was left as, else `raced`."""
    user_id = call.arguments.get("user_id")
    reply = await exchange.send(patch(present.version), call, patching(user_id, active=active))
    if reply.status == HTTPStatus.PRECONDITION_FAILED:
        return raced
    if not isinstance(reply.result, Succeeded):
        return reply.result
    left = await _left(exchange, call, reply, active=active)
    if isinstance(left, UserState) and active is not None and left.active is not active:
        return Uncertain(Code.DEPENDENCY_FAILED, f"answered {reply.status}, but active is {_word(left.active)}")
    return left


async def _left(exchange: Exchange, call: Call, reply: Reply, *, active: bool | None) -> UserState | Uncertain:
    """Return what a change left the user as. An answer without a user is looked after; it happened all the same."""
    if isinstance(reply.result, Succeeded) and reply.result.value is None:
        seen = await present_state(exchange, call)
        if isinstance(seen, Refused):
            return UserState(active, reply.etag)
        return UserState(seen.active, reply.etag or seen.version, seen.last_modified)
    state = state_in(reply, call.arguments.get("user_id"))
    return Uncertain(state.code, state.message) if isinstance(state, Refused) else state


def _changed(left: UserState, present: UserState) -> Refused:
    if left.active is not present.active:
        return _touched(f"changed meanwhile: active is {_word(present.active)}, and was {_word(left.active)}")
    return _touched("changed meanwhile: somebody has changed the user since it was deactivated")


def _touched(message: str) -> Refused:
    return Refused(Code.CHANGED_MEANWHILE, message, retryable=False, verdict=Verdict.SUCCESS)


def _for_a_person(message: str) -> Refused:
    return Refused(Code.TOOL_FAILED, message, retryable=False, verdict=Verdict.SUCCESS)


def _change(prior: UserState | None, now: UserState) -> dict[str, object]:
    return {"prior": None if prior is None else prior.to_json(), "now": now.to_json()}


def _restored(prior: UserState | None, now: UserState, ground: Ground) -> dict[str, object]:
    return {**_change(prior, now), "compared": ground}


def _word(active: bool | None) -> str:  # noqa: FBT001 - a value, no switch
    return "not shown" if active is None else str(active).lower()
