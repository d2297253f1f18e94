"""The two general drivers: one blocking, one asynchronous. Everything that decides is shared and lives elsewhere.

They ask the machines under the mutex, and can do everything: wait to be let in (`admission`), and go on after an error
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
from switchgear.guard.admission import enter, enter_async
from switchgear.guard.attempts import Tries
from switchgear.guard.callables import PLAIN, is_awaitable, refuse_awaitable
from switchgear.guard.expiry import Armed
from switchgear.guard.holding import Hold
from switchgear.guard.member import Member
from switchgear.guard.refusing import refuse_if_open
from switchgear.guard.terms import Terms
from switchgear.guard.workers import Job, OutOfTime

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
) -> Any:
    """Make a guarded call of an async function; after a failed attempt, with the `tries` it has made."""
    plan = member.plan
    while True:
        sent = tries is not None and tries.made > 0
        now, ends = _moments(member, sent=sent)
        hold = Hold(member, terms)
        started = armed = None
        try:
            refusal = hold.admit(now)
            member = hold.member
            if refusal is not None and member.is_final(refusal, terms):
                raise member.refuse(refusal, now)
            try:
                if refusal is not None:
                    now = await enter_async(hold, refusal, now, ends, sent=sent)
                started = now
                when = min(now + plan.timeout_seconds, ends)
                if when < inf:
                    armed = Armed(plan.timers, when)
                result = await function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - `after` settles and raises
                cut = armed is not None and armed.disarm() and isinstance(error, CancelledError)
                tries = (tries or Tries(member, terms, (function, args, kwargs))).at(member)
                delay = tries.after(error, hold, started, ends, cut=cut)
            else:
                finished = plan.monotonic()
                if armed is not None:
                    armed.disarm()
                hold.settle(_SUCCESS, finished - now, finished)
                return result
        finally:
            if hold.held or hold.on_its_way:  # an interrupt, and nobody else has settled
                hold.give_back()
                if armed is not None:
                    armed.disarm()
        await plan.clock.sleep_async(delay)
        tries.again()


def drive(
    member: Member,
    terms: Terms,
    function: Callable[..., Any],
    args: Arguments,
    kwargs: Keywords,
    tries: Tries | None = None,
) -> Any:
    """Make a guarded call of a blocking function, as `drive_async` does."""
    plan = member.plan
    while True:
        sent = tries is not None and tries.made > 0
        now, ends = _moments(member, sent=sent)
        hold = Hold(member, terms)
        started = None
        try:
            refusal = hold.admit(now)
            member = hold.member
            if refusal is not None and member.is_final(refusal, terms):
                raise member.refuse(refusal, now)
            try:
                if refusal is not None:
                    now = enter(hold, refusal, now, ends, sent=sent)
                started = now
                when = min(now + plan.timeout_seconds, ends)
                if when == inf:
                    result = function(*args, **kwargs)
                else:
                    hold.job = job = Job(function, args, kwargs, partial(member.end_abandoned, hold.ticket))
                    result = job.make(plan.clock, when)
            except BaseException as error:  # noqa: BLE001 - `after` settles and raises
                tries = (tries or Tries(member, terms, (function, args, kwargs))).at(member)
                delay = tries.after(error, hold, started, ends, cut=isinstance(error, OutOfTime))
            else:
                finished = plan.monotonic()
                verdict = _SUCCESS if result.__class__ in PLAIN or not is_awaitable(result) else _IGNORED
                hold.settle(verdict, finished - now, finished)
                if verdict is _IGNORED:
                    refuse_awaitable(function, result)
                return result
        finally:
            if hold.held or hold.on_its_way:  # an interrupt, and nobody else has settled
                hold.give_back()
        plan.clock.sleep(delay)
        tries.again()


async def again_async(delay: float, tries: Tries, terms: Terms) -> Any:
    """Go on with a call of an async function, `delay` seconds after an attempt."""
    await tries.member.plan.clock.sleep_async(delay)
    tries.again()
    return await drive_async(tries.member, terms, *tries.call, tries)


def again(delay: float, tries: Tries, terms: Terms) -> Any:
    """Go on with a call of a blocking function, `delay` seconds after an attempt."""
    tries.member.plan.clock.sleep(delay)
    tries.again()
    return drive(tries.member, terms, *tries.call, tries)


def _moments(member: Member, *, sent: bool) -> tuple[float, float]:
    """Return the moment of now and of the deadline. Raises what is plain before anything is asked under the mutex."""
    plan = member.plan
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
    return now, ends
