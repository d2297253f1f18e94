"""The two general drivers: one blocking, one asynchronous. Everything that decides is shared and lives elsewhere.

They ask the machines under the mutex, and can do everything: wait to be let in (`entry`), and go on after an error
(`attempts`). Most calls never get here, see `switchgear.guard.straight`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from math import inf
from typing import Any

from switchgear.core.deadline import CURRENT
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import Tries
from switchgear.guard.callables import PLAIN, is_awaitable, refuse_awaitable
from switchgear.guard.entry import enter, enter_async
from switchgear.guard.expiry import Armed
from switchgear.guard.member import Member, Ticket
from switchgear.guard.refusing import refuse_if_open
from switchgear.guard.terms import Terms
from switchgear.guard.workers import OutOfTime, call_in_worker
from switchgear.policies.refusal import Refusal

_SUCCESS = Verdict.SUCCESS
_IGNORED = Verdict.IGNORED

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]


async def drive_async(
    member: Member,
    terms: Terms,
    function: Callable[..., Coroutine[Any, Any, Any]],
    args: Arguments,
    kwargs: Keywords,
    tries: Tries | None = None,
) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of an async function; after a failed attempt, with the `tries` it has made."""
    plan = member.plan
    while True:
        sent = tries is not None and tries.made > 0
        scope = CURRENT.get()
        ends = inf if scope is None else scope.moment_on(plan.clock)
        now = plan.monotonic()
        if now >= ends:
            raise member.too_late(sent=sent)
        if plan.refuses_at_once and (refused := refuse_if_open(member, now)) is not None:
            try:
                raise refused
            finally:
                del refused  # an error must not be kept alive by the frames that it passed
        member, admitted = member.admit(now, terms)
        if isinstance(admitted, Refusal) and member.is_final(admitted, terms):
            raise member.refuse(admitted, now)
        ticket: Ticket = None
        started = armed = None
        try:
            if isinstance(admitted, Refusal):
                ticket, now = await enter_async(member, admitted, terms, now, ends, sent=sent)
            else:
                ticket = admitted
            started = now
            when = min(now + plan.timeout_seconds, ends)
            if when < inf:
                armed = Armed(plan.timers, when)
            result = await function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - `after` settles and raises
            cut = armed is not None and armed.disarm() and isinstance(error, CancelledError)
            tries = (tries or Tries(member, terms)).at(member)
            delay = tries.after(error, ticket, started, ends, terms.cost, cut=cut)
        else:
            finished = plan.monotonic()
            if armed is not None:
                armed.disarm()
            member.settle(ticket, _SUCCESS, finished - now, finished)
            return result
        await plan.clock.sleep_async(delay)
        tries.again()


def drive(
    member: Member,
    terms: Terms,
    function: Callable[..., Any],
    args: Arguments,
    kwargs: Keywords,
    tries: Tries | None = None,
) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of a blocking function, as `drive_async` does."""
    plan = member.plan
    while True:
        sent = tries is not None and tries.made > 0
        scope = CURRENT.get()
        ends = inf if scope is None else scope.moment_on(plan.clock)
        now = plan.monotonic()
        if now >= ends:
            raise member.too_late(sent=sent)
        if plan.refuses_at_once and (refused := refuse_if_open(member, now)) is not None:
            try:
                raise refused
            finally:
                del refused  # an error must not be kept alive by the frames that it passed
        member, admitted = member.admit(now, terms)
        if isinstance(admitted, Refusal) and member.is_final(admitted, terms):
            raise member.refuse(admitted, now)
        ticket: Ticket = None
        started = None
        try:
            if isinstance(admitted, Refusal):
                ticket, now = enter(member, admitted, terms, now, ends, sent=sent)
            else:
                ticket = admitted
            started = now
            when = min(now + plan.timeout_seconds, ends)
            if when == inf:
                result = function(*args, **kwargs)
            else:
                when_ended = partial(member.end_abandoned, ticket)
                result = call_in_worker(function, args, kwargs, plan.clock, when, when_ended)
        except BaseException as error:  # noqa: BLE001 - `after` settles and raises
            tries = (tries or Tries(member, terms)).at(member)
            delay = tries.after(error, ticket, started, ends, terms.cost, cut=isinstance(error, OutOfTime))
        else:
            finished = plan.monotonic()
            verdict = _SUCCESS if result.__class__ in PLAIN or not is_awaitable(result) else _IGNORED
            member.settle(ticket, verdict, finished - now, finished)
            if verdict is _IGNORED:
                refuse_awaitable(function, result)
            return result
        plan.clock.sleep(delay)
        tries.again()


async def again_async(
    delay: float,
    tries: Tries,
    member: Member,
    terms: Terms,
    function: Callable[..., Coroutine[Any, Any, Any]],
    args: Arguments,
    kwargs: Keywords,
) -> Any:  # noqa: ANN401 - what the call returns
    """Go on with a call of an async function, `delay` seconds after an attempt."""
    await member.plan.clock.sleep_async(delay)
    tries.again()
    return await drive_async(member, terms, function, args, kwargs, tries)


def again(
    delay: float,
    tries: Tries,
    member: Member,
    terms: Terms,
    function: Callable[..., Any],
    args: Arguments,
    kwargs: Keywords,
) -> Any:  # noqa: ANN401 - what the call returns
    """Go on with a call of a blocking function, `delay` seconds after an attempt."""
    member.plan.clock.sleep(delay)
    tries.again()
    return drive(member, terms, function, args, kwargs, tries)
